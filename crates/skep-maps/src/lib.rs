//! Storage of eBPF maps.
