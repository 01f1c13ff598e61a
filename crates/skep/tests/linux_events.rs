//! The same object, run by the user target and by the running Linux kernel on the same command, sees the same events with
//! the same context bytes: `programs/events.bpf.c` records what a process and its descendants do.
//!
//! What differs by nature is made alike before comparing: addresses, and ids, which are numbered in the order in which they
//! appear. The events of one thread are in order; those of two that run at the same time are not, on any kernel, so
//! each thread's are compared by themselves, beginning with the event that made it.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command as HostCommand, ExitCode};
use std::sync::Mutex;

use libtest_mimic::{Arguments, Failed, Trial};
use rustix::fs::{Mode, OFlags, openat};
use skep::catalog::{Arch, syscalls};
use skep::hooks::{Command, Outcome, Stdio};
use skep::{Event, Events, LoadOptions, System};
use skep_testing::skip;

/// Compiled from `programs/events.bpf.c`.
const OBJECT: &[u8] = include_bytes!("programs/events.bpf.o");
/// For whom wants to look: a folder into which everything that each kernel saw is written.
const DUMP: &str = "SKEP_EVENTS_DUMP";
/// Set for the command that is observed: the path whose opening begins the recording, without its final zero.
const BEGIN: &str = "SKEP_EVENTS_BEGIN";
/// For the command: an executable script whose name is longer than a thread's name can be, and which exits with 6.
const SCRIPT: &str = "SKEP_EVENTS_SCRIPT";
/// Size of `begin` in the object, with the final zero.
const BEGIN_SIZE: usize = 32;
/// What the observed command exits with.
const STATUS: i32 = 7;

fn main() -> ExitCode {
    if let Some(begin) = std::env::var_os(BEGIN) {
        return if std::env::args().nth(1).is_some() { exec_in_a_thread() } else { observed(&begin) };
    }
    let trials = vec![Trial::test("user_and_linux_see_the_same_events", user_and_linux_see_the_same_events)];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// The command: what the two kernels watch.
fn observed(begin: &OsString) -> ExitCode {
    let open = |path: &str, flags: OFlags| openat(rustix::fs::CWD, path, flags, Mode::from_raw_mode(0o600));
    let null = open("/dev/null", OFlags::WRONLY | OFlags::CLOEXEC).unwrap();
    // Paths are built on the heap: these are there, on any kernel (see `alike`).
    let path = |text: &str| String::from(text);
    let missing = path("/nonexistent/skep");
    let _ = open(&begin.to_string_lossy(), OFlags::RDONLY);

    open(&missing, OFlags::RDONLY).unwrap_err();
    open(&missing, OFlags::CREATE | OFlags::EXCL | OFlags::RDWR).unwrap_err();
    open(&path("/"), OFlags::DIRECTORY | OFlags::RDONLY).unwrap();
    open(&path("/dev/null/not a directory"), OFlags::RDONLY).unwrap_err();
    let _ = rustix::process::getppid();
    for len in [0, 1, 5000] {
        rustix::io::write(&null, &vec![b'x'; len]).unwrap();
    }
    rustix::io::write(open("/dev/null", OFlags::RDONLY).unwrap(), b"read only").unwrap_err();

    std::thread::spawn(rustix::process::getppid).join().unwrap();

    let shell = |script: &str| HostCommand::new("/bin/sh").args(["-c", script]).status().unwrap();
    assert_eq!(shell("exit 3").code(), Some(3));
    assert_eq!(
        shell("/bin/true; /bin/false; true < /nonexistent; exec /nonexistent/program").code(),
        Some(127)
    );
    assert_eq!(shell("(exec /bin/sh -c 'echo hello > /dev/null'); exec /bin/sh -c 'exit 4'").code(), Some(4));
    assert_eq!(shell("kill -9 $$").code(), None);
    assert_eq!(shell("kill -15 $$").code(), None);
    assert_eq!(shell("trap 'echo trapped > /dev/null' USR1; kill -USR1 $$; exit 9").code(), Some(9));
    let itself = std::env::current_exe().unwrap();
    assert_eq!(HostCommand::new(itself).arg("exec-in-a-thread").status().unwrap().code(), Some(5));
    let script = std::env::var_os(SCRIPT).unwrap();
    assert_eq!(HostCommand::new(script).status().unwrap().code(), Some(6));
    open(&"/long".repeat(100), OFlags::RDONLY).unwrap_err();
    HostCommand::new("/nonexistent/program").status().unwrap_err();
    HostCommand::new("skep-no-such-command").env("PATH", "/nonexistent:/dev").status().unwrap_err();
    ExitCode::from(STATUS as u8)
}

/// A thread executes a program, which ends the others; the process goes on with its id.
fn exec_in_a_thread() -> ExitCode {
    let both = std::sync::Barrier::new(2);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            both.wait();
            panic!("{}", HostCommand::new("/bin/sh").args(["-c", "exit 5"]).exec());
        });
        // From here on the first thread only waits: it has nothing to do that its end could come before.
        both.wait();
    });
    ExitCode::FAILURE
}

/// One record of the object, `struct event`.
struct Record {
    kind: u32,
    text_len: i32,
    tgid: u32,
    tid: u32,
    uid_gid: u64,
    comm: String,
    words: [u64; 9],
    text: String,
    second_text: String,
}

const RECORD_SIZE: usize = 4 + 4 + 8 + 8 + 16 + 9 * 8 + 128 + 16;

impl Record {
    fn read(data: &[u8]) -> Self {
        assert_eq!(data.len(), RECORD_SIZE, "the object and the test agree on struct event");
        let word = |at: usize| u64::from_ne_bytes(data[at..at + 8].try_into().unwrap());
        let half = |at: usize| u32::from_ne_bytes(data[at..at + 4].try_into().unwrap());
        // All bytes, not only those before a zero: what comes after it is compared too.
        let text = |at: usize, len: usize| {
            let end = data[at..at + len].iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
            data[at..at + end].escape_ascii().to_string()
        };
        Record {
            kind: half(0),
            text_len: half(4).cast_signed(),
            tgid: half(12),
            tid: half(8),
            uid_gid: word(16),
            comm: text(24, 16),
            words: std::array::from_fn(|index| word(40 + 8 * index)),
            text: text(112, 128),
            second_text: text(240, 16),
        }
    }
}

/// `enum kind` of the object: its name, the names of its words, and what each of them is.
struct Kind {
    name: &'static str,
    words: &'static [(&'static str, Word)],
}

#[derive(Clone, Copy, PartialEq)]
enum Word {
    /// Compared as it is.
    Plain,
    /// An id in the first PID namespace, as programs get it.
    Id,
    /// What a system call returned: an id in the namespace of the process, if that call returns one.
    Result,
}

use Word::{Id, Plain, Result as Ret};

const RAW: [(&str, Word); 9] = [
    ("args[1]", Ret),
    ("orig_ax", Plain),
    ("ax", Ret),
    ("di", Plain),
    ("si", Plain),
    ("dx", Plain),
    ("r10", Plain),
    ("cs", Plain),
    ("ss", Plain),
];
const EXIT: [(&str, Word); 2] = [("nr", Plain), ("ret", Ret)];

const KINDS: [Kind; 17] = [
    Kind {
        name: "sys_enter_openat",
        words: &[("nr", Plain), ("dfd", Plain), ("filename", Plain), ("flags", Plain), ("mode", Plain)],
    },
    Kind { name: "sys_exit_openat", words: &EXIT },
    Kind { name: "sys_enter_getppid", words: &[("nr", Plain)] },
    Kind { name: "sys_exit_getppid", words: &EXIT },
    Kind {
        name: "sys_enter_write",
        words: &[("nr", Plain), ("fd", Plain), ("buf", Plain), ("count", Plain)],
    },
    Kind { name: "sys_exit_write", words: &EXIT },
    Kind {
        name: "sys_enter_execve",
        words: &[("nr", Plain), ("filename", Plain), ("argv", Plain), ("envp", Plain)],
    },
    Kind { name: "sys_exit_execve", words: &EXIT },
    Kind { name: "sched_process_exec", words: &[("filename_loc", Plain), ("pid", Id), ("old_pid", Id)] },
    Kind {
        name: "sched_process_fork",
        words: &[
            ("parent_comm_loc", Plain),
            ("parent_pid", Id),
            ("child_comm_loc", Plain),
            ("child_pid", Id),
        ],
    },
    Kind { name: "sched_process_exit", words: &[("pid", Id), ("prio", Plain), ("group_dead", Plain)] },
    Kind { name: "raw sys_enter", words: &RAW },
    Kind { name: "raw sys_exit", words: &RAW },
    Kind {
        name: "raw_syscalls sys_enter",
        words: &[
            ("id", Plain),
            ("args[0]", Plain),
            ("args[1]", Plain),
            ("args[2]", Plain),
            ("args[3]", Plain),
            ("args[4]", Plain),
            ("args[5]", Plain),
        ],
    },
    Kind { name: "raw_syscalls sys_exit", words: &EXIT },
    Kind { name: "raw sched_process_exec", words: &[("old_pid", Id)] },
    Kind { name: "raw sched_process_exit", words: &[("group_dead", Plain)] },
];
const FORK: u32 = 10;
/// Which of its words is the id of the new thread.
const FORK_CHILD: usize = 3;
const RAW_ENTER: u32 = 12;
const RAW_EXIT: u32 = 13;
const ANY_ENTER: u32 = 14;
const ANY_EXIT: u32 = 15;

/// System calls that another thread's or process's end reaches at one moment or another: whether they are made, and
/// what they give, depends on time on any kernel.
const RACING: [&str; 4] = ["rt_sigreturn", "wait4", "futex", "waitid"];
/// System calls that return an id.
const RETURN_IDS: [&str; 8] =
    ["getpid", "getppid", "gettid", "set_tid_address", "clone", "clone3", "fork", "vfork"];
/// How the line of a path that could not be read ends: with `EFAULT`.
const UNREAD: &str = r#" text="" (-14)"#;

/// Numbers in the order of their first appearance.
#[derive(Default)]
struct Names(HashMap<u64, usize>);

impl Names {
    fn number(&mut self, id: u64) -> usize {
        let next = self.0.len();
        *self.0.entry(id).or_insert(next)
    }
}

/// The records as text, made alike: those of each thread together, threads in the order in which they were made.
fn normalized(records: &[Record]) -> Vec<String> {
    // A thread's number is that of the event that made it. One that executes a program keeps it.
    let mut threads = Names::default();
    let mut of_thread: BTreeMap<usize, Vec<&Record>> = BTreeMap::new();
    for record in records {
        of_thread.entry(threads.number(record.tid.into())).or_default().push(record);
        if record.kind == FORK {
            threads.number(record.words[FORK_CHILD]);
        }
    }
    let mut own = Names::default();
    of_thread.values().flatten().filter_map(|record| describe(record, &mut threads, &mut own)).collect()
}

/// A record as text, unless whether it is there depends on time.
fn describe(record: &Record, threads: &mut Names, own: &mut Names) -> Option<String> {
    // Which word is the number, whether every call is seen there, and where its arguments are.
    let (nr, every, args) = match record.kind {
        RAW_ENTER | RAW_EXIT => (record.words[1], true, 3..7),
        ANY_ENTER => (record.words[0], true, 1..7),
        ANY_EXIT => (record.words[0], true, 0..0),
        _ => (record.words[0], false, 0..0),
    };
    let call = u32::try_from(nr).ok().and_then(|nr| syscalls::by_number(Arch::X86_64, nr));
    // One that has no number is the return of a signal handler.
    if every && call.is_none_or(|call| RACING.contains(&call.name)) {
        return None;
    }
    let returns_id = call.is_some_and(|call| RETURN_IDS.contains(&call.name));
    let kind = &KINDS[record.kind as usize - 1];
    let (tgid, tid) = (threads.number(record.tgid.into()), threads.number(record.tid.into()));
    let mut line = format!("{}: {tgid}/{tid} {:x} {}", kind.name, record.uid_gid, record.comm);
    for (index, ((name, what), &value)) in kind.words.iter().zip(&record.words).enumerate() {
        let arg = call.filter(|_| args.contains(&index));
        let arg = arg.map(|call| call.args.get(index - args.start).map(|(_, c_type)| *c_type));
        if arg == Some(None) {
            // Registers that hold no argument hold what they happen to.
            continue;
        }
        let is_own = match what {
            Id => false,
            Ret => record.kind != RAW_ENTER && returns_id && value.cast_signed() > 0,
            Plain => arg == Some(Some("pid_t")) && value != 0,
        };
        let text = match value {
            _ if *what == Id => format!("thread {}", threads.number(value)),
            _ if is_own => format!("id {}", own.number(value)),
            // The upper part of what user space may have: the stack, the heap and what is mapped.
            0x100_0000_0000..0x8000_0000_0000 => "address".into(),
            _ if value.cast_signed() < 0 => format!("{}", value.cast_signed()),
            _ => format!("{value:#x}"),
        };
        let _ = write!(line, " {name}={text}");
    }
    if record.text_len != 0 || !record.text.is_empty() {
        let _ = write!(line, " text={:?} ({})", record.text, record.text_len);
    }
    if record.kind == FORK {
        let _ = write!(line, " child={:?}", record.second_text);
    }
    Some(line)
}

/// A folder of this process, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("skep-events-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        Folder(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What one kernel saw.
struct Seen {
    events: Vec<String>,
    /// Trace-pipe lines of the command: name, flags' shape, and everything after the time.
    trace: Vec<String>,
}

/// The object on one kernel, watching the command.
fn watch(system: &System, script: &Path) -> Seen {
    let begin = format!("/skep/begin/{}/{}", std::process::id(), system.kernel().target_name());
    assert!(begin.len() < BEGIN_SIZE);
    let mut object = skep::Object::parse(OBJECT, "events.bpf.o").unwrap();
    let mut padded = begin.clone().into_bytes();
    padded.resize(BEGIN_SIZE, 0);
    object.set("begin", &padded).unwrap();
    system.on_fault(|program, fault| panic!("{program}: {fault}"));

    let mut loaded = skep::load(&object, system.kernel(), &LoadOptions::default()).unwrap();
    let mut readers = Events::new();
    match system.kernel().trace_pipe() {
        Ok(pipe) => readers.add_trace(pipe),
        Err(error) => skip!("trace-pipe lines: {error}"),
    }
    let ring = object.map_index("events").unwrap();
    readers.add_ring(ring, system.kernel().ring_reader(loaded.maps[ring].handle.fd()).unwrap());
    loaded.attach_all().unwrap();

    let records = Mutex::new(Vec::new());
    let trace = Mutex::new(Vec::new());
    let each = |event: Event<'_>| match event {
        Event::Record { data, .. } => records.lock().unwrap().push(Record::read(data)),
        Event::Trace(line) => trace.lock().unwrap().push(line.to_owned()),
    };
    let outcome = readers
        .during(&each, || {
            // The C library's heaps of threads are cut to size with calls that depend on where they are.
            let arenas = ("MALLOC_ARENA_MAX", "1");
            let path = ("PATH", "/usr/bin:/bin");
            let env = [(BEGIN, begin.as_str()), (SCRIPT, script.to_str().unwrap()), path, arenas];
            let command = Command {
                program: std::env::current_exe().unwrap().into(),
                env: Some(env.map(|(name, value)| (OsString::from(name), OsString::from(value))).into()),
                cwd: Some("/".into()),
                stdin: Stdio::Null,
                stdout: Stdio::Null,
                stderr: Stdio::Null,
                ..Command::default()
            };
            let outcome = system.spawn(&command).unwrap().run(&mut |notice| println!("{notice}"));
            loaded.detach_all();
            outcome
        })
        .unwrap();
    assert!(matches!(outcome, Ok(Outcome::Exited(STATUS))), "{outcome:?}");
    let dropped = loaded.map(".bss").or_else(|| loaded.map(".data")).map(|map| map.entries().unwrap());
    assert!(
        dropped.is_none_or(|entries| entries.iter().all(|(_, value)| value.iter().all(|&byte| byte == 0))),
        "no record was dropped"
    );
    Seen {
        events: normalized(&records.into_inner().unwrap()),
        trace: trace_lines(trace.into_inner().unwrap(), &begin),
    }
}

/// The lines of this run, without what differs by nature: id, CPU, flags and time, and the name of the run.
fn trace_lines(lines: Vec<String>, begin: &str) -> Vec<String> {
    lines
        .into_iter()
        .filter(|line| line.contains(begin))
        .map(|line| {
            let (head, message) = line.split_once(": ").unwrap();
            let (task, rest) = head.split_once('[').unwrap();
            let (comm, pid) = task.rsplit_once('-').unwrap();
            // The id is as long as it is, and aligned.
            let columns = pid.len().max(8);
            let (cpu, flags) = rest.split_once("] ").unwrap();
            let (flags, time) = flags.split_once(' ').unwrap();
            let time = time.trim();
            assert!(time.split_once('.').is_some_and(|(_, part)| part.len() == 6), "{line}");
            format!(
                "{comm}-{columns} columns, {} of cpu, {} of flags: {}",
                cpu.len(),
                flags.len(),
                message.replace(begin, "BEGIN")
            )
        })
        .collect()
}

/// Whether two lines say the same. Linux does not know everything at any time:
/// - A program in the kernel may not wait for a page of a file to be read: where the path of a call is in such a page, it gets
///   `EFAULT`, one time or another; the user target always has the path.
/// - The trace pipe finds names when lines are read, among those that it has kept, and writes `<...>` for others.
fn alike(user: &str, linux: &str) -> bool {
    let unread = linux.strip_suffix(UNREAD).map(|start| format!("{start} text="));
    let unnamed = linux.trim_start().strip_prefix("<...>-");
    user == linux
        || unread.is_some_and(|start| user.starts_with(&start))
        || unnamed.is_some_and(|end| user.ends_with(end))
}

/// Where two lists differ first, with what is around.
fn difference(user: &[String], linux: &[String]) -> Option<String> {
    let common = user.len().min(linux.len());
    let at = user.iter().zip(linux).position(|(user, linux)| !alike(user, linux)).unwrap_or(common);
    if at == user.len() && at == linux.len() {
        return None;
    }
    let mut text = format!("record {at} of {} (user) and {} (Linux) differs:\n", user.len(), linux.len());
    for line in &linux[at.saturating_sub(3)..at] {
        let _ = writeln!(text, "    both  {line}");
    }
    for (target, lines) in [("user", user), ("Linux", linux)] {
        for (index, line) in lines.iter().enumerate().skip(at).take(4) {
            let mark = if index == at { '>' } else { ' ' };
            let _ = writeln!(text, "  {mark} {target:5} {line}");
        }
    }
    Some(text)
}

fn user_and_linux_see_the_same_events() -> Result<(), Failed> {
    if cfg!(not(target_arch = "x86_64")) {
        skip!("the object reads the registers of x86-64");
        return Ok(());
    }
    let linux = match System::linux() {
        Ok(linux) => linux,
        Err(error) => {
            skip!("{error}");
            return Ok(());
        }
    };
    let folder = Folder::new();
    let script = folder.0.join("a-script-with-a-long-name");
    std::fs::write(&script, "#!/bin/sh\nexit 6\n")?;
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755))?;
    let linux = watch(&linux, &script);
    let user = watch(&System::user(), &script);
    if let Some(folder) = std::env::var_os(DUMP).map(PathBuf::from) {
        for (name, seen) in [("user", &user), ("linux", &linux)] {
            std::fs::write(folder.join(name), [seen.events.join("\n"), seen.trace.join("\n")].join("\n"))?;
        }
    }
    assert!(linux.events.len() > 200, "the command did something: {} events", linux.events.len());
    match difference(&user.events, &linux.events).or_else(|| difference(&user.trace, &linux.trace)) {
        Some(difference) => Err(difference.into()),
        None => Ok(()),
    }
}
