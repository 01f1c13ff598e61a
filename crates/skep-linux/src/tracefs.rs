//! tracefs: where it is mounted, tracepoint ids, the trace pipe.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno as IoErrno;
use skep_kernel::{Errno, KernelError, Result, TracePipe};

use crate::sys::errno;

/// Where the kernel's documentation says it is mounted, newest first.
const MOUNTS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// The mount point.
fn root() -> Result<&'static Path> {
    MOUNTS.iter().map(Path::new).find(|path| path.join("events").is_dir()).ok_or_else(|| {
        let what = "tracefs is not mounted, or may not be read: `mount -t tracefs tracefs /sys/kernel/tracing` (as \
                    root) mounts it; the target `user` does not need it";
        KernelError::new(Errno::ENOENT, what)
    })
}

/// The number of a tracepoint.
pub(crate) fn tracepoint_id(category: &str, name: &str) -> Result<u64> {
    let single = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains('/');
    if !single(category) || !single(name) {
        let what = format!("`{category}/{name}` is not a tracepoint: category and name are expected");
        return Err(KernelError::new(Errno::EINVAL, what));
    }
    let path = root()?.join("events").join(category).join(name).join("id");
    let text = std::fs::read_to_string(&path).map_err(|error| {
        let why = match errno(&error) {
            Errno::ENOENT => "this kernel has no such tracepoint",
            Errno::EACCES | Errno::EPERM => "needs root, or read permission in tracefs",
            _ => "it cannot be read",
        };
        KernelError::new(errno(&error), format!("tracepoint {category}/{name}: {}: {why}", path.display()))
    })?;
    text.trim().parse().map_err(|_| {
        KernelError::new(
            Errno::EINVAL,
            format!("{} is not a number: `{}`", path.display(), text.trim().escape_debug()),
        )
    })
}

/// The category that has a tracepoint of this name.
pub(crate) fn category_of(name: &str) -> Option<String> {
    let categories = std::fs::read_dir(root().ok()?.join("events")).ok()?;
    let mut found: Vec<_> = categories
        .flatten()
        .filter(|category| category.path().join(name).is_dir())
        .map(|category| category.file_name().to_string_lossy().into_owned())
        .collect();
    found.sort();
    found.into_iter().next()
}

/// The lines of the kernel's `trace_pipe`: those of all programs in the system, each of which one reader gets.
pub(crate) struct LinuxTracePipe {
    file: File,
    path: PathBuf,
    buffer: Vec<u8>,
    /// Bytes of the buffer without a newline, already searched.
    searched: usize,
}

impl LinuxTracePipe {
    /// How long to wait at a time. The kernel wakes readers when the buffer is half full, not when a line comes.
    const STEP: Duration = Duration::from_millis(5);
    /// How long to drop old lines.
    const SKIP: Duration = Duration::from_secs(1);
    /// Bytes of a line without a newline; what is longer is cut there.
    const LONGEST: usize = 64 << 10;

    pub(crate) fn open() -> Result<Self> {
        let path = root()?.join("trace_pipe");
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match rustix::fs::open(&path, flags, Mode::empty()) {
            Ok(fd) => {
                let mut pipe = LinuxTracePipe { file: File::from(fd), path, buffer: Vec::new(), searched: 0 };
                pipe.skip_old()?;
                Ok(pipe)
            }
            Err(error) => {
                let why = match error {
                    IoErrno::BUSY => "another process reads it",
                    IoErrno::ACCESS | IoErrno::PERM => "needs root, or read permission in tracefs",
                    _ => "it cannot be opened",
                };
                let errno = Errno(error.raw_os_error());
                Err(KernelError::new(errno, format!("{}: {why}", path.display())))
            }
        }
    }

    /// Drops the lines from before; bounded, since new ones may come as fast.
    fn skip_old(&mut self) -> Result<()> {
        let start = Instant::now();
        while self.fill()? && start.elapsed() < Self::SKIP {
            self.buffer.clear();
        }
        self.buffer.clear();
        Ok(())
    }

    /// A line that is already here, without its newline.
    fn buffered_line(&mut self) -> Option<String> {
        let newline = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n');
        let (end, rest) = match newline {
            Some(at) => (self.searched + at, self.searched + at + 1),
            None if self.buffer.len() >= Self::LONGEST => (self.buffer.len(), self.buffer.len()),
            None => {
                self.searched = self.buffer.len();
                return None;
            }
        };
        let line = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        self.buffer.drain(..rest);
        self.searched = 0;
        Some(line)
    }

    /// Reads what is there; false if nothing is.
    fn fill(&mut self) -> Result<bool> {
        let mut chunk = [0; 16 << 10];
        loop {
            match self.file.read(&mut chunk) {
                Ok(0) => return Ok(false),
                Ok(read) => {
                    self.buffer.extend_from_slice(&chunk[..read]);
                    return Ok(true);
                }
                Err(error) => match error.kind() {
                    std::io::ErrorKind::WouldBlock => return Ok(false),
                    std::io::ErrorKind::Interrupted => {}
                    _ => {
                        let what = format!("reading {}", self.path.display());
                        return Err(KernelError::new(errno(&error), what));
                    }
                },
            }
        }
    }
}

impl TracePipe for LinuxTracePipe {
    fn next_line(&mut self, timeout: Duration) -> Result<Option<String>> {
        let start = Instant::now();
        loop {
            if let Some(line) = self.buffered_line() {
                return Ok(Some(line));
            }
            if self.fill()? {
                continue;
            }
            let left = timeout.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Ok(None);
            }
            // Not poll(2), which answers by how full the buffer is: never before it is half full, or (with the
            // option `block`) always.
            std::thread::sleep(left.min(Self::STEP));
        }
    }
}

/// Waits until a descriptor is readable; false when the time ran out first.
pub(crate) fn wait_readable(fd: impl AsFd, timeout: Duration) -> Result<bool, IoErrno> {
    let deadline = Instant::now().checked_add(timeout);
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        // Longer than the clock can say is forever.
        let time = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut [PollFd::new(&fd, PollFlags::IN)], time.as_ref()) {
            Ok(ready) => return Ok(ready > 0),
            Err(IoErrno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}
