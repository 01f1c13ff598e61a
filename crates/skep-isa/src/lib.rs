//! eBPF instructions: decode, encode, assemble, disassemble; classic BPF and its translation.
//!
//! The source of every rule is RFC 9669 and, for what Linux adds, the kernel's documentation of the instruction set.
#![forbid(unsafe_code)]

mod insn;
mod raw;

pub use insn::{AluOp, AtomicOp, CallTarget, Imm64, Insn, JumpOp, Operand, Reg, Size, SwapKind, Width};
pub use raw::{Endian, RawInsn};
