//! Starting a command under the tracer.

use std::ffi::{CStr, CString, OsStr, OsString};
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::error::TraceError;
use crate::filter;
use crate::session::{Session, Started};
use crate::sys::{self, ChildFailure, ChildPlan, ChildStep};
use crate::table::Table;
use crate::tracer::{Coverage, ThreadClaim, Tracer};

/// Where a standard stream of the command goes.
#[derive(Debug, Default)]
pub enum Stdio {
    /// Where this process's own goes.
    #[default]
    Inherit,
    /// To and from `/dev/null`.
    Null,
    /// To and from this descriptor.
    Fd(OwnedFd),
}

/// A command to start.
#[derive(Debug, Default)]
pub struct Command {
    /// The program: a path if it has a slash in it, else a name to look up in `PATH`.
    pub program: OsString,
    /// Its arguments, without the program's name.
    pub args: Vec<OsString>,
    /// Its environment; None for this process's own.
    pub env: Option<Vec<(OsString, OsString)>>,
    /// Its working directory; None for this process's own.
    pub cwd: Option<PathBuf>,
    /// Standard input.
    pub stdin: Stdio,
    /// Standard output.
    pub stdout: Stdio,
    /// Standard error.
    pub stderr: Stdio,
}

impl Command {
    /// A command with this process's environment, directory and streams.
    pub fn new<A: Into<OsString>>(program: impl Into<OsString>, args: impl IntoIterator<Item = A>) -> Self {
        let args = args.into_iter().map(Into::into).collect();
        Command { program: program.into(), args, ..Command::default() }
    }

    /// The file to execute.
    fn resolve(&self) -> Result<CString, TraceError> {
        if self.program.as_bytes().contains(&b'/') {
            return c_string("the program", &self.program);
        }
        let path = match &self.env {
            Some(env) => env.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.clone()),
            None => std::env::var_os("PATH"),
        };
        let path = path.unwrap_or_else(|| "/bin:/usr/bin".into());
        let mut found = None;
        for directory in std::env::split_paths(&path).filter(|_| !self.program.is_empty()) {
            // An empty entry means the working directory.
            let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { &directory };
            let candidate = directory.join(&self.program);
            let in_cwd = self.cwd.as_deref().unwrap_or(Path::new("")).join(&candidate);
            if !in_cwd.is_file() {
                continue;
            }
            let file = c_string("the program", in_cwd.as_os_str())?;
            if sys::may_execute(&file) {
                return c_string("the program", candidate.as_os_str());
            }
            found.get_or_insert(candidate);
        }
        Err(match found {
            Some(path) => TraceError::NotExecutable { path },
            None => TraceError::NotFound { program: self.program.clone() },
        })
    }

    /// `NAME=value` strings.
    fn environment(&self) -> Result<Vec<CString>, TraceError> {
        let string = |(name, value): (OsString, OsString)| {
            let mut text = name;
            text.push("=");
            text.push(value);
            c_string("the environment variable", &text)
        };
        match &self.env {
            Some(env) => env.iter().cloned().map(string).collect(),
            None => std::env::vars_os().map(string).collect(),
        }
    }
}

fn c_string(what: &'static str, text: &OsStr) -> Result<CString, TraceError> {
    CString::new(text.as_bytes()).map_err(|_| TraceError::ZeroByte { what, value: text.to_os_string() })
}

impl Stdio {
    /// The descriptor to put in place, if not the one that is there.
    fn descriptor(&self) -> io::Result<Option<OwnedFd>> {
        match self {
            Stdio::Inherit => Ok(None),
            Stdio::Null => {
                let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
                OwnedFd::from(null).try_clone().map(Some)
            }
            // A clone is never one of the standard descriptors, so that putting one in place loses no other.
            Stdio::Fd(fd) => fd.try_clone().map(Some),
        }
    }
}

impl Tracer {
    /// Starts a command, stopped just before its program is executed; [`Session::run`], in the same thread, lets it go.
    /// What is attached by now decides at which events it stops.
    ///
    /// The calling thread must have no other children to wait for: the session collects the ends of all of them.
    ///
    /// # Errors
    /// [`TraceError`] when the program is not found or a step before its execution fails. That `execve` refused it is
    /// [`Session::run`]'s to tell.
    pub fn spawn(&self, command: &Command) -> Result<Session, TraceError> {
        let claim = ThreadClaim::take()?;
        let path = command.resolve()?;
        let program = c_string("the program", &command.program)?;
        let args = command.args.iter().map(|arg| c_string("the argument", arg));
        let args = args.collect::<Result<Vec<_>, _>>()?;
        let argv: Vec<&CStr> =
            [program.as_c_str()].into_iter().chain(args.iter().map(CString::as_c_str)).collect();
        let env = command.environment()?;
        let envp: Vec<&CStr> = env.iter().map(CString::as_c_str).collect();
        let cwd = command.cwd.as_ref().map(|cwd| c_string("the directory", cwd.as_os_str())).transpose()?;

        let table = Table::new(&self.hooks);
        let coverage = Coverage::of(&table.needs);
        let filter = filter::build(&coverage.syscalls);
        let coverage = self.begin(coverage);

        let streams = [&command.stdin, &command.stdout, &command.stderr].map(Stdio::descriptor);
        let [stdin, stdout, stderr] = streams;
        let action = "cannot open a standard stream of the command";
        let streams = [
            stdin.map_err(TraceError::system(action))?,
            stdout.map_err(TraceError::system(action))?,
            stderr.map_err(TraceError::system(action))?,
        ];
        let (go, go_write) = sys::pipe().map_err(TraceError::system("cannot make a pipe"))?;
        let (report_read, report) = sys::pipe().map_err(TraceError::system("cannot make a pipe"))?;
        sys::set_nonblocking(report_read.as_fd()).map_err(TraceError::system("cannot make a pipe"))?;

        let session = Session::new(&self.hooks, claim, coverage, table)?;
        let plan = ChildPlan {
            path: &path,
            argv: &argv,
            envp: &envp,
            cwd: cwd.as_deref(),
            stdio: streams.each_ref().map(|fd| fd.as_ref().map(AsFd::as_fd)),
            filter: &filter,
            go: go.as_fd(),
            go_write: go_write.as_fd(),
            report: report.as_fd(),
        };
        let pid = sys::fork_child(&plan).map_err(TraceError::system("cannot start a process"))?;
        drop(report);
        if let Err(source) = sys::seize(pid, session.ptrace_options() | libc::PTRACE_O_EXITKILL) {
            // Without its word the child ends.
            drop((go, go_write));
            sys::reap(pid);
            return Err(match source.raw_os_error() {
                Some(libc::EPERM) => crate::attach::not_permitted(pid),
                _ => TraceError::System { action: "cannot trace the command", source },
            });
        }
        let started = Started { report: report_read, go: Some(go_write) };
        let directory = command.cwd.clone().unwrap_or_default();
        let program = OsString::from_vec(path.into_bytes());
        Ok(session.started(pid, started, program, directory))
    }
}

impl Started {
    /// Lets the child go on to its program.
    pub(crate) fn release(&mut self) {
        if let Some(go) = self.go.take() {
            // A child that was killed meanwhile does not read; its end is reported by wait.
            let _ = std::fs::File::from(go).write_all(&[1]);
        }
    }

    /// Why the child ended before it became the command, if it did.
    pub(crate) fn failure(&mut self, program: &OsStr, directory: &Path) -> Option<TraceError> {
        let mut bytes = [0; ChildFailure::SIZE];
        let report: BorrowedFd<'_> = self.report.as_fd();
        let mut file = std::fs::File::from(report.try_clone_to_owned().ok()?);
        file.read_exact(&mut bytes).ok()?;
        let failure = ChildFailure::from_bytes(bytes)?;
        let source = io::Error::from_raw_os_error(failure.errno);
        Some(match failure.step {
            ChildStep::Stdio => TraceError::System { action: "cannot redirect a standard stream", source },
            ChildStep::WorkingDirectory => {
                TraceError::WorkingDirectory { directory: directory.to_path_buf(), source }
            }
            ChildStep::Filter => TraceError::Filter { source },
            ChildStep::Exec => TraceError::Exec { program: program.to_os_string(), source },
        })
    }
}
