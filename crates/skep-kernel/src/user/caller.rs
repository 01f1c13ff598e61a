//! The task that test runs happen in: the thread that asked for them.
//!
//! On Linux, user memory of a test run is that of the process that asked for it, which is not the kernel's. Here the two are the
//! same: what programs must not see, the memory of the user-space kernel and of all else in this process, would be what
//! `bpf_probe_read_user` reads. So a caller has no user memory.

use std::cell::OnceCell;

use crate::error::Errno;
use crate::run::Task;

/// The calling thread.
pub(super) struct Caller {
    tid: u32,
    uid_gid: OnceCell<u64>,
    comm: OnceCell<[u8; 16]>,
}

impl Caller {
    pub(super) fn new() -> Caller {
        Caller {
            tid: thread_id().unwrap_or_else(std::process::id),
            uid_gid: OnceCell::new(),
            comm: OnceCell::new(),
        }
    }
}

/// On Linux, `/proc/thread-self` leads to `PID/task/TID`.
fn thread_id() -> Option<u32> {
    let path = std::fs::read_link("/proc/thread-self").ok()?;
    path.file_name()?.to_str()?.parse().ok()
}

/// On Linux, from the lines `Uid:` and `Gid:` of the process's status: the first number is the real id.
fn uid_gid() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let id = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    Some(id("Gid:")? << 32 | id("Uid:")?)
}

fn thread_name() -> [u8; 16] {
    let on_linux = std::fs::read("/proc/thread-self/comm").ok();
    let name =
        on_linux.unwrap_or_else(|| std::thread::current().name().unwrap_or_default().as_bytes().to_vec());
    let mut comm = [0; 16];
    let text = name.split(|byte| *byte == b'\n').next().unwrap_or_default();
    for (to, from) in comm.iter_mut().take(15).zip(text) {
        *to = *from;
    }
    comm
}

impl Task for Caller {
    fn pid_tgid(&self) -> u64 {
        u64::from(std::process::id()) << 32 | u64::from(self.tid)
    }

    fn uid_gid(&self) -> u64 {
        *self.uid_gid.get_or_init(|| uid_gid().unwrap_or(0))
    }

    fn comm(&self) -> [u8; 16] {
        *self.comm.get_or_init(thread_name)
    }

    fn read_user(&self, _addr: u64, _buf: &mut [u8]) -> Result<(), Errno> {
        Err(Errno::EFAULT)
    }

    fn read_user_str(&self, _addr: u64, _buf: &mut [u8]) -> Result<usize, Errno> {
        Err(Errno::EFAULT)
    }
}
