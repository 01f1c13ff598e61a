//! Helpers that read memory which may not be there.
//!
//! Kernel memory is what the program could see anyway: its stack, context, maps and records, and the memory that the event
//! source calls kernel memory. User memory is the task's. `bpf_probe_read` and `bpf_probe_read_str`, which do not say which,
//! look in kernel memory first.

use crate::error::Errno;
use crate::interp::{Access, Run, Step, zeroes};

use super::error;

/// Bytes that are copied at once without allocating.
const SMALL: usize = 256;

/// Instructions that asking the task for its memory counts for: a system call.
const USER_COST: u64 = 256;

/// Where to read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Space {
    Kernel,
    User,
    Either,
}

pub(super) fn probe_read(run: &mut Run<'_, '_>, args: [u64; 5]) -> Step<u64> {
    read(run, args, Space::Either)
}

pub(super) fn probe_read_user(run: &mut Run<'_, '_>, args: [u64; 5]) -> Step<u64> {
    read(run, args, Space::User)
}

pub(super) fn probe_read_kernel(run: &mut Run<'_, '_>, args: [u64; 5]) -> Step<u64> {
    read(run, args, Space::Kernel)
}

pub(super) fn probe_read_str(run: &mut Run<'_, '_>, args: [u64; 5]) -> Step<u64> {
    read_str(run, args, Space::Either)
}

pub(super) fn probe_read_user_str(run: &mut Run<'_, '_>, args: [u64; 5]) -> Step<u64> {
    read_str(run, args, Space::User)
}

pub(super) fn probe_read_kernel_str(run: &mut Run<'_, '_>, args: [u64; 5]) -> Step<u64> {
    read_str(run, args, Space::Kernel)
}

/// `bpf_copy_from_user`, for sleepable programs.
pub(super) fn copy_from_user(run: &mut Run<'_, '_>, args: [u64; 5]) -> Step<u64> {
    read(run, args, Space::User)
}

/// Copies `size` bytes, or fills the destination with zeroes and answers an error.
fn read(run: &mut Run<'_, '_>, args: [u64; 5], space: Space) -> Step<u64> {
    let [to, size, from, ..] = args;
    run.check(to, size, Access::Write)?;
    let mut small = [0; SMALL];
    let mut large;
    let buffer = match small.get_mut(..size as usize) {
        Some(small) => small,
        None => {
            // `size` bytes of destination are there, so that many can be had.
            large = zeroes(size)?;
            large.as_mut_slice()
        }
    };
    if space != Space::Kernel {
        run.burn(USER_COST);
    }
    let good = match space {
        _ if size == 0 => true,
        Space::Kernel => run.probe(from, buffer),
        Space::User => run.context.task.read_user(from, buffer).is_ok(),
        Space::Either => run.probe(from, buffer) || run.context.task.read_user(from, buffer).is_ok(),
    };
    if !good {
        buffer.fill(0);
    }
    run.write(to, buffer)?;
    Ok(if good { 0 } else { error(unreadable(from, space)) })
}

/// What Linux answers for memory that cannot be read: on x86-64 the lower half of the address space and addresses that are not
/// canonical are out of the range of kernel memory, all else is a fault.
fn unreadable(addr: u64, space: Space) -> Errno {
    let upper_half = addr.cast_signed() >> 47 == -1;
    if space == Space::Kernel && !upper_half { Errno::ERANGE } else { Errno::EFAULT }
}

/// Copies up to and including the first zero byte, at most `size` bytes, the last of them zero; answers how many. Fills the
/// destination with zeroes and answers an error when a byte cannot be read.
fn read_str(run: &mut Run<'_, '_>, args: [u64; 5], space: Space) -> Step<u64> {
    let [to, size, from, ..] = args;
    run.check(to, size, Access::Write)?;
    if size == 0 {
        return Ok(0);
    }
    let room = size as usize;
    let text = match space {
        Space::Kernel => kernel_str(run, from, room),
        Space::User => user_str(run, from, room),
        Space::Either => kernel_str(run, from, room).or_else(|| user_str(run, from, room)),
    };
    match text {
        Some(mut text) => {
            if let Some(last) = text.last_mut() {
                *last = 0;
            }
            run.write(to, &text)?;
            Ok(text.len() as u64)
        }
        None => {
            run.write_zeroes(to, size)?;
            Ok(error(unreadable(from, space)))
        }
    }
}

/// User memory of the task up to and including the first zero byte, at most `room` bytes.
pub(super) fn user_str(run: &mut Run<'_, '_>, addr: u64, room: usize) -> Option<Vec<u8>> {
    run.burn(USER_COST);
    let mut text = zeroes(room as u64).ok()?;
    let len = run.context.task.read_user_str(addr, &mut text).ok()?;
    text.truncate(len);
    Some(text)
}

/// Kernel memory up to and including the first zero byte, at most `room` bytes.
pub(super) fn kernel_str(run: &mut Run<'_, '_>, addr: u64, room: usize) -> Option<Vec<u8>> {
    const STEP: usize = 32;
    let mut text = Vec::new();
    while text.len() < room {
        let from = addr.checked_add(text.len() as u64)?;
        let mut chunk = [0; STEP];
        let want = STEP.min(room - text.len());
        // Near the end of a region a whole step may not be there while the string's last bytes are.
        let got = if run.probe(from, &mut chunk[..want]) {
            want
        } else if run.probe(from, &mut chunk[..1]) {
            1
        } else {
            return None;
        };
        match chunk[..got].iter().position(|byte| *byte == 0) {
            Some(end) => {
                text.extend_from_slice(&chunk[..=end]);
                break;
            }
            None => text.extend_from_slice(&chunk[..got]),
        }
    }
    Some(text)
}

/// `bpf_probe_write_user`.
pub(super) fn probe_write_user(run: &mut Run<'_, '_>, args: [u64; 5]) -> Step<u64> {
    let [to, from, size, ..] = args;
    let bytes = run.read_vec(from, size)?;
    run.burn(USER_COST);
    Ok(match run.context.task.write_user(to, &bytes) {
        Ok(()) => 0,
        Err(errno) => error(errno),
    })
}
