//! Slots to instructions. Strict: a field that an instruction does not use must be zero.

use std::fmt;

use crate::opcode as op;
use crate::{AluOp, AtomicOp, CallTarget, Imm64, Insn, JumpOp, Operand, RawInsn, Reg, Size, SwapKind, Width};

/// A field of a slot (RFC 9669 section 3.1), as errors name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "named as RFC 9669 names them; next is the second slot of ld_imm64")]
pub enum Field {
    Dst,
    Src,
    Off,
    Imm,
    NextOpcode,
    NextDst,
    NextSrc,
    NextOff,
    NextImm,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Field::Dst => "dst_reg",
            Field::Src => "src_reg",
            Field::Off => "offset",
            Field::Imm => "imm",
            Field::NextOpcode => "second slot's opcode",
            Field::NextDst => "second slot's dst_reg",
            Field::NextSrc => "second slot's src_reg",
            Field::NextOff => "second slot's offset",
            Field::NextImm => "next_imm",
        })
    }
}

/// Why slots are not an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeErrorKind {
    /// There is no slot to decode.
    #[error("no instruction, the program ends here")]
    Empty,
    /// No instruction has this opcode.
    #[error("unknown opcode {0:#04x}")]
    UnknownOpcode(u8),
    /// `ld_imm64` takes two slots and only one is there.
    #[error("ld_imm64 (opcode 0x18) takes two slots, the program ends after the first")]
    Truncated,
    /// A field holds what the instruction does not allow.
    #[error("opcode {opcode:#04x}: {field} is {value}, must be {expected}")]
    BadField {
        /// The instruction's opcode.
        opcode: u8,
        /// Which field.
        field: Field,
        /// What it holds.
        value: i64,
        /// What it may hold, in words.
        expected: &'static str,
    },
}

/// Slots that are no instruction: where and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("slot {slot}: {kind}")]
pub struct DecodeError {
    /// Index of the instruction's first slot in what was given to decode.
    pub slot: usize,
    /// What is wrong with it.
    pub kind: DecodeErrorKind,
}

impl DecodeError {
    /// The same error, `base` slots further into a program.
    #[must_use]
    pub fn at(self, base: usize) -> DecodeError {
        DecodeError { slot: self.slot.saturating_add(base), ..self }
    }
}

type Result<T> = std::result::Result<T, DecodeErrorKind>;

/// A slot being read: hands out its fields, checked.
#[derive(Clone, Copy)]
struct Slot(RawInsn);

impl Slot {
    fn bad<T>(self, field: Field, value: impl Into<i64>, expected: &'static str) -> Result<T> {
        Err(DecodeErrorKind::BadField { opcode: self.0.opcode, field, value: value.into(), expected })
    }

    fn unknown<T>(self) -> Result<T> {
        Err(DecodeErrorKind::UnknownOpcode(self.0.opcode))
    }

    fn reg(self, field: Field, number: u8) -> Result<Reg> {
        match Reg::new(number) {
            Some(reg) => Ok(reg),
            None => self.bad(field, number, "a register, 0 to 10"),
        }
    }

    fn dst(self) -> Result<Reg> {
        self.reg(Field::Dst, self.0.dst)
    }

    fn src(self) -> Result<Reg> {
        self.reg(Field::Src, self.0.src)
    }

    fn no_dst(self) -> Result<()> {
        if self.0.dst == 0 { Ok(()) } else { self.bad(Field::Dst, self.0.dst, "0") }
    }

    fn no_src(self) -> Result<()> {
        if self.0.src == 0 { Ok(()) } else { self.bad(Field::Src, self.0.src, "0") }
    }

    fn no_off(self) -> Result<()> {
        if self.0.off == 0 { Ok(()) } else { self.bad(Field::Off, self.0.off, "0") }
    }

    fn no_imm(self) -> Result<()> {
        if self.0.imm == 0 { Ok(()) } else { self.bad(Field::Imm, self.0.imm, "0") }
    }

    /// The second operand, which the source bit chooses; the field of the other one must be zero.
    fn operand(self) -> Result<Operand> {
        if self.0.opcode & op::SOURCE_MASK == op::X {
            self.no_imm()?;
            Ok(Operand::Reg(self.src()?))
        } else {
            self.no_src()?;
            Ok(Operand::Imm(self.0.imm))
        }
    }

    fn size(self) -> Size {
        match self.0.opcode & op::SIZE_MASK {
            op::B => Size::B,
            op::H => Size::H,
            op::W => Size::W,
            _ => Size::DW,
        }
    }
}

impl Insn {
    /// Reads the first instruction of `slots`: one slot, or two for `ld_imm64` (see [`Insn::slots`]).
    ///
    /// Accepts every instruction of RFC 9669 and of Linux, and nothing else: register numbers above 10 and non-zero
    /// unused fields are refused, as Linux's verifier does (`exit` with an offset alone passes there and not here: the
    /// standard wants unused fields cleared, and decoding must lose nothing). What is well formed but not allowed to run (division by
    /// the immediate 0, a shift by 64, a write to R10) is an instruction here; refusing it is the verifier's work.
    ///
    /// # Errors
    /// [`DecodeError`] with slot 0 when there is no slot, the opcode is unknown, a field is wrong, or `ld_imm64` lacks
    /// its second slot.
    ///
    /// ```
    /// use skep_isa::{Insn, RawInsn, Reg};
    /// let slot = RawInsn { opcode: 0xbf, dst: 6, src: 1, off: 0, imm: 0 };
    /// let insn = Insn::decode(&[slot])?;
    /// assert_eq!(insn, Insn::mov(Reg::R6, Reg::R1));
    /// assert_eq!(insn.to_string(), "r6 = r1");
    /// # Ok::<(), skep_isa::DecodeError>(())
    /// ```
    pub fn decode(slots: &[RawInsn]) -> std::result::Result<Insn, DecodeError> {
        let decoded = match slots {
            [] => Err(DecodeErrorKind::Empty),
            [first, rest @ ..] => decode_first(Slot(*first), rest.first()),
        };
        decoded.map_err(|kind| DecodeError { slot: 0, kind })
    }

    /// Reads a whole program: each instruction with the index of its first slot.
    ///
    /// # Errors
    /// The first [`DecodeError`], with the slot it is in.
    pub fn decode_all(slots: &[RawInsn]) -> std::result::Result<Vec<(usize, Insn)>, DecodeError> {
        let mut insns = Vec::with_capacity(slots.len());
        let mut at = 0;
        while let Some(rest) = slots.get(at..).filter(|rest| !rest.is_empty()) {
            let insn = Insn::decode(rest).map_err(|e| e.at(at))?;
            insns.push((at, insn));
            at += insn.slots();
        }
        Ok(insns)
    }
}

fn decode_first(slot: Slot, next: Option<&RawInsn>) -> Result<Insn> {
    match slot.0.opcode & op::CLASS_MASK {
        op::LD => decode_ld(slot, next),
        op::LDX => decode_ldx(slot),
        op::ST => decode_st(slot),
        op::STX => decode_stx(slot),
        op::ALU => decode_alu(slot, Width::W32),
        op::ALU64 => decode_alu(slot, Width::W64),
        op::JMP => decode_jmp(slot, Width::W64),
        _ => decode_jmp(slot, Width::W32),
    }
}

fn decode_alu(slot: Slot, width: Width) -> Result<Insn> {
    let RawInsn { opcode, off, imm, .. } = slot.0;
    let by_reg = opcode & op::SOURCE_MASK == op::X;
    let alu = match opcode & op::CODE_MASK {
        op::ADD => AluOp::Add,
        op::SUB => AluOp::Sub,
        op::MUL => AluOp::Mul,
        op::OR => AluOp::Or,
        op::AND => AluOp::And,
        op::LSH => AluOp::Lsh,
        op::RSH => AluOp::Rsh,
        op::XOR => AluOp::Xor,
        op::ARSH => AluOp::Arsh,
        op::MOV if by_reg && off != 0 => return decode_extended_mov(slot, width),
        op::MOV => AluOp::Mov,
        op::DIV | op::MOD => {
            let signed = match off {
                0 => false,
                op::OFF_SIGNED => true,
                _ => return slot.bad(Field::Off, off, "0 (unsigned) or 1 (signed)"),
            };
            let alu = match (opcode & op::CODE_MASK, signed) {
                (op::DIV, false) => AluOp::Div,
                (op::DIV, true) => AluOp::Sdiv,
                (_, false) => AluOp::Mod,
                (_, true) => AluOp::Smod,
            };
            return Ok(Insn::Alu { width, op: alu, dst: slot.dst()?, src: slot.operand()? });
        }
        op::NEG if !by_reg => {
            slot.no_src()?;
            slot.no_off()?;
            slot.no_imm()?;
            return Ok(Insn::Neg { width, dst: slot.dst()? });
        }
        op::END => {
            let kind = match (width, by_reg) {
                (Width::W32, false) => SwapKind::ToLe,
                (Width::W32, true) => SwapKind::ToBe,
                (Width::W64, false) => SwapKind::Bswap,
                (Width::W64, true) => return slot.unknown(),
            };
            let size = match imm {
                16 => Size::H,
                32 => Size::W,
                64 => Size::DW,
                _ => return slot.bad(Field::Imm, imm, "16, 32 or 64"),
            };
            slot.no_src()?;
            slot.no_off()?;
            return Ok(Insn::Swap { kind, size, dst: slot.dst()? });
        }
        _ => return slot.unknown(),
    };
    slot.no_off()?;
    Ok(Insn::Alu { width, op: alu, dst: slot.dst()?, src: slot.operand()? })
}

/// `mov` from a register with a non-zero offset: `movsx` or an address-space cast.
fn decode_extended_mov(slot: Slot, width: Width) -> Result<Insn> {
    let (dst, src) = (slot.dst()?, slot.src()?);
    let from = match (slot.0.off, width) {
        (8, _) => Size::B,
        (16, _) => Size::H,
        (32, Width::W64) => Size::W,
        (op::OFF_ADDR_SPACE_CAST, Width::W64) => {
            let spaces = slot.0.imm.cast_unsigned();
            let (dst_as, src_as) = ((spaces >> 16) as u16, (spaces & 0xffff) as u16);
            return Ok(Insn::AddrSpaceCast { dst, src, dst_as, src_as });
        }
        (off, Width::W64) => return slot.bad(Field::Off, off, "0, 1 (address-space cast), 8, 16 or 32"),
        (off, Width::W32) => return slot.bad(Field::Off, off, "0, 8 or 16"),
    };
    slot.no_imm()?;
    Ok(Insn::Movsx { width, from, dst, src })
}

fn decode_jmp(slot: Slot, width: Width) -> Result<Insn> {
    let RawInsn { opcode, off, .. } = slot.0;
    let jump = match opcode & op::CODE_MASK {
        op::JEQ => JumpOp::Eq,
        op::JNE => JumpOp::Ne,
        op::JGT => JumpOp::Gt,
        op::JGE => JumpOp::Ge,
        op::JLT => JumpOp::Lt,
        op::JLE => JumpOp::Le,
        op::JSGT => JumpOp::Sgt,
        op::JSGE => JumpOp::Sge,
        op::JSLT => JumpOp::Slt,
        op::JSLE => JumpOp::Sle,
        op::JSET => JumpOp::Set,
        _ => return decode_transfer(slot),
    };
    Ok(Insn::JumpIf { width, op: jump, dst: slot.dst()?, src: slot.operand()?, off })
}

/// The unconditional part of the jump classes, each of which exists in one class and source only.
fn decode_transfer(slot: Slot) -> Result<Insn> {
    const JA: u8 = op::JMP | op::JA;
    const GOTOL: u8 = op::JMP32 | op::JA;
    const MAY_GOTO: u8 = op::JMP | op::JCOND;
    const CALL: u8 = op::JMP | op::CALL;
    const CALLX: u8 = op::JMP | op::CALL | op::X;
    const EXIT: u8 = op::JMP | op::EXIT;

    let RawInsn { opcode, src, off, imm, .. } = slot.0;
    match opcode {
        JA => {
            slot.no_dst()?;
            slot.no_src()?;
            slot.no_imm()?;
            Ok(Insn::Jump { off: i32::from(off), long: false })
        }
        GOTOL => {
            slot.no_dst()?;
            slot.no_src()?;
            slot.no_off()?;
            Ok(Insn::Jump { off: imm, long: true })
        }
        MAY_GOTO => {
            slot.no_dst()?;
            slot.no_src()?;
            slot.no_imm()?;
            Ok(Insn::MayGoto { off })
        }
        CALL => {
            slot.no_dst()?;
            let target = match src {
                op::PSEUDO_KFUNC_CALL => CallTarget::Kfunc { btf_id: imm, fd_idx: off },
                0 => CallTarget::Helper(imm),
                op::PSEUDO_CALL => CallTarget::Local(imm),
                _ => return slot.bad(Field::Src, src, "0 (helper), 1 (subprogram) or 2 (kfunc)"),
            };
            if src != op::PSEUDO_KFUNC_CALL {
                slot.no_off()?;
            }
            Ok(Insn::Call(target))
        }
        CALLX => {
            slot.no_src()?;
            slot.no_off()?;
            slot.no_imm()?;
            Ok(Insn::CallReg { target: slot.dst()? })
        }
        EXIT => {
            slot.no_dst()?;
            slot.no_src()?;
            slot.no_off()?;
            slot.no_imm()?;
            Ok(Insn::Exit)
        }
        _ => slot.unknown(),
    }
}

fn decode_ld(slot: Slot, next: Option<&RawInsn>) -> Result<Insn> {
    let RawInsn { opcode, imm, .. } = slot.0;
    let size = slot.size();
    match opcode & op::MODE_MASK {
        op::IMM if size == Size::DW => decode_ld_imm64(slot, next),
        op::ABS if size != Size::DW => {
            slot.no_dst()?;
            slot.no_src()?;
            slot.no_off()?;
            Ok(Insn::LoadAbs { size, off: imm })
        }
        op::IND if size != Size::DW => {
            slot.no_dst()?;
            slot.no_off()?;
            Ok(Insn::LoadInd { size, src: slot.src()?, off: imm })
        }
        _ => slot.unknown(),
    }
}

fn decode_ld_imm64(slot: Slot, next: Option<&RawInsn>) -> Result<Insn> {
    let dst = slot.dst()?;
    slot.no_off()?;
    let Some(next) = next else { return Err(DecodeErrorKind::Truncated) };
    let reserved = [
        (Field::NextOpcode, i64::from(next.opcode)),
        (Field::NextDst, i64::from(next.dst)),
        (Field::NextSrc, i64::from(next.src)),
        (Field::NextOff, i64::from(next.off)),
    ];
    for (field, value) in reserved {
        if value != 0 {
            return slot.bad(field, value, "0");
        }
    }
    let (imm, next_imm) = (slot.0.imm, next.imm);
    // The kinds whose meaning fits the first immediate leave the second one zero.
    let single = |value| if next_imm == 0 { Ok(value) } else { slot.bad(Field::NextImm, next_imm, "0") };
    let value = match slot.0.src {
        0 => Imm64::Value(u64::from(next_imm.cast_unsigned()) << 32 | u64::from(imm.cast_unsigned())),
        op::PSEUDO_MAP_FD => single(Imm64::MapFd(imm))?,
        op::PSEUDO_MAP_VALUE => Imm64::MapValueFd { fd: imm, off: next_imm.cast_unsigned() },
        op::PSEUDO_BTF_ID => Imm64::BtfId { id: imm, fd: next_imm },
        op::PSEUDO_FUNC => single(Imm64::Func(imm))?,
        op::PSEUDO_MAP_IDX => single(Imm64::MapIdx(imm))?,
        op::PSEUDO_MAP_IDX_VALUE => Imm64::MapValueIdx { idx: imm, off: next_imm.cast_unsigned() },
        kind => return slot.bad(Field::Src, kind, "a source kind, 0 to 6"),
    };
    Ok(Insn::LoadImm64 { dst, value })
}

fn decode_ldx(slot: Slot) -> Result<Insn> {
    let size = slot.size();
    let sign_extend = match slot.0.opcode & op::MODE_MASK {
        op::MEM => false,
        op::MEMSX if size != Size::DW => true,
        _ => return slot.unknown(),
    };
    slot.no_imm()?;
    Ok(Insn::Load { size, sign_extend, dst: slot.dst()?, base: slot.src()?, off: slot.0.off })
}

fn decode_st(slot: Slot) -> Result<Insn> {
    if slot.0.opcode & op::MODE_MASK != op::MEM {
        return slot.unknown();
    }
    slot.no_src()?;
    Ok(Insn::StoreImm { size: slot.size(), base: slot.dst()?, off: slot.0.off, imm: slot.0.imm })
}

fn decode_stx(slot: Slot) -> Result<Insn> {
    let size = slot.size();
    let (base, src, off) = (slot.dst()?, slot.src()?, slot.0.off);
    match slot.0.opcode & op::MODE_MASK {
        op::MEM => {
            slot.no_imm()?;
            Ok(Insn::StoreReg { size, base, off, src })
        }
        op::ATOMIC => decode_atomic(slot, size),
        _ => slot.unknown(),
    }
}

fn decode_atomic(slot: Slot, size: Size) -> Result<Insn> {
    let (base, src, off) = (slot.dst()?, slot.src()?, slot.0.off);
    // Ordered loads and stores put memory and register where plain ones do: the load's base is `src`.
    match slot.0.imm {
        op::LOAD_ACQ => return Ok(Insn::LoadAcquire { size, dst: base, base: src, off }),
        op::STORE_REL => return Ok(Insn::StoreRelease { size, base, off, src }),
        _ => {}
    }
    if matches!(size, Size::B | Size::H) {
        return slot.bad(
            Field::Imm,
            slot.0.imm,
            "0x100 (load-acquire) or 0x110 (store-release) in this size",
        );
    }
    const FETCH: i32 = op::ATOMIC_FETCH;
    const ADD_FETCH: i32 = op::ATOMIC_ADD | FETCH;
    const OR_FETCH: i32 = op::ATOMIC_OR | FETCH;
    const AND_FETCH: i32 = op::ATOMIC_AND | FETCH;
    const XOR_FETCH: i32 = op::ATOMIC_XOR | FETCH;
    let atomic = match slot.0.imm {
        op::ATOMIC_ADD => AtomicOp::Add { fetch: false },
        op::ATOMIC_OR => AtomicOp::Or { fetch: false },
        op::ATOMIC_AND => AtomicOp::And { fetch: false },
        op::ATOMIC_XOR => AtomicOp::Xor { fetch: false },
        ADD_FETCH => AtomicOp::Add { fetch: true },
        OR_FETCH => AtomicOp::Or { fetch: true },
        AND_FETCH => AtomicOp::And { fetch: true },
        XOR_FETCH => AtomicOp::Xor { fetch: true },
        op::ATOMIC_XCHG => AtomicOp::Xchg,
        op::ATOMIC_CMPXCHG => AtomicOp::Cmpxchg,
        imm => {
            return slot.bad(
                Field::Imm,
                imm,
                "an atomic operation: add 0, or 0x40, and 0x50, xor 0xa0 (with fetch one more), xchg 0xe1, \
                 cmpxchg 0xf1, load-acquire 0x100, store-release 0x110",
            );
        }
    };
    Ok(Insn::Atomic { op: atomic, size, base, off, src })
}
