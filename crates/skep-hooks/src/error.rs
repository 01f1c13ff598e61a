//! What can go wrong when a command is started or a process is attached, and what the caller may want to tell the user.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

/// Why a command could not be started or traced, or a process not attached.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// The program is in no directory of `PATH`.
    #[error("{}: command not found", program.display())]
    NotFound {
        /// As it was asked for.
        program: OsString,
    },
    /// The program was found, but may not be executed.
    #[error("{}: not an executable file", path.display())]
    NotExecutable {
        /// The file.
        path: PathBuf,
    },
    /// A program name, argument, variable or directory has a zero byte in it.
    #[error("{what} {} has a zero byte in it", value.display())]
    ZeroByte {
        /// What it is.
        what: &'static str,
        /// It.
        value: OsString,
    },
    /// `execve` refused the program.
    #[error("cannot execute {}: {source}", program.display())]
    Exec {
        /// The program.
        program: OsString,
        /// `execve`'s error.
        source: io::Error,
    },
    /// The command's working directory cannot be entered.
    #[error("cannot change to directory {}: {source}", directory.display())]
    WorkingDirectory {
        /// The directory.
        directory: PathBuf,
        /// `chdir`'s error.
        source: io::Error,
    },
    /// The seccomp filter was refused.
    #[error(
        "cannot install the seccomp filter that stops the traced system calls: {source}; \
         the kernel needs CONFIG_SECCOMP_FILTER, and a container's policy must allow seccomp(2)"
    )]
    Filter {
        /// `seccomp`'s error.
        source: io::Error,
    },
    /// The process does not exist.
    #[error("no process {pid}")]
    NoProcess {
        /// Its id.
        pid: i32,
    },
    /// The kernel does not allow the process to be traced.
    #[error("not allowed to trace process {pid}: {reason}")]
    NotPermitted {
        /// Its id.
        pid: i32,
        /// Why, as far as the system tells, and what to do.
        reason: String,
    },
    /// This thread traces something already.
    #[error(
        "this thread runs a traced command already; each traced command or process needs a thread of its own"
    )]
    ThreadInUse,
    /// Another system call of the tracer failed.
    #[error("{action}: {source}")]
    System {
        /// What was being done.
        action: &'static str,
        /// The error.
        source: io::Error,
    },
}

impl TraceError {
    pub(crate) fn system(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| TraceError::System { action, source }
    }
}

/// How a traced command or process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It exited with this status (0 to 255).
    Exited(i32),
    /// This signal ended it.
    Signaled(i32),
    /// It was let go on request and runs on.
    Detached,
}

/// Something that the user should know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Notice {
    /// A program that would have gained privileges did not.
    #[error(
        "{} is {kind}; it runs without its privileges under skep (start skep with CAP_SYS_ADMIN and CAP_SYS_PTRACE to \
         keep them)", path.display()
    )]
    PrivilegesDropped {
        /// Process that executed it.
        pid: i32,
        /// The program.
        path: PathBuf,
        /// `set-uid`, `set-gid` or `marked with file capabilities`.
        kind: &'static str,
    },
}
