//! eBPF ELF objects as plain, editable data.
#![forbid(unsafe_code)]

mod assembly;
mod btf_bytes;
mod code;
mod code_sections;
mod elf;
mod error;
mod externs;
mod kind;
mod link;
mod map;
mod object;
mod program;
mod read;
mod section;
mod source;
mod variable;

pub use assembly::write_assembly;
pub use code_sections::CodeSection;
pub use error::{ErrorKind, ObjectError, Place, Result};
pub use externs::{Extern, ExternKind, ExternValue, KernelFacts};
pub use kind::{AttachTarget, SectionKind};
pub use link::{CoreRelocations, CoreResolver, CoreSite, LinkedFunction, LinkedProgram, Poison};
pub use map::{DataKind, LegacyRecord, MapDef, MapOrigin, MapSlot, Pinning, SlotValue, StructOps};
pub use object::Object;
pub use program::{Code, FuncRef, Linkage, Problem, Program, Relocation, Subprogram, Target};
pub use skep_btf::{CoreRelo, LineInfo};
pub use skep_isa::Endian;
pub use source::SourceLine;
pub use variable::Variable;
