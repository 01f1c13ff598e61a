//! The bpf(2) interface over the running Linux kernel.
