//! The attached programs, found by system call number, and what firing a hook means.

use std::sync::Arc;

use skep_kernel::{Attached, HookTable, RunContext};

use crate::context;
use crate::points::{Hook, Need};
use crate::regs::{self, Regs};
use crate::syscalls;
use crate::task::TracedTask;

type Programs = Vec<Arc<dyn Attached>>;

/// Programs of one system call.
#[derive(Default)]
struct CallPrograms {
    enter: Programs,
    exit: Programs,
    kprobe: Programs,
    kretprobe: Programs,
    arg_count: usize,
}

/// Programs of one process event: on the tracepoint, on the raw tracepoint.
#[derive(Default)]
struct EventPrograms {
    tracepoint: Programs,
    raw: Programs,
}

impl EventPrograms {
    fn is_empty(&self) -> bool {
        self.tracepoint.is_empty() && self.raw.is_empty()
    }

    fn slot(&mut self, raw: bool) -> &mut Programs {
        if raw { &mut self.raw } else { &mut self.tracepoint }
    }
}

/// A copy of the hook table in the order in which events need it.
#[derive(Default)]
pub(crate) struct Table {
    generation: u64,
    /// What the attached programs need from the tracer.
    pub needs: Vec<Need>,
    /// By system call number.
    calls: Vec<CallPrograms>,
    /// Whether any program is attached to the end of a call.
    exits: bool,
    any_enter: Programs,
    any_exit: Programs,
    raw_enter: Programs,
    raw_exit: Programs,
    exec: EventPrograms,
    fork: EventPrograms,
    exit: EventPrograms,
}

fn run_all(programs: &[Arc<dyn Attached>], task: &TracedTask, ctx: &mut [u8], kernel_memory: &[&[u8]]) {
    for program in programs {
        program.run(&mut RunContext { cpu: 0, task, ctx, kernel_memory, cookie: 0 });
    }
}

fn address(bytes: &[u8]) -> u64 {
    bytes.as_ptr().addr() as u64
}

impl Table {
    /// What is attached now.
    pub(crate) fn new(hooks: &HookTable) -> Self {
        // The generation is read first: what changes meanwhile is seen at the next look.
        let mut table = Table { generation: hooks.generation(), ..Table::default() };
        for point in hooks.points() {
            let Some(Ok(hook)) = Hook::of(&point) else { continue };
            table.needs.push(hook.need());
            table.exits |= matches!(hook, Hook::SyscallExit(_) | Hook::AnySyscallExit | Hook::RawSyscallExit);
            table.slot(hook).extend(hooks.programs(&point));
        }
        table
    }

    /// Takes up what changed since.
    pub(crate) fn refresh(&mut self, hooks: &HookTable) {
        if self.generation != hooks.generation() {
            *self = Table::new(hooks);
        }
    }

    fn slot(&mut self, hook: Hook) -> &mut Programs {
        match hook {
            Hook::SyscallEnter(nr) => &mut self.call_slot(nr).enter,
            Hook::SyscallExit(nr) => &mut self.call_slot(nr).exit,
            Hook::Kprobe(nr) => &mut self.call_slot(nr).kprobe,
            Hook::Kretprobe(nr) => &mut self.call_slot(nr).kretprobe,
            Hook::AnySyscallEnter => &mut self.any_enter,
            Hook::AnySyscallExit => &mut self.any_exit,
            Hook::RawSyscallEnter => &mut self.raw_enter,
            Hook::RawSyscallExit => &mut self.raw_exit,
            Hook::Exec { raw } => self.exec.slot(raw),
            Hook::Fork { raw } => self.fork.slot(raw),
            Hook::Exit { raw } => self.exit.slot(raw),
        }
    }

    fn call_slot(&mut self, nr: u32) -> &mut CallPrograms {
        let index = nr as usize;
        if self.calls.len() <= index {
            self.calls.resize_with(index + 1, CallPrograms::default);
        }
        let call = &mut self.calls[index];
        call.arg_count = syscalls::arg_count(nr);
        call
    }

    /// Programs of a native call; its number is what the low 32 bits say, as in the kernel.
    fn call(&self, nr: u64) -> Option<&CallPrograms> {
        self.calls.get(nr as u32 as usize)
    }

    /// Whether a program wants to see the end of this call.
    pub(crate) fn wants_exit(&self, nr: u64, native: bool) -> bool {
        let one =
            native && self.call(nr).is_some_and(|call| !call.exit.is_empty() || !call.kretprobe.is_empty());
        one || !self.raw_exit.is_empty() || !self.any_exit.is_empty()
    }

    /// Whether a program wants to see the end of any call.
    pub(crate) fn wants_any_exit(&self) -> bool {
        self.exits
    }

    /// Whether programs at the entry of this call want the registers.
    pub(crate) fn wants_entry_regs(&self, nr: u64, native: bool) -> bool {
        !self.raw_enter.is_empty() || (native && self.call(nr).is_some_and(|call| !call.kprobe.is_empty()))
    }

    /// A system call begins. `regs` may be left out when [`Table::wants_entry_regs`] says so.
    pub(crate) fn syscall_enter(
        &self,
        task: &TracedTask,
        nr: u64,
        args: &[u64; 6],
        native: bool,
        regs: Option<&Regs>,
    ) {
        if let Some(regs) = regs.filter(|_| !self.raw_enter.is_empty()) {
            let user_regs = regs.pt_regs(nr);
            let mut ctx: [u8; 16] = context::raw_args(&[address(&user_regs), nr]);
            run_all(&self.raw_enter, task, &mut ctx, &[&user_regs]);
        }
        if !self.any_enter.is_empty() {
            run_all(&self.any_enter, task, &mut context::raw_syscall_enter(task.tid, nr, args), &[]);
        }
        let Some(call) = self.call(nr).filter(|_| native) else { return };
        if !call.enter.is_empty() {
            let mut ctx = context::syscall_enter(task.tid, nr as u32, args, call.arg_count);
            run_all(&call.enter, task, &mut ctx, &[]);
        }
        if let Some(regs) = regs.filter(|_| !call.kprobe.is_empty()) {
            let user_regs = regs.pt_regs(nr);
            let mut ctx = regs::kprobe_regs(address(&user_regs));
            run_all(&call.kprobe, task, &mut ctx, &[&user_regs]);
        }
    }

    /// The function of a system call returns.
    pub(crate) fn function_return(&self, task: &TracedTask, nr: u64, ret: u64) {
        let Some(call) = self.call(nr).filter(|call| !call.kretprobe.is_empty()) else { return };
        run_all(&call.kretprobe, task, &mut regs::kretprobe_regs(ret), &[]);
    }

    /// A system call ends. `nr` is the number that the kernel has for it by now (-1 after a signal handler's return).
    pub(crate) fn syscall_exit(&self, task: &TracedTask, nr: u64, native: bool, regs: &Regs) {
        let ret = regs.ret();
        if !self.raw_exit.is_empty() {
            let user_regs = regs.pt_regs(nr);
            let mut ctx: [u8; 16] = context::raw_args(&[address(&user_regs), ret]);
            run_all(&self.raw_exit, task, &mut ctx, &[&user_regs]);
        }
        if !self.any_exit.is_empty() {
            run_all(&self.any_exit, task, &mut context::raw_syscall_exit(task.tid, nr, ret), &[]);
        }
        let Some(call) = self.call(nr).filter(|call| native && !call.exit.is_empty()) else { return };
        run_all(&call.exit, task, &mut context::syscall_exit(task.tid, nr as u32, ret), &[]);
    }

    /// Whether a program wants to see executed programs.
    pub(crate) fn wants_exec(&self) -> bool {
        !self.exec.is_empty()
    }

    /// A thread executed a program; `old_pid` is the thread id that it had before.
    pub(crate) fn process_exec(&self, task: &TracedTask, filename: &[u8], old_pid: i32) {
        if !self.exec.tracepoint.is_empty() {
            let mut ctx = context::process_exec(filename, task.tid, old_pid);
            run_all(&self.exec.tracepoint, task, &mut ctx, &[]);
        }
        // (struct task_struct *p, pid_t old_pid, struct linux_binprm *bprm)
        let mut ctx: [u8; 24] = context::raw_args(&[0, i64::from(old_pid) as u64, 0]);
        run_all(&self.exec.raw, task, &mut ctx, &[]);
    }

    /// Whether a program wants to see new threads and processes.
    pub(crate) fn wants_fork(&self) -> bool {
        !self.fork.is_empty()
    }

    /// `parent` created the thread `child`, which has its name still.
    pub(crate) fn process_fork(&self, parent: &TracedTask, child: i32) {
        use skep_kernel::Task;
        if !self.fork.tracepoint.is_empty() {
            let comm = parent.comm();
            let mut ctx = context::process_fork((parent.tid, &comm), (child, &comm));
            run_all(&self.fork.tracepoint, parent, &mut ctx, &[]);
        }
        // (struct task_struct *parent, struct task_struct *child)
        run_all(&self.fork.raw, parent, &mut [0; 16], &[]);
    }

    /// Whether a program wants to see threads exit.
    pub(crate) fn wants_process_exit(&self) -> bool {
        !self.exit.is_empty()
    }

    /// A thread exits, the last of its process when `group_dead`.
    pub(crate) fn process_exit(&self, task: &TracedTask, group_dead: bool) {
        use skep_kernel::Task;
        if !self.exit.tracepoint.is_empty() {
            let mut ctx = context::process_exit(task.tid, &task.comm(), task.prio.get(), group_dead);
            run_all(&self.exit.tracepoint, task, &mut ctx, &[]);
        }
        // (struct task_struct *p, bool group_dead)
        let mut ctx: [u8; 16] = context::raw_args(&[0, u64::from(group_dead)]);
        run_all(&self.exit.raw, task, &mut ctx, &[]);
    }
}
