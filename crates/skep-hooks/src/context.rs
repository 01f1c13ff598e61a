//! The bytes that programs at each hook get as context, as the kernel's format files and tracepoint prototypes say
//! (Linux 6.18). Host byte order.
//!
//! A tracepoint's context begins with the 8 bytes of `struct trace_entry`: type id, flags, preempt count, thread id. Tracepoint
//! programs may not read them (in the kernel they hold a pointer by then). The type id is a number of one running kernel
//! and stays 0, like flags and preempt count.

/// The `common_*` fields that have a value here: the thread id.
fn common(ctx: &mut [u8], tid: i32) {
    ctx[4..8].copy_from_slice(&tid.to_ne_bytes());
}

/// `syscalls/sys_enter_*`: number at 8, arguments in 8-byte slots from 16. Slots past the call's own arguments are zero.
pub(crate) fn syscall_enter(tid: i32, nr: u32, args: &[u64; 6], arg_count: usize) -> [u8; 64] {
    let mut ctx = [0; 64];
    common(&mut ctx, tid);
    ctx[8..12].copy_from_slice(&nr.to_ne_bytes());
    for (slot, arg) in ctx[16..].chunks_exact_mut(8).zip(args).take(arg_count) {
        slot.copy_from_slice(&arg.to_ne_bytes());
    }
    ctx
}

/// `syscalls/sys_exit_*`: number at 8, result at 16.
pub(crate) fn syscall_exit(tid: i32, nr: u32, ret: u64) -> [u8; 24] {
    let mut ctx = [0; 24];
    common(&mut ctx, tid);
    ctx[8..12].copy_from_slice(&nr.to_ne_bytes());
    ctx[16..24].copy_from_slice(&ret.to_ne_bytes());
    ctx
}

/// `raw_syscalls/sys_enter`: id at 8 (long), six arguments from 16; 4 more bytes as the kernel rounds its records.
pub(crate) fn raw_syscall_enter(tid: i32, id: u64, args: &[u64; 6]) -> [u8; 68] {
    let mut ctx = [0; 68];
    common(&mut ctx, tid);
    ctx[8..16].copy_from_slice(&id.to_ne_bytes());
    for (slot, arg) in ctx[16..64].chunks_exact_mut(8).zip(args) {
        slot.copy_from_slice(&arg.to_ne_bytes());
    }
    ctx
}

/// `raw_syscalls/sys_exit`: id at 8 (long), result at 16; 4 more bytes as the kernel rounds its records.
pub(crate) fn raw_syscall_exit(tid: i32, id: u64, ret: u64) -> [u8; 28] {
    let mut ctx = [0; 28];
    common(&mut ctx, tid);
    ctx[8..16].copy_from_slice(&id.to_ne_bytes());
    ctx[16..24].copy_from_slice(&ret.to_ne_bytes());
    ctx
}

/// Arguments of a raw tracepoint, 8 bytes each.
pub(crate) fn raw_args<const BYTES: usize>(args: &[u64]) -> [u8; BYTES] {
    let mut ctx = [0; BYTES];
    for (slot, arg) in ctx.chunks_exact_mut(8).zip(args) {
        slot.copy_from_slice(&arg.to_ne_bytes());
    }
    ctx
}

/// The end of a record with `len` bytes of fields and dynamic data: the kernel rounds so that 4 bytes more make it a
/// multiple of 8.
fn record_size(len: usize) -> usize {
    (len + 4).next_multiple_of(8) - 4
}

/// Appends a string and its zero byte, and stores where it is (`__data_loc`: offset, and length above 16 bits) at `field`.
fn data_loc(ctx: &mut Vec<u8>, field: usize, text: &[u8]) {
    // A path has less than PATH_MAX (4096) bytes; what is longer is none.
    let text = &text[..text.len().min(4095)];
    let (offset, len) = (ctx.len() as u32, text.len() as u32 + 1);
    ctx.extend_from_slice(text);
    ctx.push(0);
    ctx[field..field + 4].copy_from_slice(&(offset | len << 16).to_ne_bytes());
}

/// A thread name without its padding.
pub(crate) fn name(comm: &[u8; 16]) -> &[u8] {
    let end = comm.iter().position(|&byte| byte == 0).unwrap_or(comm.len());
    &comm[..end]
}

/// `sched/sched_process_exec`: filename (dynamic) at 8, pid at 12, old_pid at 16.
pub(crate) fn process_exec(filename: &[u8], pid: i32, old_pid: i32) -> Vec<u8> {
    let mut ctx = vec![0; 20];
    common(&mut ctx, pid);
    ctx[12..16].copy_from_slice(&pid.to_ne_bytes());
    ctx[16..20].copy_from_slice(&old_pid.to_ne_bytes());
    data_loc(&mut ctx, 8, filename);
    ctx.resize(record_size(ctx.len()), 0);
    ctx
}

/// `sched/sched_process_fork`: parent_comm (dynamic) at 8, parent_pid at 12, child_comm (dynamic) at 16, child_pid at 20.
pub(crate) fn process_fork(parent: (i32, &[u8; 16]), child: (i32, &[u8; 16])) -> Vec<u8> {
    let mut ctx = vec![0; 24];
    common(&mut ctx, parent.0);
    ctx[12..16].copy_from_slice(&parent.0.to_ne_bytes());
    ctx[20..24].copy_from_slice(&child.0.to_ne_bytes());
    data_loc(&mut ctx, 8, name(parent.1));
    data_loc(&mut ctx, 16, name(child.1));
    ctx.resize(record_size(ctx.len()), 0);
    ctx
}

/// `sched/sched_process_exit`: comm at 8 (16 bytes), pid at 24, prio at 28, group_dead at 32 (1 byte).
pub(crate) fn process_exit(tid: i32, comm: &[u8; 16], prio: i32, group_dead: bool) -> [u8; 36] {
    let mut ctx = [0; 36];
    common(&mut ctx, tid);
    ctx[8..24].copy_from_slice(comm);
    ctx[24..28].copy_from_slice(&tid.to_ne_bytes());
    ctx[28..32].copy_from_slice(&prio.to_ne_bytes());
    ctx[32] = u8::from(group_dead);
    ctx
}

#[cfg(test)]
mod tests {
    use super::*;

    fn u32_at(ctx: &[u8], offset: usize) -> u32 {
        u32::from_ne_bytes(ctx[offset..offset + 4].try_into().unwrap())
    }

    #[test]
    fn exec_record() {
        let ctx = process_exec(b"/bin/true", 7, 9);
        assert_eq!(u32_at(&ctx, 0), 0);
        assert_eq!(u32_at(&ctx, 4), 7);
        assert_eq!(u32_at(&ctx, 8), 10 << 16 | 20);
        assert_eq!((u32_at(&ctx, 12), u32_at(&ctx, 16)), (7, 9));
        assert_eq!(&ctx[20..30], b"/bin/true\0");
        assert_eq!(ctx.len(), 36, "30 bytes and padding");
    }

    #[test]
    fn fork_record() {
        let ctx = process_fork((7, b"sh\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), (8, b"123456789012345\0"));
        assert_eq!(u32_at(&ctx, 8), 3 << 16 | 24);
        assert_eq!(u32_at(&ctx, 16), 16 << 16 | 27);
        assert_eq!((u32_at(&ctx, 12), u32_at(&ctx, 20)), (7, 8));
        assert_eq!(&ctx[24..43], b"sh\x00123456789012345\0");
        assert_eq!(ctx.len() % 8, 4);
    }
}
