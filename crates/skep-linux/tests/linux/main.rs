//! The `Kernel` interface against the running Linux kernel. Where `bpf(2)` is refused, every test skips with one line.

mod cbpf;
mod common;
mod links;
mod maps;
mod objects;
mod progs;
