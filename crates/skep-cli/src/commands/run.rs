//! `skep run`: load an object, attach its programs, and print what they send.

use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use skep::hooks::{Command, Outcome, StopHandle};
use skep::{Events, LoadOptions, Loaded, Object, System};

use crate::cli::{RunArgs, Target};
use crate::out::{Failure, Result};
use crate::printer::Printer;

/// Status of a command that a signal ended: this and the signal's number, as shells have it.
const SIGNALED: i32 = 128;

pub(crate) fn run(args: RunArgs) -> Result<ExitCode> {
    let mut object = skep::open(&args.file)?;
    for assignment in &args.set {
        set_variable(&mut object, assignment)?;
    }
    let printer = Arc::new(Printer::new(&object, &args)?);

    let system = match args.target {
        Target::User => System::user(),
        Target::Linux => System::linux()?,
    };
    let reporter = Arc::clone(&printer);
    system.on_fault(move |program, fault| reporter.fault(program, fault));
    let options = LoadOptions {
        only: args.programs.clone(),
        assume_local_layout: args.assume_local_layout,
        ..LoadOptions::default()
    };
    let mut loaded = skep::load(&object, system.kernel(), &options)?;
    loaded.warnings.iter().for_each(|warning| printer.note(warning));
    let events = readers(&loaded)?;
    loaded.attach_all()?;

    let signals = signals()?;
    let outcome = events.during(&|event| printer.event(event), || {
        let outcome = work(&args, &system, &loaded, &printer, signals);
        // Nothing more comes after this, so that readers come to an end.
        loaded.detach_all();
        outcome
    });
    let outcome = outcome.map_err(skep::Error::from)??;
    printer.maps(&loaded, &args);
    printer.end(outcome);
    Ok(exit_code(outcome))
}

/// Runs the command, or follows the process, or waits for Ctrl-C.
fn work(
    args: &RunArgs,
    system: &System,
    loaded: &Loaded,
    printer: &Printer,
    mut signals: Signals,
) -> Result<Outcome> {
    let process = match (args.command.split_first(), args.pid) {
        (Some((program, rest)), _) => Some(system.spawn(&Command::new(program, rest))?),
        (None, Some(pid)) => system.attach_pid(pid)?,
        (None, None) if args.target == Target::User => {
            let what = "what is there to watch? the user target sees the processes that skep starts or is attached to";
            return Err(
                Failure::new(what).help(format!("skep run {} -- COMMAND, or -p PID", args.file.display()))
            );
        }
        (None, None) => None,
    };
    let Some(mut process) = process else {
        printer.note(format!("{} attached; Ctrl-C ends it", count(loaded.links.len(), "program")));
        signals.forever().next();
        return Ok(Outcome::Detached);
    };
    let command = !args.command.is_empty();
    let stop = process.stop_handle();
    let handle = signals.handle();
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut interrupts = 0;
            for signal in signals.forever() {
                // A command hears Ctrl-C itself, and may take its time; the terminal's third one is final.
                interrupts += 1;
                if signal == SIGINT && command && interrupts < 3 {
                    continue;
                }
                stop.iter().for_each(StopHandle::stop);
            }
        });
        let outcome = process.run(&mut |notice| printer.note(notice));
        handle.close();
        Ok(outcome?)
    })
}

/// The signals that ask to end.
fn signals() -> Result<Signals> {
    Signals::new([SIGINT, SIGTERM, SIGHUP])
        .map_err(|error| Failure::new(format!("cannot handle signals: {error}")))
}

/// `1 program`, `2 programs`
fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn readers(loaded: &Loaded) -> Result<Events> {
    let mut events = Events::new();
    let kernel = loaded.kernel();
    // Nobody prints without a helper for it, but the pipe costs nothing then either.
    events.add_trace(kernel.trace_pipe().map_err(skep::Error::from)?);
    for (index, map) in loaded.maps.iter().enumerate() {
        if skep::is_ring(&map.def) {
            events.add_ring(index, kernel.ring_reader(map.handle.fd()).map_err(skep::Error::from)?);
        }
    }
    Ok(events)
}

/// `VARIABLE=NUMBER`
fn set_variable(object: &mut Object, assignment: &str) -> Result<()> {
    let malformed = || Failure::new(format!("--set {assignment}: must have the form VARIABLE=NUMBER"));
    let (name, number) = assignment.split_once('=').ok_or_else(malformed)?;
    let (sign, digits) = number.strip_prefix('-').map_or((1, number), |digits| (-1, digits));
    let value = match digits.strip_prefix("0x") {
        Some(hex) => i128::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    let value: i128 = match (digits, value) {
        ("true", _) => 1,
        ("false", _) => 0,
        (_, value) => value.map_err(|_| malformed())?,
    };
    object.set_int(name, sign * value).map_err(|error| Failure::from(skep::Error::from(error)))
}

fn exit_code(outcome: Outcome) -> ExitCode {
    let code = match outcome {
        Outcome::Exited(code) => code,
        Outcome::Signaled(signal) => SIGNALED + signal,
        Outcome::Detached => 0,
    };
    ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))
}
