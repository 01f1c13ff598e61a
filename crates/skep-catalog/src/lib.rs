//! The catalog: program types, attach types, map types and helpers of eBPF as data.
//!
//! Everything else that needs a number, a name, a prototype, a context layout or a version reads it here.
#![forbid(unsafe_code)]

mod arch;
pub mod contexts;
mod helpers;
pub mod sections;
pub mod syscalls;
mod tracepoints;
mod types;
mod version;

pub use arch::Arch;
pub use helpers::{
    Arg, ArgFlags, ArgKind, ArgType, Helper, HelperFlags, HelperSet, ReturnKind, ReturnType, helpers_of, id,
};
pub use syscalls::Syscall;
pub use tracepoints::{COMMON_FIELDS, RawTracepoint, Tracepoint, TracepointField};
pub use types::{AttachType, Command, LinkType, MapType, ProgramType};
pub use version::{KernelVersion, KernelVersionError};
