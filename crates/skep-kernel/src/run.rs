//! What a program runs in: a virtual CPU, the task the event belongs to, and the context.

use crate::error::Errno;

/// The task (thread) that an event happened in, as helpers ask about it. The event source implements it.
pub trait Task {
    /// `bpf_get_current_pid_tgid`: process id (tgid) in the upper half, thread id in the lower.
    fn pid_tgid(&self) -> u64;
    /// `bpf_get_current_uid_gid`: gid in the upper half, uid in the lower.
    fn uid_gid(&self) -> u64;
    /// `bpf_get_current_comm`: thread name, zero-padded, always ending in a zero byte.
    fn comm(&self) -> [u8; 16];
    /// `bpf_get_current_cgroup_id`: inode number of the cgroup, 0 if not known.
    fn cgroup_id(&self) -> u64 {
        0
    }
    /// Reads user memory of the task, all of `buf` or nothing.
    ///
    /// # Errors
    /// `EFAULT` when part of it cannot be read.
    fn read_user(&self, addr: u64, buf: &mut [u8]) -> Result<(), Errno>;
    /// Reads user memory up to and including the first zero byte, at most `buf.len()` bytes; returns how many were read.
    /// Without a zero byte in that many, all of `buf` is filled.
    ///
    /// # Errors
    /// `EFAULT` when a byte before the end cannot be read.
    fn read_user_str(&self, addr: u64, buf: &mut [u8]) -> Result<usize, Errno>;
    /// Writes user memory of the task, all or nothing as far as the host can say.
    ///
    /// # Errors
    /// `EFAULT` when part of it cannot be written, `EPERM` when the source does not allow it.
    fn write_user(&self, _addr: u64, _bytes: &[u8]) -> Result<(), Errno> {
        Err(Errno::EPERM)
    }
    /// `bpf_send_signal` (whole process) and `bpf_send_signal_thread`.
    ///
    /// # Errors
    /// `EPERM` when the source does not allow it.
    fn send_signal(&self, _signal: i32, _thread: bool) -> Result<(), Errno> {
        Err(Errno::EPERM)
    }
}

/// What one run of a program sees. Addresses a program gets are real addresses of this process.
pub struct RunContext<'a> {
    /// Virtual CPU, below the number of possible CPUs; one run at a time a CPU is not required.
    pub cpu: u32,
    /// The task the event belongs to.
    pub task: &'a dyn Task,
    /// The context: R1 points to its first byte.
    pub ctx: &'a mut [u8],
    /// Kernel memory that `bpf_probe_read_kernel` may read, besides maps, stack and context (the `pt_regs` that a
    /// system call's context points to, say).
    pub kernel_memory: &'a [&'a [u8]],
    /// `bpf_get_attach_cookie`.
    pub cookie: u64,
}
