//! Instructions to slots.

use std::ops::Deref;

use crate::opcode as op;
use crate::{AluOp, AtomicOp, CallTarget, Imm64, Insn, JumpOp, Operand, RawInsn, Reg, Size, SwapKind, Width};

/// One encoded instruction: one slot, or two for `ld_imm64`. Dereferences to the slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoded {
    slots: [RawInsn; 2],
    len: usize,
}

impl Encoded {
    fn one(slot: RawInsn) -> Encoded {
        Encoded { slots: [slot, RawInsn::default()], len: 1 }
    }

    /// Appends the slots to a program.
    pub fn push_to(&self, program: &mut Vec<RawInsn>) {
        program.extend_from_slice(self);
    }
}

impl Deref for Encoded {
    type Target = [RawInsn];

    fn deref(&self) -> &[RawInsn] {
        if self.len == 1 { &self.slots[..1] } else { &self.slots }
    }
}

impl AsRef<[RawInsn]> for Encoded {
    fn as_ref(&self) -> &[RawInsn] {
        self
    }
}

impl Insn {
    /// Writes the instruction: the inverse of [`Insn::decode`] for every instruction that decode can give.
    ///
    /// The type can also say what the instruction set has not: an atomic addition of one byte, an 8-byte `movsx`, a
    /// sign-extending 8-byte load, an 8-byte legacy packet load, a one-byte swap. Their slots are the nearest thing
    /// and are refused by `decode`; [`Insn::is_valid`] tells beforehand. A short jump over more than an `i16` of slots
    /// becomes `gotol`, which goes to the same place.
    #[must_use]
    pub fn encode(&self) -> Encoded {
        let slot = match *self {
            Insn::Alu { width, op, dst, src } => {
                let (code, off) = alu_code(op);
                with_operand(alu_class(width) | code, dst, src, off)
            }
            Insn::Movsx { width, from, dst, src } => RawInsn {
                opcode: alu_class(width) | op::MOV | op::X,
                dst: dst.number(),
                src: src.number(),
                off: from.bits() as i16,
                imm: 0,
            },
            Insn::Neg { width, dst } => {
                RawInsn { opcode: alu_class(width) | op::NEG, dst: dst.number(), ..RawInsn::default() }
            }
            Insn::Swap { kind, size, dst } => {
                let opcode = match kind {
                    SwapKind::ToLe => op::ALU | op::END | op::TO_LE,
                    SwapKind::ToBe => op::ALU | op::END | op::TO_BE,
                    SwapKind::Bswap => op::ALU64 | op::END,
                };
                RawInsn { opcode, dst: dst.number(), imm: size.bits() as i32, ..RawInsn::default() }
            }
            Insn::AddrSpaceCast { dst, src, dst_as, src_as } => RawInsn {
                opcode: op::ALU64 | op::MOV | op::X,
                dst: dst.number(),
                src: src.number(),
                off: op::OFF_ADDR_SPACE_CAST,
                imm: (u32::from(dst_as) << 16 | u32::from(src_as)).cast_signed(),
            },
            Insn::LoadImm64 { dst, value } => return encode_ld_imm64(dst, value),
            Insn::Load { size, sign_extend, dst, base, off } => {
                let mode = if sign_extend { op::MEMSX } else { op::MEM };
                memory(op::LDX | mode, size, dst, base, off, 0)
            }
            Insn::StoreImm { size, base, off, imm } => {
                memory(op::ST | op::MEM, size, base, Reg::R0, off, imm)
            }
            Insn::StoreReg { size, base, off, src } => memory(op::STX | op::MEM, size, base, src, off, 0),
            Insn::Atomic { op, size, base, off, src } => {
                memory(op::STX | op::ATOMIC, size, base, src, off, atomic_imm(op))
            }
            Insn::LoadAcquire { size, dst, base, off } => {
                memory(op::STX | op::ATOMIC, size, dst, base, off, op::LOAD_ACQ)
            }
            Insn::StoreRelease { size, base, off, src } => {
                memory(op::STX | op::ATOMIC, size, base, src, off, op::STORE_REL)
            }
            Insn::LoadAbs { size, off } => memory(op::LD | op::ABS, size, Reg::R0, Reg::R0, 0, off),
            Insn::LoadInd { size, src, off } => memory(op::LD | op::IND, size, Reg::R0, src, 0, off),
            Insn::Jump { off, long } => match i16::try_from(off) {
                Ok(off) if !long => RawInsn { opcode: op::JMP | op::JA, off, ..RawInsn::default() },
                _ => RawInsn { opcode: op::JMP32 | op::JA, imm: off, ..RawInsn::default() },
            },
            Insn::JumpIf { width, op, dst, src, off } => {
                let class = match width {
                    Width::W32 => op::JMP32,
                    Width::W64 => op::JMP,
                };
                with_operand(class | jump_code(op), dst, src, off)
            }
            Insn::MayGoto { off } => RawInsn { opcode: op::JMP | op::JCOND, off, ..RawInsn::default() },
            Insn::Call(target) => {
                let (src, imm, off) = match target {
                    CallTarget::Helper(number) => (0, number, 0),
                    CallTarget::Local(offset) => (op::PSEUDO_CALL, offset, 0),
                    CallTarget::Kfunc { btf_id, fd_idx } => (op::PSEUDO_KFUNC_CALL, btf_id, fd_idx),
                };
                RawInsn { opcode: op::JMP | op::CALL, dst: 0, src, off, imm }
            }
            Insn::CallReg { target } => {
                RawInsn { opcode: op::JMP | op::CALL | op::X, dst: target.number(), ..RawInsn::default() }
            }
            Insn::Exit => RawInsn { opcode: op::JMP | op::EXIT, ..RawInsn::default() },
        };
        Encoded::one(slot)
    }

    /// True when the instruction set has this instruction: encoding and decoding give it back.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        Insn::decode(&self.encode()) == Ok(*self)
    }

    /// Writes a whole program.
    #[must_use]
    pub fn encode_all<'a>(insns: impl IntoIterator<Item = &'a Insn>) -> Vec<RawInsn> {
        let mut program = Vec::new();
        for insn in insns {
            insn.encode().push_to(&mut program);
        }
        program
    }
}

const fn alu_class(width: Width) -> u8 {
    match width {
        Width::W32 => op::ALU,
        Width::W64 => op::ALU64,
    }
}

/// Operation bits and offset field.
const fn alu_code(alu: AluOp) -> (u8, i16) {
    match alu {
        AluOp::Add => (op::ADD, 0),
        AluOp::Sub => (op::SUB, 0),
        AluOp::Mul => (op::MUL, 0),
        AluOp::Div => (op::DIV, 0),
        AluOp::Sdiv => (op::DIV, op::OFF_SIGNED),
        AluOp::Mod => (op::MOD, 0),
        AluOp::Smod => (op::MOD, op::OFF_SIGNED),
        AluOp::Or => (op::OR, 0),
        AluOp::And => (op::AND, 0),
        AluOp::Xor => (op::XOR, 0),
        AluOp::Lsh => (op::LSH, 0),
        AluOp::Rsh => (op::RSH, 0),
        AluOp::Arsh => (op::ARSH, 0),
        AluOp::Mov => (op::MOV, 0),
    }
}

const fn jump_code(jump: JumpOp) -> u8 {
    match jump {
        JumpOp::Eq => op::JEQ,
        JumpOp::Ne => op::JNE,
        JumpOp::Gt => op::JGT,
        JumpOp::Ge => op::JGE,
        JumpOp::Lt => op::JLT,
        JumpOp::Le => op::JLE,
        JumpOp::Sgt => op::JSGT,
        JumpOp::Sge => op::JSGE,
        JumpOp::Slt => op::JSLT,
        JumpOp::Sle => op::JSLE,
        JumpOp::Set => op::JSET,
    }
}

const fn atomic_imm(atomic: AtomicOp) -> i32 {
    let (code, fetch) = match atomic {
        AtomicOp::Add { fetch } => (op::ATOMIC_ADD, fetch),
        AtomicOp::Or { fetch } => (op::ATOMIC_OR, fetch),
        AtomicOp::And { fetch } => (op::ATOMIC_AND, fetch),
        AtomicOp::Xor { fetch } => (op::ATOMIC_XOR, fetch),
        AtomicOp::Xchg => (op::ATOMIC_XCHG, true),
        AtomicOp::Cmpxchg => (op::ATOMIC_CMPXCHG, true),
    };
    if fetch { code | op::ATOMIC_FETCH } else { code }
}

fn with_operand(opcode: u8, dst: Reg, src: Operand, off: i16) -> RawInsn {
    let dst = dst.number();
    match src {
        Operand::Reg(src) => RawInsn { opcode: opcode | op::X, dst, src: src.number(), off, imm: 0 },
        Operand::Imm(imm) => RawInsn { opcode: opcode | op::K, dst, src: 0, off, imm },
    }
}

fn memory(opcode: u8, size: Size, dst: Reg, src: Reg, off: i16, imm: i32) -> RawInsn {
    let size = match size {
        Size::B => op::B,
        Size::H => op::H,
        Size::W => op::W,
        Size::DW => op::DW,
    };
    RawInsn { opcode: opcode | size, dst: dst.number(), src: src.number(), off, imm }
}

fn encode_ld_imm64(dst: Reg, value: Imm64) -> Encoded {
    let (src, imm, next_imm) = match value {
        Imm64::Value(value) => (0, (value as u32).cast_signed(), ((value >> 32) as u32).cast_signed()),
        Imm64::MapFd(fd) => (op::PSEUDO_MAP_FD, fd, 0),
        Imm64::MapValueFd { fd, off } => (op::PSEUDO_MAP_VALUE, fd, off.cast_signed()),
        Imm64::BtfId { id, fd } => (op::PSEUDO_BTF_ID, id, fd),
        Imm64::Func(offset) => (op::PSEUDO_FUNC, offset, 0),
        Imm64::MapIdx(idx) => (op::PSEUDO_MAP_IDX, idx, 0),
        Imm64::MapValueIdx { idx, off } => (op::PSEUDO_MAP_IDX_VALUE, idx, off.cast_signed()),
    };
    Encoded {
        slots: [
            RawInsn { opcode: op::LD_IMM64, dst: dst.number(), src, off: 0, imm },
            RawInsn { imm: next_imm, ..RawInsn::default() },
        ],
        len: 2,
    }
}
