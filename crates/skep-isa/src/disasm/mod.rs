//! Instructions as text, in the syntax of LLVM's BPF assembly.
//!
//! - `insn.to_string()`, or [`Insn::display`](crate::Insn::display) in another [`Style`]: one instruction.
//! - [`disassemble`]: a program, one instruction a line, which the assembler reads back.
//! - [`source`]: the same with labels for the targets of jumps and local calls.
//! - [`Listing`]: a section as `llvm-objdump -d` lists it, with labels, relocations and notes.
//!
//! # What LLVM has no text for
//!
//! LLVM writes several instructions so that they cannot be read back. The canonical style extends its syntax for these
//! alone; `llvm-objdump` shows the right column:
//!
//! | canonical | instruction | llvm-objdump |
//! | --- | --- | --- |
//! | `call local +0x2` | call of a subprogram, in slots from the next | `call 0x2` |
//! | `call kfunc 1234` | call of a kernel function, by BTF id | `call 0x4d2` |
//! | `call kfunc 1234, fd_idx 2` | the same, of a module | `call 0x4d2` |
//! | `r1 = map[fd:5] ll` | kind 1, a map by descriptor | `ld_pseudo r1, 0x1, 0x5` |
//! | `r1 = map[fd:5][0]+0x10 ll` | kind 2, the value of a map by descriptor | `ld_pseudo r1, 0x2, 0x5` |
//! | `r1 = var[btf_id:7] ll` | kind 3, a kernel variable | `ld_pseudo r1, 0x3, 0x7` |
//! | `r1 = var[btf_id:7, btf_fd:4] ll` | kind 3, a variable of a module | `ld_pseudo r1, 0x3, 0x7` |
//! | `r1 = subprog[+0x2] ll` | kind 4, the address of a subprogram | `ld_pseudo r1, 0x4, 0x2` |
//! | `r1 = map[idx:0] ll` | kind 5, a map by index | `ld_pseudo r1, 0x5, 0x0` |
//! | `r1 = map[idx:0][0]+0x10 ll` | kind 6, the value of a map by index | `ld_pseudo r1, 0x6, 0x0` |
//! | `r0 = *(u8 *)skb[r2 + 0x8]` | packet load at a register and an offset | `r0 = *(u8 *)skb[r2]` |

mod listing;
mod text;

pub use listing::{Listing, Relocation, Symbol};
pub use text::InsnText;

use crate::{DecodeError, Insn, RawInsn};

/// How instructions are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Style {
    /// Write what LLVM has no text for in this crate's extension of the syntax, so that assembling gives the same
    /// instruction; otherwise as `llvm-objdump` does, see [the module](self).
    pub lossless: bool,
    /// Call the registers of plain 1-, 2- and 4-byte loads, stores and atomic additions `w0` to `w10`, as
    /// `llvm-objdump --mcpu=v3` does; otherwise `r0` to `r10`, as it does when not told the processor.
    pub alu32: bool,
}

impl Style {
    /// The style of `to_string()`: LLVM's, extended where that would lose something.
    pub const CANONICAL: Style = Style { lossless: true, alu32: false };
    /// The text of `llvm-objdump -d`.
    ///
    /// One difference is wanted: for 32-bit atomic operations other than plain addition `llvm-objdump` without
    /// `--mcpu=v3` prints `<unknown>`, or an addition where a fetching one stands; here it is the operation.
    pub const OBJDUMP: Style = Style { lossless: false, alu32: false };
    /// The text of `llvm-objdump -d --mcpu=v3` (and `v4`).
    pub const OBJDUMP_V3: Style = Style { lossless: false, alu32: true };
}

/// A program as a source text: labels `L` and a slot number stand where jumps, local calls and addresses of subprograms
/// go, instructions are indented. [`crate::asm::assemble`] reads it back. Targets outside of the program or inside of a
/// two-slot instruction stay offsets.
///
/// # Errors
/// The first slot that is no instruction.
///
/// ```
/// use skep_isa::{disasm, Insn, JumpOp, Reg};
/// let program = Insn::encode_all(&[Insn::mov(Reg::R0, 2), Insn::jump_if(JumpOp::Eq, Reg::R1, 0, -2), Insn::Exit]);
/// assert_eq!(disasm::source(&program)?, "\
/// L0:
///         r0 = 0x2
///         if r1 == 0x0 goto L0
///         exit
/// ");
/// # Ok::<(), skep_isa::DecodeError>(())
/// ```
pub fn source(slots: &[RawInsn]) -> Result<String, DecodeError> {
    use std::fmt::Write as _;
    let insns = Insn::decode_all(slots)?;
    // The slot that an instruction refers to, if an instruction begins there.
    let target = |pc: usize, insn: &Insn| {
        let slot = usize::try_from(insn.jump_target(pc).or(insn.subprogram_target(pc))?).ok()?;
        insns.binary_search_by_key(&slot, |&(at, _)| at).ok().map(|_| slot)
    };
    let mut labelled = vec![false; slots.len()];
    for (pc, insn) in &insns {
        if let Some(label) = target(*pc, insn).and_then(|slot| labelled.get_mut(slot)) {
            *label = true;
        }
    }
    let mut text = String::new();
    for (pc, insn) in &insns {
        // Writing to a String cannot fail.
        if labelled.get(*pc).copied().unwrap_or_default() {
            let _ = writeln!(text, "L{pc}:");
        }
        let _ = match target(*pc, insn) {
            Some(slot) => writeln!(text, "        {}", insn.display_to_label(slot)),
            None => writeln!(text, "        {insn}"),
        };
    }
    Ok(text)
}

/// A program as text: one instruction a line, no labels. [`crate::asm::assemble`] reads it back.
///
/// # Errors
/// The first slot that is no instruction.
///
/// ```
/// use skep_isa::{disasm, Insn, Reg};
/// let program = Insn::encode_all(&[Insn::mov(Reg::R0, 2), Insn::Exit]);
/// assert_eq!(disasm::disassemble(&program)?, "r0 = 0x2\nexit\n");
/// # Ok::<(), skep_isa::DecodeError>(())
/// ```
pub fn disassemble(slots: &[RawInsn]) -> Result<String, DecodeError> {
    use std::fmt::Write as _;
    let mut text = String::new();
    for (_, insn) in Insn::decode_all(slots)? {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{insn}");
    }
    Ok(text)
}
