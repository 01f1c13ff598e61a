//! Helpers about the time, the CPU and the task.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

use rustix::time::{ClockId, DynamicClockId, Timespec, clock_gettime, clock_gettime_dynamic};
use skep_catalog::ProgramType;

use crate::error::Errno;
use crate::interp::{Access, Run, Step};

use super::error;

/// Instructions that a system call about the task counts for.
const ASKING_COST: u64 = 256;
/// Instructions that looking something up in files about the task counts for.
const LOOKING_UP_COST: u64 = 8192;

/// Nanoseconds of a clock.
pub(super) fn now(clock: ClockId) -> u64 {
    nanoseconds(clock_gettime(clock))
}

fn nanoseconds(time: Timespec) -> u64 {
    time.tv_sec.cast_unsigned().wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as u64)
}

pub(super) fn ktime_get_ns(_: &mut Run<'_, '_>, _: [u64; 5]) -> Step<u64> {
    Ok(now(ClockId::Monotonic))
}

pub(super) fn ktime_get_boot_ns(_: &mut Run<'_, '_>, _: [u64; 5]) -> Step<u64> {
    Ok(now(ClockId::Boottime))
}

pub(super) fn ktime_get_coarse_ns(_: &mut Run<'_, '_>, _: [u64; 5]) -> Step<u64> {
    Ok(now(ClockId::MonotonicCoarse))
}

pub(super) fn ktime_get_tai_ns(_: &mut Run<'_, '_>, _: [u64; 5]) -> Step<u64> {
    // Every Linux since 3.10 has the clock.
    Ok(clock_gettime_dynamic(DynamicClockId::Tai).map_or(0, nanoseconds))
}

/// `bpf_jiffies64`: this kernel has `CONFIG_HZ=250`; as on Linux, the count begins five minutes before its lower half wraps.
pub(super) fn jiffies64(_: &mut Run<'_, '_>, _: [u64; 5]) -> Step<u64> {
    const HZ: u64 = 250;
    const INITIAL: u64 = 0x1_0000_0000 - 300 * HZ;
    Ok(INITIAL + now(ClockId::MonotonicCoarse) / (1_000_000_000 / HZ))
}

pub(super) fn get_current_pid_tgid(run: &mut Run<'_, '_>, _: [u64; 5]) -> Step<u64> {
    Ok(run.context.task.pid_tgid())
}

pub(super) fn get_current_uid_gid(run: &mut Run<'_, '_>, _: [u64; 5]) -> Step<u64> {
    Ok(run.context.task.uid_gid())
}

/// Copies the thread's name, cut to `size` with a zero byte at the end, the rest zeroes.
pub(super) fn get_current_comm(run: &mut Run<'_, '_>, [to, size, ..]: [u64; 5]) -> Step<u64> {
    run.check(to, size, Access::Write)?;
    run.burn(ASKING_COST);
    let comm = run.context.task.comm();
    let len = comm.iter().take_while(|byte| **byte != 0).count().min((size as usize).saturating_sub(1));
    run.write_zeroes(to, size)?;
    run.write(to, &comm[..len])?;
    Ok(0)
}

/// `bpf_get_current_task`: an address that stands for the thread, the same for the same thread and another for every other.
/// Nothing can be read there: what a `task_struct` says cannot be observed from user space.
pub(super) fn get_current_task(run: &mut Run<'_, '_>, _: [u64; 5]) -> Step<u64> {
    let tid = run.context.task.pid_tgid() & 0xffff_ffff;
    Ok(0xffff_8880_0000_0000 + tid * 0x4000)
}

pub(super) fn get_smp_processor_id(run: &mut Run<'_, '_>, _: [u64; 5]) -> Step<u64> {
    Ok(u64::from(run.context.cpu))
}

/// Virtual CPUs all belong to node 0.
pub(super) fn get_numa_node_id(_: &mut Run<'_, '_>, _: [u64; 5]) -> Step<u64> {
    Ok(0)
}

/// 32 random bits, not for secrets (a thread's own xorshift* generator).
pub(super) fn get_prandom_u32(_: &mut Run<'_, '_>, _: [u64; 5]) -> Step<u64> {
    thread_local! {
        static STATE: Cell<u64> = Cell::new(RandomState::new().hash_one(0) | 1);
    }
    let mut state = STATE.get();
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    STATE.set(state);
    Ok(state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32)
}

pub(super) fn get_current_cgroup_id(run: &mut Run<'_, '_>, _: [u64; 5]) -> Step<u64> {
    run.burn(LOOKING_UP_COST);
    Ok(run.context.task.cgroup_id())
}

/// The root cgroup's id for level 0; 0, not known, for other levels.
pub(super) fn get_current_ancestor_cgroup_id(run: &mut Run<'_, '_>, [level, ..]: [u64; 5]) -> Step<u64> {
    run.burn(LOOKING_UP_COST);
    let known = run.context.task.cgroup_id() != 0;
    Ok(u64::from(level as i32 == 0 && known))
}

/// `bpf_get_ns_current_pid_tgid`, for the pid namespace that skep itself runs in.
pub(super) fn get_ns_current_pid_tgid(run: &mut Run<'_, '_>, args: [u64; 5]) -> Step<u64> {
    let [dev, ino, to, size, _] = args;
    run.check(to, size, Access::Write)?;
    if size != 8 || own_pid_namespace() != Some((dev, ino)) {
        run.write_zeroes(to, size)?;
        return Ok(error(Errno::EINVAL));
    }
    let pid_tgid = run.context.task.pid_tgid();
    let mut info = [0; 8];
    info[..4].copy_from_slice(&(pid_tgid as u32).to_ne_bytes());
    info[4..].copy_from_slice(&((pid_tgid >> 32) as u32).to_ne_bytes());
    run.write(to, &info)?;
    Ok(0)
}

/// Device and inode of this process's pid namespace.
fn own_pid_namespace() -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    static OWN: OnceLock<Option<(u64, u64)>> = OnceLock::new();
    *OWN.get_or_init(|| std::fs::metadata("/proc/self/ns/pid").ok().map(|found| (found.dev(), found.ino())))
}

pub(super) fn send_signal(run: &mut Run<'_, '_>, args: [u64; 5]) -> Step<u64> {
    Ok(signal(run, args[0], false))
}

pub(super) fn send_signal_thread(run: &mut Run<'_, '_>, args: [u64; 5]) -> Step<u64> {
    Ok(signal(run, args[0], true))
}

fn signal(run: &mut Run<'_, '_>, number: u64, thread: bool) -> u64 {
    run.burn(ASKING_COST);
    let number = number as i32;
    if !(0..=64).contains(&number) {
        return error(Errno::EINVAL);
    }
    match run.context.task.send_signal(number, thread) {
        Ok(()) => 0,
        Err(errno) => error(errno),
    }
}

pub(super) fn get_attach_cookie(run: &mut Run<'_, '_>, _: [u64; 5]) -> Step<u64> {
    Ok(run.context.cookie)
}

/// `bpf_get_func_ip` of a kprobe: the instruction pointer in the `pt_regs` that the event source made.
pub(super) fn get_func_ip(run: &mut Run<'_, '_>, _: [u64; 5]) -> Step<u64> {
    /// Offset of `ip` in `struct pt_regs` of x86-64.
    const IP: usize = 128;
    let regs = (run.program().prog_type() == ProgramType::Kprobe).then_some(&*run.context.ctx);
    let ip = regs.and_then(|regs| regs.get(IP..IP + 8)).and_then(|bytes| bytes.try_into().ok());
    Ok(ip.map_or(0, u64::from_ne_bytes))
}
