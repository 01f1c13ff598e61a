//! eBPF ELF objects as plain, editable data.
//!
//! [`Object::parse`] reads what clang, older compilers, Aya or this project's own assembler wrote. It touches no kernel: the
//! same file gives the same value on every machine. What the file says can be looked at and changed, and then
//! [`Object::link_program`] makes of each program the one stream of instructions that `BPF_PROG_LOAD` takes.
//!
//! ```
//! use skep_isa::asm::{Options, assemble};
//! use skep_object::{AttachTarget, CoreRelocations, Object, Target};
//!
//! // A program with a subprogram and a variable, as text. Any object file will do as well.
//! let text = r#"
//!     .text
//!     .type limited,@function
//! limited:
//!     r2 = limit ll
//!     r0 = *(u32 *)(r2 + 0)
//!     exit
//!     .size limited, .-limited
//!
//!     .section tp/sched/sched_process_exec,"ax"
//!     .globl on_exec
//!     .type on_exec,@function
//! on_exec:
//!     call limited
//!     exit
//!     .size on_exec, .-on_exec
//!
//!     .section .rodata,"a"
//!     .globl limit
//!     .type limit,@object
//! limit:
//!     .long 5
//!     .size limit, 4
//!
//!     .section license,"aw"
//!     .asciz "GPL"
//! "#;
//! let file = skep_object::write_assembly(&assemble(text, &Options::default())?)?;
//!
//! let mut object = Object::parse(&file, "execs.bpf.o")?;
//! assert_eq!(object.license, "GPL");
//!
//! // Programs, with what their section's name says of them.
//! let program = object.program("on_exec").expect("the text has it");
//! assert_eq!(
//!     program.kind.target,
//!     AttachTarget::Tracepoint { category: "sched".into(), name: "sched_process_exec".into() }
//! );
//! assert!(matches!(program.code.relocations[0].target, Target::Function(_)));
//!
//! // Maps: here the one that holds the constants. Its variables are set by name before loading.
//! assert_eq!(object.maps[0].name, "execs.rodata");
//! object.set("limit", &7_u32.to_ne_bytes())?;
//! assert_eq!(object.maps[0].initial_value(), 7_u32.to_ne_bytes());
//!
//! // The program with its subprogram behind it; `ld_imm64` names maps by index in `linked.maps`.
//! let linked = object.link_program(0, CoreRelocations::Refuse)?;
//! let names: Vec<_> = linked.functions.iter().map(|f| (f.name.as_str(), f.start, f.end)).collect();
//! assert_eq!(names, [("on_exec", 0, 2), ("limited", 2, 6)]);
//! assert_eq!(linked.insns[0].imm, 1, "the call skips one instruction");
//! assert_eq!(linked.maps, [0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is read
//!
//! - **Programs**: functions of every executable section but `.text`, several in a section, delimited by symbols. Those of
//!   `.text` are [subprograms](Subprogram). Names follow libbpf's table ([`SectionKind`]); others are kept with an
//!   unknown type.
//! - **Maps** ([`MapDef`]): BTF-defined ones of `.maps`, legacy records of every known size in `maps` and `maps/NAME`, one
//!   for each section of global data and for `.kconfig`, and `struct_ops` variables.
//! - **Variables** ([`Variable`]) with their BTF types, and **externs** ([`Extern`]): kconfig values, kernel symbols, kfuncs.
//! - **BTF**, completed with the sizes and offsets that only the file's sections know ([`Object::btf`],
//!   [`Object::loadable_btf`]), and for each function its type, source lines and CO-RE relocations.
//!
//! # Errors
//!
//! [`ObjectError`] names file, section, offset, symbol, program, instruction and source line as far as they are known, and says
//! why. A file whose tables contradict each other is refused as a whole; what concerns one program only
//! ([`Code::problems`]) comes up when that program is linked. No bytes make the reader panic, run long or take more than a
//! small multiple of the file's size in memory.
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
