//! Event sources of the user-space kernel: the system calls and processes of a command, or of a running process.
//!
//! A [`Tracer`] belongs to the [`HookTable`](skep_kernel::HookTable) of a user-space kernel and is its
//! [`EventSource`](skep_kernel::EventSource) for these attach points:
//!
//! - tracepoints `syscalls/sys_enter_*` and `syscalls/sys_exit_*`, `raw_syscalls/sys_enter` and `raw_syscalls/sys_exit`,
//!   `sched/sched_process_exec`, `sched/sched_process_fork` and `sched/sched_process_exit`;
//! - raw tracepoints `sys_enter`, `sys_exit`, `sched_process_exec`, `sched_process_fork`, `sched_process_exit`;
//! - kprobes and kretprobes on the functions of system calls: `__x64_sys_*` (x86-64), `__arm64_sys_*` (arm64), which is
//!   what `ksyscall` and `kretsyscall` sections attach to.
//!
//! [`Tracer::spawn`] starts a command and follows it and all its descendants; [`Tracer::attach_pid`] follows a running
//! process. Both give a [`Session`], whose [`run`](Session::run) fires the attached programs until the last process ends.
//!
//! # How it observes
//!
//! With `ptrace(2)`, which needs no privileges for one's own processes. A started command also gets a seccomp filter, which
//! stops it at the system calls that some attached program wants; all others run at full speed. Consequences:
//!
//! - The filter is made when the command starts and cannot be taken back. Programs attached later see their events if the
//!   filter covers them; if not, the attachment is refused with `EBUSY`.
//! - A command under a filter cannot go on without its tracer: it ends when the tracing thread ends.
//! - Without `CAP_SYS_ADMIN` the filter needs `no_new_privs`: set-uid programs run without their privileges, and
//!   a [`Notice`] says so.
//! - A process that was running before has no filter: it stops at every system call (when a program wants one). Detaching
//!   leaves it as it was. Calls that it is blocked in when it is attached begin anew; the few that the kernel never
//!   restarts (`epoll_wait`, see `ptrace(2)`, BUGS) fail with `EINTR`.
//! - A traced process cannot be traced by another, nor trace itself: debuggers inside it get `EPERM`.
//!
//! # What programs see
//!
//! Contexts are laid out as on Linux 6.18; `bpf_get_current_*` and `bpf_probe_read_user*` tell of the traced thread. Events come
//! in the kernel's order: the entry of a call, its function's entry, the function's return, the exit of the call; the exit of `clone`
//! also in the new thread. The calls of 32-bit processes appear where the kernel shows them: at the raw
//! tracepoints and `raw_syscalls`, under their 32-bit numbers. Programs run in the tracing thread, on virtual CPU 0.
//!
//! What differs from the kernel: pointers to kernel objects (`struct task_struct *` of the raw `sched_process_*` tracepoints) are null;
//! kprobe contexts hold the first argument or the return value and zeros; a call that the command's own seccomp filter refuses is not seen
//! in a started command (in the kernel, its exit is); process ids are those of the tracer's PID namespace; a child that
//! is made with `CLONE_UNTRACED` is not followed, and its traced calls fail with `ENOSYS`.

mod attach;
mod command;
mod context;
mod error;
mod filter;
mod points;
mod regs;
mod session;
mod stop;
mod sys;
mod syscalls;
mod table;
mod task;
mod tracer;

pub use command::{Command, Stdio};
pub use error::{Notice, Outcome, TraceError};
pub use session::Session;
pub use stop::StopHandle;
pub use tracer::Tracer;
