//! The catalog: program types, attach types, map types, helpers and kfuncs of eBPF as data.
//!
//! Everything else that needs a number, a name, a prototype, a context layout or a version reads it here. The catalog is data
//! and lookups only: it reads no file, asks no kernel, and gives the same answers on every machine. It describes Linux up
//! to [`KernelVersion::LATEST`]; numbers and names are those of `linux/bpf.h`, short names those of libbpf and bpftool.
//!
//! # A tour
//!
//! The numbered types of `bpf(2)` know their number, their names and the version they came with:
//!
//! ```
//! use skep_catalog::{AttachType, Command, KernelVersion, LinkType, MapType, ProgramType};
//!
//! assert_eq!(ProgramType::from_number(6), Some(ProgramType::Xdp));
//! assert_eq!(MapType::from_name("percpu_hash"), Some(MapType::PercpuHash));
//! assert_eq!(AttachType::TcxIngress.name(), "tcx_ingress");
//! assert_eq!(LinkType::Tcx.since(), KernelVersion::new(6, 6));
//! assert_eq!(Command::ProgLoad.uapi_name(), "BPF_PROG_LOAD");
//! ```
//!
//! What a program may be and do follows from its type:
//!
//! - [`sections`] tells the type from the ELF section name, as libbpf does;
//! - [`ProgramType::attach_types`], [`return_range`](ProgramType::return_range), [`may_sleep`](ProgramType::may_sleep) and
//!   [`capabilities`](ProgramType::capabilities) are the conditions of loading;
//! - [`contexts`] says what R1 points to and which of its fields may be read and written;
//! - [`helpers_of`] and [`Kfunc::allowed_for`] say what it may call.
//!
//! ```
//! use skep_catalog::{Helper, ProgramType, helpers_of, sections};
//!
//! let connect4 = sections::lookup("cgroup/connect4").unwrap().section;
//! assert_eq!(connect4.prog_type, ProgramType::CgroupSockAddr);
//! assert_eq!(connect4.prog_type.return_range(connect4.attach_type), Some(0..=1));
//! let helpers = helpers_of(connect4.prog_type, connect4.attach_type);
//! assert!(helpers.contains(skep_catalog::id::bind) && !helpers.contains(skep_catalog::id::xdp_adjust_head));
//! assert_eq!(Helper::by_id(5).unwrap().prototype(), "__u64 bpf_ktime_get_ns(void)");
//! ```
//!
//! A [`Helper`] carries its C prototype and what the verifier demands of each argument; [`MapType::rules`] says how a map
//! of each type may be created and used; [`MapFlags`] and its like are the flags of `bpf(2)`.
//!
//! What tracing programs see is laid out as the kernel does it: [`Tracepoint`] gives the record of a tracepoint (and prints the
//! kernel's own format text), [`RawTracepoint`] the arguments of a raw one, [`syscalls`] names, numbers and arguments of all
//! system calls.
//!
//! ```
//! use skep_catalog::{Arch, Tracepoint};
//!
//! let execve = Tracepoint::find(Arch::X86_64, "syscalls", "sys_enter_execve").unwrap();
//! let fields: Vec<_> = execve.fields[4..].iter().map(|field| (field.declaration(), field.offset)).collect();
//! assert_eq!(fields, [
//!     ("int __syscall_nr".to_owned(), 8),
//!     ("const char * filename".to_owned(), 16),
//!     ("const char *const * argv".to_owned(), 24),
//!     ("const char *const * envp".to_owned(), 32),
//! ]);
//! ```
//!
//! # Where the facts come from
//!
//! Numbers, names and prototypes: `linux/bpf.h` and `bpf-helpers(7)`. Versions: the kernel's history, as docs.ebpf.io and bcc's
//! feature table list it. What a program type may call and access, what the verifier demands of arguments, what maps of each
//! type may be: measured on Linux 6.18 (fentry, fexit, `fmod_ret` and LSM on 6.1), one small program or map a question.
//! Tests compare with the headers and the tracing files of the machine where there are any.
#![forbid(unsafe_code)]

mod arch;
pub mod contexts;
mod flags;
mod helpers;
mod kfuncs;
mod map_rules;
mod program_rules;
pub mod sections;
pub mod syscalls;
mod tracepoints;
mod types;
mod version;

pub use arch::Arch;
pub use flags::{AttachFlags, HELPER_CONSTANTS, MapFlags, ProgFlags, TestRunFlags, UpdateFlags};
pub use helpers::{
    Arg, ArgFlags, ArgKind, ArgType, Helper, HelperFlags, HelperSet, ReturnKind, ReturnType, helpers_of, id,
};
pub use kfuncs::{Kfunc, KfuncFlags};
pub use map_rules::{MapAttrError, MapCommands, MapRules, Sizes};
pub use program_rules::Capabilities;
pub use syscalls::Syscall;
pub use tracepoints::{COMMON_FIELDS, RawTracepoint, Tracepoint, TracepointField};
pub use types::{AttachType, Command, LinkType, MapType, ProgramType};
pub use version::{KernelVersion, KernelVersionError};
