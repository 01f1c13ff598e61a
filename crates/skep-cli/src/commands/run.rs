//! `skep run`: load an object, attach its programs, and print what they send.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::io::Write;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use serde_json::{Value as Json, json};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use skep::btf::{Btf, Value};
use skep::hooks::{Command, Outcome, StopHandle};
use skep::kernel::Fault;
use skep::{Event, Events, LoadOptions, Loaded, LoadedMap, Object, System};

use crate::cli::{RunArgs, Target};
use crate::json;
use crate::out::{BOLD, DIM, Failure, NAME, Result, note, table};

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

/// Prints what comes, from several threads, a line at a time.
struct Printer {
    object: Object,
    json: bool,
    /// Type of the records of each map, where it is known.
    types: Vec<Option<u32>>,
    lines: Mutex<()>,
    /// Programs whose fault has been told.
    faulty: Mutex<HashSet<String>>,
}

impl Printer {
    fn new(object: &Object, args: &RunArgs) -> Result<Self> {
        let mut types: Vec<_> = object.maps.iter().map(|map| skep::record_type(object, map)).collect();
        for choice in &args.types {
            let (map, name) = choice
                .split_once('=')
                .ok_or_else(|| Failure::new(format!("--type {choice}: must have the form MAP=TYPE")))?;
            let index = object.map_index(map).ok_or_else(|| no_map(object, map))?;
            types[index] = Some(skep::type_named(object, name)?);
        }
        if let Some(name) = args.map.iter().find(|name| object.map(name).is_none()) {
            return Err(no_map(object, name));
        }
        Ok(Printer {
            object: object.clone(),
            json: args.json,
            types,
            lines: Mutex::default(),
            faulty: Mutex::default(),
        })
    }

    fn line(&self, text: impl std::fmt::Display) {
        let _one_at_a_time = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = anstream::stdout().lock();
        // A reader that went away (`| head`) wants nothing more; the command goes on.
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    }

    fn note(&self, text: impl std::fmt::Display) {
        if self.json {
            self.line(json!({ "type": "note", "message": text.to_string() }));
        } else {
            note(text);
        }
    }

    /// A run that was stopped. Only the first one of each program: what is wrong with it is wrong on every event.
    fn fault(&self, program: &str, fault: &Fault) {
        if self.faulty.lock().unwrap_or_else(PoisonError::into_inner).insert(program.to_owned()) {
            self.note(format!("program '{program}' was stopped, and counts as having returned 0: {fault}"));
        }
    }

    fn btf(&self) -> Option<&Btf> {
        self.object.btf.as_ref()
    }

    fn event(&self, event: Event<'_>) {
        match event {
            Event::Trace(line) if self.json => self.line(trace_json(line)),
            Event::Trace(line) => self.line(line),
            Event::Record { map, data } => {
                let name = &self.object.maps[map].name;
                let value = self.types[map].and_then(|id| self.btf()?.read_value(id, data).ok());
                match (self.json, value) {
                    (true, Some(value)) => {
                        self.line(json!({ "type": "record", "map": name, "value": json::value(&value) }));
                    }
                    (true, None) => {
                        self.line(json!({ "type": "record", "map": name, "bytes": json::bytes(data) }));
                    }
                    (false, Some(value)) => self.line(format!("{NAME}{name}{NAME:#}  {value}")),
                    (false, None) => self.line(format!("{NAME}{name}{NAME:#}  {DIM}{}{DIM:#}", spaced(data))),
                }
            }
        }
    }

    /// The contents of the maps that were asked for.
    fn maps(&self, loaded: &Loaded, args: &RunArgs) {
        for map in &loaded.maps {
            let named = args.map.contains(&map.def.name);
            // Global data is for those who ask for it by name, and records are printed as they come.
            if named || args.maps && !map.def.is_data() && !skep::is_ring(&map.def) {
                self.map(map, args.sort.as_deref());
            }
        }
    }

    fn map(&self, map: &LoadedMap, sort: Option<&str>) {
        let name = &map.def.name;
        let entries = match map.entries() {
            Ok(entries) => entries,
            Err(error) => return self.note(error),
        };
        let mut rows =
            entries.iter().flat_map(|(key, value)| rows(map, self.btf(), key, value)).collect::<Vec<_>>();
        rows.sort_by(|a, b| order(&a.key, &b.key));
        if let Some(column) = sort {
            rows.sort_by(|a, b| order(b.column(column), a.column(column)));
        }
        if self.json {
            let entries: Vec<_> = rows.iter().map(Row::json).collect();
            return self.line(json!({ "type": "map", "map": name, "entries": entries }));
        }
        let of = map.def.max_entries;
        self.line(format!("\n{BOLD}{name}{BOLD:#}  {DIM}{} of {of} elements{DIM:#}", entries.len()));
        if !rows.is_empty() {
            let (columns, cells) = tabulate(&rows);
            self.line(table(&columns.iter().map(String::as_str).collect::<Vec<_>>(), &cells));
        }
    }

    /// How the command ended, where no exit status can tell.
    fn end(&self, outcome: Outcome) {
        match (self.json, outcome) {
            (true, Outcome::Exited(code)) => self.line(json!({ "type": "exit", "status": code })),
            (true, Outcome::Signaled(signal)) => self.line(json!({ "type": "exit", "signal": signal })),
            (true, Outcome::Detached) => self.line(json!({ "type": "exit" })),
            (false, Outcome::Signaled(signal)) => note(format!("the command was ended by signal {signal}")),
            (false, _) => {}
        }
    }
}

fn no_map(object: &Object, name: &str) -> Failure {
    let known = object.maps.iter().map(|map| map.name.clone()).collect::<Vec<_>>().join(", ");
    skep::Error::NoSuch { what: "map", name: name.to_owned(), known }.into()
}

/// One element, or one CPU's value of it.
struct Row {
    key: Value,
    cpu: Option<usize>,
    value: Value,
}

/// An element as rows: one, or for per-CPU maps one for each CPU that has something in it.
fn rows(map: &LoadedMap, btf: Option<&Btf>, key: &[u8], value: &[u8]) -> Vec<Row> {
    let typed = |id: u32, bytes: &[u8]| {
        btf.filter(|_| id != 0).and_then(|btf| btf.read_value(id, bytes).ok()).unwrap_or_else(|| plain(bytes))
    };
    let def = &map.def;
    let key = typed(def.key_type_id, key);
    let size = def.value_size as usize;
    if value.len() == size {
        return vec![Row { key, cpu: None, value: typed(def.value_type_id, value) }];
    }
    let slots = value.chunks(size.next_multiple_of(8).max(8)).enumerate();
    let used = slots.filter(|(_, slot)| slot.iter().any(|&byte| byte != 0));
    used.map(|(cpu, slot)| {
        let value = typed(def.value_type_id, &slot[..size.min(slot.len())]);
        Row { key: key.clone(), cpu: Some(cpu), value }
    })
    .collect()
}

/// Bytes without a type: a number where they can be one.
fn plain(bytes: &[u8]) -> Value {
    match bytes.len() {
        1 | 2 | 4 | 8 => {
            let mut wide = [0; 8];
            // In host order, as programs write them.
            let at = if cfg!(target_endian = "big") { 8 - bytes.len() } else { 0 };
            wide[at..at + bytes.len()].copy_from_slice(bytes);
            Value::Int(i128::from(u64::from_ne_bytes(wide)))
        }
        _ => Value::Bytes(bytes.to_vec()),
    }
}

impl Row {
    /// The member of value or key with this name, or the whole value.
    fn column(&self, name: &str) -> &Value {
        [&self.value, &self.key]
            .into_iter()
            .filter_map(|value| match value {
                Value::Struct(members) => Some(members),
                _ => None,
            })
            .flatten()
            .find(|(member, _)| member == name)
            .map_or(if name == "key" { &self.key } else { &self.value }, |(_, value)| value)
    }

    fn json(&self) -> Json {
        let mut entry = json!({ "key": json::value(&self.key), "value": json::value(&self.value) });
        if let (Some(cpu), Some(entry)) = (self.cpu, entry.as_object_mut()) {
            entry.insert("cpu".into(), json!(cpu));
        }
        entry
    }
}

/// The order of two values of one type: of numbers by size, of structures by their first members that differ.
fn order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Int(a) | Value::Enum(_, a), Value::Int(b) | Value::Enum(_, b)) => a.cmp(b),
        (Value::Ptr(a), Value::Ptr(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Char(a), Value::Char(b)) => a.cmp(b),
        (Value::Float(a), Value::Float(b)) => a.total_cmp(b),
        (Value::Str(a), Value::Str(b)) => a.cmp(b),
        (Value::Bytes(a), Value::Bytes(b)) => a.cmp(b),
        (Value::Array(a), Value::Array(b)) => a
            .iter()
            .zip(b)
            .map(|(a, b)| order(a, b))
            .find(|order| order.is_ne())
            .unwrap_or(a.len().cmp(&b.len())),
        (Value::Struct(a), Value::Struct(b)) => a
            .iter()
            .zip(b)
            .map(|(a, b)| order(&a.1, &b.1))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal),
        _ => Ordering::Equal,
    }
}

/// Columns and cells: members of structures get a column each.
fn tabulate(rows: &[Row]) -> (Vec<String>, Vec<Vec<String>>) {
    let mut columns = Vec::new();
    let mut table = Vec::new();
    for row in rows {
        let mut header = Vec::new();
        let mut cells = Vec::new();
        spread("key", &row.key, &mut header, &mut cells);
        if let Some(cpu) = row.cpu {
            header.push("cpu".to_owned());
            cells.push(cpu.to_string());
        }
        spread("value", &row.value, &mut header, &mut cells);
        // All rows have the same type, so the same columns.
        columns = header;
        table.push(cells);
    }
    (columns, table)
}

fn spread(name: &str, value: &Value, header: &mut Vec<String>, cells: &mut Vec<String>) {
    match value {
        Value::Struct(members) => {
            for (member, value) in members {
                header.push(member.clone());
                cells.push(value.to_string());
            }
        }
        value => {
            header.push(name.to_owned());
            cells.push(value.to_string());
        }
    }
}

/// Bytes in groups, as people read them.
fn spaced(bytes: &[u8]) -> String {
    bytes.chunks(4).map(json::hex).collect::<Vec<_>>().join(" ")
}

/// A trace-pipe line with its parts: `comm-pid [cpu] flags time: function: message`.
fn trace_json(line: &str) -> Json {
    let mut object = json!({ "type": "trace", "line": line });
    let parts = line.split_once(": bpf_trace_printk: ").and_then(|(head, message)| {
        let (head, time) = head.rsplit_once(' ')?;
        let (task, cpu) = head.rsplit_once(" [")?;
        let (cpu, _) = cpu.split_once(']')?;
        let (comm, pid) = task.trim().rsplit_once('-')?;
        Some((
            comm.to_owned(),
            pid.parse::<i64>().ok()?,
            cpu.parse::<u32>().ok()?,
            time.parse::<f64>().ok()?,
            message,
        ))
    });
    if let (Some((comm, pid, cpu, time, message)), Some(object)) = (parts, object.as_object_mut()) {
        object.extend([
            ("comm".to_owned(), json!(comm)),
            ("pid".to_owned(), json!(pid)),
            ("cpu".to_owned(), json!(cpu)),
            ("time".to_owned(), json!(time)),
            ("message".to_owned(), json!(message)),
        ]);
    }
    object
}
