//! The checks that Linux makes when a filter is attached (`SO_ATTACH_FILTER`, `SECCOMP_SET_MODE_FILTER`).

use super::{Insn, MAX_INSNS, Op, SCRATCH_WORDS, SECCOMP_DATA_SIZE, SKF_AD_OFF, Source};
use crate::{AluOp, Size};

/// A program that Linux would not attach, with the instruction at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum ValidateError {
    #[error("no instructions: a filter needs at least a ret")]
    Empty,
    #[error("{count} instructions: a filter has at most {MAX_INSNS}")]
    TooLong { count: usize },
    #[error("instruction {index} ({insn}): Linux has no operation code {:#x}", .insn.code)]
    UnknownCode { index: usize, insn: Insn },
    #[error("instruction {index} ({insn}): not allowed in seccomp filters")]
    NotSeccomp { index: usize, insn: Insn },
    #[error(
        "instruction {index} ({insn}): offset {} is not that of an aligned word in the 64 bytes of struct seccomp_data",
        .insn.k
    )]
    SeccompOffset { index: usize, insn: Insn },
    #[error("instruction {index} ({insn}): offset {} names no extension that Linux has", .insn.k.cast_signed())]
    UnknownExtension { index: usize, insn: Insn },
    #[error("instruction {index} ({insn}): division by the constant 0")]
    DivisionByZero { index: usize, insn: Insn },
    #[error("instruction {index} ({insn}): shift of a 32-bit register by {}, at most 31 is possible", .insn.k)]
    ShiftTooFar { index: usize, insn: Insn },
    #[error("instruction {index} ({insn}): scratch memory has M[0] to M[15]")]
    ScratchIndex { index: usize, insn: Insn },
    #[error(
        "instruction {index} ({insn}): M[{}] may not have been stored before. Linux follows the text, also past \
         ret: store it on every path, or move this block before the one that does not store it",
        .insn.k
    )]
    ScratchNotStored { index: usize, insn: Insn },
    #[error("instruction {index} ({insn}): jumps to instruction {target}, past the last one, {last}")]
    JumpOutOfRange { index: usize, insn: Insn, target: u64, last: usize },
    #[error("instruction {index} ({insn}): the last instruction must be ret #k or ret a")]
    NoReturn { index: usize, insn: Insn },
}

/// A program that Linux accepts as a socket filter (also for `xt_bpf` and `cls_bpf`): it only jumps forward, ends in a
/// return, and loads only what it stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketFilter {
    pub(super) insns: Vec<Insn>,
    pub(super) ops: Vec<Op>,
}

impl SocketFilter {
    /// Checks a program.
    ///
    /// # Errors
    /// What Linux answers with `EINVAL`, by instruction.
    pub fn new(insns: Vec<Insn>) -> Result<Self, ValidateError> {
        let ops = check(&insns)?;
        Ok(SocketFilter { insns, ops })
    }

    /// Its instructions.
    #[must_use]
    pub fn insns(&self) -> &[Insn] {
        &self.insns
    }
}

/// A program that Linux accepts as a seccomp filter: what [`SocketFilter`] says, restricted to arithmetic and to
/// aligned words of `struct seccomp_data`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeccompFilter {
    pub(super) insns: Vec<Insn>,
    pub(super) ops: Vec<Op>,
}

impl SeccompFilter {
    /// Checks a program.
    ///
    /// # Errors
    /// What Linux answers with `EINVAL`, by instruction.
    pub fn new(insns: Vec<Insn>) -> Result<Self, ValidateError> {
        let ops = check(&insns)?;
        for (index, (&insn, op)) in insns.iter().zip(&ops).enumerate() {
            match *op {
                Op::LdAbs(Size::W, k) if k % 4 == 0 && (k as usize) < SECCOMP_DATA_SIZE => {}
                Op::LdAbs(Size::W, _) | Op::LdExt(Size::W, _) => {
                    return Err(ValidateError::SeccompOffset { index, insn });
                }
                Op::LdAbs(..) | Op::LdExt(..) | Op::LdInd(..) | Op::LdxMsh(_) | Op::Alu(AluOp::Mod, _) => {
                    return Err(ValidateError::NotSeccomp { index, insn });
                }
                _ => {}
            }
        }
        Ok(SeccompFilter { insns, ops })
    }

    /// Its instructions.
    #[must_use]
    pub fn insns(&self) -> &[Insn] {
        &self.insns
    }
}

fn check(insns: &[Insn]) -> Result<Vec<Op>, ValidateError> {
    let Some((&last, _)) = insns.split_last() else { return Err(ValidateError::Empty) };
    if insns.len() > MAX_INSNS {
        return Err(ValidateError::TooLong { count: insns.len() });
    }
    let mut ops = Vec::with_capacity(insns.len());
    for (index, &insn) in insns.iter().enumerate() {
        let op = insn.op().ok_or(ValidateError::UnknownCode { index, insn })?;
        check_operand(index, insn, op)?;
        check_jump(index, insn, op, insns.len())?;
        ops.push(op);
    }
    if !matches!(ops.last(), Some(Op::RetA | Op::RetK(_))) {
        return Err(ValidateError::NoReturn { index: insns.len() - 1, insn: last });
    }
    check_scratch(insns, &ops)?;
    Ok(ops)
}

fn check_operand(index: usize, insn: Insn, op: Op) -> Result<(), ValidateError> {
    match op {
        Op::LdAbs(_, k) if k >= SKF_AD_OFF => Err(ValidateError::UnknownExtension { index, insn }),
        Op::Alu(AluOp::Div | AluOp::Mod, Source::K(0)) => Err(ValidateError::DivisionByZero { index, insn }),
        Op::Alu(AluOp::Lsh | AluOp::Rsh, Source::K(32..)) => Err(ValidateError::ShiftTooFar { index, insn }),
        Op::LdMem(k) | Op::LdxMem(k) | Op::St(k) | Op::Stx(k) if k >= SCRATCH_WORDS => {
            Err(ValidateError::ScratchIndex { index, insn })
        }
        _ => Ok(()),
    }
}

fn check_jump(index: usize, insn: Insn, op: Op, count: usize) -> Result<(), ValidateError> {
    let furthest = match op {
        Op::Ja(k) => u64::from(k),
        Op::Jump { jt, jf, .. } => u64::from(jt.max(jf)),
        _ => return Ok(()),
    };
    let target = index as u64 + 1 + furthest;
    if target >= count as u64 {
        return Err(ValidateError::JumpOutOfRange { index, insn, target, last: count - 1 });
    }
    Ok(())
}

/// Scratch memory must be stored before it is loaded. Linux decides it in one pass over the text: what is stored at an
/// instruction is what is stored on every jump to it and on falling through from the one above, where `ret` counts as
/// falling through and jumps do not.
fn check_scratch(insns: &[Insn], ops: &[Op]) -> Result<(), ValidateError> {
    let mut at_jump_targets = vec![u16::MAX; insns.len()];
    let mut stored: u16 = 0;
    for (index, (&insn, op)) in insns.iter().zip(ops).enumerate() {
        stored &= at_jump_targets[index];
        let mut jump = |skip: usize| {
            if let Some(target) = at_jump_targets.get_mut(index + 1 + skip) {
                *target &= stored;
            }
        };
        match *op {
            Op::St(k) | Op::Stx(k) => stored |= 1 << k,
            Op::LdMem(k) | Op::LdxMem(k) if stored & (1 << k) == 0 => {
                return Err(ValidateError::ScratchNotStored { index, insn });
            }
            Op::Ja(k) => {
                jump(k as usize);
                stored = u16::MAX;
            }
            Op::Jump { jt, jf, .. } => {
                jump(usize::from(jt));
                jump(usize::from(jf));
                stored = u16::MAX;
            }
            _ => {}
        }
    }
    Ok(())
}
