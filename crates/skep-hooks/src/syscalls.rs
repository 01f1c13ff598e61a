//! System calls by the names that the kernel's tracepoints and functions have, on this machine.

use skep_catalog::{Arch, syscalls};

#[cfg(target_arch = "x86_64")]
const ARCH: Arch = Arch::X86_64;
#[cfg(target_arch = "aarch64")]
const ARCH: Arch = Arch::Arm64;

/// The number of the system call whose function has this name.
pub(crate) fn number(function: &str) -> Option<u32> {
    let named = |call: &&syscalls::Syscall| call.function_on(ARCH) == Some(function);
    syscalls::all().iter().find(named)?.number(ARCH)
}

/// How many arguments the call has.
pub(crate) fn arg_count(nr: u32) -> usize {
    syscalls::by_number(ARCH, nr).map_or(0, |call| call.args_on(ARCH).len())
}
