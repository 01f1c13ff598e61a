//! The `skep` command as a person types it: what it prints, on which stream, and how it ends.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value as Json;
use skep_testing::skip;
use snapbox::{assert_data_eq, str};

const SKEP: &str = env!("CARGO_BIN_EXE_skep");
const HELLO: &str = "examples/hello/hello.bpf.o";
const EXECSNOOP: &str = "examples/execsnoop/execsnoop.bpf.o";
const SYSCOUNT: &str = "examples/syscount/syscount.bpf.o";
const NOBODY: u32 = 65534;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// What a command printed, and its exit status.
struct Output {
    out: String,
    err: String,
    status: Option<i32>,
}

/// A command that runs in the workspace's folder, without settings that change what skep does.
fn command<A: AsRef<OsStr>>(program: &str, args: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root()).env_remove("SKEP_TARGET").args(args);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn finish(child: Child) -> Output {
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Output { out: text(output.stdout), err: text(output.stderr), status: output.status.code() }
}

/// Runs skep with arguments that are separated by spaces.
fn skep(args: &str) -> Output {
    finish(command(SKEP, args.split_whitespace()).spawn().unwrap())
}

/// Runs skep with more arguments than can be separated by spaces.
fn skep_with(args: &str, more: &[&str]) -> Output {
    finish(command(SKEP, args.split_whitespace().chain(more.iter().copied())).spawn().unwrap())
}

/// Runs skep with a text on its standard input.
fn skep_reading(args: &str, input: &[u8]) -> std::process::Output {
    let mut child = command(SKEP, args.split_whitespace()).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

/// Whether commands can be traced here; if not, a line says what is skipped.
fn can_trace() -> bool {
    static DENIED: OnceLock<Option<String>> = OnceLock::new();
    let denied = DENIED.get_or_init(|| {
        let output = skep(&format!("run {HELLO} -- true"));
        let denial = ["not allowed to trace", "seccomp filter"].iter().any(|part| output.err.contains(part));
        denial.then(|| output.err.trim().to_owned())
    });
    if let Some(why) = denied {
        skip!("{why}");
    }
    denied.is_none()
}

/// Whether a tool that only tests use is here; if not, a line says what is skipped.
fn has(tool: &str) -> bool {
    let here = Command::new(tool).arg("--version").stdout(Stdio::null()).status().is_ok();
    if !here {
        skip!("{tool} is not installed");
    }
    here
}

/// A folder that every user may read, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("skep-cli-{}-{name}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
        Folder(folder)
    }

    /// An object assembled from text.
    fn object(&self, text: &str) -> String {
        let (source, object) = (self.0.join("program.s"), self.0.join("program.o"));
        std::fs::write(&source, text).unwrap();
        let output = skep(&format!("asm --format elf {} --output {}", source.display(), object.display()));
        assert_eq!((output.out.as_str(), output.err.as_str(), output.status), ("", "", Some(0)));
        object.display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// One program in a section, as text.
fn program(section: &str, instructions: &str) -> String {
    format!(
        ".section {section},\"ax\"\n.globl program\n.type program,@function\nprogram:\n{instructions}\nexit\n\
         .section license,\"aw\"\n.asciz \"GPL\"\n"
    )
}

fn json_lines(output: &Output) -> Vec<Json> {
    output.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The names of an object's members, in order.
fn keys(json: &Json) -> Vec<&str> {
    json.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn hello_prints_a_line_for_each_execve_and_ends_with_the_commands_status() {
    if !can_trace() {
        return;
    }
    let output = skep_with(&format!("run {HELLO} --"), &["sh", "-c", "/bin/true; /bin/false; exit 3"]);
    assert_data_eq!(
        output.out,
        str![[r#"
            skep-[..] [000] .....[..]: bpf_trace_printk: Hello, BPF World!
              sh-[..] [000] .....[..]: bpf_trace_printk: Hello, BPF World!
              sh-[..] [000] .....[..]: bpf_trace_printk: Hello, BPF World!

"#]]
    );
    assert_eq!((output.err.as_str(), output.status), ("", Some(3)));
}

#[test]
fn a_killed_command_gives_128_and_the_signal() {
    if !can_trace() {
        return;
    }
    let output = skep_with(&format!("run {HELLO} --"), &["sh", "-c", "kill -TERM $$"]);
    assert_eq!(
        (output.err.as_str(), output.status),
        ("note: the command was ended by signal 15\n", Some(128 + 15))
    );
}

#[test]
fn a_command_that_cannot_be_run_gives_127_or_126_as_in_shells() {
    let output = skep(&format!("run {HELLO} -- skep-no-such-command"));
    assert_eq!(
        (output.err.as_str(), output.status),
        ("error: skep-no-such-command: command not found\n", Some(127))
    );
    let output = skep(&format!("run {HELLO} -- /dev/null"));
    assert_eq!(output.status, Some(126), "{}", output.err);
}

#[test]
fn json_is_one_object_a_line_with_the_documented_members() {
    if !can_trace() {
        return;
    }
    let output = skep_with(&format!("run --json {HELLO} --"), &["sh", "-c", "exit 3"]);
    let [trace, exit] = &json_lines(&output)[..] else { panic!("{}", output.out) };
    assert_eq!(keys(trace), ["type", "line", "comm", "pid", "cpu", "time", "message"]);
    assert_eq!(
        (&trace["comm"], &trace["cpu"], &trace["message"]),
        (&"skep".into(), &0.into(), &"Hello, BPF World!".into())
    );
    assert!(trace["pid"].is_i64() && trace["time"].is_f64() && trace["line"].is_string());
    assert_eq!(exit.to_string(), r#"{"type":"exit","status":3}"#);

    let output = skep_with(&format!("run --json {HELLO} --"), &["sh", "-c", "kill -9 $$"]);
    assert_eq!(json_lines(&output).last().unwrap().to_string(), r#"{"type":"exit","signal":9}"#);
    assert_eq!(output.status, Some(128 + 9));
}

#[test]
fn execsnoop_tells_every_program_that_is_started() {
    if !can_trace() {
        return;
    }
    let script = "/bin/true 'one two'; exec /nonexistent/program";
    let output = skep_with(&format!("run {EXECSNOOP} --"), &["sh", "-c", script]);
    assert_data_eq!(
        output.out,
        str![[r#"
events  {pid: [..], uid: [..], ret: 0, args_count: 3, duration_ns: [..], comm: "sh", args: "sh -c /bin/true 'one two'; exec /nonexistent/program"}
events  {pid: [..], uid: [..], ret: 0, args_count: 2, duration_ns: [..], comm: "true", args: "/bin/true one two"}
events  {pid: [..], uid: [..], ret: -2, args_count: 1, duration_ns: [..], comm: "sh", args: "/nonexistent/program"}

"#]]
    );
    assert_eq!(output.status, Some(127));

    let output = skep(&format!("run --json {EXECSNOOP} -- /bin/true"));
    let [record, exit] = &json_lines(&output)[..] else { panic!("{}", output.out) };
    assert_eq!(keys(record), ["type", "map", "value"]);
    assert_eq!(record["map"], "events");
    let members = ["pid", "uid", "ret", "args_count", "duration_ns", "comm", "args"];
    assert_eq!(keys(&record["value"]), members);
    assert_eq!((&record["value"]["comm"], &record["value"]["args"]), (&"true".into(), &"/bin/true".into()));
    assert_eq!(exit["type"], "exit");
}

#[test]
fn syscount_prints_its_map_as_a_table() {
    if !can_trace() {
        return;
    }
    let output = skep_with(&format!("run {SYSCOUNT} --map counts --"), &["sh", "-c", ": < /nonexistent"]);
    let lines: Vec<&str> = output.out.lines().collect();
    let ["", title, header, rows @ ..] = lines.as_slice() else { panic!("{}", output.out) };
    assert_eq!(*title, format!("counts  {} of 512 elements", rows.len()));
    assert_eq!(header.split_whitespace().collect::<Vec<_>>(), ["KEY", "CALLS", "ERRORS", "TOTAL_NS"]);
    let cells = |row: &str| row.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let openat = rows.iter().map(|row| cells(row)).find(|cells| cells[0] == "SYS_openat").unwrap();
    let number = |text: &str| text.parse::<u64>().unwrap();
    assert!(number(&openat[1]) > number(&openat[2]) && number(&openat[2]) >= 1, "{openat:?}");
    assert_eq!(output.status, Some(2), "the shell's own");
    assert!(output.err.contains("/nonexistent"), "the shell's own: {}", output.err);

    let output = skep(&format!("run --json --maps --sort calls {SYSCOUNT} -- /bin/true"));
    let lines = json_lines(&output);
    let map = lines.iter().find(|line| line["map"] == "counts").unwrap();
    assert_eq!(keys(map), ["type", "map", "entries"]);
    let entries = map["entries"].as_array().unwrap();
    assert_eq!(keys(&entries[0]), ["key", "value"]);
    assert!(entries.iter().any(|entry| entry["key"] == "SYS_execve"));
    let calls: Vec<u64> = entries.iter().map(|entry| entry["value"]["calls"].as_u64().unwrap()).collect();
    assert!(calls.is_sorted_by(|a, b| a >= b), "{calls:?}");
}

/// A field of `/proc/PID/status`.
fn status_field(pid: u32, name: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned()
}

#[test]
fn a_running_process_is_followed_until_ctrl_c_and_runs_on() {
    let mut shell = command("sh", ["-s"]).stdin(Stdio::piped()).spawn().unwrap();
    let (mut input, mut lines) =
        (shell.stdin.take().unwrap(), BufReader::new(shell.stdout.take().unwrap()).lines());
    let mut skep = command(SKEP, ["run", HELLO, "-p", &shell.id().to_string()]).spawn().unwrap();
    let mut seen = BufReader::new(skep.stdout.take().unwrap()).lines();

    while status_field(shell.id(), "TracerPid:") == "0" {
        if skep.try_wait().unwrap().is_some() {
            let mut why = String::new();
            skep.stderr.take().unwrap().read_to_string(&mut why).unwrap();
            assert!(why.contains("not allowed to trace"), "{why}");
            drop(input);
            shell.wait().unwrap();
            return skip!("{}", why.trim());
        }
        std::thread::yield_now();
    }
    writeln!(input, "/bin/true").unwrap();
    let line = seen.next().unwrap().unwrap();
    assert!(line.contains(": bpf_trace_printk: Hello, BPF World!"), "{line}");

    let interrupt = Command::new("sh").args(["-c", &format!("kill -INT {}", skep.id())]).status().unwrap();
    assert!(interrupt.success());
    assert_eq!(skep.wait().unwrap().code(), Some(0));
    assert_eq!(status_field(shell.id(), "TracerPid:"), "0");
    writeln!(input, "echo alive; exit 4").unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "alive");
    assert_eq!(shell.wait().unwrap().code(), Some(4));
}

#[test]
fn an_ordinary_user_needs_no_privileges() {
    if !can_trace() {
        return;
    }
    if status_field(std::process::id(), "Uid:").split_whitespace().nth(1) != Some("0") {
        return skip!("the other tests run as an ordinary user already");
    }
    let folder = Folder::new("user");
    let (skep, hello) = (folder.0.join("skep"), folder.0.join("hello.bpf.o"));
    // By another process: a program cannot be executed while a process has it open for writing, and those that other tests
    // start inherit, for a moment, what this one has open.
    for (from, to) in [(SKEP, &skep), (HELLO, &hello)] {
        assert!(command("cp", [OsStr::new(from), to.as_os_str()]).status().unwrap().success());
    }
    let mut command =
        command(skep.to_str().unwrap(), ["run", "hello.bpf.o", "--", "sh", "-c", "id -u; /bin/true; exit 3"]);
    // The standard library drops all supplementary groups with the user id.
    let output = finish(command.current_dir(&folder.0).uid(NOBODY).gid(NOBODY).spawn().unwrap());
    assert_data_eq!(
        output.out.replace("65534\n", ""),
        str![[r#"
            skep-[..] [000] .....[..]: bpf_trace_printk: Hello, BPF World!
              sh-[..] [000] .....[..]: bpf_trace_printk: Hello, BPF World!
              sh-[..] [000] .....[..]: bpf_trace_printk: Hello, BPF World!

"#]]
    );
    assert!(output.out.contains("65534\n"), "the command's own output: {}", output.out);
    assert_eq!((output.err.as_str(), output.status), ("", Some(3)));
}

#[test]
fn what_is_typed_wrongly_is_explained() {
    let cases = [
        (
            format!("run {HELLO}"),
            "error: what is there to watch? the user target sees the processes that skep starts or is attached to\n\
             help: skep run examples/hello/hello.bpf.o -- COMMAND, or -p PID\n",
        ),
        (
            "run /nonexistent.o -- true".into(),
            "error: /nonexistent.o: No such file or directory (os error 2)\n",
        ),
        (
            "run README.md -- true".into(),
            "error: README.md: not an ELF file (no \\x7fELF at its start); expected an object that clang wrote with -target bpf\n",
        ),
        (
            format!("run {SYSCOUNT} --map nope -- true"),
            "error: there is no map 'nope'; there are: entries, counts\n",
        ),
        (
            format!("run {SYSCOUNT} --type nope=count -- true"),
            "error: there is no map 'nope'; there are: entries, counts\n",
        ),
        (
            format!("run {EXECSNOOP} --type events=nope -- true"),
            "error: there is no type 'nope'; there are: event, sys_enter_execve, sys_exit_execve\n",
        ),
        (
            format!("run {HELLO} --set answer -- true"),
            "error: --set answer: must have the form VARIABLE=NUMBER\n",
        ),
        (
            format!("run {HELLO} --set answer=4x2 -- true"),
            "error: --set answer=4x2: must have the form VARIABLE=NUMBER\n",
        ),
        (
            format!("run {HELLO} --set answer=42 -- true"),
            "error: examples/hello/hello.bpf.o: symbol answer: there is no such variable; the object has no global variables\n",
        ),
        (format!("disasm {HELLO} --function nope"), "error: there is no function 'nope'; there are: hello\n"),
    ];
    for (args, expected) in cases {
        let output = skep(&args);
        assert_eq!(
            (output.out.as_str(), output.err.as_str(), output.status),
            ("", expected, Some(1)),
            "skep {args}"
        );
    }
    // What clap refuses.
    for args in ["run", "run x.o -p 1 -- true", "object", "frobnicate"] {
        assert_eq!(skep(args).status, Some(2), "skep {args}");
    }
}

#[test]
fn what_the_user_target_cannot_do_is_refused_with_the_reason() {
    let folder = Folder::new("refused");
    let cases = [
        ("tracepoint/syscalls/sys_enter_execve", "call bpf_get_stackid", ["helper", "bpf_get_stackid"]),
        ("tracepoint/syscalls/sys_enter_execve", "call 9999", ["9999", "helper"]),
        ("tracepoint/sched/sched_switch", "r0 = 0", ["cannot observe", "linux"]),
        ("tracepoint/syscalls/sys_enter_nope", "r0 = 0", ["there is no tracepoint", "sys_enter_nope"]),
        ("kprobe/vfs_read", "r0 = 0", ["cannot observe the kernel function vfs_read", "linux"]),
        ("xdp", "r0 = 2", ["cannot be attached", "xdp"]),
        ("nonsense", "r0 = 0", ["nonsense", "name the section as libbpf does"]),
    ];
    for (section, instructions, parts) in cases {
        let object = folder.object(&program(section, instructions));
        let output = skep(&format!("run {object} -- true"));
        assert_eq!((output.out.as_str(), output.status), ("", Some(1)), "{section}: {}", output.err);
        assert!(output.err.starts_with("error: program 'program'"), "{section}: {}", output.err);
        for part in parts {
            assert!(output.err.contains(part), "{section}: {part:?} is not in: {}", output.err);
        }
    }
}

#[test]
fn a_program_that_does_wrong_is_stopped_and_the_command_goes_on() {
    if !can_trace() {
        return;
    }
    let folder = Folder::new("fault");
    let object =
        folder.object(&program("tracepoint/syscalls/sys_enter_execve", "r1 = 64\nr0 = *(u8 *)(r1 + 0)"));
    let output = skep_with(&format!("run {object} --"), &["sh", "-c", "/bin/true; echo goes on; exit 3"]);
    assert_eq!((output.out.as_str(), output.status), ("goes on\n", Some(3)));
    let notes: Vec<_> = output.err.lines().collect();
    let [note] = notes.as_slice() else { panic!("said once: {}", output.err) };
    assert!(
        note.starts_with("note: program 'program' was stopped, and counts as having returned 0: "),
        "{note}"
    );
}

#[test]
fn asm_and_disasm_are_each_others_inverse() {
    let text = "r0 = 0x2a\nif r1 == 0x0 goto +0x1\nr0 += 0x1\nexit\n";
    let hex = skep_reading("asm -", text.as_bytes());
    assert_data_eq!(
        String::from_utf8(hex.stdout.clone()).unwrap(),
        str![[r#"
b7 00 00 00 2a 00 00 00
15 01 01 00 00 00 00 00
07 00 00 00 01 00 00 00
95 00 00 00 00 00 00 00

"#]]
    );
    let back = skep_reading("disasm --hex --asm -", &hex.stdout);
    assert_eq!(String::from_utf8(back.stdout).unwrap(), text);

    let raw = skep_reading("asm --format bin -", text.as_bytes());
    assert_eq!(raw.stdout.len(), 32);
    let listing = skep_reading("disasm --no-show-raw-insn -", &raw.stdout);
    assert_data_eq!(
        String::from_utf8(listing.stdout).unwrap(),
        str![[r#"

Disassembly of section .text:

0000000000000000 <.text>:
       0:	r0 = 0x2a
       1:	if r1 == 0x0 goto +0x1 <.text+0x18>
       2:	r0 += 0x1
       3:	exit

"#]]
    );

    let wrong = skep_reading("asm -", b"r0 = 1\nr0 = r11\nexit\n");
    assert_eq!(wrong.status.code(), Some(1));
    let message = String::from_utf8(wrong.stderr).unwrap();
    assert!(message.starts_with("error: ") && message.contains("2 | r0 = r11"), "{message}");
}

#[test]
fn object_show_tells_what_is_in_a_file() {
    assert_data_eq!(
        skep(&format!("object show {SYSCOUNT}")).out,
        str![[r#"
examples/syscount/syscount.bpf.o  little endian, license "Dual MIT/GPL", BTF with [..] types

programs
  NAME   TYPE            ATTACHES TO  INSNS  LINKED
  enter  raw_tracepoint  sys_enter       17      17
  leave  raw_tracepoint  sys_exit        54      54

maps
  NAME     TYPE  KEY  VALUE  ENTRIES
  entries  hash    4     16     8192
  counts   hash    4     24      512

"#]]
    );
    let json: Json = serde_json::from_str(&skep(&format!("object show --json {HELLO}")).out).unwrap();
    assert_eq!(json["programs"][0]["name"], "hello");
    assert_eq!(json["programs"][0]["section"], "tracepoint/syscalls/sys_enter_execve");
    assert_eq!(json["license"], "Dual MIT/GPL");
}

#[test]
fn disasm_prints_what_llvm_objdump_prints() {
    if !has("llvm-objdump-19") {
        return;
    }
    for object in [HELLO, EXECSNOOP, SYSCOUNT, "crates/skep/tests/programs/events.bpf.o"] {
        for options in ["-d", "-d -r", "-d --no-show-raw-insn", "-d --mcpu=v3"] {
            let theirs =
                finish(command("llvm-objdump-19", options.split(' ').chain([object])).spawn().unwrap());
            // After the line that names the file and its format.
            let (_, body) = theirs.out.split_once("file format elf64-bpf\n").unwrap();
            let ours = skep(&format!("disasm {} {object}", options.strip_prefix("-d").unwrap()));
            assert_eq!((ours.out.as_str(), ours.err.as_str()), (body, ""), "{options} {object}");
        }
    }
}

/// Names in files are shown, and do nothing else to a terminal.
#[test]
fn names_with_control_characters_are_escaped() {
    let folder = std::env::temp_dir().join(format!("skep-control-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (text, object) = (folder.join("bell.s"), folder.join("bell.o"));
    std::fs::write(&text, "0 <ring\x1b[2Jbell>:\nexit\n").unwrap();
    let skep = |args: &[&OsStr]| {
        let output = Command::new(env!("CARGO_BIN_EXE_skep")).args(args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    skep(&["asm".as_ref(), "-f".as_ref(), "elf".as_ref(), "-o".as_ref(), object.as_ref(), text.as_ref()]);
    let listing = skep(&["--color".as_ref(), "always".as_ref(), "disasm".as_ref(), object.as_ref()]);
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(listing.contains(r"<ring\u{1b}[2Jbell>:") && !listing.contains('\x1b'), "{listing:?}");
}
