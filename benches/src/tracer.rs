//! Table `tracer`: what being observed costs a process, a system call at a time.

use std::process::{Command, Stdio};

use skep::hooks::{Command as Traced, Outcome, Stdio as TracedStdio};
use skep::kernel::AttachPoint;
use skep::{LoadOptions, Object, System};

use crate::report::{Engine, Report};

/// Rounds of each row.
const ROUNDS: usize = 15;
/// Calls a round of a process that is not stopped.
const FAST: &str = "1000000";
/// Calls a round of a process that is stopped at each call.
const SLOW: &str = "20000";

/// The program that runs on each event does nothing: what is measured is the way to it.
const PROGRAM: &str = r#"
    .section tracepoint,"ax"
    .globl count
    .type count,@function
count:
    r0 = 0
    exit
"#;

pub(crate) fn measure(report: &mut Report) -> Result<(), String> {
    // The cheapest call there is, a cheap one, and two that do something (open and close).
    for syscall in ["getppid", "read", "open"] {
        // Attached elsewhere: the loop's own call is not stopped.
        let engines = &mut [
            Engine { name: "native", round: Box::new(move || run(Command::new(own()?), syscall, FAST)) },
            Engine { name: "skep", round: Box::new(move || traced(&["sys_enter_execve"], syscall, FAST)) },
        ];
        report.row(&format!("untraced {syscall}"), ROUNDS, engines)?;
    }
    let strace = |flags: &'static [&'static str]| {
        move || {
            let mut strace = Command::new("strace");
            strace.args(flags).args(["-o", "/dev/null", "-e", "trace=getppid"]).arg(own()?);
            run(strace, "getppid", SLOW)
        }
    };
    let mut engines = vec![
        Engine { name: "native", round: Box::new(|| run(Command::new(own()?), "getppid", SLOW)) },
        Engine { name: "skep, entry", round: Box::new(|| traced(&["sys_enter_getppid"], "getppid", SLOW)) },
        Engine {
            name: "skep, entry and exit",
            round: Box::new(|| traced(&["sys_enter_getppid", "sys_exit_getppid"], "getppid", SLOW)),
        },
    ];
    if Command::new("strace").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok() {
        // Without the filter strace stops at every call; with it, as skep, only at the traced ones.
        engines.insert(0, Engine { name: "strace", round: Box::new(strace(&[])) });
        engines
            .push(Engine { name: "strace --seccomp-bpf", round: Box::new(strace(&["-f", "--seccomp-bpf"])) });
    } else {
        report.skip("strace", "it is not installed");
    }
    report.row("traced getppid", ROUNDS, &mut engines)
}

fn own() -> Result<std::path::PathBuf, String> {
    std::env::current_exe().map_err(|error| error.to_string())
}

/// Runs the loop under a command, and reads from its output how long a call took.
fn run(mut command: Command, syscall: &str, count: &str) -> Result<f64, String> {
    let output = command.args(["--tracee", syscall, count]).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    figure(&output.stdout)
}

fn figure(output: &[u8]) -> Result<f64, String> {
    let text = String::from_utf8_lossy(output);
    text.trim().parse().map_err(|_| format!("the loop printed no figure: {text:?}"))
}

/// Runs the loop under skep, with a program at each of these tracepoints of system calls.
fn traced(names: &[&str], syscall: &str, count: &str) -> Result<f64, String> {
    use std::io::Read;
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let assembly =
        skep::isa::asm::assemble(PROGRAM, &skep::isa::asm::Options::default()).map_err(|e| text(&e))?;
    let file = skep::object::write_assembly(&assembly).map_err(|e| text(&e))?;
    let object = Object::parse(&file, "count.o").map_err(|e| text(&e))?;
    let system = System::user();
    let mut loaded = skep::load(&object, system.kernel(), &LoadOptions::default()).map_err(|e| text(&e))?;
    for name in names {
        let point = AttachPoint::Tracepoint { category: "syscalls".into(), name: (*name).to_owned() };
        loaded.attach_at(0, point).map_err(|e| text(&e))?;
    }
    let (mut reader, writer) = std::io::pipe().map_err(|e| text(&e))?;
    let mut command = Traced::new(own()?, ["--tracee", syscall, count]);
    command.stdout = TracedStdio::Fd(writer.into());
    let mut process = system.spawn(&command).map_err(|e| text(&e))?;
    drop(command);
    match process.run(&mut |_| {}).map_err(|e| text(&e))? {
        Outcome::Exited(0) => {}
        other => return Err(format!("the loop ended with {other:?}")),
    }
    let mut output = Vec::new();
    reader.read_to_end(&mut output).map_err(|e| text(&e))?;
    figure(&output)
}
