//! The system calls of the tracer, each behind a safe function: ptrace, wait, seccomp, reading another process's memory,
//! starting the child, waking the tracing thread. All `unsafe` of this crate is here.

use std::ffi::{CStr, c_char, c_int, c_long, c_void};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::OnceLock;

use crate::regs::{REG_WORDS, Regs};

/// The C library's type of a ptrace request.
#[cfg(target_env = "musl")]
type Request = c_int;
/// The C library's type of a ptrace request.
#[cfg(not(target_env = "musl"))]
type Request = libc::c_uint;

/// A thread id.
pub(crate) type Tid = i32;

/// `PTRACE_EVENT_STOP` of `linux/ptrace.h`: group-stops, interrupts and the first stop of a new tracee.
pub(crate) const EVENT_STOP: i32 = 128;
/// `PTRACE_GET_SYSCALL_INFO` of `linux/ptrace.h`, since Linux 5.3.
const PTRACE_GET_SYSCALL_INFO: Request = 0x420e;
/// `SECCOMP_FILTER_FLAG_SPEC_ALLOW`: the filter is here to observe, so it asks for no speculation mitigations that would
/// slow the command down.
const SECCOMP_FILTER_FLAG_SPEC_ALLOW: c_long = 4;
/// `SIGEV_THREAD_ID` of `asm-generic/siginfo.h`: a timer signals one thread.
const SIGEV_THREAD_ID: c_int = 4;

/// How to let a stopped tracee go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resume {
    /// Until the next event, seccomp stop or signal.
    Cont,
    /// Until the next entry to or exit from a system call, or any of the above.
    Syscall,
    /// Not at all for now: it stays in its group-stop, and what ends that is reported.
    Listen,
}

/// What `PTRACE_GET_SYSCALL_INFO` says about the stop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SyscallInfo {
    /// `PTRACE_SYSCALL_INFO_*`: 0 none, 1 entry, 2 exit, 3 seccomp.
    pub op: u8,
    /// `AUDIT_ARCH_*` of the calling convention.
    pub arch: u32,
    /// At entry and seccomp stops: the number.
    pub nr: u64,
    /// At entry and seccomp stops: the arguments.
    pub args: [u64; 6],
}

/// One instruction of a seccomp filter (`struct sock_filter` of `linux/filter.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct FilterInsn {
    pub code: u16,
    pub jt: u8,
    pub jf: u8,
    pub k: u32,
}

fn check(result: c_long) -> io::Result<c_long> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// A ptrace request whose `addr` and `data` are numbers, not pointers.
fn ptrace_numbers(request: Request, tid: Tid, addr: usize, data: usize) -> io::Result<()> {
    // SAFETY: the callers below use requests that take numbers in `addr` and `data` and touch no memory of this process.
    check(unsafe { libc::ptrace(request, tid, addr as *mut c_void, data as *mut c_void) }).map(|_| ())
}

/// Becomes the tracer of a thread without stopping it.
pub(crate) fn seize(tid: Tid, options: i32) -> io::Result<()> {
    ptrace_numbers(libc::PTRACE_SEIZE, tid, 0, options as usize)
}

/// Stops a seized thread.
pub(crate) fn interrupt(tid: Tid) -> io::Result<()> {
    ptrace_numbers(libc::PTRACE_INTERRUPT, tid, 0, 0)
}

/// Lets a stopped tracee go on, with a signal delivered or 0.
pub(crate) fn resume(tid: Tid, how: Resume, signal: i32) -> io::Result<()> {
    let request = match how {
        Resume::Cont => libc::PTRACE_CONT,
        Resume::Syscall => libc::PTRACE_SYSCALL,
        Resume::Listen => libc::PTRACE_LISTEN,
    };
    ptrace_numbers(request, tid, 0, signal as usize)
}

/// Gives a stopped tracee up and lets it go on, with a signal delivered or 0.
pub(crate) fn detach(tid: Tid, signal: i32) -> io::Result<()> {
    ptrace_numbers(libc::PTRACE_DETACH, tid, 0, signal as usize)
}

/// The message of a `PTRACE_EVENT_*` stop; `ESRCH` when the tracee was killed meanwhile and is at another stop by now.
pub(crate) fn event_message(tid: Tid, event: i32) -> io::Result<u64> {
    let mut message: libc::c_ulong = 0;
    let data = (&raw mut message).cast::<c_void>();
    // SAFETY: PTRACE_GETEVENTMSG stores one unsigned long at `data`, which points to one.
    check(unsafe { libc::ptrace(libc::PTRACE_GETEVENTMSG, tid, 0usize, data) })?;
    // SAFETY: siginfo_t is plain data, for which zero is valid.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let data = (&raw mut info).cast::<c_void>();
    // SAFETY: PTRACE_GETSIGINFO stores one siginfo_t at `data`, which points to one.
    check(unsafe { libc::ptrace(libc::PTRACE_GETSIGINFO, tid, 0usize, data) })?;
    // A killed tracee leaves its stop and may be at that of its exit, whose message is another. Stops only follow one another,
    // so that the message was this event's if the tracee is still there.
    if info.si_code == libc::SIGTRAP | event << 8 {
        Ok(message)
    } else {
        Err(io::Error::from_raw_os_error(libc::ESRCH))
    }
}

/// The system call that a tracee is stopped at.
pub(crate) fn syscall_info(tid: Tid) -> io::Result<SyscallInfo> {
    // struct ptrace_syscall_info: op and arch, ip, sp, and the largest member of the union (8 words).
    let mut words = [0u64; 11];
    let data = words.as_mut_ptr().cast::<c_void>();
    // SAFETY: PTRACE_GET_SYSCALL_INFO stores at most `addr` bytes at `data`, and `words` has that many.
    check(unsafe { libc::ptrace(PTRACE_GET_SYSCALL_INFO, tid, size_of_val(&words), data) })?;
    let [head, _ip, _sp, nr, args @ .., _] = words;
    let bytes = head.to_ne_bytes();
    let arch = u32::from_ne_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
    Ok(SyscallInfo { op: bytes[0], arch, nr, args })
}

/// The registers of a stopped tracee, in the layout of a 64-bit one.
#[cfg(target_arch = "x86_64")]
pub(crate) fn registers(tid: Tid) -> io::Result<Regs> {
    let mut words = [0u64; REG_WORDS];
    let data = words.as_mut_ptr().cast::<c_void>();
    const { assert!(size_of::<libc::user_regs_struct>() == REG_WORDS * 8) };
    // SAFETY: PTRACE_GETREGS stores one user_regs_struct at `data`, which has that size (asserted above).
    check(unsafe { libc::ptrace(libc::PTRACE_GETREGS, tid, 0usize, data) })?;
    Ok(Regs(words))
}

/// The registers of a stopped tracee, in the layout of a 64-bit one.
#[cfg(target_arch = "aarch64")]
pub(crate) fn registers(tid: Tid) -> io::Result<Regs> {
    let mut words = [0u64; REG_WORDS];
    let mut iov = libc::iovec { iov_base: words.as_mut_ptr().cast(), iov_len: size_of_val(&words) };
    let set = libc::NT_PRSTATUS as usize;
    // SAFETY: PTRACE_GETREGSET stores at most `iov_len` bytes at `iov_base`, which points to that many.
    check(unsafe { libc::ptrace(libc::PTRACE_GETREGSET, tid, set, (&raw mut iov).cast::<c_void>()) })?;
    Ok(Regs(words))
}

/// Sets the registers of a stopped tracee.
#[cfg(target_arch = "x86_64")]
pub(crate) fn set_registers(tid: Tid, regs: &Regs) -> io::Result<()> {
    let data = regs.0.as_ptr().cast::<c_void>();
    // SAFETY: PTRACE_SETREGS reads one user_regs_struct at `data`; `Regs` has that size (asserted in `registers`).
    check(unsafe { libc::ptrace(libc::PTRACE_SETREGS, tid, 0usize, data) }).map(|_| ())
}

/// Makes the system call that a tracee is about to make none: it returns `ENOSYS`.
#[cfg(target_arch = "x86_64")]
pub(crate) fn skip_syscall(tid: Tid) -> io::Result<()> {
    let regs = registers(tid)?;
    set_registers(tid, &regs.without_syscall())
}

/// Makes the system call that a tracee is about to make none: it returns `ENOSYS`.
#[cfg(target_arch = "aarch64")]
pub(crate) fn skip_syscall(tid: Tid) -> io::Result<()> {
    let mut number: c_int = -1;
    let mut iov = libc::iovec { iov_base: (&raw mut number).cast(), iov_len: size_of_val(&number) };
    // SAFETY: PTRACE_SETREGSET of NT_ARM_SYSTEM_CALL (0x404) reads one int at `iov_base`.
    check(unsafe { libc::ptrace(libc::PTRACE_SETREGSET, tid, 0x404usize, (&raw mut iov).cast::<c_void>()) })
        .map(|_| ())
}

/// Waits for the next stop or end of a tracee or child of this thread: its id and wait status.
pub(crate) fn wait_any() -> io::Result<(Tid, i32)> {
    let mut status = 0;
    let flags = libc::__WALL | libc::__WNOTHREAD;
    // SAFETY: waitpid stores one int at `status`.
    let tid = check(c_long::from(unsafe { libc::waitpid(-1, &raw mut status, flags) }))?;
    Ok((tid as Tid, status))
}

/// Waits for the end of one child that is not traced.
pub(crate) fn reap(pid: Tid) {
    // SAFETY: without a place for the status, waitpid touches no memory.
    unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) };
}

/// Makes reads of a descriptor return at once.
pub(crate) fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: F_SETFL touches no memory.
    check(c_long::from(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) })).map(|_| ())
}

/// Sends a signal to a process.
pub(crate) fn kill(pid: Tid, signal: i32) -> io::Result<()> {
    // SAFETY: kill touches no memory.
    check(c_long::from(unsafe { libc::kill(pid, signal) })).map(|_| ())
}

/// Sends a signal to one thread of a process.
pub(crate) fn kill_thread(tgid: Tid, tid: Tid, signal: i32) -> io::Result<()> {
    // SAFETY: tgkill touches no memory.
    check(unsafe { libc::syscall(libc::SYS_tgkill, tgid, tid, signal) }).map(|_| ())
}

/// This thread's id.
pub(crate) fn gettid() -> Tid {
    // SAFETY: gettid touches no memory and cannot fail.
    unsafe { libc::gettid() }
}

/// Reads memory of another process; returns how many bytes, fewer than asked when it ends at an unreadable page.
pub(crate) fn read_memory(tid: Tid, addr: u64, buf: &mut [u8]) -> io::Result<usize> {
    let local = libc::iovec { iov_base: buf.as_mut_ptr().cast(), iov_len: buf.len() };
    let remote = libc::iovec { iov_base: addr as *mut c_void, iov_len: buf.len() };
    // SAFETY: `local` describes the whole of `buf`, which is writable; `remote` is only used in the other process.
    let count = unsafe { libc::process_vm_readv(tid, &raw const local, 1, &raw const remote, 1, 0) };
    check(count as c_long).map(|count| count as usize)
}

/// Writes memory of another process; returns how many bytes.
pub(crate) fn write_memory(tid: Tid, addr: u64, bytes: &[u8]) -> io::Result<usize> {
    let local = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let remote = libc::iovec { iov_base: addr as *mut c_void, iov_len: bytes.len() };
    // SAFETY: `local` describes `bytes`, which the kernel only reads; `remote` is only used in the other process.
    let count = unsafe { libc::process_vm_writev(tid, &raw const local, 1, &raw const remote, 1, 0) };
    check(count as c_long).map(|count| count as usize)
}

/// Whether the effective user may execute the file.
pub(crate) fn may_execute(path: &CStr) -> bool {
    // SAFETY: `path` is a string that ends in a zero byte.
    unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr(), libc::X_OK, libc::AT_EACCESS) == 0 }
}

/// Whether the file has file capabilities (`security.capability`).
pub(crate) fn has_file_capabilities(path: &CStr) -> bool {
    let name = c"security.capability".as_ptr();
    // SAFETY: both are strings that end in a zero byte; with size 0 nothing is stored.
    unsafe { libc::getxattr(path.as_ptr(), name, std::ptr::null_mut(), 0) > 0 }
}

/// The soft limit of open descriptors.
pub(crate) fn descriptor_limit() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: getrlimit stores one rlimit at the pointer.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    if result == 0 { limit.rlim_cur } else { 256 }
}

/// A pipe whose ends close on exec and are no standard descriptors: (read, write).
pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds: [RawFd; 2] = [-1; 2];
    // SAFETY: pipe2 stores two descriptors at the pointer.
    check(c_long::from(unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) }))?;
    // SAFETY: pipe2 succeeded, so this is an open descriptor that nothing else owns.
    let read = unsafe { OwnedFd::from_raw_fd(fds[0]) };
    // SAFETY: as above.
    let write = unsafe { OwnedFd::from_raw_fd(fds[1]) };
    // The standard descriptors of the child must not replace them: `try_clone` never gives one below 3.
    let above_standard = |fd: OwnedFd| if fd.as_raw_fd() < 3 { fd.try_clone() } else { Ok(fd) };
    Ok((above_standard(read)?, above_standard(write)?))
}

/// What the forked child does before it becomes the command. Everything is prepared: between fork and exec only
/// async-signal-safe calls are made.
pub(crate) struct ChildPlan<'a> {
    pub path: &'a CStr,
    pub argv: &'a [&'a CStr],
    pub envp: &'a [&'a CStr],
    pub cwd: Option<&'a CStr>,
    /// Descriptors to become 0, 1 and 2; themselves greater than 2.
    pub stdio: [Option<BorrowedFd<'a>>; 3],
    pub filter: &'a [FilterInsn],
    /// The child goes on when this pipe gives a byte: it is traced by then.
    pub go: BorrowedFd<'a>,
    /// Write end that stays open in the parent only; the child closes its copy so that it sees the parent's death.
    pub go_write: BorrowedFd<'a>,
    /// Where a failure is reported as [`ChildFailure`]; closes on exec.
    pub report: BorrowedFd<'a>,
}

/// What kept the child from becoming the command: the step and its errno, and whether privileges were given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChildFailure {
    pub step: ChildStep,
    pub errno: i32,
}

/// Steps of the child that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ChildStep {
    Stdio = 1,
    WorkingDirectory = 2,
    Filter = 3,
    Exec = 4,
}

impl ChildFailure {
    /// Bytes of a report.
    pub(crate) const SIZE: usize = 5;

    fn to_bytes(self) -> [u8; Self::SIZE] {
        let [a, b, c, d] = self.errno.to_ne_bytes();
        [self.step as u8, a, b, c, d]
    }

    /// Reads a report.
    pub(crate) fn from_bytes(bytes: [u8; Self::SIZE]) -> Option<Self> {
        let [step, a, b, c, d] = bytes;
        let step = match step {
            1 => ChildStep::Stdio,
            2 => ChildStep::WorkingDirectory,
            3 => ChildStep::Filter,
            4 => ChildStep::Exec,
            _ => return None,
        };
        Some(ChildFailure { step, errno: i32::from_ne_bytes([a, b, c, d]) })
    }
}

/// Forks the child that will become the command; returns its id.
pub(crate) fn fork_child(plan: &ChildPlan<'_>) -> io::Result<Tid> {
    let pointers = |strings: &[&CStr]| -> Vec<*const c_char> {
        strings.iter().map(|s| s.as_ptr()).chain([std::ptr::null()]).collect()
    };
    let (argv, envp) = (pointers(plan.argv), pointers(plan.envp));
    // No handler of this process may run in the child: signals stay blocked over the fork.
    let blocked = SignalMask::block_all();
    // SAFETY: the child only makes async-signal-safe calls (see `child`) and never returns.
    let pid = unsafe { libc::fork() };
    let error = io::Error::last_os_error();
    if pid == 0 {
        child(plan, &argv, &envp);
    }
    drop(blocked);
    if pid < 0 { Err(error) } else { Ok(pid) }
}

/// The child's side of [`fork_child`]. Allocates nothing and takes no lock.
fn child(plan: &ChildPlan<'_>, argv: &[*const c_char], envp: &[*const c_char]) -> ! {
    let (step, errno) = child_steps(plan, argv, envp);
    let report = ChildFailure { step, errno }.to_bytes();
    // SAFETY: write reads `report.len()` bytes at the pointer.
    unsafe { libc::write(plan.report.as_raw_fd(), report.as_ptr().cast(), report.len()) };
    // SAFETY: _exit ends the process.
    unsafe { libc::_exit(127) }
}

fn errno() -> c_int {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// Does the steps in order; returns only when one failed.
fn child_steps(plan: &ChildPlan<'_>, argv: &[*const c_char], envp: &[*const c_char]) -> (ChildStep, c_int) {
    for (target, fd) in plan.stdio.iter().enumerate() {
        let Some(fd) = fd.as_ref().map(AsRawFd::as_raw_fd) else { continue };
        // SAFETY: dup2 touches no memory.
        let result = unsafe { libc::dup2(fd, target as RawFd) };
        if result < 0 {
            return (ChildStep::Stdio, errno());
        }
    }
    if let Some(cwd) = plan.cwd {
        // SAFETY: `cwd` is a string that ends in a zero byte.
        if unsafe { libc::chdir(cwd.as_ptr()) } < 0 {
            return (ChildStep::WorkingDirectory, errno());
        }
    }
    // SAFETY: close touches no memory; the parent keeps its own copy.
    unsafe { libc::close(plan.go_write.as_raw_fd()) };
    let mut byte = 0u8;
    loop {
        // SAFETY: read stores at most one byte at `byte`.
        match unsafe { libc::read(plan.go.as_raw_fd(), (&raw mut byte).cast(), 1) } {
            1 => break,
            -1 if errno() == libc::EINTR => {}
            // SAFETY: _exit ends the process; the parent is gone, and nobody waits for a report.
            _ => unsafe { libc::_exit(127) },
        }
    }
    // Rust's runtime ignores SIGPIPE, and an ignored signal stays ignored over exec.
    // SAFETY: SIG_DFL is a valid disposition.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let mut none = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset initializes the set.
    unsafe { libc::sigemptyset(none.as_mut_ptr()) };
    // SAFETY: the set is initialized; the old mask is not asked for.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut()) };
    if !plan.filter.is_empty() {
        // Without CAP_SYS_ADMIN a filter needs no_new_privs; with it, set-uid programs keep their privileges.
        let result = match install_filter(plan.filter) {
            Err(libc::EACCES) => {
                // SAFETY: PR_SET_NO_NEW_PRIVS takes numbers only.
                if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } < 0 {
                    Err(errno())
                } else {
                    install_filter(plan.filter)
                }
            }
            other => other,
        };
        if let Err(errno) = result {
            return (ChildStep::Filter, errno);
        }
    }
    // SAFETY: `path` ends in a zero byte; `argv` and `envp` are arrays of such strings that end in null.
    unsafe { libc::execve(plan.path.as_ptr(), argv.as_ptr(), envp.as_ptr()) };
    (ChildStep::Exec, errno())
}

/// Puts a seccomp filter on this thread.
fn install_filter(filter: &[FilterInsn]) -> Result<(), c_int> {
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_ptr().cast_mut().cast::<libc::sock_filter>(),
    };
    let mode = c_long::from(libc::SECCOMP_SET_MODE_FILTER);
    // SAFETY: `program` describes `filter`, whose layout is that of sock_filter; the kernel only reads it.
    match unsafe {
        libc::syscall(libc::SYS_seccomp, mode, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &raw const program)
    } {
        0 => Ok(()),
        _ => Err(errno()),
    }
}

/// All signals of this thread blocked until it is dropped.
struct SignalMask(libc::sigset_t);

impl SignalMask {
    fn block_all() -> Self {
        let mut all = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: sigfillset initializes the set.
        unsafe { libc::sigfillset(all.as_mut_ptr()) };
        let mut old = std::mem::MaybeUninit::<libc::sigset_t>::zeroed();
        // SAFETY: both sets are valid; the old mask is stored into `old`.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), old.as_mut_ptr()) };
        // SAFETY: zeroed memory is a valid set, and the call has stored the old mask.
        SignalMask(unsafe { old.assume_init() })
    }
}

impl Drop for SignalMask {
    fn drop(&mut self) {
        // SAFETY: the set is the mask that this thread had.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, std::ptr::null_mut()) };
    }
}

/// Wakes one thread from a wait: a timer that sends the thread a signal, again and again until it is disarmed, so that a
/// wake-up between the thread's check and its wait is not lost. Arming is async-signal-safe.
#[derive(Debug)]
pub(crate) struct Waker {
    timer: c_int,
}

impl Waker {
    /// For the calling thread.
    pub(crate) fn for_this_thread() -> io::Result<Self> {
        let signal = wake_signal()
            .ok_or_else(|| io::Error::other("no free signal to wake the tracing thread with"))?;
        let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: sigemptyset initializes the set.
        unsafe { libc::sigemptyset(set.as_mut_ptr()) };
        // SAFETY: the set is initialized.
        unsafe { libc::sigaddset(set.as_mut_ptr(), signal) };
        // SAFETY: the set is initialized; the old mask is not asked for.
        unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, set.as_ptr(), std::ptr::null_mut()) };
        // SAFETY: sigevent is plain numbers and a pointer-sized value, for which zero is valid.
        let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
        event.sigev_notify = SIGEV_THREAD_ID;
        event.sigev_signo = signal;
        event.sigev_notify_thread_id = gettid();
        let mut timer: c_int = -1;
        let clock = c_long::from(libc::CLOCK_MONOTONIC);
        // SAFETY: timer_create reads one sigevent and stores one int.
        check(unsafe { libc::syscall(libc::SYS_timer_create, clock, &raw const event, &raw mut timer) })?;
        Ok(Waker { timer })
    }

    /// Starts to send the signal.
    pub(crate) fn arm(&self) {
        self.set(1, 1_000_000);
    }

    /// Stops.
    pub(crate) fn disarm(&self) {
        self.set(0, 0);
    }

    fn set(&self, first_ns: c_long, interval_ns: c_long) {
        let time = |ns| libc::timespec { tv_sec: 0, tv_nsec: ns };
        let spec = libc::itimerspec { it_interval: time(interval_ns), it_value: time(first_ns) };
        let (timer, null) = (c_long::from(self.timer), std::ptr::null_mut::<libc::itimerspec>());
        // SAFETY: timer_settime reads one itimerspec; the old one is not asked for.
        unsafe { libc::syscall(libc::SYS_timer_settime, timer, 0 as c_long, &raw const spec, null) };
    }
}

impl Drop for Waker {
    fn drop(&mut self) {
        // SAFETY: timer_delete touches no memory; the id is this value's own.
        unsafe { libc::syscall(libc::SYS_timer_delete, c_long::from(self.timer)) };
    }
}

extern "C" fn nothing(_signal: c_int) {}

/// A signal whose handler does nothing, so that it only interrupts waits. The first of SIGURG (ignored by default) and the
/// real-time signals that nobody in this process handles.
fn wake_signal() -> Option<c_int> {
    static SIGNAL: OnceLock<Option<c_int>> = OnceLock::new();
    *SIGNAL.get_or_init(|| {
        [libc::SIGURG].into_iter().chain(libc::SIGRTMIN()..=libc::SIGRTMAX()).find(|&signal| {
            // SAFETY: sigaction is plain data, for which zero is valid (default disposition, no flags).
            let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
            // SAFETY: with no new action, sigaction only stores the current one.
            let known = unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut action) } == 0;
            if !known || (action.sa_sigaction != libc::SIG_DFL && action.sa_sigaction != libc::SIG_IGN) {
                return false;
            }
            action.sa_sigaction = nothing as extern "C" fn(c_int) as usize;
            action.sa_flags = 0;
            // SAFETY: the handler does nothing and is thus async-signal-safe.
            unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) == 0 }
        })
    })
}
