//! What is known of each traced thread, and how programs ask about it.

use std::cell::{Cell, OnceCell};
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::rc::Rc;

use skep_kernel::{Errno, Task};

use crate::sys::{self, Tid};

/// Bytes that one read of a string asks for: most strings end within them, and a read never crosses a page.
const STRING_CHUNK: usize = 256;
/// The smallest page of any Linux machine; larger pages are multiples of it.
const PAGE: u64 = 4096;

/// How many descriptors of `/proc` files may be kept open, so that the process keeps some for its own work.
#[derive(Clone, Debug)]
pub(crate) struct FileBudget(Rc<Cell<u64>>);

impl FileBudget {
    /// A quarter of this process's limit.
    pub(crate) fn new() -> Self {
        FileBudget(Rc::new(Cell::new(sys::descriptor_limit() / 4)))
    }

    /// The file, to be kept open; None when no more may be.
    fn keep(&self, file: File) -> Option<KeptFile> {
        let left = self.0.get().checked_sub(1)?;
        self.0.set(left);
        Some(KeptFile { file, budget: self.clone() })
    }
}

/// An open file that counts on the budget.
#[derive(Debug)]
struct KeptFile {
    file: File,
    budget: FileBudget,
}

impl Drop for KeptFile {
    fn drop(&mut self) {
        self.budget.0.set(self.budget.0.get() + 1);
    }
}

/// A system call that a thread is in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InSyscall {
    /// Its number, as it was entered with.
    pub nr: u64,
    /// Whether it came by the native calling convention.
    pub native: bool,
}

impl InSyscall {
    /// Whether it is one of those that end the thread.
    pub(crate) fn never_returns(self) -> bool {
        // The numbers that 32-bit processes have for them.
        let compat: &[u64] = if cfg!(target_arch = "aarch64") { &[1, 248] } else { &[1, 252] };
        let native = [libc::SYS_exit as u64, libc::SYS_exit_group as u64];
        if self.native { native.contains(&self.nr) } else { compat.contains(&self.nr) }
    }
}

/// A traced thread.
#[derive(Debug)]
pub(crate) struct TracedTask {
    pub tid: Tid,
    pub tgid: Tid,
    /// The call that it is in and whose exit is wanted.
    pub in_syscall: Option<InSyscall>,
    /// Whether it was just created and has not stopped yet.
    pub fresh: bool,
    /// Whether its `sched_process_exit` has happened.
    pub exited: bool,
    /// Scheduling priority as last read, in the kernel's terms.
    pub prio: Cell<i32>,
    /// Group and user id, until a call changes them.
    ids: Cell<Option<u64>>,
    /// Its name during this event: any thread of the process may change it at any time, so it is read anew for every
    /// event in which a program asks.
    comm: Cell<Option<[u8; 16]>>,
    /// Its name as last read.
    last_comm: Cell<[u8; 16]>,
    comm_file: OnceCell<KeptFile>,
    files: FileBudget,
}

impl TracedTask {
    pub(crate) fn new(tid: Tid, tgid: Tid, files: &FileBudget) -> Self {
        TracedTask {
            tid,
            tgid,
            in_syscall: None,
            fresh: false,
            exited: false,
            prio: Cell::new(120),
            ids: Cell::new(None),
            comm: Cell::new(None),
            last_comm: Cell::new([0; 16]),
            comm_file: OnceCell::new(),
            files: files.clone(),
        }
    }

    /// A thread that this one just created: it starts with the same name, ids and priority.
    pub(crate) fn child(&self, tid: Tid, tgid: Tid) -> Self {
        let child = TracedTask::new(tid, tgid, &self.files);
        child.ids.set(self.ids.get());
        child.last_comm.set(self.last_comm.get());
        child.prio.set(self.prio.get());
        TracedTask { fresh: true, ..child }
    }

    /// This thread after it executed a program: it is the leader of its process now, whatever it was.
    pub(crate) fn after_exec(&self, pid: Tid) -> Self {
        let task = TracedTask::new(pid, pid, &self.files);
        task.last_comm.set(self.last_comm.get());
        task.prio.set(self.prio.get());
        TracedTask { in_syscall: self.in_syscall, ..task }
    }

    /// Forgets what was only valid during the last event.
    pub(crate) fn begin_event(&self) {
        self.comm.set(None);
    }

    /// Forgets user and group id: a call is about to change them.
    pub(crate) fn forget_ids(&self) {
        self.ids.set(None);
    }

    /// Reads the priority, if it can be.
    pub(crate) fn read_prio(&self) {
        // Field 18 of stat, as fields 1 and 2 end with the last parenthesis. It is the kernel's priority less 100.
        let Some(stat) = read_proc(self.tid, "stat") else { return };
        let fields = stat.iter().rposition(|&byte| byte == b')').map(|end| &stat[end + 1..]);
        let prio = fields
            .and_then(|fields| std::str::from_utf8(fields).ok())
            .and_then(|fields| fields.split_ascii_whitespace().nth(15))
            .and_then(|field| field.parse::<i32>().ok());
        if let Some(prio) = prio {
            self.prio.set(prio.saturating_add(100));
        }
    }

    fn read_comm(&self) -> Option<[u8; 16]> {
        let mut line = [0u8; 17];
        let read = |file: &File, line: &mut [u8; 17]| file.read_at(line, 0).ok();
        let len = match self.comm_file.get() {
            Some(kept) => read(&kept.file, &mut line),
            None => {
                let file = File::open(format!("/proc/{}/comm", self.tid)).ok()?;
                let len = read(&file, &mut line);
                if let Some(kept) = self.files.keep(file) {
                    // It was empty a moment ago and nothing else sets it.
                    let _ = self.comm_file.set(kept);
                }
                len
            }
        }?;
        let mut comm = [0; 16];
        // The file ends the name with a newline.
        let len = len.saturating_sub(1).min(15);
        comm[..len].copy_from_slice(&line[..len]);
        Some(comm)
    }

    fn read_ids(&self) -> Option<u64> {
        let status = read_proc(self.tid, "status")?;
        let uid = status_field(&status, "Uid:")?;
        let gid = status_field(&status, "Gid:")?;
        Some(u64::from(gid) << 32 | u64::from(uid))
    }

    /// For hosts where `process_vm_readv` is not to be had.
    fn read_mem_file(&self, addr: u64, buf: &mut [u8]) -> Option<usize> {
        i64::try_from(addr).ok()?;
        File::open(format!("/proc/{}/mem", self.tid)).ok()?.read_at(buf, addr).ok()
    }

    /// Reads as much as can be read from `addr` on, up to the first page that cannot.
    fn read_some(&self, addr: u64, buf: &mut [u8]) -> usize {
        match sys::read_memory(self.tid, addr, buf) {
            Ok(count) => count,
            Err(error) if matches!(error.raw_os_error(), Some(libc::EPERM | libc::ENOSYS)) => {
                self.read_mem_file(addr, buf).unwrap_or(0)
            }
            Err(_) => 0,
        }
    }
}

/// A file of `/proc/TID`.
pub(crate) fn read_proc(tid: Tid, name: &str) -> Option<Vec<u8>> {
    std::fs::read(format!("/proc/{tid}/{name}")).ok()
}

/// The first number of a line of `/proc/TID/status`.
pub(crate) fn status_field(status: &[u8], key: &str) -> Option<u32> {
    status_text(status, key)?.split_ascii_whitespace().next()?.parse().ok()
}

/// The value of a line of `/proc/TID/status`.
pub(crate) fn status_text<'a>(status: &'a [u8], key: &str) -> Option<&'a str> {
    let line = status.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(key.as_bytes()))?;
    std::str::from_utf8(line).ok().map(str::trim)
}

impl Task for TracedTask {
    fn pid_tgid(&self) -> u64 {
        u64::from(self.tgid.cast_unsigned()) << 32 | u64::from(self.tid.cast_unsigned())
    }

    fn uid_gid(&self) -> u64 {
        if let Some(ids) = self.ids.get() {
            return ids;
        }
        let ids = self.read_ids();
        self.ids.set(ids);
        ids.unwrap_or(u64::MAX)
    }

    fn comm(&self) -> [u8; 16] {
        if let Some(comm) = self.comm.get() {
            return comm;
        }
        let comm = self.read_comm().unwrap_or(self.last_comm.get());
        self.comm.set(Some(comm));
        self.last_comm.set(comm);
        comm
    }

    fn cgroup_id(&self) -> u64 {
        let path = read_proc(self.tid, "cgroup").and_then(|text| {
            let line = text.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"0::/"))?;
            String::from_utf8(line.to_vec()).ok()
        });
        let Some(path) = path else { return 0 };
        ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"]
            .iter()
            .filter(|root| std::fs::exists(format!("{root}/cgroup.procs")).unwrap_or(false))
            .find_map(|root| std::fs::metadata(format!("{root}/{path}")).ok())
            .map_or(0, |metadata| metadata.ino())
    }

    fn read_user(&self, addr: u64, buf: &mut [u8]) -> Result<(), Errno> {
        if buf.is_empty() || self.read_some(addr, buf) == buf.len() { Ok(()) } else { Err(Errno::EFAULT) }
    }

    fn read_user_str(&self, addr: u64, buf: &mut [u8]) -> Result<usize, Errno> {
        let mut done = 0;
        while done < buf.len() {
            let at = addr.checked_add(done as u64).ok_or(Errno::EFAULT)?;
            let to_page_end = (PAGE - at % PAGE) as usize;
            let len = (buf.len() - done).min(to_page_end).min(STRING_CHUNK);
            let chunk = &mut buf[done..done + len];
            if self.read_some(at, chunk) != len {
                return Err(Errno::EFAULT);
            }
            if let Some(end) = chunk.iter().position(|&byte| byte == 0) {
                return Ok(done + end + 1);
            }
            done += len;
        }
        Ok(done)
    }

    fn write_user(&self, addr: u64, bytes: &[u8]) -> Result<(), Errno> {
        match sys::write_memory(self.tid, addr, bytes) {
            Ok(count) if count == bytes.len() => Ok(()),
            Ok(_) => Err(Errno::EFAULT),
            Err(error) => Err(Errno(error.raw_os_error().unwrap_or(Errno::EFAULT.0))),
        }
    }

    fn send_signal(&self, signal: i32, thread: bool) -> Result<(), Errno> {
        let sent =
            if thread { sys::kill_thread(self.tgid, self.tid, signal) } else { sys::kill(self.tgid, signal) };
        sent.map_err(|error| Errno(error.raw_os_error().unwrap_or(Errno::EPERM.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn this_thread() -> TracedTask {
        TracedTask::new(sys::gettid(), std::process::id() as Tid, &FileBudget::new())
    }

    #[test]
    fn strings_end_at_their_zero_byte_or_at_the_buffer() {
        let task = this_thread();
        let mut text = vec![b'x'; 10_000];
        text[7_000] = 0;
        let addr = text.as_ptr().addr() as u64;
        let mut buf = vec![1; 9_000];
        assert_eq!(task.read_user_str(addr, &mut buf), Ok(7_001));
        assert_eq!(buf[..7_001], text[..7_001]);
        assert_eq!(task.read_user_str(addr, &mut buf[..5_000]), Ok(5_000));
        assert_eq!(task.read_user_str(addr + 7_000, &mut buf), Ok(1));
        assert_eq!(task.read_user_str(addr, &mut []), Ok(0));
        assert_eq!(task.read_user_str(8, &mut buf), Err(Errno::EFAULT));
        assert_eq!(task.read_user_str(u64::MAX, &mut buf), Err(Errno::EFAULT));
    }

    #[test]
    fn memory_is_read_whole_or_not_at_all() {
        let task = this_thread();
        let data: Vec<u8> = (0..=255).cycle().take(20_000).collect();
        let mut buf = vec![0; data.len()];
        assert_eq!(task.read_user(data.as_ptr().addr() as u64, &mut buf), Ok(()));
        assert_eq!(buf, data);
        assert_eq!(task.read_user(0, &mut buf[..1]), Err(Errno::EFAULT));
        assert_eq!(task.read_user(u64::MAX - 3, &mut buf[..8]), Err(Errno::EFAULT));
        assert_eq!(task.read_user(0, &mut []), Ok(()));
    }

    #[test]
    fn the_name_is_the_one_of_this_moment() {
        std::thread::Builder::new()
            .name("first".to_string())
            .spawn(|| {
                let task = this_thread();
                assert_eq!(&task.comm()[..6], b"first\0");
                std::fs::write(format!("/proc/self/task/{}/comm", task.tid), "second name is cut").unwrap();
                assert_eq!(&task.comm()[..6], b"first\0", "one event, one name");
                task.begin_event();
                assert_eq!(&task.comm(), b"second name is \0");
            })
            .unwrap()
            .join()
            .unwrap();
    }
}
