//! BTF, the type format of eBPF: read, validate, print.
