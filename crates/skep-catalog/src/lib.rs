//! The catalog: program types, attach types, map types and helpers of eBPF as data.
//!
//! Everything else that needs a number, a name, a prototype, a context layout or a version reads it here.
#![forbid(unsafe_code)]

mod types;

pub use types::{AttachType, MapType, ProgramType};
