//! What the traced command does: each script makes a known sequence of system calls. The marker is `lseek` on descriptor -1,
//! which nothing else does: its second argument tells the calls apart.
#![expect(unsafe_code, reason = "the scripts make system calls that the standard library has no names for")]

use std::ffi::{CStr, CString};
use std::io::{Read, Write};
use std::process::exit;

/// Calls `lseek(-1, tag, 0)`; the result is always `EBADF`.
pub(crate) fn mark(tag: u64) {
    // SAFETY: lseek touches no memory.
    let result = unsafe { libc::syscall(libc::SYS_lseek, -1, tag, 0) };
    assert_eq!(result, -1);
}

fn check(result: i64) -> i64 {
    assert!(result >= 0, "{}", std::io::Error::last_os_error());
    result
}

fn fork() -> i32 {
    // SAFETY: the children of these scripts have one thread and make system calls only.
    check(unsafe { libc::fork() }.into()) as i32
}

fn wait(pid: i32, options: i32) -> i32 {
    let mut status = 0;
    // SAFETY: waitpid stores one int at `status`.
    check(unsafe { libc::waitpid(pid, &raw mut status, options) }.into());
    status
}

fn kill(pid: i32, signal: i32) {
    // SAFETY: kill touches no memory.
    check(unsafe { libc::kill(pid, signal) }.into());
}

fn exec(path: &CStr, args: &[&CStr]) -> std::io::Error {
    let argv: Vec<_> = args.iter().map(|arg| arg.as_ptr()).chain([std::ptr::null()]).collect();
    // SAFETY: a path and an array of strings that end in zero bytes, the array in null; no environment.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), [std::ptr::null()].as_ptr()) };
    std::io::Error::last_os_error()
}

fn handle(signal: i32, handler: extern "C" fn(i32)) {
    // SAFETY: the handlers below make system calls only.
    unsafe { libc::signal(signal, handler as *const () as usize) };
}

extern "C" fn mark_9(_signal: i32) {
    mark(9);
}

/// Runs the script and ends the process.
pub(crate) fn run(script: &str, args: &[String]) -> ! {
    match script {
        "marks" => args.iter().for_each(|tag| mark(tag.parse().unwrap())),
        "loop" => loop {
            mark(1);
        },
        "exec" => {
            exec(c"/nonexistent/program", &[c"x"]);
            let path = CString::new(args[0].as_bytes()).unwrap();
            panic!("{}", exec(&path, &[c"other-name", c"argument"]));
        }
        "exec-in-thread" => {
            let path = CString::new(args[0].as_bytes()).unwrap();
            // A thread that is only in the way.
            std::thread::spawn(|| std::thread::sleep(std::time::Duration::from_secs(600)));
            let thread = std::thread::spawn(move || {
                mark(1);
                panic!("{}", exec(&path, &[c"argument"]));
            });
            let _ = thread.join();
        }
        "threads" => {
            let spawn =
                |tag| std::thread::Builder::new().name(format!("thread-{tag}")).spawn(move || mark(tag));
            let threads: Vec<_> = (1..=8).map(|tag| spawn(tag).unwrap()).collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        }
        "fork" => {
            mark(1);
            let child = fork();
            if child == 0 {
                mark(2);
                exit(3);
            }
            assert_eq!(libc::WEXITSTATUS(wait(child, 0)), 3);
            mark(4);
        }
        "vfork" => {
            // std starts processes by vfork-like clone; the call is made by itself, as a shell does.
            let status = std::process::Command::new(&args[0]).status().unwrap();
            assert!(status.success());
            mark(1);
        }
        "daemon" => {
            let parent = std::process::id() as i32;
            if fork() == 0 {
                // Goes on after its parent has ended.
                // SAFETY: getppid touches no memory.
                while unsafe { libc::getppid() } == parent {
                    std::thread::yield_now();
                }
                mark(2);
            }
        }
        "signal" => {
            handle(libc::SIGUSR1, mark_9);
            let parent = std::process::id() as i32;
            let child = fork();
            if child == 0 {
                // Until the parent sleeps in pause.
                let wchan = format!("/proc/{parent}/syscall");
                while !std::fs::read_to_string(&wchan).is_ok_and(|text| text.starts_with("34 ")) {
                    std::thread::yield_now();
                }
                kill(parent, libc::SIGUSR1);
                exit(0);
            }
            // SAFETY: pause touches no memory.
            assert_eq!(unsafe { libc::syscall(libc::SYS_pause) }, -1);
            wait(child, 0);
            mark(1);
        }
        "stop" => {
            let (mut go, mut tell) = std::io::pipe().unwrap();
            let child = fork();
            if child == 0 {
                // SAFETY: raise touches no memory.
                unsafe { libc::raise(libc::SIGSTOP) };
                mark(2);
                // Until its parent has seen it go on.
                go.read_exact(&mut [0]).unwrap();
                exit(5);
            }
            let status = wait(child, libc::WUNTRACED);
            assert!(libc::WIFSTOPPED(status) && libc::WSTOPSIG(status) == libc::SIGSTOP, "{status:#x}");
            mark(1);
            kill(child, libc::SIGCONT);
            let status = wait(child, libc::WCONTINUED);
            assert!(libc::WIFCONTINUED(status), "{status:#x}");
            tell.write_all(&[1]).unwrap();
            assert_eq!(libc::WEXITSTATUS(wait(child, 0)), 5);
            mark(3);
        }
        "stopped-sleep" => {
            // A sleep that a stop interrupts goes on by restart_syscall.
            let child = fork();
            if child == 0 {
                std::thread::sleep(std::time::Duration::from_millis(300));
                exit(0);
            }
            let sleeping = format!("/proc/{child}/syscall");
            while !std::fs::read_to_string(&sleeping).is_ok_and(|text| text.starts_with("230 ")) {
                std::thread::yield_now();
            }
            kill(child, libc::SIGSTOP);
            wait(child, libc::WUNTRACED);
            kill(child, libc::SIGCONT);
            assert_eq!(wait(child, 0), 0);
        }
        "killed" => kill(std::process::id() as i32, libc::SIGKILL),
        "kill-children" => {
            for round in 0..60 {
                let child = fork();
                if child == 0 {
                    // Several processes and threads under way when the whole group is killed.
                    // SAFETY: setpgid touches no memory.
                    unsafe { libc::setpgid(0, 0) };
                    std::thread::spawn(|| run("loop", &[]));
                    if fork() == 0 {
                        run("loop", &[]);
                    }
                    run("loop", &[]);
                }
                // SAFETY: setpgid touches no memory.
                unsafe { libc::setpgid(child, child) };
                for _ in 0..round * 20 {
                    std::thread::yield_now();
                }
                // SAFETY: kill touches no memory.
                unsafe { libc::kill(-child, libc::SIGKILL) };
                assert!(libc::WIFSIGNALED(wait(child, 0)));
            }
            mark(1);
        }
        "setuid" => {
            mark(1);
            // SAFETY: setresuid touches no memory.
            check(unsafe { libc::syscall(libc::SYS_setresuid, 65534, 65534, 65534) });
            mark(2);
        }
        "rename" => {
            mark(1);
            // SAFETY: the name is a string that ends in a zero byte.
            unsafe { libc::prctl(libc::PR_SET_NAME, c"renamed".as_ptr()) };
            mark(2);
            // SAFETY: gettid touches no memory.
            let path = format!("/proc/self/task/{}/comm", unsafe { libc::gettid() });
            std::thread::spawn(|| std::fs::write(path, "by-another").unwrap()).join().unwrap();
            mark(3);
        }
        "own-filter" => {
            // Traces lseek and fails dup2, as a program with a tracer of its own might.
            let code = |insn: u32| insn as u16;
            let ret = code(libc::BPF_RET | libc::BPF_K);
            let insn = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
            let equal = code(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K);
            let mut filter = [
                insn(code(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS), 0, 0, 0),
                insn(equal, 0, 1, libc::SYS_getppid as u32),
                insn(ret, 0, 0, libc::SECCOMP_RET_TRACE),
                insn(equal, 0, 1, libc::SYS_dup as u32),
                insn(ret, 0, 0, libc::SECCOMP_RET_ERRNO | 77),
                insn(ret, 0, 0, libc::SECCOMP_RET_ALLOW),
            ];
            let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
            // SAFETY: PR_SET_NO_NEW_PRIVS takes numbers only.
            check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }.into());
            // SAFETY: `program` describes `filter`.
            check(unsafe {
                libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program)
            });
            // SAFETY: getppid touches no memory.
            assert_eq!(unsafe { libc::syscall(libc::SYS_getppid) }, -1);
            assert_eq!(std::io::Error::last_os_error().raw_os_error(), Some(libc::ENOSYS));
            // SAFETY: dup of no descriptor touches nothing.
            assert_eq!(unsafe { libc::syscall(libc::SYS_dup, -1) }, -1);
            assert_eq!(std::io::Error::last_os_error().raw_os_error(), Some(77));
            mark(1);
        }
        #[cfg(target_arch = "x86_64")]
        "int80" => {
            mark(1);
            let result: i64;
            // 8 is creat in the 32-bit convention and lseek in the 64-bit one; a null path gives EFAULT.
            // SAFETY: the call reads no memory and returns in eax.
            unsafe {
                core::arch::asm!("push rbx", "xor ebx, ebx", "int 0x80", "pop rbx",
                    inlateout("rax") 8i64 => result, in("rcx") 0, in("rdx") 0);
            }
            assert_eq!(result as i32, -libc::EFAULT);
            mark(2);
        }
        "attach-me" => {
            // Says that it runs, and then repeats its work until its standard input ends.
            let threads: Vec<_> = (1..=3)
                .map(|tag| {
                    std::thread::spawn(move || {
                        loop {
                            mark(tag);
                            std::thread::sleep(std::time::Duration::from_millis(1));
                        }
                    })
                })
                .collect();
            println!("ready");
            let mut line = String::new();
            while std::io::stdin().read_line(&mut line).unwrap() > 0 {
                assert!(threads.iter().all(|thread| !thread.is_finished()));
                print!("{line}");
                std::io::stdout().flush().unwrap();
                line.clear();
            }
        }
        _ => panic!("no script {script}"),
    }
    exit(0)
}
