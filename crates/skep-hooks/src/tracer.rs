//! The event source: what it can observe, and what the sessions that run now have been prepared for.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use skep_kernel::{AttachPoint, Errno, EventSource, HookTable, KernelError};

use crate::error::TraceError;
use crate::filter::Traced;
use crate::points::{Hook, Need};

/// What a session was prepared for when it began.
#[derive(Clone, Debug)]
pub(crate) struct Coverage {
    /// System calls that stop the traced threads.
    pub syscalls: Traced,
    /// Whether threads stop when they exit.
    pub exits: bool,
}

impl Coverage {
    /// For what is attached now.
    pub(crate) fn of(needs: &[Need]) -> Self {
        let mut numbers = BTreeSet::new();
        let mut coverage = Coverage { syscalls: Traced::These(BTreeSet::new()), exits: false };
        for need in needs {
            match *need {
                Need::Syscall(nr) => _ = numbers.insert(nr),
                Need::AllSyscalls => coverage.syscalls = Traced::All,
                Need::Exits => coverage.exits = true,
                Need::Nothing => {}
            }
        }
        if coverage.syscalls != Traced::All {
            coverage.syscalls = Traced::These(numbers);
        }
        // A thread that is killed in a system call does not stop at the call's end, only at its own.
        coverage.exits |= coverage.syscalls != Traced::These(BTreeSet::new());
        coverage
    }

    fn covers(&self, need: Need) -> bool {
        match need {
            Need::Syscall(nr) => self.syscalls.contains(nr),
            Need::AllSyscalls => self.syscalls == Traced::All,
            Need::Exits => self.exits,
            Need::Nothing => true,
        }
    }
}

/// The event source for system calls and processes. See the [crate's documentation](crate).
///
/// ```
/// use std::sync::Arc;
/// use skep_hooks::Tracer;
/// use skep_kernel::{AttachPoint, EventSource, HookTable};
///
/// let tracer = Tracer::new(Arc::new(HookTable::default()));
/// let execve = AttachPoint::Tracepoint { category: "syscalls".into(), name: "sys_enter_execve".into() };
/// assert_eq!(tracer.offers(&execve), Some(Ok(())));
/// let switch = AttachPoint::Tracepoint { category: "sched".into(), name: "sched_switch".into() };
/// assert!(tracer.offers(&switch).unwrap().unwrap_err().what.contains("linux target"));
/// ```
pub struct Tracer {
    pub(crate) hooks: Arc<HookTable>,
    sessions: Mutex<Vec<Weak<Coverage>>>,
}

impl std::fmt::Debug for Tracer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tracer").finish_non_exhaustive()
    }
}

impl Tracer {
    /// Fires the programs of this hook table.
    #[must_use]
    pub fn new(hooks: Arc<HookTable>) -> Self {
        Tracer { hooks, sessions: Mutex::new(Vec::new()) }
    }

    /// Notes that a session with this coverage begins; it ends when the value is dropped.
    pub(crate) fn begin(&self, coverage: Coverage) -> Arc<Coverage> {
        let coverage = Arc::new(coverage);
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|session| session.strong_count() > 0);
        sessions.push(Arc::downgrade(&coverage));
        coverage
    }
}

impl EventSource for Tracer {
    /// Errors: `ENOENT` for a system call or function that does not exist, `EOPNOTSUPP` for what user space cannot observe,
    /// `EBUSY` for what the command that is being traced was not prepared for.
    fn offers(&self, point: &AttachPoint) -> Option<Result<(), KernelError>> {
        let hook = match Hook::of(point)? {
            Ok(hook) => hook,
            Err(error) => return Some(Err(error)),
        };
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let covered = sessions.iter().filter_map(Weak::upgrade).all(|session| session.covers(hook.need()));
        Some(if covered {
            Ok(())
        } else {
            Err(KernelError::new(
                Errno::EBUSY,
                "a command that is being traced does not stop at these events, and that is fixed when it starts: attach \
                 before the command is started",
            ))
        })
    }
}

/// The right to trace in this thread: ptrace and wait work for each thread by itself, so one session at a time has one.
/// Not [`Send`].
#[derive(Debug)]
pub(crate) struct ThreadClaim(PhantomData<*const ()>);

thread_local! {
    static CLAIMED: Cell<bool> = const { Cell::new(false) };
}

impl ThreadClaim {
    pub(crate) fn take() -> Result<Self, TraceError> {
        if CLAIMED.replace(true) { Err(TraceError::ThreadInUse) } else { Ok(ThreadClaim(PhantomData)) }
    }
}

impl Drop for ThreadClaim {
    fn drop(&mut self) {
        CLAIMED.set(false);
    }
}
