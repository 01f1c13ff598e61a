//! The task that test runs happen in: the thread that asked for them.

use crate::error::Errno;
use crate::run::Task;

/// The calling thread.
pub(super) struct Caller {
    tid: u32,
    uid_gid: u64,
}

impl Caller {
    pub(super) fn new() -> Caller {
        Caller { tid: thread_id().unwrap_or_else(std::process::id), uid_gid: uid_gid().unwrap_or(0) }
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

impl Task for Caller {
    fn pid_tgid(&self) -> u64 {
        u64::from(std::process::id()) << 32 | u64::from(self.tid)
    }

    fn uid_gid(&self) -> u64 {
        self.uid_gid
    }

    fn comm(&self) -> [u8; 16] {
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

    #[cfg(unix)]
    fn read_user(&self, addr: u64, buf: &mut [u8]) -> Result<(), Errno> {
        use std::os::unix::fs::FileExt;
        let memory = std::fs::File::open("/proc/self/mem").map_err(|_| Errno::EFAULT)?;
        memory.read_exact_at(buf, addr).map_err(|_| Errno::EFAULT)
    }

    #[cfg(not(unix))]
    fn read_user(&self, _addr: u64, _buf: &mut [u8]) -> Result<(), Errno> {
        Err(Errno::EFAULT)
    }

    fn read_user_str(&self, addr: u64, buf: &mut [u8]) -> Result<usize, Errno> {
        // Page by page: what lies beyond the string's end need not be readable.
        let mut read = 0;
        while read < buf.len() {
            let at = addr.checked_add(read as u64).ok_or(Errno::EFAULT)?;
            let to_page_end = 4096 - (at % 4096) as usize;
            let end = buf.len().min(read + to_page_end);
            let Some(part) = buf.get_mut(read..end) else { break };
            self.read_user(at, part)?;
            if let Some(zero) = part.iter().position(|byte| *byte == 0) {
                return Ok(read + zero + 1);
            }
            read = end;
        }
        Ok(read)
    }
}
