//! A kernel together with what makes its events happen.

use std::fmt;
use std::io;
use std::process::{Child, Command as HostCommand, ExitStatus, Stdio as HostStdio};
use std::sync::Arc;

use skep_hooks::{Command, Notice, Outcome, Session, Stdio, StopHandle, TraceError, Tracer};
use skep_kernel::{EventSource, Fault, Kernel, UserKernel};
use skep_linux::LinuxKernel;

use crate::error::Result;

/// A kernel to load into, and a way to run commands that it observes.
pub struct System {
    kernel: Arc<dyn Kernel>,
    /// The user target and its event source; the Linux kernel needs none.
    user: Option<(Arc<UserKernel>, Arc<Tracer>)>,
}

impl System {
    /// skep's own kernel, in this process, without privileges. It observes the commands that it starts and the
    /// processes that it is attached to.
    #[must_use]
    pub fn user() -> Self {
        let kernel = Arc::new(UserKernel::new());
        let tracer = Arc::new(Tracer::new(Arc::clone(kernel.hooks())));
        kernel.add_event_source(Arc::clone(&tracer) as Arc<dyn EventSource>);
        System { kernel: Arc::clone(&kernel) as Arc<dyn Kernel>, user: Some((kernel, tracer)) }
    }

    /// The running Linux kernel, through `bpf(2)`. It observes the whole system.
    ///
    /// # Errors
    /// Why `bpf(2)` does not answer here, and what to do.
    pub fn linux() -> Result<Self> {
        let kernel = LinuxKernel::new()?;
        Ok(System { kernel: Arc::new(kernel), user: None })
    }

    /// The kernel.
    #[must_use]
    pub fn kernel(&self) -> &Arc<dyn Kernel> {
        &self.kernel
    }

    /// Calls `report` with the name of a program and what it did whenever a run on an event is stopped because the program
    /// did what the verifier would have refused. On the Linux target that cannot happen.
    pub fn on_fault(&self, report: impl Fn(&str, &Fault) + Send + Sync + 'static) {
        if let Some((kernel, _)) = &self.user {
            kernel.on_fault(move |_, program, fault| report(program, fault));
        }
    }

    /// Starts a command. On the user target attach programs before: what stops the command is fixed when it starts. The
    /// process that this gives must be run in the same thread.
    ///
    /// # Errors
    /// [`Error::Trace`](crate::Error::Trace) when it cannot be started.
    pub fn spawn(&self, command: &Command) -> Result<Process> {
        if let Some((_, tracer)) = &self.user {
            return Ok(Process(Inner::Traced(Box::new(tracer.spawn(command)?))));
        }
        let failed = |source: io::Error| match (source.kind(), command.program.clone()) {
            (io::ErrorKind::NotFound, program) => TraceError::NotFound { program },
            (_, program) => TraceError::Exec { program, source },
        };
        let child = host_command(command).and_then(|mut host| host.spawn()).map_err(failed)?;
        Ok(Process(Inner::Plain(child)))
    }

    /// Follows a running process, in this thread. Only the user target needs to: Linux observes all processes.
    ///
    /// # Errors
    /// [`Error::Trace`](crate::Error::Trace): there is no such process, or it may not be traced. None where it is not
    /// needed.
    pub fn attach_pid(&self, pid: i32) -> Result<Option<Process>> {
        match &self.user {
            Some((_, tracer)) => Ok(Some(Process(Inner::Traced(Box::new(tracer.attach_pid(pid)?))))),
            None => Ok(None),
        }
    }
}

impl fmt::Debug for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "System({})", self.kernel.target_name())
    }
}

/// A command that was started, or a process that is followed.
#[derive(Debug)]
pub struct Process(Inner);

#[derive(Debug)]
enum Inner {
    Traced(Box<Session>),
    Plain(Child),
}

impl Process {
    /// Its id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        match &self.0 {
            Inner::Traced(session) => session.pid(),
            Inner::Plain(child) => child.id().cast_signed(),
        }
    }

    /// Lets go of it from another thread or a signal handler: a process that is followed runs on, a command that was started
    /// on the user target is killed. None where nothing needs to be done: the command ends by itself.
    #[must_use]
    pub fn stop_handle(&self) -> Option<StopHandle> {
        match &self.0 {
            Inner::Traced(session) => Some(session.stop_handle()),
            Inner::Plain(_) => None,
        }
    }

    /// Runs until it ends, firing attached programs. `notices` is told what the user should know.
    ///
    /// # Errors
    /// [`Error::Trace`](crate::Error::Trace).
    pub fn run(&mut self, notices: &mut dyn FnMut(Notice)) -> Result<Outcome> {
        match &mut self.0 {
            Inner::Traced(session) => Ok(session.run(notices)?),
            Inner::Plain(child) => {
                let status = child
                    .wait()
                    .map_err(|source| TraceError::System { action: "cannot wait for the command", source })?;
                Ok(outcome(status))
            }
        }
    }
}

/// The same command as the standard library starts it.
fn host_command(command: &Command) -> io::Result<HostCommand> {
    let stream = |stdio: &Stdio| {
        Ok::<_, io::Error>(match stdio {
            Stdio::Inherit => HostStdio::inherit(),
            Stdio::Null => HostStdio::null(),
            Stdio::Fd(fd) => fd.try_clone()?.into(),
        })
    };
    let mut host = HostCommand::new(&command.program);
    host.args(&command.args);
    host.stdin(stream(&command.stdin)?).stdout(stream(&command.stdout)?).stderr(stream(&command.stderr)?);
    if let Some(env) = &command.env {
        host.env_clear().envs(env.iter().map(|(name, value)| (name, value)));
    }
    if let Some(cwd) = &command.cwd {
        host.current_dir(cwd);
    }
    Ok(host)
}

fn outcome(status: ExitStatus) -> Outcome {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => Outcome::Exited(code),
        (None, Some(signal)) => Outcome::Signaled(signal),
        (None, None) => Outcome::Detached,
    }
}
