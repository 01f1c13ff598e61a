//! Commands that make known system calls, and exactly what programs see of them. Needs ptrace, and no privileges.

mod recorder;
mod tracee;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use skep_hooks::{Command, Notice, Outcome, Stdio, TraceError};
use skep_kernel::{Errno, EventSource};

use recorder::{Event, Recorder, ignore, point};

const ENTER: &str = "tp/syscalls/sys_enter_lseek";
const EXIT: &str = "tp/syscalls/sys_exit_lseek";
const EBADF: u64 = -(libc::EBADF as i64) as u64;
const NOBODY: u32 = 65534;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--tracee", script, ..] => tracee::run(script, &args[2..]),
        ["--trace-unprivileged", program] => trace_unprivileged(program),
        _ => {}
    }
    let mut trials = vec![
        trial("contexts_of_one_call", contexts_of_one_call),
        trial("only_traced_calls_are_seen", only_traced_calls_are_seen),
        trial("every_hook_fires_in_the_kernels_order", every_hook_fires_in_the_kernels_order),
        trial("exec_succeeds_and_fails", exec_succeeds_and_fails),
        trial("exec_in_a_thread_becomes_the_process", exec_in_a_thread_becomes_the_process),
        trial("threads_are_followed", threads_are_followed),
        trial("children_are_followed", children_are_followed),
        trial("vforked_children_are_followed", vforked_children_are_followed),
        trial("descendants_are_seen_after_the_command", descendants_are_seen_after_the_command),
        trial("signals_are_delivered", signals_are_delivered),
        trial("stops_are_stops", stops_are_stops),
        trial("an_interrupted_sleep_is_restarted", an_interrupted_sleep_is_restarted),
        trial("a_killed_command", a_killed_command),
        trial("children_killed_at_any_moment", children_killed_at_any_moment),
        trial("thread_names_are_current", thread_names_are_current),
        trial("user_ids_are_current", user_ids_are_current),
        trial("exits_tell_priority_and_last_thread", exits_tell_priority_and_last_thread),
        trial("a_command_with_a_filter_of_its_own", a_command_with_a_filter_of_its_own),
        trial("attach_and_let_go", attach_and_let_go),
        trial("attached_process_ends", attached_process_ends),
        trial("what_cannot_be_attached", what_cannot_be_attached),
        trial("a_stopped_session_kills_its_command", a_stopped_session_kills_its_command),
        trial("a_dropped_session_kills_its_command", a_dropped_session_kills_its_command),
        trial("what_cannot_be_started", what_cannot_be_started),
        trial("what_is_offered", what_is_offered),
        trial("what_the_kernel_has_is_offered", what_the_kernel_has_is_offered),
        trial("set_uid_programs_run_without_privileges", set_uid_programs_run_without_privileges),
    ];
    if cfg!(target_arch = "x86_64") {
        trials.push(trial("calls_of_32_bit_code", calls_of_32_bit_code));
    }
    if let Some(reason) = ptrace_is_denied() {
        eprintln!("skipped: this machine does not allow ptrace: {reason}");
        trials.clear();
    }
    let mut arguments = Arguments::from_args();
    // One at a time: a process that one test starts must not inherit the file that another is about to execute.
    arguments.test_threads = Some(1);
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(name: &'static str, test: fn()) -> Trial {
    Trial::test(name, move || {
        // A thread of its own: tracing belongs to a thread.
        std::thread::spawn(test).join().map_err(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            Failed::from(text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("panicked").to_string())
        })
    })
}

fn ptrace_is_denied() -> Option<String> {
    match Recorder::new(&[ENTER]).tracer.spawn(&Recorder::command("marks", &[])) {
        Err(error @ (TraceError::NotPermitted { .. } | TraceError::Filter { .. })) => Some(error.to_string()),
        Err(error) => panic!("{error}"),
        Ok(mut session) => match session.run(&mut ignore) {
            Err(error @ TraceError::Filter { .. }) => Some(error.to_string()),
            result => {
                result.unwrap();
                None
            }
        },
    }
}

/// The name that the kernel gives to a process of this executable.
fn own_name() -> String {
    let path = std::env::current_exe().unwrap();
    path.file_name().unwrap().to_str().unwrap().chars().take(15).collect()
}

/// One word for a mark's event: `>1` entry with tag 1, `<` exit.
fn words(recorder: &Recorder, events: &[Event]) -> String {
    let word = |event: &Event| match recorder.points[event.point] {
        ENTER => format!(">{}", event.u64_at(24)),
        EXIT => "<".to_string(),
        _ => recorder.name(event).to_string(),
    };
    events.iter().map(word).collect::<Vec<_>>().join(" ")
}

fn contexts_of_one_call() {
    let recorder = Recorder::new(&[ENTER, EXIT]);
    let events = recorder.events_of("marks", &["81985529216486895"]);
    let [enter, exit] = events.as_slice() else { panic!("{events:?}") };

    let mut expected = [0u8; 64];
    expected[4..8].copy_from_slice(&enter.tid.to_ne_bytes());
    expected[8..12].copy_from_slice(&(libc::SYS_lseek as i32).to_ne_bytes());
    expected[16..24].copy_from_slice(&u64::from(u32::MAX).to_ne_bytes());
    expected[24..32].copy_from_slice(&0x0123_4567_89ab_cdefu64.to_ne_bytes());
    // The C library passes an int; the register's upper half is what it happens to be.
    expected[20..24].copy_from_slice(&enter.ctx[20..24]);
    assert_eq!(enter.ctx, expected);

    assert_eq!(exit.ctx.len(), 24);
    assert_eq!(exit.ctx[..16], expected[..16]);
    assert_eq!(exit.u64_at(16), EBADF);
    assert_eq!((enter.tid, enter.tgid), (exit.tid, exit.tgid));
    assert_eq!(enter.tid, enter.tgid);
    assert_eq!(enter.comm, own_name());
}

fn only_traced_calls_are_seen() {
    let recorder = Recorder::new(&["tp/syscalls/sys_enter_getppid"]);
    assert_eq!(recorder.events_of("marks", &["1", "2"]).len(), 0);
    // Nothing attached at all: the command still runs.
    assert_eq!(Recorder::new(&[]).events_of("threads", &[]).len(), 0);
}

fn every_hook_fires_in_the_kernels_order() {
    let function = if cfg!(target_arch = "x86_64") { "__x64_sys_lseek" } else { "__arm64_sys_lseek" };
    let (kprobe, kretprobe) = (format!("kprobe/{function}"), format!("kretprobe/{function}"));
    let recorder = Recorder::new(&[
        "raw_tp/sys_enter",
        "tp/raw_syscalls/sys_enter",
        ENTER,
        kprobe.leak(),
        kretprobe.leak(),
        "raw_tp/sys_exit",
        "tp/raw_syscalls/sys_exit",
        EXIT,
    ]);
    let events = recorder.events_of("marks", &["7"]);
    let nr = libc::SYS_lseek as u64;
    let start = events.iter().position(|event| event.point == 0 && event.u64_at(8) == nr).unwrap();
    let call = &events[start..start + 8];
    assert_eq!(call.iter().map(|event| event.point).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6, 7]);
    let [raw_enter, any_enter, _, kprobe, kretprobe, raw_exit, any_exit, _] = call else { unreachable!() };

    // Raw tracepoints: (struct pt_regs *regs, long id) and (struct pt_regs *regs, long ret).
    assert_eq!(raw_enter.u64_at(0), raw_enter.addresses[0]);
    assert_eq!((raw_enter.ctx.len(), raw_exit.ctx.len()), (16, 16));
    assert_eq!((raw_exit.u64_at(0), raw_exit.u64_at(8)), (raw_exit.addresses[0], EBADF));
    // raw_syscalls: id and arguments; id and result.
    assert_eq!((any_enter.u64_at(8), any_enter.u64_at(24)), (nr, 7));
    assert_eq!((any_exit.u64_at(8), any_exit.u64_at(16)), (nr, EBADF));
    // The function's argument is the address of the user's registers.
    let word =
        |bytes: &[u8], index: usize| u64::from_ne_bytes(bytes[index * 8..index * 8 + 8].try_into().unwrap());
    if cfg!(target_arch = "x86_64") {
        const AX: usize = 10;
        const SI: usize = 13;
        const DI: usize = 14;
        const ORIG_AX: usize = 15;
        assert_eq!(word(&kprobe.ctx, DI), kprobe.addresses[0]);
        for regs in [&kprobe.memory[0], &raw_enter.memory[0]] {
            assert_eq!((regs.len(), word(regs, SI), word(regs, ORIG_AX)), (168, 7, nr));
            assert_eq!(word(regs, AX) as i64, -i64::from(libc::ENOSYS), "as the kernel sets it at entry");
        }
        assert_eq!(word(&kretprobe.ctx, AX), EBADF);
        assert_eq!(word(&raw_exit.memory[0], AX), EBADF);
    }
    // Calls that do not return have no exit; all others have one each.
    let count = |index| events.iter().filter(|event| event.point == index).count();
    assert_eq!(count(0), count(1));
    assert_eq!(count(5), count(6));
    assert_eq!(count(0), count(5) + 1, "exit_group");
}

fn exec_succeeds_and_fails() {
    let recorder = Recorder::new(&[
        "tp/syscalls/sys_enter_execve",
        "tp/syscalls/sys_exit_execve",
        "tp/sched/sched_process_exec",
    ]);
    let me = std::env::current_exe().unwrap();
    let me = me.to_str().unwrap();
    let link = std::env::temp_dir().join(format!("skep-exec-{}", std::process::id()));
    let link = link.to_str().unwrap();
    let _ = std::fs::remove_file(link);
    std::os::unix::fs::symlink("/bin/true", link).unwrap();
    let events = recorder.events_of("exec", &[link]);
    std::fs::remove_file(link).unwrap();
    let names: Vec<_> = events.iter().map(|event| recorder.name(event)).collect();
    let (enter, exec, exit) = ("sys_enter_execve", "sched_process_exec", "sys_exit_execve");
    assert_eq!(names, [enter, exec, exit, enter, exit, enter, exec, exit]);

    // The command itself: executed by a process that is still named after this one.
    assert_eq!(events[0].path.as_deref(), Some(me));
    assert_eq!(events[1].text_at(8), me);
    assert_eq!(events[2].u64_at(16), 0);
    assert_eq!(events[2].comm, own_name());
    // One that is not there.
    assert_eq!(events[3].path.as_deref(), Some("/nonexistent/program"));
    assert_eq!(events[4].u64_at(16) as i64, -i64::from(libc::ENOENT));
    // The path as given, not what it leads to; the name is that of the path.
    assert_eq!(events[5].path.as_deref(), Some(link));
    assert_eq!(events[6].text_at(8), link);
    assert_eq!(events[6].u32_at(12), events[6].tid as u32);
    assert_eq!(events[6].u32_at(16), events[6].tid as u32);
    assert!(events[6].comm.starts_with("skep-exec-"), "{}", events[6].comm);
    assert_eq!(events[7].comm, events[6].comm);
    assert!(events.iter().all(|event| event.tid == event.tgid && event.tgid == events[0].tgid));
}

fn exec_in_a_thread_becomes_the_process() {
    let recorder = Recorder::new(&[
        ENTER,
        "tp/syscalls/sys_enter_execve",
        "tp/syscalls/sys_exit_execve",
        "tp/sched/sched_process_exec",
        "tp/sched/sched_process_exit",
    ]);
    let events = recorder.events_of("exec-in-thread", &["/bin/true"]);
    let main = events[0].tgid;
    let thread = events.iter().find(|event| event.point == 0).unwrap().tid;
    assert_ne!(main, thread);
    let seen: Vec<_> = events
        .iter()
        .skip(3)
        .filter(|event| event.point != 4)
        .map(|event| (recorder.name(event), event.tid, event.tgid))
        .collect();
    assert_eq!(
        seen,
        [
            ("sys_enter_lseek", thread, main),
            ("sys_enter_execve", thread, main),
            ("sched_process_exec", main, main),
            ("sys_exit_execve", main, main),
        ]
    );
    let exec = events.iter().rfind(|event| event.point == 3).unwrap();
    assert_eq!(
        (exec.text_at(8), exec.u32_at(12), exec.u32_at(16)),
        ("/bin/true", main as u32, thread as u32)
    );
    // The other thread and the old leader exit before, the process after; only that is the last of its process.
    let exits: Vec<_> = events.iter().filter(|event| event.point == 4).collect();
    let dead: Vec<_> = exits.iter().map(|event| event.ctx[32]).collect();
    assert_eq!(dead, [0, 0, 1]);
    assert_eq!(exits[2].tid, main);
    assert_eq!(exits[2].comm, "true");
}

fn threads_are_followed() {
    let clone_exit = "tp/syscalls/sys_exit_clone3";
    let recorder = Recorder::new(&[ENTER, EXIT, "tp/sched/sched_process_fork", clone_exit]);
    let events = recorder.events_of("threads", &[]);
    let main = events[0].tgid;
    assert!(events.iter().all(|event| event.tgid == main));
    for tag in 1..=8 {
        let enter = events.iter().position(|event| event.point == 0 && event.u64_at(24) == tag).unwrap();
        let thread = events[enter].tid;
        assert_ne!(thread, main);
        assert_eq!(events[enter].comm, format!("thread-{tag}"));
        // Its creation, the end of clone in it, the call, its end.
        let fork =
            events.iter().position(|event| event.point == 2 && event.u32_at(20) == thread as u32).unwrap();
        assert_eq!((events[fork].tid, events[fork].u32_at(12)), (main, main as u32));
        let own: Vec<_> =
            events.iter().filter(|event| event.tid == thread).map(|event| event.point).collect();
        assert!(own == [3, 0, 1] || own == [0, 1], "clone3, unless the C library has clone only: {own:?}");
        assert!(events[fork..].iter().filter(|event| event.tid == thread).count() == own.len());
        if own[0] == 3 {
            let exit = events.iter().find(|event| event.point == 3 && event.tid == thread).unwrap();
            assert_eq!(exit.u64_at(16), 0);
        }
    }
}

fn children_are_followed() {
    let recorder = Recorder::new(&[ENTER, "tp/sched/sched_process_fork", "tp/sched/sched_process_exit"]);
    let events = recorder.events_of("fork", &[]);
    assert_eq!(
        words(&recorder, &events),
        ">1 sched_process_fork >2 sched_process_exit >4 sched_process_exit"
    );
    let (parent, child) = (events[0].tgid, events[2].tgid);
    assert_eq!(events[1].tgid, parent);
    assert_eq!((events[1].u32_at(12), events[1].u32_at(20)), (parent as u32, child as u32));
    assert_eq!((events[1].text_at(8), events[1].text_at(16)), (&*events[0].comm, &*events[0].comm));
    assert_eq!(events[3].tgid, child);
}

fn vforked_children_are_followed() {
    let recorder = Recorder::new(&[ENTER, "tp/sched/sched_process_fork", "tp/sched/sched_process_exec"]);
    let events = recorder.events_of("vfork", &["/bin/true"]);
    assert_eq!(words(&recorder, &events), "sched_process_exec sched_process_fork sched_process_exec >1");
    assert_eq!(events[1].u32_at(20), events[2].tid as u32);
    assert_eq!(events[2].text_at(8), "/bin/true");
}

fn descendants_are_seen_after_the_command() {
    let recorder = Recorder::new(&[ENTER, "tp/syscalls/sys_enter_exit_group"]);
    let events = recorder.events_of("daemon", &[]);
    assert_eq!(words(&recorder, &events), "sys_enter_exit_group >2 sys_enter_exit_group");
    assert_ne!(events[0].tgid, events[1].tgid);
}

fn signals_are_delivered() {
    if !cfg!(target_arch = "x86_64") {
        return;
    }
    let recorder = Recorder::new(&[
        ENTER,
        "tp/syscalls/sys_enter_pause",
        "tp/syscalls/sys_exit_pause",
        "tp/syscalls/sys_enter_rt_sigreturn",
        "tp/syscalls/sys_exit_rt_sigreturn",
        "kretprobe/__x64_sys_rt_sigreturn",
    ]);
    let events = recorder.events_of("signal", &[]);
    // After a handler's return the kernel has no number for the call, so that sys_exit_rt_sigreturn does not happen.
    assert_eq!(
        words(&recorder, &events),
        "sys_enter_pause sys_exit_pause >9 sys_enter_rt_sigreturn __x64_sys_rt_sigreturn >1"
    );
    // ERESTARTNOHAND, which the kernel makes EINTR when it runs the handler.
    assert_eq!(events[1].u64_at(16) as i64, -514);
}

fn stops_are_stops() {
    let recorder = Recorder::new(&[ENTER, EXIT]);
    let events = recorder.events_of("stop", &[]);
    let mut tags: Vec<_> =
        events.iter().filter(|event| event.point == 0).map(|event| event.u64_at(24)).collect();
    assert_eq!((tags.remove(0), tags.pop()), (1, Some(3)));
    assert_eq!(tags, [2]);
}

fn an_interrupted_sleep_is_restarted() {
    if !cfg!(target_arch = "x86_64") {
        return;
    }
    let recorder =
        Recorder::new(&["tp/syscalls/sys_exit_clock_nanosleep", "tp/syscalls/sys_enter_restart_syscall"]);
    let events = recorder.events_of("stopped-sleep", &[]);
    assert_eq!(words(&recorder, &events), "sys_exit_clock_nanosleep sys_enter_restart_syscall");
    assert_eq!(events[0].u64_at(16) as i64, -516, "ERESTART_RESTARTBLOCK");
}

fn a_killed_command() {
    let names = ["tp/syscalls/sys_enter_kill", "tp/syscalls/sys_exit_kill", "tp/sched/sched_process_exit"];
    // The call that kills has an end, as any other, also when nobody asks for the ends of threads.
    for points in [&names[..], &names[..2]] {
        let recorder = Recorder::new(points);
        assert_eq!(recorder.trace("killed", &[]).unwrap(), Outcome::Signaled(libc::SIGKILL));
        let events = recorder.events.lock().unwrap();
        let seen: Vec<_> = events.iter().map(|event| names[event.point]).collect();
        assert_eq!(seen, points);
        assert_eq!(events[1].u64_at(16), 0, "kill succeeded");
    }
}

fn children_killed_at_any_moment() {
    let recorder =
        Recorder::new(&[ENTER, EXIT, "tp/sched/sched_process_fork", "tp/sched/sched_process_exit"]);
    let events = recorder.events_of("kill-children", &[]);
    let of = |point, tid: i32| events.iter().filter(|event| event.point == point && event.tid == tid).count();
    // Every thread that was created exits once, whatever it was doing.
    for fork in events.iter().filter(|event| event.point == 2) {
        assert_eq!(of(3, fork.u32_at(20) as i32), 1, "thread {}", fork.u32_at(20));
    }
}

fn thread_names_are_current() {
    let recorder = Recorder::new(&[ENTER]);
    let events = recorder.events_of("rename", &[]);
    let names: Vec<_> = events[1..].iter().map(|event| &*event.comm).collect();
    assert_eq!(names, ["renamed", "by-another"]);
}

fn is_root() -> bool {
    std::fs::read_to_string("/proc/self/status").unwrap().contains("\nUid:\t0\t0")
}

fn user_ids_are_current() {
    if !is_root() {
        eprintln!("skipped: only root can become another user");
        return;
    }
    let recorder = Recorder::new(&[ENTER]);
    let events = recorder.events_of("setuid", &[]);
    let ids: Vec<_> = events.iter().map(|event| event.uid_gid).collect();
    assert_eq!(ids, [0, u64::from(NOBODY)]);
}

fn exits_tell_priority_and_last_thread() {
    let recorder = Recorder::new(&["tp/sched/sched_process_exit"]);
    let command = Command::new("nice", ["-n", "5", "true"]);
    let outcome = recorder.tracer.spawn(&command).unwrap().run(&mut ignore).unwrap();
    assert_eq!(outcome, Outcome::Exited(0));
    let events = recorder.events.lock().unwrap().clone();
    let [exit] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(&exit.ctx[8..24], b"true\0\0\0\0\0\0\0\0\0\0\0\0");
    let own = std::fs::read_to_string("/proc/self/stat").unwrap();
    let own: u32 = own.rsplit_once(')').unwrap().1.split_ascii_whitespace().nth(15).unwrap().parse().unwrap();
    assert_eq!((exit.u32_at(24), exit.u32_at(28), exit.ctx[32]), (exit.tid as u32, (own + 105).min(139), 1));
}

fn a_command_with_a_filter_of_its_own() {
    let recorder = Recorder::new(&[ENTER, EXIT]);
    let events = recorder.events_of("own-filter", &[]);
    assert_eq!(words(&recorder, &events), ">1 <");
}

fn calls_of_32_bit_code() {
    let named = Recorder::new(&[ENTER, "tp/syscalls/sys_enter_creat"]);
    match named.trace("int80", &[]).unwrap() {
        // The kernel has no 32-bit system calls.
        Outcome::Signaled(libc::SIGSEGV) => return,
        outcome => assert_eq!(outcome, Outcome::Exited(0)),
    }
    assert_eq!(words(&named, &named.events.lock().unwrap()), ">1 >2");
    // The raw tracepoints show it under its own number.
    let raw = Recorder::new(&["raw_tp/sys_enter", ENTER]);
    let events = raw.events_of("int80", &[]);
    let marks: Vec<_> =
        events.iter().enumerate().filter(|(_, event)| event.point == 1).map(|(i, _)| i).collect();
    let between: Vec<_> = events[marks[0] + 1..marks[1]].iter().map(|event| event.u64_at(8)).collect();
    assert_eq!(between, [8, libc::SYS_lseek as u64]);
}

/// A process that this one starts but does not trace, and that any process of the user may trace.
fn untraced(script: &str) -> (std::process::Child, BufReader<std::process::ChildStdout>) {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command
        .args(["--tracee", script])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped());
    // Started by another thread than the one that traces.
    let mut child = std::thread::spawn(move || command.spawn().unwrap()).join().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    (child, output)
}

fn attach_and_let_go() {
    let (mut child, mut output) = untraced("attach-me");
    let recorder = Recorder::new(&[ENTER, EXIT, "tp/raw_syscalls/sys_enter"]);
    let mut session = recorder.tracer.attach_pid(child.id() as i32).unwrap();
    assert_eq!(session.pid(), child.id() as i32);
    let stop = session.stop_handle();
    let events = std::sync::Arc::clone(&recorder.events);
    let enough = std::thread::spawn(move || {
        let all_seen = |events: &[Event]| {
            (1..=3).all(|tag| {
                events.iter().filter(|event| event.point == 0 && event.u64_at(24) == tag).count() >= 5
            })
        };
        while !all_seen(&events.lock().unwrap()) {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        stop.stop();
    });
    assert_eq!(session.run(&mut ignore).unwrap(), Outcome::Detached);
    enough.join().unwrap();
    // Entries and exits alternate in each thread.
    let events = recorder.events.lock().unwrap().clone();
    for tag in 1..=3 {
        let tid = events.iter().find(|event| event.point == 0 && event.u64_at(24) == tag).unwrap().tid;
        let own = events.iter().filter(|event| event.tid == tid && event.point < 2);
        for (index, event) in own.enumerate() {
            assert_eq!(event.point, index % 2);
            assert_eq!(event.tgid, child.id() as i32);
        }
    }
    // It runs on, untraced and unharmed.
    for entry in std::fs::read_dir(format!("/proc/{}/task", child.id())).unwrap() {
        let status = std::fs::read_to_string(entry.unwrap().path().join("status")).unwrap();
        assert!(status.contains("\nTracerPid:\t0\n"), "{status}");
        assert!(!status.contains("State:\tT") && !status.contains("State:\tt"), "{status}");
    }
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"still there\n").unwrap();
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "still there\n");
    drop(input);
    assert!(child.wait().unwrap().success());
}

fn attached_process_ends() {
    let (mut child, _output) = untraced("attach-me");
    let recorder = Recorder::new(&["tp/sched/sched_process_exit"]);
    let mut session = recorder.tracer.attach_pid(child.id() as i32).unwrap();
    drop(child.stdin.take());
    assert_eq!(session.run(&mut ignore).unwrap(), Outcome::Exited(0));
    // The tracer is a thread of the process's parent here, so that its wait was the parent's too.
    assert!(child.wait().is_err());
    let events = recorder.events.lock().unwrap();
    let last: Vec<_> = events.iter().map(|event| event.ctx[32]).collect();
    assert_eq!(last, [0, 0, 0, 1]);
}

fn what_cannot_be_attached() {
    let recorder = Recorder::new(&[ENTER]);
    assert!(matches!(recorder.tracer.attach_pid(-5), Err(TraceError::NoProcess { pid: -5 })));
    assert!(matches!(recorder.tracer.attach_pid(i32::MAX), Err(TraceError::NoProcess { .. })));
    let own = recorder.tracer.attach_pid(std::process::id() as i32).unwrap_err().to_string();
    assert!(own.contains("this process itself"), "{own}");
    let (mut child, _output) = untraced("attach-me");
    let session = recorder.tracer.attach_pid(child.id() as i32).unwrap();
    assert!(matches!(recorder.tracer.attach_pid(1), Err(TraceError::ThreadInUse)));
    let (tracer, pid) = (std::sync::Arc::clone(&recorder.tracer), child.id() as i32);
    let second = std::thread::spawn(move || tracer.attach_pid(pid).unwrap_err().to_string()).join().unwrap();
    assert!(second.contains("traces it already"), "{second}");
    drop(session);
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

fn a_stopped_session_kills_its_command() {
    let recorder = Recorder::new(&[ENTER]);
    let mut session = recorder.spawn("loop", &[]);
    let stop = session.stop_handle();
    std::thread::spawn(move || stop.stop());
    assert_eq!(session.run(&mut ignore).unwrap(), Outcome::Signaled(libc::SIGKILL));
}

fn a_dropped_session_kills_its_command() {
    let recorder = Recorder::new(&[ENTER]);
    let session = recorder.spawn("loop", &[]);
    let pid = session.pid();
    drop(session);
    assert!(!std::fs::exists(format!("/proc/{pid}")).unwrap());
    // The thread is free for another.
    assert_eq!(recorder.events_of("marks", &["1"]).len(), 1);
}

fn what_cannot_be_started() {
    let recorder = Recorder::new(&[ENTER]);
    let error = |command: &Command| match recorder.tracer.spawn(command) {
        Ok(mut session) => session.run(&mut ignore).unwrap_err(),
        Err(error) => error,
    };
    let no_args: [&str; 0] = [];
    let directory = std::env::temp_dir().join(format!("skep-start-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("data"), "no program").unwrap();
    std::fs::write(directory.join("junk"), "no program either").unwrap();
    std::fs::set_permissions(directory.join("junk"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = Some(vec![("PATH".into(), directory.clone().into_os_string())]);

    let missing = error(&Command::new("no-such-program", no_args));
    assert!(matches!(missing, TraceError::NotFound { .. }), "{missing}");
    let missing = error(&Command::new("./no/such", no_args));
    assert!(matches!(missing, TraceError::Exec { .. }), "{missing}");
    let data = error(&Command { env: path.clone(), ..Command::new("data", no_args) });
    assert!(matches!(data, TraceError::NotExecutable { .. }), "{data}");
    let junk = error(&Command { env: path, ..Command::new("junk", no_args) });
    assert!(junk.to_string().contains("Exec format error"), "{junk}");
    let cwd = error(&Command { cwd: Some("/no/such".into()), ..Command::new("/bin/true", no_args) });
    assert!(matches!(cwd, TraceError::WorkingDirectory { .. }), "{cwd}");
    let zero = error(&Command::new("/bin/true", ["a\0b"]));
    assert!(matches!(zero, TraceError::ZeroByte { .. }), "{zero}");
    std::fs::remove_dir_all(directory).unwrap();
    let ok = Command { stdout: Stdio::Null, env: Some(vec![]), ..Command::new("true", no_args) };
    assert_eq!(recorder.tracer.spawn(&ok).unwrap().run(&mut ignore).unwrap(), Outcome::Exited(0));
}

fn what_is_offered() {
    let recorder = Recorder::new(&[ENTER]);
    let offers = |name: &str| recorder.tracer.offers(&point(name));
    for name in [
        "tp/syscalls/sys_enter_openat",
        "tp/syscalls/sys_exit_newfstatat",
        "tp/raw_syscalls/sys_enter",
        "raw_tp/sys_exit",
        "raw_tp/sched_process_fork",
        "tp/sched/sched_process_exec",
    ] {
        assert_eq!(offers(name), Some(Ok(())), "{name}");
    }
    for (name, errno, part) in [
        ("tp/syscalls/sys_enter_nonsense", Errno::ENOENT, "there is no tracepoint"),
        ("tp/syscalls/openat", Errno::ENOENT, "there is no tracepoint"),
        ("tp/sched/sched_switch", Errno::EOPNOTSUPP, "linux target"),
        ("raw_tp/sched_switch", Errno::EOPNOTSUPP, "linux target"),
        ("kprobe/tcp_connect", Errno::EOPNOTSUPP, "linux target"),
    ] {
        let error = offers(name).unwrap().unwrap_err();
        assert_eq!(error.errno, errno, "{name}");
        assert!(error.what.contains(part), "{name}: {error}");
    }
    // Packets, say, are another source's business.
    assert_eq!(offers("tp/net/netif_rx"), None);

    let mut session = recorder.spawn("marks", &["1"]);
    assert_eq!(offers(EXIT), Some(Ok(())), "the filter covers it");
    assert_eq!(offers("tp/sched/sched_process_exec"), Some(Ok(())), "it is followed anyway");
    assert_eq!(offers("tp/sched/sched_process_exit"), Some(Ok(())), "a killed thread's call ends there");
    for name in ["tp/syscalls/sys_enter_openat", "raw_tp/sys_enter"] {
        assert_eq!(offers(name).unwrap().unwrap_err().errno, Errno::EBUSY, "{name}");
    }
    session.run(&mut ignore).unwrap();
    drop(session);
    assert_eq!(offers("raw_tp/sys_enter"), Some(Ok(())));
    // A program that is detached sees nothing any more.
    recorder.hooks.detach(&point(ENTER), 0);
    assert_eq!(recorder.events_of("marks", &["1"]).len(), 1);
}

fn what_the_kernel_has_is_offered() {
    let Ok(events) = std::fs::read_dir("/sys/kernel/tracing/events/syscalls") else {
        eprintln!("skipped: tracefs cannot be read");
        return;
    };
    let recorder = Recorder::new(&[]);
    for event in events {
        let name = event.unwrap().file_name().into_string().unwrap();
        if name.starts_with("sys_e") {
            let name = format!("tp/syscalls/{name}");
            assert_eq!(recorder.tracer.offers(&point(&name)), Some(Ok(())), "{name}");
        }
    }
}

/// Traces a program as a user who cannot give it privileges, and says what the user would be told.
fn trace_unprivileged(program: &str) -> ! {
    let recorder = Recorder::new(&[ENTER]);
    let no_args: [&str; 0] = [];
    let mut session = recorder.tracer.spawn(&Command::new(program, no_args)).unwrap();
    let outcome = session.run(&mut |notice| {
        let Notice::PrivilegesDropped { kind, .. } = &notice else { panic!("{notice}") };
        println!("{kind}: {notice}");
    });
    assert_eq!(outcome.unwrap(), Outcome::Exited(0));
    std::process::exit(0)
}

fn set_uid_programs_run_without_privileges() {
    if !is_root() {
        eprintln!("skipped: only root can make a set-uid program");
        return;
    }
    let directory = std::env::temp_dir().join(format!("skep-setuid-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o755)).unwrap();
    // Both in the open, where any user may execute them.
    let (id, tests) = (directory.join("id"), directory.join("tests"));
    std::fs::copy("/usr/bin/id", &id).unwrap();
    std::fs::set_permissions(&id, std::fs::Permissions::from_mode(0o4755)).unwrap();
    std::fs::copy(std::env::current_exe().unwrap(), &tests).unwrap();
    let output = std::process::Command::new(&tests)
        .args(["--trace-unprivileged", id.to_str().unwrap()])
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(!text.contains("euid=0"), "{text}");
    let notice = text.lines().find(|line| line.starts_with("set-uid: ")).expect(&text);
    assert!(notice.contains("runs without its privileges under skep"), "{notice}");
}
