//! The catalog: program types, attach types, map types and helpers of eBPF as data.
//!
//! Everything else that needs a number, a name, a prototype, a context layout or a version reads it here.
#![forbid(unsafe_code)]

mod arch;
pub mod contexts;
mod flags;
mod helpers;
mod kfuncs;
mod map_rules;
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
pub use syscalls::Syscall;
pub use tracepoints::{COMMON_FIELDS, RawTracepoint, Tracepoint, TracepointField};
pub use types::{AttachType, Command, LinkType, MapType, ProgramType};
pub use version::{KernelVersion, KernelVersionError};
