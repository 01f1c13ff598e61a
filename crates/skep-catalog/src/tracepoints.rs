//! Tracepoints: the layout of the record that a program of type `tracepoint` gets as its context, and the arguments that a raw
//! tracepoint gets.
//!
//! The layouts are what the kernel's `/sys/kernel/tracing/events/CATEGORY/NAME/format` says in Linux 6.18 on a 64-bit machine.
//!
//! ```
//! use skep_catalog::{Arch, Tracepoint};
//!
//! let openat = Tracepoint::find(Arch::X86_64, "syscalls", "sys_enter_openat").unwrap();
//! let filename = openat.field("filename").unwrap();
//! assert_eq!((filename.offset, filename.size, filename.c_type), (24, 8, "const char *"));
//! assert_eq!(openat.size(), 48);
//! ```

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::{Arch, Syscall, syscalls};

/// A tracepoint and the layout of its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracepoint {
    /// Its category, the directory under `events`.
    pub category: Cow<'static, str>,
    /// Its name.
    pub name: Cow<'static, str>,
    /// All fields, the common ones first.
    pub fields: Cow<'static, [TracepointField]>,
    /// How the kernel prints a record: a format string and its arguments, in C.
    pub print_fmt: Cow<'static, str>,
    /// The system call it belongs to, for `syscalls/sys_enter_*` and `syscalls/sys_exit_*`.
    pub syscall: Option<&'static Syscall>,
}

/// A field of a tracepoint's record. Numbers are in the machine's byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TracepointField {
    /// C type, of an element if it is an array. `__data_loc char[]` is four bytes: the length of the data in the upper half, its
    /// offset from the start of the record in the lower half.
    pub c_type: &'static str,
    /// Name.
    pub name: &'static str,
    /// Number of elements if it is an array.
    pub array: Option<u32>,
    /// Bytes from the start of the record.
    pub offset: u32,
    /// Bytes in it.
    pub size: u32,
    /// Whether the kernel prints it as a signed number.
    pub signed: bool,
}

/// A raw tracepoint: what a program of type `raw_tracepoint` gets as its context is one `u64` for each of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawTracepoint {
    /// Its name.
    pub name: &'static str,
    /// Name and C type of each argument.
    pub args: &'static [(&'static str, &'static str)],
}

const fn field(
    c_type: &'static str,
    name: &'static str,
    offset: u32,
    size: u32,
    signed: bool,
) -> TracepointField {
    TracepointField { c_type, name, array: None, offset, size, signed }
}

const fn array(
    c_type: &'static str,
    name: &'static str,
    len: u32,
    offset: u32,
    size: u32,
) -> TracepointField {
    TracepointField { c_type, name, array: Some(len), offset, size, signed: false }
}

const TYPE: TracepointField = field("unsigned short", "common_type", 0, 2, false);
const FLAGS: TracepointField = field("unsigned char", "common_flags", 2, 1, false);
const PREEMPT_COUNT: TracepointField = field("unsigned char", "common_preempt_count", 3, 1, false);
const PID: TracepointField = field("int", "common_pid", 4, 4, true);

/// The fields that every record starts with, 8 bytes.
pub const COMMON_FIELDS: [TracepointField; 4] = [TYPE, FLAGS, PREEMPT_COUNT, PID];

const SYSCALL_NR: TracepointField = field("int", "__syscall_nr", 8, 4, true);

const fn tracepoint(
    category: &'static str,
    name: &'static str,
    fields: &'static [TracepointField],
    print_fmt: &'static str,
) -> Tracepoint {
    Tracepoint {
        category: Cow::Borrowed(category),
        name: Cow::Borrowed(name),
        fields: Cow::Borrowed(fields),
        print_fmt: Cow::Borrowed(print_fmt),
        syscall: None,
    }
}

/// The tracepoints other than those of single system calls.
#[rustfmt::skip]
static TRACEPOINTS: &[Tracepoint] = &[
    tracepoint("raw_syscalls", "sys_enter", &[
        TYPE, FLAGS, PREEMPT_COUNT, PID,
        field("long", "id", 8, 8, true),
        array("unsigned long", "args", 6, 16, 48),
    ], r#""NR %ld (%lx, %lx, %lx, %lx, %lx, %lx)", REC->id, REC->args[0], REC->args[1], REC->args[2], REC->args[3], REC->args[4], REC->args[5]"#),
    tracepoint("raw_syscalls", "sys_exit", &[
        TYPE, FLAGS, PREEMPT_COUNT, PID,
        field("long", "id", 8, 8, true),
        field("long", "ret", 16, 8, true),
    ], r#""NR %ld = %ld", REC->id, REC->ret"#),
    tracepoint("sched", "sched_process_exec", &[
        TYPE, FLAGS, PREEMPT_COUNT, PID,
        field("__data_loc char[]", "filename", 8, 4, false),
        field("pid_t", "pid", 12, 4, true),
        field("pid_t", "old_pid", 16, 4, true),
    ], r#""filename=%s pid=%d old_pid=%d", __get_str(filename), REC->pid, REC->old_pid"#),
    tracepoint("sched", "sched_process_fork", &[
        TYPE, FLAGS, PREEMPT_COUNT, PID,
        field("__data_loc char[]", "parent_comm", 8, 4, false),
        field("pid_t", "parent_pid", 12, 4, true),
        field("__data_loc char[]", "child_comm", 16, 4, false),
        field("pid_t", "child_pid", 20, 4, true),
    ], r#""comm=%s pid=%d child_comm=%s child_pid=%d", __get_str(parent_comm), REC->parent_pid, __get_str(child_comm), REC->child_pid"#),
    tracepoint("sched", "sched_process_exit", &[
        TYPE, FLAGS, PREEMPT_COUNT, PID,
        array("char", "comm", 16, 8, 16),
        field("pid_t", "pid", 24, 4, true),
        field("int", "prio", 28, 4, true),
        field("bool", "group_dead", 32, 1, false),
    ], r#""comm=%s pid=%d prio=%d group_dead=%s", REC->comm, REC->pid, REC->prio, REC->group_dead ? "true" : "false""#),
    tracepoint("sched", "sched_process_free", &[
        TYPE, FLAGS, PREEMPT_COUNT, PID,
        field("__data_loc char[]", "comm", 8, 4, false),
        field("pid_t", "pid", 12, 4, true),
        field("int", "prio", 16, 4, true),
    ], r#""comm=%s pid=%d prio=%d", __get_str(comm), REC->pid, REC->prio"#),
    tracepoint("sched", "sched_process_wait", &[
        TYPE, FLAGS, PREEMPT_COUNT, PID,
        field("__data_loc char[]", "comm", 8, 4, false),
        field("pid_t", "pid", 12, 4, true),
        field("int", "prio", 16, 4, true),
    ], r#""comm=%s pid=%d prio=%d", __get_str(comm), REC->pid, REC->prio"#),
    tracepoint("task", "task_newtask", &[
        TYPE, FLAGS, PREEMPT_COUNT, PID,
        field("pid_t", "pid", 8, 4, true),
        array("char", "comm", 16, 12, 16),
        field("u64", "clone_flags", 32, 8, false),
        field("short", "oom_score_adj", 40, 2, true),
    ], r#""pid=%d comm=%s clone_flags=%llx oom_score_adj=%hd", REC->pid, REC->comm, REC->clone_flags, REC->oom_score_adj"#),
    tracepoint("task", "task_rename", &[
        TYPE, FLAGS, PREEMPT_COUNT, PID,
        field("pid_t", "pid", 8, 4, true),
        array("char", "oldcomm", 16, 12, 16),
        array("char", "newcomm", 16, 28, 16),
        field("short", "oom_score_adj", 44, 2, true),
    ], r#""pid=%d oldcomm=%s newcomm=%s oom_score_adj=%hd", REC->pid, REC->oldcomm, REC->newcomm, REC->oom_score_adj"#),
];

/// The raw tracepoints: the prototypes of the same events in the kernel.
#[rustfmt::skip]
static RAW_TRACEPOINTS: &[RawTracepoint] = &[
    RawTracepoint { name: "sys_enter", args: &[("regs", "struct pt_regs *"), ("id", "long")] },
    RawTracepoint { name: "sys_exit", args: &[("regs", "struct pt_regs *"), ("ret", "long")] },
    RawTracepoint { name: "sched_process_exec", args: &[("p", "struct task_struct *"), ("old_pid", "pid_t"), ("bprm", "struct linux_binprm *")] },
    RawTracepoint { name: "sched_process_fork", args: &[("parent", "struct task_struct *"), ("child", "struct task_struct *")] },
    RawTracepoint { name: "sched_process_exit", args: &[("p", "struct task_struct *"), ("group_dead", "bool")] },
    RawTracepoint { name: "sched_process_free", args: &[("p", "struct task_struct *")] },
    RawTracepoint { name: "sched_process_wait", args: &[("pid", "struct pid *")] },
    RawTracepoint { name: "task_newtask", args: &[("task", "struct task_struct *"), ("clone_flags", "u64")] },
    RawTracepoint { name: "task_rename", args: &[("task", "struct task_struct *"), ("comm", "const char *")] },
];

impl RawTracepoint {
    /// All that the catalog knows.
    #[must_use]
    pub fn all() -> &'static [Self] {
        RAW_TRACEPOINTS
    }

    /// The raw tracepoint with this name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        RAW_TRACEPOINTS.iter().find(|raw| raw.name == name)
    }
}

impl TracepointField {
    /// The field in C, without a semicolon: `char comm[16]`.
    #[must_use]
    pub fn declaration(&self) -> String {
        let Self { c_type, name, .. } = self;
        match self.array {
            Some(len) => format!("{c_type} {name}[{len}]"),
            None => format!("{c_type} {name}"),
        }
    }
}

impl Tracepoint {
    /// The tracepoint with this category and name on this architecture (which decides which system calls there are).
    #[must_use]
    pub fn find(arch: Arch, category: &str, name: &str) -> Option<Self> {
        if category != "syscalls" {
            return TRACEPOINTS.iter().find(|tp| tp.category == category && tp.name == name).cloned();
        }
        let on_arch = |call: &&Syscall| call.number(arch).is_some();
        if let Some(function) = name.strip_prefix("sys_enter_") {
            let call = syscalls::by_function(function).filter(on_arch)?;
            Some(Self::sys_enter(arch, call, name))
        } else {
            let call = syscalls::by_function(name.strip_prefix("sys_exit_")?).filter(on_arch)?;
            Some(Self::sys_exit(call, name))
        }
    }

    /// Category and name of all that the catalog knows on this architecture.
    pub fn names(arch: Arch) -> impl Iterator<Item = (&'static str, String)> {
        let syscalls =
            syscalls::all().iter().filter_map(move |call| call.function_on(arch)).flat_map(|function| {
                ["enter", "exit"].map(|what| ("syscalls", format!("sys_{what}_{function}")))
            });
        let others = TRACEPOINTS.iter().map(|tp| match tp.category {
            Cow::Borrowed(category) => (category, tp.name.to_string()),
            Cow::Owned(_) => ("", tp.name.to_string()),
        });
        others.chain(syscalls)
    }

    fn sys_enter(arch: Arch, call: &'static Syscall, name: &str) -> Self {
        let mut fields = COMMON_FIELDS.to_vec();
        fields.push(SYSCALL_NR);
        let (mut formats, mut values) = (String::new(), String::new());
        for (&(arg, c_type), offset) in call.args_on(arch).iter().zip((16..).step_by(8)) {
            fields.push(field(c_type, arg, offset, 8, false));
            let separator = if formats.is_empty() { "" } else { ", " };
            // Writing to a String cannot fail.
            let _ = write!(formats, "{separator}{arg}: 0x%08lx");
            let _ = write!(values, ", ((unsigned long)(REC->{arg}))");
        }
        Self::of_syscall(call, name, fields, format!("\"{formats}\"{values}"))
    }

    fn sys_exit(call: &'static Syscall, name: &str) -> Self {
        let mut fields = COMMON_FIELDS.to_vec();
        fields.extend([SYSCALL_NR, field("long", "ret", 16, 8, true)]);
        Self::of_syscall(call, name, fields, "\"0x%lx\", REC->ret".to_owned())
    }

    fn of_syscall(
        call: &'static Syscall,
        name: &str,
        fields: Vec<TracepointField>,
        print_fmt: String,
    ) -> Self {
        Self {
            category: Cow::Borrowed("syscalls"),
            name: Cow::Owned(name.to_owned()),
            fields: Cow::Owned(fields),
            print_fmt: Cow::Owned(print_fmt),
            syscall: Some(call),
        }
    }

    /// The field with this name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&TracepointField> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Bytes in the fixed part of the record, rounded up to 8 as the kernel stores it; strings (`__data_loc`) follow.
    #[must_use]
    pub fn size(&self) -> u32 {
        let end = self.fields.iter().map(|field| field.offset + field.size).max().unwrap_or(0);
        end.next_multiple_of(8)
    }

    /// The text of the kernel's format file, for a tracepoint whose number on that kernel is `id`.
    #[must_use]
    pub fn render_format(&self, id: u32) -> String {
        let mut text = format!("name: {}\nID: {id}\nformat:\n", self.name);
        for (index, field) in self.fields.iter().enumerate() {
            let TracepointField { offset, size, .. } = field;
            let declaration = field.declaration();
            let signed = u8::from(field.signed);
            // Writing to a String cannot fail.
            let _ =
                writeln!(text, "\tfield:{declaration};\toffset:{offset};\tsize:{size};\tsigned:{signed};");
            if index + 1 == COMMON_FIELDS.len() {
                text.push('\n');
            }
        }
        let _ = write!(text, "\nprint fmt: {}\n", self.print_fmt);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_named_tracepoint_is_found_and_its_fields_lie_in_order() {
        for &arch in Arch::ALL {
            for (category, name) in Tracepoint::names(arch) {
                let found = Tracepoint::find(arch, category, &name).unwrap();
                assert_eq!((&*found.category, &*found.name), (category, &*name));
                assert_eq!(found.fields[..4], COMMON_FIELDS, "{name}");
                for pair in found.fields.windows(2) {
                    assert!(pair[0].offset + pair[0].size <= pair[1].offset, "{name}: {pair:?}");
                }
            }
        }
    }

    #[test]
    fn a_system_call_that_the_architecture_lacks_has_no_tracepoint() {
        assert!(Tracepoint::find(Arch::X86_64, "syscalls", "sys_enter_open").is_some());
        assert!(Tracepoint::find(Arch::Arm64, "syscalls", "sys_enter_open").is_none());
        assert!(Tracepoint::find(Arch::X86_64, "syscalls", "sys_enter_stat").is_none(), "it is newstat");
        assert!(Tracepoint::find(Arch::X86_64, "syscalls", "openat").is_none());
        assert!(Tracepoint::find(Arch::X86_64, "sched", "sys_enter_openat").is_none());
    }

    /// Equality with what the running kernel says, for every tracepoint it has, if it is the version the catalog describes.
    #[test]
    #[cfg(target_arch = "x86_64")]
    fn layouts_equal_the_kernels_format_files() {
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        if release.parse() != Ok(crate::KernelVersion::LATEST) {
            skep_testing::skip!(
                "the catalog describes Linux {}, this is {release}",
                crate::KernelVersion::LATEST
            );
            return;
        }
        let mut compared = 0;
        for (category, name) in Tracepoint::names(Arch::X86_64) {
            let path = format!("/sys/kernel/tracing/events/{category}/{name}/format");
            let Ok(theirs) = std::fs::read_to_string(path) else { continue };
            let id = theirs.lines().find_map(|line| line.strip_prefix("ID: ")).unwrap().parse().unwrap();
            let ours = Tracepoint::find(Arch::X86_64, category, &name).unwrap();
            assert_eq!(ours.render_format(id), theirs, "{category}/{name}");
            compared += 1;
        }
        if compared == 0 {
            skep_testing::skip!("no tracefs that may be read");
        }
        println!("{compared} format files compared");
    }
}
