//! Which attach points this event source knows, which it can observe, and why not the others.

use skep_kernel::{AttachPoint, Errno, KernelError};

use crate::regs::KPROBE_PREFIX;
use crate::syscalls;

/// A hook of this event source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Hook {
    /// `syscalls/sys_enter_*`
    SyscallEnter(u32),
    /// `syscalls/sys_exit_*`
    SyscallExit(u32),
    /// Entry of a system call's function.
    Kprobe(u32),
    /// Return of a system call's function.
    Kretprobe(u32),
    /// `raw_syscalls/sys_enter`
    AnySyscallEnter,
    /// `raw_syscalls/sys_exit`
    AnySyscallExit,
    /// Raw tracepoint `sys_enter`.
    RawSyscallEnter,
    /// Raw tracepoint `sys_exit`.
    RawSyscallExit,
    /// `sched/sched_process_exec`, also raw.
    Exec { raw: bool },
    /// `sched/sched_process_fork`, also raw.
    Fork { raw: bool },
    /// `sched/sched_process_exit`, also raw.
    Exit { raw: bool },
}

/// What a hook needs from the tracer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Stops at one system call.
    Syscall(u32),
    /// Stops at all system calls.
    AllSyscalls,
    /// Stops when threads exit.
    Exits,
    /// Nothing: it is followed anyway.
    Nothing,
}

impl Hook {
    pub(crate) fn need(self) -> Need {
        match self {
            Hook::SyscallEnter(nr) | Hook::SyscallExit(nr) | Hook::Kprobe(nr) | Hook::Kretprobe(nr) => {
                Need::Syscall(nr)
            }
            Hook::AnySyscallEnter | Hook::AnySyscallExit | Hook::RawSyscallEnter | Hook::RawSyscallExit => {
                Need::AllSyscalls
            }
            Hook::Exit { .. } => Need::Exits,
            Hook::Exec { .. } | Hook::Fork { .. } => Need::Nothing,
        }
    }

    /// The hook that `point` names. None when points of its kind are another event source's business.
    pub(crate) fn of(point: &AttachPoint) -> Option<Result<Hook, KernelError>> {
        match point {
            AttachPoint::Tracepoint { category, name } => tracepoint(category, name),
            AttachPoint::RawTracepoint { name } => raw_tracepoint(name),
            AttachPoint::Kprobe { symbol, offset, retprobe } => Some(kprobe(symbol, *offset, *retprobe)),
            _ => None,
        }
    }
}

fn refuse<T>(errno: Errno, what: String) -> Option<Result<T, KernelError>> {
    Some(Err(KernelError::new(errno, what)))
}

fn tracepoint(category: &str, name: &str) -> Option<Result<Hook, KernelError>> {
    let unknown = || refuse(Errno::ENOENT, format!("there is no tracepoint {category}/{name}"));
    match category {
        "syscalls" => {
            let hook = if let Some(call) = name.strip_prefix("sys_enter_") {
                syscalls::number(call).map(Hook::SyscallEnter)
            } else if let Some(call) = name.strip_prefix("sys_exit_") {
                syscalls::number(call).map(Hook::SyscallExit)
            } else {
                None
            };
            hook.map_or_else(unknown, |hook| Some(Ok(hook)))
        }
        "raw_syscalls" => match name {
            "sys_enter" => Some(Ok(Hook::AnySyscallEnter)),
            "sys_exit" => Some(Ok(Hook::AnySyscallExit)),
            _ => unknown(),
        },
        "sched" => match name {
            "sched_process_exec" => Some(Ok(Hook::Exec { raw: false })),
            "sched_process_fork" => Some(Ok(Hook::Fork { raw: false })),
            "sched_process_exit" => Some(Ok(Hook::Exit { raw: false })),
            _ => refuse(
                Errno::EOPNOTSUPP,
                format!(
                    "tracepoint sched/{name} happens inside the kernel's scheduler, which user space cannot observe (it \
                     can: sched_process_exec, sched_process_fork, sched_process_exit); use the linux target"
                ),
            ),
        },
        _ => None,
    }
}

fn raw_tracepoint(name: &str) -> Option<Result<Hook, KernelError>> {
    let hook = match name {
        "sys_enter" => Hook::RawSyscallEnter,
        "sys_exit" => Hook::RawSyscallExit,
        "sched_process_exec" => Hook::Exec { raw: true },
        "sched_process_fork" => Hook::Fork { raw: true },
        "sched_process_exit" => Hook::Exit { raw: true },
        _ if name.starts_with("sched_") => {
            return refuse(
                Errno::EOPNOTSUPP,
                format!(
                    "raw tracepoint {name} happens inside the kernel's scheduler, which user space cannot observe; use \
                     the linux target"
                ),
            );
        }
        _ => return None,
    };
    Some(Ok(hook))
}

fn kprobe(symbol: &str, offset: u64, retprobe: bool) -> Result<Hook, KernelError> {
    let Some(call) = symbol.strip_prefix(KPROBE_PREFIX) else {
        return Err(KernelError::new(
            Errno::EOPNOTSUPP,
            format!(
                "user space cannot observe the kernel function {symbol}, only the functions of system calls \
                 ({KPROBE_PREFIX}*); use the linux target"
            ),
        ));
    };
    let Some(nr) = syscalls::number(call) else {
        return Err(KernelError::new(Errno::ENOENT, format!("the kernel has no function {symbol}")));
    };
    if offset != 0 {
        return Err(KernelError::new(
            Errno::EOPNOTSUPP,
            format!(
                "user space cannot observe the inside of {symbol} (offset {offset:#x}), only its entry and return; use \
                 the linux target"
            ),
        ));
    }
    Ok(if retprobe { Hook::Kretprobe(nr) } else { Hook::Kprobe(nr) })
}
