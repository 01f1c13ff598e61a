//! Tracing a process that runs already.

use std::collections::BTreeSet;

use crate::error::TraceError;
use crate::filter::Traced;
use crate::session::Session;
use crate::sys::{self, Tid};
use crate::table::Table;
use crate::task::{read_proc, status_field, status_text};
use crate::tracer::{Coverage, ThreadClaim, Tracer};

impl Tracer {
    /// Attaches to a running process: all its threads, and what they create from now on. [`Session::run`], in the same
    /// thread, observes it.
    ///
    /// A filter could not be taken back from a process that is not ours, so it stops at every system call if a program that is
    /// attached by now wants any.
    ///
    /// # Errors
    /// [`TraceError::NoProcess`], or [`TraceError::NotPermitted`] with the rule that forbids it.
    pub fn attach_pid(&self, pid: i32) -> Result<Session, TraceError> {
        let claim = ThreadClaim::take()?;
        let status = read_proc(pid, "status").filter(|_| pid > 0).ok_or(TraceError::NoProcess { pid })?;
        let tgid = status_field(&status, "Tgid:").map_or(pid, u32::cast_signed);

        let table = Table::new(&self.hooks);
        let mut coverage = Coverage::of(&table.needs);
        let wants_syscalls = coverage.syscalls != Traced::These(BTreeSet::new());
        if wants_syscalls {
            coverage.syscalls = Traced::All;
        }
        let coverage = self.begin(coverage);
        let mut session = Session::new(&self.hooks, claim, coverage, table)?.attached(tgid, wants_syscalls);
        // Threads may create threads until all of them are seized; those that are report what they create.
        let mut first = true;
        loop {
            let mut new = 0;
            for tid in threads(tgid) {
                if session.knows(tid) {
                    continue;
                }
                match sys::seize(tid, session.ptrace_options()) {
                    Ok(()) => {
                        new += 1;
                        session.add(tid, tgid);
                    }
                    Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
                    // A thread that a seized one created since is traced already, and its creator reports it.
                    Err(error) if error.raw_os_error() == Some(libc::EPERM) && !first => {}
                    Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
                        return Err(not_permitted(pid));
                    }
                    Err(source) => {
                        return Err(TraceError::System { action: "cannot trace the process", source });
                    }
                }
                first = false;
            }
            if new == 0 {
                break;
            }
        }
        if first {
            return Err(TraceError::NoProcess { pid });
        }
        if wants_syscalls {
            session.interrupt_all();
        }
        Ok(session)
    }
}

fn threads(tgid: Tid) -> Vec<Tid> {
    let Ok(entries) = std::fs::read_dir(format!("/proc/{tgid}/task")) else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// Why ptrace answered `EPERM`, as far as the system tells.
pub(crate) fn not_permitted(pid: Tid) -> TraceError {
    let status = read_proc(pid, "status").unwrap_or_default();
    let own = std::fs::read("/proc/self/status").unwrap_or_default();
    let tracer = status_field(&status, "TracerPid:").unwrap_or(0);
    let uids = |status: &[u8]| -> Vec<String> {
        let text = status_text(status, "Uid:").unwrap_or_default();
        text.split_ascii_whitespace().take(3).map(str::to_string).collect()
    };
    let (its, ours) = (uids(&status), uids(&own));
    let yama = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope")
        .ok()
        .and_then(|scope| scope.trim().parse::<u32>().ok())
        .unwrap_or(0);
    let reason = if tracer != 0 {
        format!("process {tracer} traces it already (a debugger, strace, or another skep)")
    } else if status_field(&status, "Tgid:") == Some(std::process::id()) {
        "it is this process itself".to_string()
    } else if its.iter().any(|uid| Some(uid) != ours.first()) {
        format!(
            "it runs as user {}, skep as user {}: run skep as that user, or with CAP_SYS_PTRACE",
            its.first().map_or("?", String::as_str),
            ours.first().map_or("?", String::as_str)
        )
    } else {
        match yama {
            1 => "kernel.yama.ptrace_scope is 1, so a process may only trace its descendants: start the command with \
                  skep, run skep with CAP_SYS_PTRACE, or set it to 0"
                .to_string(),
            2 => "kernel.yama.ptrace_scope is 2: only processes with CAP_SYS_PTRACE may trace".to_string(),
            3 => "kernel.yama.ptrace_scope is 3: nothing may be traced until the next boot".to_string(),
            _ => "it has privileges that skep lacks (set-uid, capabilities, or not dumpable), it is a kernel thread, or \
                  a container's policy forbids ptrace(2): run skep with CAP_SYS_PTRACE"
                .to_string(),
        }
    };
    TraceError::NotPermitted { pid, reason }
}
