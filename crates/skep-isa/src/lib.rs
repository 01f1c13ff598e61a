//! eBPF instructions: decode, encode, assemble, disassemble; classic BPF and its translation.
//!
//! The source of every rule is RFC 9669 and, for what Linux adds, the kernel's documentation of the instruction set.
#![forbid(unsafe_code)]

pub mod asm;
pub mod cbpf;
mod decode;
pub mod disasm;
mod encode;
mod forms;
mod insn;
pub mod opcode;
mod raw;
#[cfg(feature = "proptest")]
pub mod testing;

pub use decode::{DecodeError, DecodeErrorKind, Field};
pub use encode::Encoded;
pub use forms::{ConformanceGroup, FORMS, FieldUse, Form};
pub use insn::{AluOp, AtomicOp, CallTarget, Imm64, Insn, JumpOp, Operand, Reg, Size, SwapKind, Width};
pub use raw::{Endian, PartialSlot, RawInsn, decode_slots, encode_slots};
