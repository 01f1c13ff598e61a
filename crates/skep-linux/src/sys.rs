//! The system calls themselves. Everything unsafe about file descriptors and addresses is here and in [`ring`](crate::ring).

use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use skep_catalog::Command;
use skep_kernel::Errno;

use crate::attr::{PerfEventAttr, Plain};

/// `bpf(2)`.
///
/// # Safety
/// `attr` is the structure of `command`, every address in it is valid for what the command reads or writes there, for as
/// many bytes as the structure or the object says.
pub(crate) unsafe fn bpf<T: Plain>(command: Command, attr: &mut T) -> Result<i32, Errno> {
    let attr: *mut T = attr;
    // SAFETY: the structure is as long as said; the rest is the caller's promise.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command.number(), attr, size_of::<T>()) };
    // Descriptors and counts are ints.
    if result < 0 { Err(last_errno()) } else { Ok(result as i32) }
}

/// `bpf(2)` for commands that give a descriptor.
///
/// # Safety
/// As [`bpf`], and the command gives a new descriptor.
pub(crate) unsafe fn bpf_fd<T: Plain>(command: Command, attr: &mut T) -> Result<OwnedFd, Errno> {
    // SAFETY: the caller's promise.
    let fd = unsafe { bpf(command, attr) }?;
    // SAFETY: the kernel just made this descriptor for us; nothing else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// `BPF_OBJ_GET_INFO_BY_FD`.
///
/// # Safety
/// `info` is the structure of the object's kind, addresses in it are valid as [`bpf`] says.
pub(crate) unsafe fn info<T: Plain>(fd: BorrowedFd<'_>, info: &mut T) -> Result<(), Errno> {
    let mut attr = crate::attr::Info {
        bpf_fd: raw(fd),
        info_len: size_of::<T>() as u32,
        info: address_mut(std::slice::from_mut(info)),
    };
    // SAFETY: the kernel writes at most `info_len` bytes of `info`; the rest is the caller's promise.
    unsafe { bpf(Command::ObjGetInfoByFd, &mut attr) }.map(drop)
}

/// `perf_event_open(2)` for all processes on one CPU.
///
/// # Safety
/// Addresses in `attr` are those of zero-terminated strings.
pub(crate) unsafe fn perf_event_open(attr: &mut PerfEventAttr, cpu: i32) -> Result<OwnedFd, Errno> {
    const PERF_FLAG_FD_CLOEXEC: libc::c_ulong = 1 << 3;
    attr.size = size_of::<PerfEventAttr>() as u32;
    let attr: *mut PerfEventAttr = attr;
    // SAFETY: the structure is as long as it says; the rest is the caller's promise.
    let result = unsafe { libc::syscall(libc::SYS_perf_event_open, attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC) };
    if result < 0 {
        return Err(last_errno());
    }
    // SAFETY: the kernel just made this descriptor for us; nothing else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(result as i32) })
}

/// Enables a perf event (`PERF_EVENT_IOC_ENABLE`).
pub(crate) fn perf_event_enable(event: BorrowedFd<'_>) -> Result<(), Errno> {
    const PERF_EVENT_IOC_ENABLE: libc::Ioctl = 0x2400;
    // SAFETY: this request takes no address.
    let result = unsafe { libc::ioctl(event.as_raw_fd(), PERF_EVENT_IOC_ENABLE, 0) };
    if result < 0 { Err(last_errno()) } else { Ok(()) }
}

/// Lets this process lock any amount of memory, which maps and programs count as before Linux 5.11. False if it may not.
pub(crate) fn raise_memlock() -> bool {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Memlock);
    limit.current.is_some() && setrlimit(Resource::Memlock, Rlimit { current: None, maximum: None }).is_ok()
}

fn last_errno() -> Errno {
    errno(&std::io::Error::last_os_error())
}

/// The errno of an I/O error, `EIO` if it has none.
pub(crate) fn errno(error: &std::io::Error) -> Errno {
    Errno(error.raw_os_error().unwrap_or(libc::EIO))
}

/// A descriptor as attribute structures have it.
pub(crate) fn raw(fd: BorrowedFd<'_>) -> u32 {
    fd.as_raw_fd().cast_unsigned()
}

/// The address of a slice for an attribute structure, 0 for an empty one.
pub(crate) fn address<T>(slice: &[T]) -> u64 {
    if slice.is_empty() { 0 } else { slice.as_ptr().expose_provenance() as u64 }
}

/// The address of a slice that the kernel writes.
pub(crate) fn address_mut<T>(slice: &mut [T]) -> u64 {
    if slice.is_empty() { 0 } else { slice.as_mut_ptr().expose_provenance() as u64 }
}
