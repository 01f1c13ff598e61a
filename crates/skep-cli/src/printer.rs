//! What `skep run` prints while programs run and when they have ended.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value as Json, json};
use skep::btf::Btf;
use skep::hooks::Outcome;
use skep::kernel::Fault;
use skep::{Event, Loaded, LoadedMap, Object};

use crate::cli::RunArgs;
use crate::elements::{self, Row};
use crate::json;
use crate::out::{self, BOLD, DIM, Failure, NAME, Result, note, printable, table};

/// Prints what comes, from several threads, a line at a time.
pub(crate) struct Printer {
    object: Object,
    json: bool,
    /// Type of the records of each map, where it is known.
    types: Vec<Option<u32>>,
    lines: Mutex<()>,
    /// Programs whose fault has been told.
    faulty: Mutex<HashSet<String>>,
}

impl Printer {
    pub(crate) fn new(object: &Object, args: &RunArgs) -> Result<Self> {
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
        // The command goes on whatever becomes of its report.
        let _ = out::println(text);
    }

    pub(crate) fn note(&self, text: impl std::fmt::Display) {
        if self.json {
            self.line(json!({ "type": "note", "message": text.to_string() }));
        } else {
            note(text);
        }
    }

    /// A run that was stopped. Only the first one of each program: what is wrong with it is wrong on every event.
    pub(crate) fn fault(&self, program: &str, fault: &Fault) {
        if self.faulty.lock().unwrap_or_else(PoisonError::into_inner).insert(program.to_owned()) {
            self.note(format!("program '{program}' was stopped, and counts as having returned 0: {fault}"));
        }
    }

    fn btf(&self) -> Option<&Btf> {
        self.object.btf.as_ref()
    }

    pub(crate) fn event(&self, event: Event<'_>) {
        match event {
            Event::Trace(line) if self.json => self.line(trace_json(line)),
            Event::Trace(line) => self.line(printable(line)),
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
                    (false, Some(value)) => self.line(format!(
                        "{NAME}{}{NAME:#}  {}",
                        printable(name),
                        printable(&value.to_string())
                    )),
                    (false, None) => {
                        self.line(format!("{NAME}{}{NAME:#}  {DIM}{}{DIM:#}", printable(name), spaced(data)));
                    }
                }
            }
        }
    }

    /// The contents of the maps that were asked for.
    pub(crate) fn maps(&self, loaded: &Loaded, args: &RunArgs) {
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
        let mut rows = entries
            .iter()
            .flat_map(|(key, value)| elements::rows(map, self.btf(), key, value))
            .collect::<Vec<_>>();
        elements::sort(&mut rows, sort);
        if self.json {
            let entries: Vec<_> = rows.iter().map(Row::json).collect();
            return self.line(json!({ "type": "map", "map": name, "entries": entries }));
        }
        let of = map.def.max_entries;
        self.line(format!(
            "\n{BOLD}{}{BOLD:#}  {DIM}{} of {of} elements{DIM:#}",
            printable(name),
            entries.len()
        ));
        if !rows.is_empty() {
            let (columns, cells) = elements::tabulate(&rows);
            self.line(table(&columns.iter().map(String::as_str).collect::<Vec<_>>(), &cells));
        }
    }

    /// How the command ended, where no exit status can tell.
    pub(crate) fn end(&self, outcome: Outcome) {
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
