//! eBPF ELF objects as plain, editable data.
