//! The user-space kernel through the `Kernel` interface: what refers to what, and what Linux answers to misuse.

mod lifetime;
mod maps;
mod programs;
mod support;
