//! eBPF instructions: decode, encode, assemble, disassemble; classic BPF and its translation.
//!
//! The source of every rule is RFC 9669 and, for what Linux adds, the kernel's documentation of the instruction set. The
//! crate is plain data in and out: no state, no host, no `unsafe`. Every function takes any input whatever and answers
//! with a value or an error that says where and why.
//!
//! # The layers
//!
//! ```text
//! bytes ⇄ RawInsn slots ⇄ Insn ⇄ text
//!    decode_slots     Insn::decode   to_string, disasm
//!    encode_slots     Insn::encode   asm
//! ```
//!
//! - [`RawInsn`] is one 8-byte slot with its fields apart, valid or not, in no byte order; [`decode_slots`] and
//!   [`encode_slots`] go from and to the bytes of either [`Endian`].
//! - [`Insn`] is an instruction by meaning. A `match` over it is an interpreter, a verifier or a compiler.
//!   [`Insn::decode`] is strict, and with [`Insn::encode`] it is an identity.
//! - [`disasm`] writes LLVM's assembly text, one instruction ([`Insn::display`]) or a whole section as `llvm-objdump`
//!   lists it ([`disasm::Listing`]); [`asm::assemble`] reads it, with labels, symbols and data.
//! - [`FORMS`] is the manual: every instruction, one a line, with its fields, conformance group and age.
//!   [`opcode`] has the numbers.
//! - [`cbpf`] is classic BPF, with its own instructions and its translation to these.
//!
//! # A tour
//!
//! ```
//! use skep_isa::{asm, disasm, decode_slots, encode_slots, ConformanceGroup, Endian, Insn, JumpOp, Operand, Reg, Width};
//!
//! // Text to slots.
//! let text = "
//!         r0 = 1
//!         if r1 s> 41 goto out    # labels, comments, expressions
//!         r0 = 0x123456789 ll
//! out:    exit";
//! let program = asm::assemble(text, &asm::Options::default())?.insns()?;
//! assert_eq!(program.len(), 5); // the 64-bit immediate takes two
//!
//! // Slots to instructions, each with the slot it begins at.
//! let insns = Insn::decode_all(&program)?;
//! let (pc, jump) = insns[1];
//! assert!(matches!(jump, Insn::JumpIf { width: Width::W64, op: JumpOp::Sgt, dst: Reg::R1, src: Operand::Imm(41), .. }));
//! assert_eq!(jump.jump_target(pc), Some(4));
//! assert_eq!(jump.conformance_group(), Some(ConformanceGroup::Base64));
//!
//! // Slots to bytes and back, in either byte order.
//! let bytes = encode_slots(&program, Endian::Big);
//! assert_eq!(&bytes[..8], [0xb7, 0x00, 0, 0, 0, 0, 0, 1]);
//! assert_eq!(decode_slots(&bytes, Endian::Big)?, program);
//!
//! // And to text again.
//! assert_eq!(disasm::disassemble(&program)?, "\
//! r0 = 0x1
//! if r1 s> 0x29 goto +0x2
//! r0 = 0x123456789 ll
//! exit
//! ");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//!
//! - `proptest`: the module `testing`, strategies for random registers, slots and instructions.
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
