//! One instruction as text.

use std::fmt;

use super::Style;
use crate::{AluOp, AtomicOp, CallTarget, Imm64, Insn, JumpOp, Operand, Reg, Size, SwapKind, Width};

/// An instruction to be printed in some [`Style`]; made by [`Insn::display`].
#[derive(Clone, Copy, Debug)]
pub struct InsnText {
    insn: Insn,
    style: Style,
    /// Slot of the label to be written for the target of a jump, a local call or a subprogram's address.
    label: Option<usize>,
}

impl Insn {
    /// The instruction's text in this style. `insn.to_string()` is the same in [`Style::CANONICAL`].
    #[must_use]
    pub const fn display(&self, style: Style) -> InsnText {
        InsnText { insn: *self, style, label: None }
    }

    /// The canonical text with a label `L5` for the target.
    pub(super) const fn display_to_label(&self, slot: usize) -> InsnText {
        InsnText { insn: *self, style: Style::CANONICAL, label: Some(slot) }
    }
}

impl fmt::Display for Insn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.display(Style::CANONICAL).fmt(f)
    }
}

/// A number the way LLVM writes it: hexadecimal, the sign in front.
struct Hex(i64);

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{:#x}", self.0.unsigned_abs())
    }
}

/// Where a jump or call goes: its label, or its offset with the sign always written.
struct Target(Option<usize>, i32);

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(slot) = self.0 {
            return write!(f, "L{slot}");
        }
        let sign = if self.1 < 0 { '-' } else { '+' };
        write!(f, "{sign}{:#x}", self.1.unsigned_abs())
    }
}

/// `r1 + 0x8`
struct Address(Reg, i16);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.1 < 0 { '-' } else { '+' };
        write!(f, "{} {sign} {:#x}", self.0, self.1.unsigned_abs())
    }
}

/// A register by the name of the width used: `r1`, `w1`.
struct Name(Width, Reg);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = match self.0 {
            Width::W32 => 'w',
            Width::W64 => 'r',
        };
        write!(f, "{letter}{}", self.1.number())
    }
}

/// The second operand.
struct Source(Width, Operand);

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Operand::Reg(reg) => Name(self.0, reg).fmt(f),
            Operand::Imm(imm) => Hex(imm.into()).fmt(f),
        }
    }
}

/// Name of an unsigned type of that many bytes.
const fn unsigned(size: Size) -> &'static str {
    match size {
        Size::B => "u8",
        Size::H => "u16",
        Size::W => "u32",
        Size::DW => "u64",
    }
}

/// Name of a signed type of that many bytes.
const fn signed(size: Size) -> &'static str {
    match size {
        Size::B => "s8",
        Size::H => "s16",
        Size::W => "s32",
        Size::DW => "s64",
    }
}

/// The operator of an arithmetic assignment.
const fn assignment(op: AluOp) -> &'static str {
    match op {
        AluOp::Add => "+=",
        AluOp::Sub => "-=",
        AluOp::Mul => "*=",
        AluOp::Div => "/=",
        AluOp::Sdiv => "s/=",
        AluOp::Mod => "%=",
        AluOp::Smod => "s%=",
        AluOp::Or => "|=",
        AluOp::And => "&=",
        AluOp::Xor => "^=",
        AluOp::Lsh => "<<=",
        AluOp::Rsh => ">>=",
        AluOp::Arsh => "s>>=",
        AluOp::Mov => "=",
    }
}

/// The operator of a comparison.
const fn comparison(op: JumpOp) -> &'static str {
    match op {
        JumpOp::Eq => "==",
        JumpOp::Ne => "!=",
        JumpOp::Gt => ">",
        JumpOp::Ge => ">=",
        JumpOp::Lt => "<",
        JumpOp::Le => "<=",
        JumpOp::Sgt => "s>",
        JumpOp::Sge => "s>=",
        JumpOp::Slt => "s<",
        JumpOp::Sle => "s<=",
        JumpOp::Set => "&",
    }
}

/// Prefix of a byte-order instruction, which the number of bits follows.
const fn swap(kind: SwapKind) -> &'static str {
    match kind {
        SwapKind::ToLe => "le",
        SwapKind::ToBe => "be",
        SwapKind::Bswap => "bswap",
    }
}

/// Registers' width in an access of that size by instructions that choose by it.
const fn access_width(size: Size) -> Width {
    if matches!(size, Size::DW) { Width::W64 } else { Width::W32 }
}

impl fmt::Display for InsnText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let InsnText { style, label, .. } = *self;
        // What a plain load or store of that size calls its register: the encoding is the same with r and w.
        let plain = |size| if style.alu32 { access_width(size) } else { Width::W64 };
        match self.insn {
            Insn::Alu { width, op, dst, src } => {
                write!(f, "{} {} {}", Name(width, dst), assignment(op), Source(width, src))
            }
            Insn::Movsx { width, from, dst, src } => {
                write!(f, "{} = ({}){}", Name(width, dst), signed(from), Name(width, src))
            }
            Insn::Neg { width, dst } => write!(f, "{0} = -{0}", Name(width, dst)),
            Insn::Swap { kind, size, dst } => write!(f, "{dst} = {}{} {dst}", swap(kind), size.bits()),
            Insn::AddrSpaceCast { dst, src, dst_as, src_as } => {
                write!(f, "{dst} = addr_space_cast({src}, {dst_as:#x}, {src_as:#x})")
            }
            Insn::LoadImm64 { dst, value } => write_imm64(f, style, label, dst, value),
            Insn::Load { size, sign_extend: false, dst, base, off } => {
                write!(f, "{} = *({} *)({})", Name(plain(size), dst), unsigned(size), Address(base, off))
            }
            Insn::Load { size, sign_extend: true, dst, base, off } => {
                write!(f, "{dst} = *({} *)({})", signed(size), Address(base, off))
            }
            Insn::StoreImm { size, base, off, imm } => {
                write!(f, "*({} *)({}) = {}", unsigned(size), Address(base, off), Hex(imm.into()))
            }
            Insn::StoreReg { size, base, off, src } => {
                write!(f, "*({} *)({}) = {}", unsigned(size), Address(base, off), Name(plain(size), src))
            }
            Insn::Atomic { op, size, base, off, src } => {
                write_atomic(f, style, op, size, Address(base, off), src)
            }
            Insn::LoadAcquire { size, dst, base, off } => {
                let dst = Name(access_width(size), dst);
                write!(f, "{dst} = load_acquire(({} *)({}))", unsigned(size), Address(base, off))
            }
            Insn::StoreRelease { size, base, off, src } => {
                let src = Name(access_width(size), src);
                write!(f, "store_release(({} *)({}), {src})", unsigned(size), Address(base, off))
            }
            Insn::LoadAbs { size, off } => write!(f, "r0 = *({} *)skb[{}]", unsigned(size), Hex(off.into())),
            Insn::LoadInd { size, src, off } => {
                write!(f, "r0 = *({} *)skb[{src}", unsigned(size))?;
                // objdump leaves the offset out.
                if style.lossless && off != 0 {
                    let sign = if off < 0 { '-' } else { '+' };
                    write!(f, " {sign} {:#x}", off.unsigned_abs())?;
                }
                f.write_str("]")
            }
            Insn::Jump { off, long } => {
                write!(f, "{} {}", if long { "gotol" } else { "goto" }, Target(label, off))
            }
            Insn::JumpIf { width, op, dst, src, off } => {
                let (dst, src) = (Name(width, dst), Source(width, src));
                write!(f, "if {dst} {} {src} goto {}", comparison(op), Target(label, off.into()))
            }
            Insn::MayGoto { off } => write!(f, "may_goto {}", Target(label, off.into())),
            Insn::Call(target) => write_call(f, style, label, target),
            Insn::CallReg { target } => write!(f, "callx {target}"),
            Insn::Exit => f.write_str("exit"),
        }
    }
}

fn write_imm64(
    f: &mut fmt::Formatter<'_>,
    style: Style,
    label: Option<usize>,
    dst: Reg,
    value: Imm64,
) -> fmt::Result {
    if let Imm64::Value(value) = value {
        return write!(f, "{dst} = {} ll", Hex(value.cast_signed()));
    }
    if !style.lossless {
        // objdump shows the first immediate only.
        let (kind, imm) = match value {
            Imm64::Value(value) => (0, value as i32),
            Imm64::MapFd(fd) => (1, fd),
            Imm64::MapValueFd { fd, .. } => (2, fd),
            Imm64::BtfId { id, .. } => (3, id),
            Imm64::Func(offset) => (4, offset),
            Imm64::MapIdx(idx) => (5, idx),
            Imm64::MapValueIdx { idx, .. } => (6, idx),
        };
        return write!(f, "ld_pseudo\t{dst}, {kind:#x}, {:#x}", imm.cast_unsigned());
    }
    match value {
        Imm64::Value(_) => Ok(()),
        Imm64::MapFd(fd) => write!(f, "{dst} = map[fd:{fd}] ll"),
        Imm64::MapValueFd { fd, off } => write!(f, "{dst} = map[fd:{fd}][0]+{off:#x} ll"),
        Imm64::BtfId { id, fd: 0 } => write!(f, "{dst} = var[btf_id:{id}] ll"),
        Imm64::BtfId { id, fd } => write!(f, "{dst} = var[btf_id:{id}, btf_fd:{fd}] ll"),
        Imm64::Func(offset) => write!(f, "{dst} = subprog[{}] ll", Target(label, offset)),
        Imm64::MapIdx(idx) => write!(f, "{dst} = map[idx:{idx}] ll"),
        Imm64::MapValueIdx { idx, off } => write!(f, "{dst} = map[idx:{idx}][0]+{off:#x} ll"),
    }
}

fn write_call(
    f: &mut fmt::Formatter<'_>,
    style: Style,
    label: Option<usize>,
    target: CallTarget,
) -> fmt::Result {
    match target {
        CallTarget::Helper(number) => write!(f, "call {}", Hex(number.into())),
        CallTarget::Local(imm) | CallTarget::Kfunc { btf_id: imm, .. } if !style.lossless => {
            write!(f, "call {}", Hex(imm.into()))
        }
        CallTarget::Local(offset) => write!(f, "call local {}", Target(label, offset)),
        CallTarget::Kfunc { btf_id, fd_idx: 0 } => write!(f, "call kfunc {btf_id}"),
        CallTarget::Kfunc { btf_id, fd_idx } => write!(f, "call kfunc {btf_id}, fd_idx {fd_idx}"),
    }
}

fn write_atomic(
    f: &mut fmt::Formatter<'_>,
    style: Style,
    op: AtomicOp,
    size: Size,
    at: Address,
    src: Reg,
) -> fmt::Result {
    let width = access_width(size);
    let (operator, name, fetch) = match op {
        AtomicOp::Add { fetch } => ("+=", "add", fetch),
        AtomicOp::Or { fetch } => ("|=", "or", fetch),
        AtomicOp::And { fetch } => ("&=", "and", fetch),
        AtomicOp::Xor { fetch } => ("^=", "xor", fetch),
        AtomicOp::Xchg => {
            let form = if size == Size::W { "xchg32_32" } else { "xchg_64" };
            return write!(f, "{0} = {form}({at}, {0})", Name(width, src));
        }
        AtomicOp::Cmpxchg => {
            let form = if size == Size::W { "cmpxchg32_32" } else { "cmpxchg_64" };
            return write!(f, "{0} = {form}({at}, {0}, {1})", Name(width, Reg::R0), Name(width, src));
        }
    };
    if fetch {
        let src = Name(width, src);
        write!(f, "{src} = atomic_fetch_{name}(({} *)({at}), {src})", unsigned(size))
    } else {
        // Addition alone was there before the 32-bit register names.
        let width = if style.alu32 || operator != "+=" { width } else { Width::W64 };
        write!(f, "lock *({} *)({at}) {operator} {}", unsigned(size), Name(width, src))
    }
}
