//! The log of a load: off at first, since it costs time, and asked for once the load has failed.

use std::os::fd::OwnedFd;

use skep_kernel::{Errno, KernelError};

/// Bytes of the first log buffer, and of the largest: `UINT_MAX >> 2` is what the kernel takes, but logs beyond this are
/// cut (the kernel keeps the end).
const FIRST: usize = 64 << 10;
const LARGEST: usize = 64 << 20;

/// Loads with the log off, then, if that failed, with a log that grows until everything fits. `load` gets the log level
/// and the buffer. The error carries the log.
pub(crate) fn with_log(
    level: u32,
    mut load: impl FnMut(u32, &mut [u8]) -> Result<OwnedFd, Errno>,
) -> Result<OwnedFd, (Errno, String)> {
    let mut errno = match load(0, &mut []) {
        Ok(fd) => return Ok(fd),
        // No verifier was asked.
        Err(errno @ (Errno::EPERM | Errno::ENOSYS | Errno::EBADF)) => return Err((errno, String::new())),
        Err(errno) => errno,
    };
    let mut log = vec![0; FIRST];
    loop {
        match load(level.max(1), &mut log) {
            // It failed just before: memory was short, or a signal was pending.
            Ok(fd) => return Ok(fd),
            Err(Errno::ENOSPC) if log.len() < LARGEST => {
                let larger = log.len() * 4;
                log.clear();
                log.resize(larger, 0);
            }
            Err(Errno::ENOSPC) => break,
            Err(last) => {
                errno = last;
                break;
            }
        }
    }
    let end = log.iter().position(|byte| *byte == 0).unwrap_or(log.len());
    Err((errno, String::from_utf8_lossy(&log[..end]).into_owned()))
}

/// A number of things as the kernel's 32-bit fields have it.
pub(crate) fn count(len: usize, what: &str) -> Result<u32, KernelError> {
    u32::try_from(len)
        .map_err(|_| KernelError::new(Errno::E2BIG, format!("{len} {what} are more than bpf(2) can take")))
}
