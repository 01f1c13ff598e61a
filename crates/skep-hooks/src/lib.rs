//! Event sources of the user-space kernel: system calls and processes.
