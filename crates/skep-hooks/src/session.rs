//! The loop that waits for stops of the traced threads, fires hooks, and lets the threads go on.
//!
//! A thread stops: at a traced system call (seccomp stop, or syscall-entry stop in attached processes); at its exit, if it is
//! wanted; when it creates a thread or process, executes a program, exits; for a signal, which is passed on; and
//! in group-stops, in which it is left until something ends them. A thread may be killed at any moment, stopped or not: then
//! any request about it fails with `ESRCH`, and its end is reported by wait.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;

use skep_kernel::{HookTable, Task};

use crate::error::{Notice, Outcome, TraceError};
use crate::filter::{COMPAT_CREDENTIAL_CALLS, CREDENTIAL_CALLS, Traced};
use crate::regs::{self, AUDIT_ARCH};
use crate::stop::StopHandle;
use crate::sys::{self, EVENT_STOP, Resume, Tid};
use crate::table::Table;
use crate::task::{FileBudget, InSyscall, TracedTask, read_proc, status_field, status_text};
use crate::tracer::{Coverage, ThreadClaim};

/// `PTRACE_SYSCALL_INFO_*` of `linux/ptrace.h`.
const INFO_ENTRY: u8 = 1;
const INFO_EXIT: u8 = 2;
/// A syscall-stop, with `PTRACE_O_TRACESYSGOOD`.
const SYSCALL_STOP: i32 = libc::SIGTRAP | 0x80;
/// The result of a call before it is made: of one whose thread was killed in the stop at its entry.
const NOT_MADE: u64 = -(libc::ENOSYS as i64) as u64;
const CAP_SYS_PTRACE: u32 = 19;
const CAP_SYS_ADMIN: u32 = 21;

/// How a session ends its tracees when it is asked to stop.
#[derive(Debug)]
enum Mode {
    /// The command was started here, so it is killed.
    Started { started: Started, program: OsString, directory: PathBuf },
    /// The process ran before, so it is let go.
    Attached,
}

/// The parent's ends of a started child's pipes.
#[derive(Debug)]
pub(crate) struct Started {
    /// What keeps the child from becoming the command.
    pub report: OwnedFd,
    /// The word to go on, until it is given.
    pub go: Option<OwnedFd>,
}

/// A traced command or process. Not [`Send`]: ptrace belongs to a thread.
///
/// Dropping it ends it as [`StopHandle::stop`] does.
pub struct Session {
    hooks: Arc<HookTable>,
    _claim: ThreadClaim,
    coverage: Arc<Coverage>,
    mode: Mode,
    stop: StopHandle,
    stopping: bool,
    table: Table,
    /// Whether threads run from one syscall-stop to the next: attached processes, in which there is no filter.
    all_stops: bool,
    tasks: HashMap<Tid, TracedTask>,
    /// Threads that stopped or ended before their creator reported them, with that wait status.
    early: HashMap<Tid, i32>,
    /// Threads of each process that have not exited.
    live: HashMap<Tid, usize>,
    root: Tid,
    /// Whether the command's program has been executed.
    executed: bool,
    outcome: Option<Outcome>,
    files: FileBudget,
    /// Whether set-uid programs lose their privileges because of the tracing.
    drops_privileges: bool,
    notices: Vec<Notice>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("root", &self.root).field("mode", &self.mode).finish_non_exhaustive()
    }
}

/// A thread that was killed meanwhile is no error.
fn unless_gone<T>(result: io::Result<T>) -> Result<Option<T>, TraceError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(None),
        Err(source) => Err(TraceError::System { action: "cannot go on tracing", source }),
    }
}

impl Session {
    pub(crate) fn new(
        hooks: &Arc<HookTable>,
        claim: ThreadClaim,
        coverage: Arc<Coverage>,
        table: Table,
    ) -> Result<Self, TraceError> {
        let stop = StopHandle::for_this_thread().map_err(TraceError::system("cannot make a timer"))?;
        Ok(Session {
            hooks: Arc::clone(hooks),
            _claim: claim,
            coverage,
            mode: Mode::Attached,
            stop,
            stopping: false,
            table,
            all_stops: false,
            tasks: HashMap::new(),
            early: HashMap::new(),
            live: HashMap::new(),
            root: 0,
            executed: false,
            outcome: None,
            files: FileBudget::new(),
            drops_privileges: false,
            notices: Vec::new(),
        })
    }

    pub(crate) fn started(
        mut self,
        pid: Tid,
        started: Started,
        program: OsString,
        directory: PathBuf,
    ) -> Self {
        self.drops_privileges = drops_privileges(self.coverage.syscalls != Traced::These([].into()));
        self.mode = Mode::Started { started, program, directory };
        self.root = pid;
        self.add(pid, pid);
        self
    }

    pub(crate) fn attached(mut self, tgid: Tid, all_stops: bool) -> Self {
        self.drops_privileges = drops_privileges(false);
        self.root = tgid;
        self.all_stops = all_stops;
        self.executed = true;
        self
    }

    /// Options for every tracee.
    pub(crate) fn ptrace_options(&self) -> i32 {
        let options = libc::PTRACE_O_TRACESYSGOOD
            | libc::PTRACE_O_TRACEFORK
            | libc::PTRACE_O_TRACEVFORK
            | libc::PTRACE_O_TRACECLONE
            | libc::PTRACE_O_TRACEEXEC
            | libc::PTRACE_O_TRACESECCOMP;
        if self.coverage.exits { options | libc::PTRACE_O_TRACEEXIT } else { options }
    }

    pub(crate) fn knows(&self, tid: Tid) -> bool {
        self.tasks.contains_key(&tid)
    }

    /// Notes a thread that is traced now.
    pub(crate) fn add(&mut self, tid: Tid, tgid: Tid) {
        let task = TracedTask::new(tid, tgid, &self.files);
        self.insert(task);
    }

    fn insert(&mut self, task: TracedTask) {
        *self.live.entry(task.tgid).or_default() += 1;
        self.tasks.insert(task.tid, task);
    }

    /// Stops all threads for a moment.
    pub(crate) fn interrupt_all(&self) {
        for &tid in self.tasks.keys() {
            // One that is gone is reported by wait.
            let _ = sys::interrupt(tid);
        }
    }

    /// The id of the command or the attached process.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.root
    }

    /// Ends the session from another thread or a signal handler.
    #[must_use]
    pub fn stop_handle(&self) -> StopHandle {
        self.stop.clone()
    }

    /// Fires the attached programs for every event, until the command or process and all its descendants have ended, or until the
    /// [`StopHandle`] asks to end. `notices` is called with what the user should know.
    ///
    /// Signals from the terminal reach the command by themselves; this process should survive them
    /// (handle, not ignore: what is ignored stays ignored in the command).
    ///
    /// # Errors
    /// [`TraceError`] when the program could not be executed or the tracing itself fails.
    pub fn run(&mut self, notices: &mut dyn FnMut(Notice)) -> Result<Outcome, TraceError> {
        if let Mode::Started { started, .. } = &mut self.mode {
            started.release();
        }
        while !self.tasks.is_empty() {
            self.step()?;
            for notice in self.notices.drain(..) {
                notices(notice);
            }
        }
        if let Mode::Started { started, program, directory } = &mut self.mode
            && !self.executed
            && let Some(error) = started.failure(program, directory)
        {
            return Err(error);
        }
        Ok(self.outcome.unwrap_or(Outcome::Detached))
    }

    /// Waits for one stop or end and deals with it.
    fn step(&mut self) -> Result<(), TraceError> {
        if self.stop.is_requested() && !self.stopping {
            self.begin_stopping();
        }
        match sys::wait_any() {
            Ok((tid, status)) => {
                self.table.refresh(&self.hooks);
                self.on_wait(tid, status)
            }
            Err(error) if error.raw_os_error() == Some(libc::EINTR) => Ok(()),
            // No tracee is left, whatever was known of them.
            Err(error) if error.raw_os_error() == Some(libc::ECHILD) => {
                self.tasks.clear();
                Ok(())
            }
            Err(source) => Err(TraceError::System { action: "cannot wait for the traced command", source }),
        }
    }

    fn begin_stopping(&mut self) {
        self.stopping = true;
        self.stop.acknowledge();
        match self.mode {
            Mode::Started { .. } => {
                for task in self.tasks.values() {
                    let _ = sys::kill(task.tgid, libc::SIGKILL);
                }
            }
            Mode::Attached => {
                self.interrupt_all();
                // Those that are held back are stopped already.
                for (tid, status) in std::mem::take(&mut self.early) {
                    self.let_go(tid, status);
                }
            }
        }
    }

    fn on_wait(&mut self, tid: Tid, status: i32) -> Result<(), TraceError> {
        if !self.tasks.contains_key(&tid) {
            if self.stopping {
                self.stop_newcomer(tid, status);
                return Ok(());
            }
            self.early.insert(tid, status);
            return if status >> 16 == libc::PTRACE_EVENT_EXIT {
                self.adopt_killed_thread(tid)
            } else {
                Ok(())
            };
        }
        if !libc::WIFSTOPPED(status) {
            return self.on_end(tid, status);
        }
        if self.stopping && matches!(self.mode, Mode::Attached) {
            self.let_go(tid, status);
            return Ok(());
        }
        if let Some(task) = self.tasks.get(&tid) {
            task.begin_event();
        }
        let (event, signal) = (status >> 16, libc::WSTOPSIG(status));
        match event {
            0 if signal == SYSCALL_STOP => self.on_syscall_stop(tid),
            0 => self.resume(tid, signal),
            libc::PTRACE_EVENT_SECCOMP => self.on_seccomp_stop(tid),
            libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK | libc::PTRACE_EVENT_CLONE => {
                self.on_fork(tid, event)
            }
            libc::PTRACE_EVENT_EXEC => self.on_exec(tid),
            libc::PTRACE_EVENT_EXIT => self.on_exit(tid),
            EVENT_STOP => {
                self.on_first_stop(tid)?;
                if signal == libc::SIGTRAP {
                    self.resume(tid, 0)
                } else {
                    // A group-stop: it lasts until a signal ends it.
                    unless_gone(sys::resume(tid, Resume::Listen, 0)).map(|_| ())
                }
            }
            _ => self.resume(tid, 0),
        }
    }

    /// Lets a thread go on.
    fn resume(&self, tid: Tid, signal: i32) -> Result<(), TraceError> {
        let wants_exit = self.tasks.get(&tid).is_some_and(|task| task.in_syscall.is_some());
        let how = if self.all_stops || wants_exit { Resume::Syscall } else { Resume::Cont };
        unless_gone(sys::resume(tid, how, signal)).map(|_| ())
    }

    /// A traced system call of a started command.
    fn on_seccomp_stop(&mut self, tid: Tid) -> Result<(), TraceError> {
        if self.all_stops {
            // A filter of the attached process itself, whose tracer this is not; nor would there be one without us.
            unless_gone(sys::skip_syscall(tid))?;
            return self.resume(tid, 0);
        }
        let Some(regs) = unless_gone(sys::registers(tid))? else { return Ok(()) };
        let nr = regs.syscall_nr();
        let all = self.coverage.syscalls == Traced::All;
        let native = if all || COMPAT_CREDENTIAL_CALLS.contains(&(nr as u32)) {
            let Some(info) = unless_gone(sys::syscall_info(tid))? else { return Ok(()) };
            info.arch == AUDIT_ARCH
        } else {
            !regs.is_compat()
        };
        // Not by our filter: by one that the command has put on itself. Without a tracer, such a call fails.
        let ours = all || is_traced(&self.coverage.syscalls, nr, native);
        if !ours {
            unless_gone(sys::skip_syscall(tid))?;
            return self.resume(tid, 0);
        }
        if regs::is_vsyscall(regs.ip()) {
            return self.resume(tid, 0);
        }
        let Some(task) = self.tasks.get_mut(&tid) else { return Ok(()) };
        self.table.syscall_enter(task, nr, &regs.args(), native, Some(&regs));
        let wants_exit = self.table.wants_exit(nr, native);
        task.in_syscall = wants_exit.then_some(InSyscall { nr, native });
        if changes_ids(nr, native) {
            task.forget_ids();
        }
        self.resume(tid, 0)
    }

    /// Entry to or exit from a system call of an attached process, or an exit that was asked for.
    fn on_syscall_stop(&mut self, tid: Tid) -> Result<(), TraceError> {
        if !self.all_stops {
            return self.on_syscall_exit(tid);
        }
        let Some(info) = unless_gone(sys::syscall_info(tid))? else { return Ok(()) };
        match info.op {
            INFO_ENTRY => {
                let native = info.arch == AUDIT_ARCH;
                let nr = info.nr;
                let regs = if self.table.wants_entry_regs(nr, native) {
                    let Some(regs) = unless_gone(sys::registers(tid))? else { return Ok(()) };
                    Some(regs)
                } else {
                    None
                };
                let Some(task) = self.tasks.get_mut(&tid) else { return Ok(()) };
                self.table.syscall_enter(task, nr, &info.args, native, regs.as_ref());
                task.in_syscall = Some(InSyscall { nr, native });
                if changes_ids(nr, native) {
                    task.forget_ids();
                }
                self.resume(tid, 0)
            }
            INFO_EXIT => self.on_syscall_exit(tid),
            _ => self.resume(tid, 0),
        }
    }

    fn on_syscall_exit(&mut self, tid: Tid) -> Result<(), TraceError> {
        self.fire_syscall_exit(tid)?;
        self.resume(tid, 0)
    }

    /// Fires what is attached to the end of the call that a stopped thread was in.
    fn fire_syscall_exit(&mut self, tid: Tid) -> Result<(), TraceError> {
        let Some(task) = self.tasks.get_mut(&tid) else { return Ok(()) };
        let entry = task.in_syscall.take();
        if entry.is_none_or(|entry| self.table.wants_exit(entry.nr, entry.native)) {
            let Some(regs) = unless_gone(sys::registers(tid))? else { return Ok(()) };
            let nr = exit_number(&regs, entry);
            // A program that was executed may have another calling convention than the one that did it.
            let native = entry.is_none_or(|entry| entry.native) && !regs.is_compat();
            if let Some(entry) = entry.filter(|_| native) {
                self.table.function_return(task, entry.nr, regs.ret());
            }
            self.table.syscall_exit(task, nr, native, &regs);
        }
        Ok(())
    }

    /// A thread has created another, or a process.
    fn on_fork(&mut self, tid: Tid, event: i32) -> Result<(), TraceError> {
        let Some(child) = unless_gone(sys::event_message(tid, event))? else { return Ok(()) };
        let child = child as Tid;
        if let Some(creator) = self.tasks.get(&tid).filter(|_| !self.tasks.contains_key(&child)) {
            let same_process =
                std::fs::exists(format!("/proc/{}/task/{child}", creator.tgid)).unwrap_or(false);
            let task = self.newborn(creator, child, if same_process { creator.tgid } else { child });
            self.insert(task);
        }
        self.resume(tid, 0)?;
        self.take_up(child)
    }

    /// A thread that `creator` made: fires `sched_process_fork`.
    fn newborn(&self, creator: &TracedTask, child: Tid, tgid: Tid) -> TracedTask {
        if self.table.wants_fork() {
            self.table.process_fork(creator, child);
        }
        creator.child(child, tgid)
    }

    /// Deals with what a thread did before it was known.
    fn take_up(&mut self, tid: Tid) -> Result<(), TraceError> {
        match self.early.remove(&tid) {
            Some(status) => self.on_wait(tid, status),
            None => Ok(()),
        }
    }

    /// A thread that was killed before its creator reported it: the whole process is being killed, and ends only when this
    /// thread does, so that it cannot wait for the report.
    fn adopt_killed_thread(&mut self, tid: Tid) -> Result<(), TraceError> {
        let status = read_proc(tid, "status").unwrap_or_default();
        let tgid = status_field(&status, "Tgid:").map_or(tid, u32::cast_signed);
        let Some(creator) = self.tasks.values().find(|task| task.tgid == tgid && tgid != tid) else {
            return Ok(());
        };
        let task = self.newborn(creator, tid, tgid);
        self.insert(task);
        self.take_up(tid)
    }

    /// The first stop of a thread is on its way out of the system call that created it: in the kernel, that call's exit
    /// happens in the new thread too.
    fn on_first_stop(&mut self, tid: Tid) -> Result<(), TraceError> {
        let Some(task) = self.tasks.get_mut(&tid).filter(|task| task.fresh) else { return Ok(()) };
        task.fresh = false;
        if !self.table.wants_any_exit() {
            return Ok(());
        }
        let Some(regs) = unless_gone(sys::registers(tid))? else { return Ok(()) };
        let nr = regs.syscall_nr();
        if self.table.wants_exit(nr, !regs.is_compat()) {
            self.table.syscall_exit(task, nr, !regs.is_compat(), &regs);
        }
        Ok(())
    }

    /// A thread has executed a program: it is the only one of its process now, and has the process's id.
    fn on_exec(&mut self, pid: Tid) -> Result<(), TraceError> {
        let Some(former) = unless_gone(sys::event_message(pid, libc::PTRACE_EVENT_EXEC))? else {
            // Killed already. Its other threads are gone all the same, and it has the process's id.
            self.tasks.retain(|&tid, task| tid == pid || task.tgid != pid);
            return Ok(());
        };
        let former = former as Tid;
        if former != pid
            && let Some(leader) = self.tasks.remove(&pid)
        {
            self.count_exit(&leader);
        }
        if let Some(task) = self.tasks.remove(&former) {
            let task = task.after_exec(pid);
            self.tasks.insert(pid, task);
        }
        self.executed = true;
        if let Some(task) = self.tasks.get(&pid).filter(|_| self.table.wants_exec()) {
            let filename = executed_filename(task).unwrap_or_default();
            self.table.process_exec(task, &filename, former);
        }
        if self.drops_privileges {
            self.notices.extend(privileges_dropped(pid));
        }
        self.resume(pid, 0)
    }

    /// A thread is exiting. One that was killed does not stop at the end of the call that it was in, but the call has ended,
    /// and in the kernel that is an event as ever; its registers are still those of that end.
    fn on_exit(&mut self, tid: Tid) -> Result<(), TraceError> {
        let entry = self.tasks.get(&tid).and_then(|task| task.in_syscall);
        if entry.is_some_and(|entry| !entry.never_returns())
            && let Some(regs) = unless_gone(sys::registers(tid))?
            && regs.ret() != NOT_MADE
        {
            self.fire_syscall_exit(tid)?;
        }
        self.fire_exit(tid);
        self.resume(tid, 0)
    }

    /// Fires `sched_process_exit`, once for a thread.
    fn fire_exit(&mut self, tid: Tid) {
        let Some(task) = self.tasks.get_mut(&tid).filter(|task| !task.exited) else { return };
        task.exited = true;
        let group_dead = count_down(&mut self.live, task.tgid);
        if self.table.wants_process_exit() {
            task.read_prio();
            self.table.process_exit(task, group_dead);
        }
    }

    fn count_exit(&mut self, task: &TracedTask) {
        if !task.exited {
            count_down(&mut self.live, task.tgid);
        }
    }

    /// A thread has ended.
    fn on_end(&mut self, tid: Tid, status: i32) -> Result<(), TraceError> {
        // One that was killed may have had no stop at its exit.
        self.fire_exit(tid);
        let Some(task) = self.tasks.remove(&tid) else { return Ok(()) };
        if tid == self.root {
            self.outcome = Some(if libc::WIFSIGNALED(status) {
                Outcome::Signaled(libc::WTERMSIG(status))
            } else {
                Outcome::Exited(libc::WEXITSTATUS(status))
            });
        }
        self.adopt_orphans(&task)
    }

    /// A thread that was killed while it created another never reports it: what waits for that report is taken up now.
    fn adopt_orphans(&mut self, dead: &TracedTask) -> Result<(), TraceError> {
        let waiting: Vec<Tid> = self.early.keys().copied().collect();
        for tid in waiting {
            let Some(status) = read_proc(tid, "status") else {
                // It ended, and its end has been collected.
                self.early.remove(&tid);
                continue;
            };
            let id = |key| status_field(&status, key).map_or(0, u32::cast_signed);
            let (tgid, parent) = (id("Tgid:"), id("PPid:"));
            let dead_parent = dead.tgid == tgid || dead.tgid == parent;
            if dead_parent || !self.live.contains_key(&parent) {
                let task = self.newborn(dead, tid, tgid);
                self.insert(task);
                self.take_up(tid)?;
            }
        }
        Ok(())
    }

    /// While stopping: a thread that nobody reported yet.
    fn stop_newcomer(&mut self, tid: Tid, status: i32) {
        if !libc::WIFSTOPPED(status) {
            return;
        }
        match self.mode {
            Mode::Started { .. } => _ = sys::kill(tid, libc::SIGKILL),
            Mode::Attached => self.let_go(tid, status),
        }
    }

    /// Gives a stopped thread of an attached process up; a signal that it was about to get, it gets.
    fn let_go(&mut self, tid: Tid, status: i32) {
        if !libc::WIFSTOPPED(status) {
            return;
        }
        let (event, signal) = (status >> 16, libc::WSTOPSIG(status));
        let deliver = if event == 0 && signal != SYSCALL_STOP { signal } else { 0 };
        // One that is gone needs no detaching.
        let _ = sys::detach(tid, deliver);
        self.tasks.remove(&tid);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.tasks.is_empty() {
            return;
        }
        self.begin_stopping();
        if let Mode::Started { started, .. } = &mut self.mode {
            // A child that still waits for its word sees that there will be none.
            started.go = None;
        }
        while !self.tasks.is_empty() {
            if self.step().is_err() {
                return;
            }
        }
    }
}

/// Counts one thread of a process less; whether it was the last.
fn count_down(live: &mut HashMap<Tid, usize>, tgid: Tid) -> bool {
    match live.get_mut(&tgid) {
        Some(count) if *count > 1 => {
            *count -= 1;
            false
        }
        _ => {
            live.remove(&tgid);
            true
        }
    }
}

/// Whether our filter stops this call.
fn is_traced(traced: &Traced, nr: u64, native: bool) -> bool {
    let Ok(nr) = u32::try_from(nr) else { return false };
    changes_ids(nr.into(), native) || (native && traced.contains(nr))
}

/// Whether a call changes the thread's user or group id.
fn changes_ids(nr: u64, native: bool) -> bool {
    let calls = if native { CREDENTIAL_CALLS } else { COMPAT_CREDENTIAL_CALLS };
    calls.iter().any(|&call| u64::from(call) == nr)
}

/// The number that the kernel has for a call at its exit.
#[cfg(target_arch = "x86_64")]
fn exit_number(regs: &regs::Regs, _entry: Option<InSyscall>) -> u64 {
    regs.syscall_nr()
}

/// The number that the kernel has for a call at its exit: none after a signal handler's return.
#[cfg(target_arch = "aarch64")]
fn exit_number(regs: &regs::Regs, entry: Option<InSyscall>) -> u64 {
    let nr = entry.map_or(regs.syscall_nr(), |entry| entry.nr);
    if nr == libc::SYS_rt_sigreturn as u64 { u64::MAX } else { nr }
}

/// The path that was executed, as it was given: the kernel keeps it in the new program's auxiliary vector.
fn executed_filename(task: &TracedTask) -> Option<Vec<u8>> {
    let auxv = read_proc(task.tid, "auxv")?;
    let word = |bytes: &[u8]| bytes.try_into().ok().map(u64::from_ne_bytes);
    // 32-bit programs have 32-bit entries: then the first 8 bytes are a type and its value, which is not 0.
    let first = word(auxv.get(..8)?)?;
    let half = |bytes: &[u8]| bytes.try_into().ok().map(u32::from_ne_bytes).map(u64::from);
    let entries: Vec<(u64, u64)> = if first > u64::from(u32::MAX) {
        auxv.chunks_exact(8).filter_map(|e| Some((half(&e[..4])?, half(&e[4..])?))).collect()
    } else {
        auxv.chunks_exact(16).filter_map(|e| Some((word(&e[..8])?, word(&e[8..])?))).collect()
    };
    let addr = entries.iter().find(|(kind, _)| *kind == libc::AT_EXECFN)?.1;
    let mut path = vec![0; libc::PATH_MAX as usize];
    let len = task.read_user_str(addr, &mut path).ok()?;
    path.truncate(len.saturating_sub(1));
    Some(path)
}

/// Whether set-uid programs lose privileges that they would gain without us.
fn drops_privileges(filtered: bool) -> bool {
    let status = std::fs::read("/proc/self/status").unwrap_or_default();
    let effective = status_text(&status, "CapEff:").and_then(|text| u64::from_str_radix(text, 16).ok());
    let has = |capability: u32| effective.unwrap_or(0) & (1 << capability) != 0;
    let never_gains = status_field(&status, "NoNewPrivs:") == Some(1);
    !never_gains && (!has(CAP_SYS_PTRACE) || (filtered && !has(CAP_SYS_ADMIN)))
}

/// Whether the program that a process has just executed would have given it privileges.
fn privileges_dropped(pid: Tid) -> Option<Notice> {
    let link = format!("/proc/{pid}/exe");
    let metadata = std::fs::metadata(&link).ok()?;
    let mode = metadata.mode();
    let (set_uid, set_gid) =
        (mode & libc::S_ISUID != 0, mode & libc::S_ISGID != 0 && mode & libc::S_IXGRP != 0);
    let c_link = std::ffi::CString::new(link.as_bytes()).ok()?;
    let capable = !set_uid && sys::has_file_capabilities(&c_link);
    if !(set_uid || set_gid || capable) {
        return None;
    }
    // Effective ids are the second numbers.
    let status = read_proc(pid, "status")?;
    let effective = |key| status_text(&status, key)?.split_ascii_whitespace().nth(1)?.parse::<u32>().ok();
    let (uid, gid) = (effective("Uid:")?, effective("Gid:")?);
    let kind = if set_uid && metadata.uid() != uid {
        "set-uid"
    } else if set_gid && metadata.gid() != gid {
        "set-gid"
    } else if capable && uid != 0 {
        "marked with file capabilities"
    } else {
        return None;
    };
    let path = std::fs::read_link(&link).ok()?;
    Some(Notice::PrivilegesDropped { pid, path, kind })
}
