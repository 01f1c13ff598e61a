//! A hook table whose programs note what they see.

use std::sync::{Arc, Mutex};

use skep_hooks::{Command, Notice, Outcome, Session, Stdio, TraceError, Tracer};
use skep_kernel::{AttachPoint, Attached, HookTable, RunContext};

/// One run of a program.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// Index of its attach point.
    pub point: usize,
    pub tid: i32,
    pub tgid: i32,
    pub uid_gid: u64,
    pub comm: String,
    pub ctx: Vec<u8>,
    /// The kernel memory that goes with it.
    pub memory: Vec<Vec<u8>>,
    /// Addresses of that.
    pub addresses: Vec<u64>,
    /// For `sys_enter_execve`: the path, read from the command's memory.
    pub path: Option<String>,
}

impl Event {
    pub(crate) fn u64_at(&self, offset: usize) -> u64 {
        u64::from_ne_bytes(self.ctx[offset..offset + 8].try_into().unwrap())
    }

    pub(crate) fn u32_at(&self, offset: usize) -> u32 {
        u32::from_ne_bytes(self.ctx[offset..offset + 4].try_into().unwrap())
    }

    /// A dynamic string.
    pub(crate) fn text_at(&self, offset: usize) -> &str {
        let (start, len) = (self.u32_at(offset) as usize & 0xffff, self.u32_at(offset) as usize >> 16);
        let bytes = &self.ctx[start..start + len];
        assert_eq!(bytes.last(), Some(&0));
        std::str::from_utf8(&bytes[..len - 1]).unwrap()
    }
}

struct Note {
    point: usize,
    reads_path: bool,
    events: Arc<Mutex<Vec<Event>>>,
}

impl Attached for Note {
    fn run(&self, event: &mut RunContext<'_>) -> u64 {
        let ids = event.task.pid_tgid();
        let comm = event.task.comm();
        let end = comm.iter().position(|&byte| byte == 0).unwrap();
        let mut noted = Event {
            point: self.point,
            tid: ids as u32 as i32,
            tgid: (ids >> 32) as i32,
            uid_gid: event.task.uid_gid(),
            comm: String::from_utf8(comm[..end].to_vec()).unwrap(),
            ctx: event.ctx.to_vec(),
            memory: event.kernel_memory.iter().map(|bytes| bytes.to_vec()).collect(),
            addresses: event.kernel_memory.iter().map(|bytes| bytes.as_ptr().addr() as u64).collect(),
            path: None,
        };
        if self.reads_path {
            let mut path = [0; 256];
            let len = event.task.read_user_str(noted.u64_at(16), &mut path).unwrap();
            noted.path = Some(String::from_utf8(path[..len - 1].to_vec()).unwrap());
        }
        self.events.lock().unwrap().push(noted);
        0
    }
}

/// An attach point from its section name.
pub(crate) fn point(name: &str) -> AttachPoint {
    let (kind, rest) = name.split_once('/').unwrap();
    match kind {
        "tp" => {
            let (category, name) = rest.split_once('/').unwrap();
            AttachPoint::Tracepoint { category: category.into(), name: name.into() }
        }
        "raw_tp" => AttachPoint::RawTracepoint { name: rest.into() },
        "kprobe" | "kretprobe" => {
            AttachPoint::Kprobe { symbol: rest.into(), offset: 0, retprobe: kind == "kretprobe" }
        }
        _ => panic!("{name}"),
    }
}

pub(crate) struct Recorder {
    pub tracer: Arc<Tracer>,
    pub hooks: Arc<HookTable>,
    pub points: Vec<&'static str>,
    pub events: Arc<Mutex<Vec<Event>>>,
}

impl Recorder {
    /// Programs at these points.
    pub(crate) fn new(points: &[&'static str]) -> Self {
        let hooks = Arc::new(HookTable::default());
        let events = Arc::new(Mutex::new(Vec::new()));
        for (index, name) in points.iter().enumerate() {
            let note = Note {
                point: index,
                reads_path: *name == "tp/syscalls/sys_enter_execve",
                events: Arc::clone(&events),
            };
            hooks.attach(&point(name), index as u32, Arc::new(note));
        }
        let tracer = Arc::new(Tracer::new(Arc::clone(&hooks)));
        Recorder { tracer, hooks, points: points.to_vec(), events }
    }

    /// The command that runs a script of this executable.
    pub(crate) fn command(script: &str, args: &[&str]) -> Command {
        let arguments = ["--tracee", script].into_iter().chain(args.iter().copied());
        Command { stdin: Stdio::Null, ..Command::new(std::env::current_exe().unwrap(), arguments) }
    }

    pub(crate) fn spawn(&self, script: &str, args: &[&str]) -> Session {
        self.tracer.spawn(&Self::command(script, args)).unwrap()
    }

    /// Runs a script to its end.
    pub(crate) fn trace(&self, script: &str, args: &[&str]) -> Result<Outcome, TraceError> {
        self.spawn(script, args).run(&mut ignore)
    }

    /// Runs a script that must succeed, and says what was seen.
    pub(crate) fn events_of(&self, script: &str, args: &[&str]) -> Vec<Event> {
        assert_eq!(self.trace(script, args).unwrap(), Outcome::Exited(0));
        self.events.lock().unwrap().clone()
    }

    /// The name of the event's attach point, without its kind.
    pub(crate) fn name(&self, event: &Event) -> &'static str {
        self.points[event.point].rsplit_once('/').unwrap().1
    }
}

pub(crate) fn ignore(_: Notice) {}
