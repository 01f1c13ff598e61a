//! Instructions by meaning: what [`RawInsn`](crate::RawInsn) slots say once decoded.

use std::fmt;

/// A register. R0 returns, R1 to R5 pass arguments, R6 to R9 survive calls, R10 is the read-only frame pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Reg {
    R0,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R7,
    R8,
    R9,
    R10,
}

impl Reg {
    /// All registers in order.
    pub const ALL: [Reg; 11] =
        [Reg::R0, Reg::R1, Reg::R2, Reg::R3, Reg::R4, Reg::R5, Reg::R6, Reg::R7, Reg::R8, Reg::R9, Reg::R10];
    /// The frame pointer, one past the highest byte of the 512-byte stack frame.
    pub const FP: Reg = Reg::R10;

    /// The register with this number, if there is one.
    #[must_use]
    pub const fn new(number: u8) -> Option<Reg> {
        if number < 11 { Some(Self::ALL[number as usize]) } else { None }
    }

    /// Its number, 0 to 10.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Its number as an index into a register file.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.number())
    }
}

/// Width of an arithmetic or jump operation. A 32-bit operation clears the upper half of its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Width {
    /// 32-bit subregisters (`ALU`, `JMP32`).
    W32,
    /// 64-bit registers (`ALU64`, `JMP`).
    W64,
}

/// Width of a memory access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Size {
    /// 1 byte (`BPF_B`).
    B,
    /// 2 bytes (`BPF_H`).
    H,
    /// 4 bytes (`BPF_W`).
    W,
    /// 8 bytes (`BPF_DW`).
    DW,
}

impl Size {
    /// Number of bytes.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Size::B => 1,
            Size::H => 2,
            Size::W => 4,
            Size::DW => 8,
        }
    }

    /// Number of bits.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.bytes() as u32 * 8
    }
}

/// Second operand: a register, or a 32-bit immediate that is sign-extended in 64-bit operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Operand {
    Reg(Reg),
    Imm(i32),
}

/// Binary arithmetic (RFC 9669 section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AluOp {
    /// `dst += src`
    Add,
    /// `dst -= src`
    Sub,
    /// `dst *= src`
    Mul,
    /// Unsigned `dst /= src`; by zero gives 0.
    Div,
    /// Signed division; by zero gives 0, `MIN / -1` gives `MIN`.
    Sdiv,
    /// Unsigned remainder; by zero leaves `dst` (truncated to 32 bits in 32-bit form).
    Mod,
    /// Signed remainder, sign of the dividend; by zero as `Mod`, `MIN % -1` gives 0.
    Smod,
    /// `dst |= src`
    Or,
    /// `dst &= src`
    And,
    /// `dst ^= src`
    Xor,
    /// Shift left, count masked to the width.
    Lsh,
    /// Logical shift right, count masked to the width.
    Rsh,
    /// Arithmetic shift right, count masked to the width.
    Arsh,
    /// `dst = src`
    Mov,
}

/// Byte-order instructions (RFC 9669 section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SwapKind {
    /// Host to little endian (`le16`, ...): truncates on a little-endian host.
    ToLe,
    /// Host to big endian (`be16`, ...): swaps on a little-endian host.
    ToBe,
    /// Unconditional swap (`bswap16`, ...).
    Bswap,
}

/// Conditions (RFC 9669 section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JumpOp {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Unsigned greater than.
    Gt,
    /// Unsigned greater or equal.
    Ge,
    /// Unsigned less than.
    Lt,
    /// Unsigned less or equal.
    Le,
    /// Signed greater than.
    Sgt,
    /// Signed greater or equal.
    Sge,
    /// Signed less than.
    Slt,
    /// Signed less or equal.
    Sle,
    /// `dst & src` is not zero.
    Set,
}

/// Atomic read-modify-write operations (RFC 9669 section 5.3). Sequentially consistent when they fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AtomicOp {
    /// `*addr += src`; fetching puts the old value in `src`.
    Add {
        /// Put the old value in `src`.
        fetch: bool,
    },
    /// `*addr |= src`.
    Or {
        /// Put the old value in `src`.
        fetch: bool,
    },
    /// `*addr &= src`.
    And {
        /// Put the old value in `src`.
        fetch: bool,
    },
    /// `*addr ^= src`.
    Xor {
        /// Put the old value in `src`.
        fetch: bool,
    },
    /// Exchange `*addr` and `src`.
    Xchg,
    /// If `*addr == r0` then `*addr = src`; `r0` gets the old value, zero-extended, either way.
    Cmpxchg,
}

/// The 64-bit immediate of `ld_imm64`, by its source kind (RFC 9669 section 5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Imm64 {
    /// Kind 0: a plain value.
    Value(u64),
    /// Kind 1 (`BPF_PSEUDO_MAP_FD`): a map by descriptor.
    MapFd(i32),
    /// Kind 2 (`BPF_PSEUDO_MAP_VALUE`): an address inside the first value of a map by descriptor.
    MapValueFd {
        /// The map's descriptor.
        fd: i32,
        /// Byte offset inside the value.
        off: u32,
    },
    /// Kind 3 (`BPF_PSEUDO_BTF_ID`): a kernel variable by BTF type id.
    BtfId {
        /// Type id of the variable.
        id: i32,
        /// Descriptor of a module's BTF, 0 for the kernel's own.
        fd: i32,
    },
    /// Kind 4 (`BPF_PSEUDO_FUNC`): the address of a subprogram, in slots relative to the slot after the first one.
    Func(i32),
    /// Kind 5 (`BPF_PSEUDO_MAP_IDX`): a map by index into the load's descriptor array.
    MapIdx(i32),
    /// Kind 6 (`BPF_PSEUDO_MAP_IDX_VALUE`): an address inside the first value of a map by index.
    MapValueIdx {
        /// Index into the load's descriptor array.
        idx: i32,
        /// Byte offset inside the value.
        off: u32,
    },
}

/// What `call` calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallTarget {
    /// A helper by number.
    Helper(i32),
    /// A subprogram, in slots relative to the next slot (`BPF_PSEUDO_CALL`).
    Local(i32),
    /// A kernel function by BTF type id (`BPF_PSEUDO_KFUNC_CALL`).
    Kfunc {
        /// Type id of the function.
        btf_id: i32,
        /// Index of a module's BTF in the load's descriptor array, 0 for the kernel's own.
        fd_idx: i16,
    },
}

/// One instruction. Offsets of jumps and local calls count slots from the slot after the instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "fields are named after RFC 9669's")]
pub enum Insn {
    /// `dst = dst op src`.
    Alu { width: Width, op: AluOp, dst: Reg, src: Operand },
    /// Sign-extending move of the low `from` of `src` (`movsx`); `from` is narrower than `width`.
    Movsx { width: Width, from: Size, dst: Reg, src: Reg },
    /// `dst = -dst`.
    Neg { width: Width, dst: Reg },
    /// Byte order; `bits` of `dst`, zero-extended. `size` is 2, 4 or 8 bytes.
    Swap { kind: SwapKind, size: Size, dst: Reg },
    /// Address-space cast of an arena pointer.
    AddrSpaceCast { dst: Reg, src: Reg, dst_as: u16, src_as: u16 },
    /// The only two-slot instruction.
    LoadImm64 { dst: Reg, value: Imm64 },
    /// `dst = *(size *)(base + off)`, zero- or sign-extended to 64 bits.
    Load { size: Size, sign_extend: bool, dst: Reg, base: Reg, off: i16 },
    /// `*(size *)(base + off) = imm`, the immediate sign-extended.
    StoreImm { size: Size, base: Reg, off: i16, imm: i32 },
    /// `*(size *)(base + off) = src`.
    StoreReg { size: Size, base: Reg, off: i16, src: Reg },
    /// Atomic read-modify-write; `size` is `W` or `DW`.
    Atomic { op: AtomicOp, size: Size, base: Reg, off: i16, src: Reg },
    /// Load with acquire ordering, zero-extended.
    LoadAcquire { size: Size, dst: Reg, base: Reg, off: i16 },
    /// Store with release ordering.
    StoreRelease { size: Size, base: Reg, off: i16, src: Reg },
    /// Legacy packet load at a fixed offset: `r0 = ntoh(*(size *)(packet + off))`; `size` is not `DW`.
    LoadAbs { size: Size, off: i32 },
    /// Legacy packet load at `src + off`.
    LoadInd { size: Size, src: Reg, off: i32 },
    /// Unconditional jump (`ja`; with `long`, `gotol`, whose offset has 32 bits).
    Jump { off: i32, long: bool },
    /// Conditional jump.
    JumpIf { width: Width, op: JumpOp, dst: Reg, src: Operand, off: i16 },
    /// Jump when the loop budget is used up, fall through otherwise (`may_goto`).
    MayGoto { off: i16 },
    /// Call.
    Call(CallTarget),
    /// Call of the function whose address is in a register (`callx`).
    CallReg { target: Reg },
    /// Return, with R0.
    Exit,
}

impl From<Reg> for Operand {
    fn from(reg: Reg) -> Operand {
        Operand::Reg(reg)
    }
}

impl From<i32> for Operand {
    fn from(imm: i32) -> Operand {
        Operand::Imm(imm)
    }
}

impl Insn {
    /// Slots it takes: 2 for `ld_imm64`, 1 for all else.
    #[must_use]
    pub const fn slots(&self) -> usize {
        if matches!(self, Insn::LoadImm64 { .. }) { 2 } else { 1 }
    }

    /// 64-bit `dst = src`.
    #[must_use]
    pub fn mov(dst: Reg, src: impl Into<Operand>) -> Insn {
        Insn::alu(AluOp::Mov, dst, src)
    }

    /// 64-bit `dst = dst op src`.
    #[must_use]
    pub fn alu(op: AluOp, dst: Reg, src: impl Into<Operand>) -> Insn {
        Insn::Alu { width: Width::W64, op, dst, src: src.into() }
    }

    /// 32-bit `dst = dst op src`.
    #[must_use]
    pub fn alu32(op: AluOp, dst: Reg, src: impl Into<Operand>) -> Insn {
        Insn::Alu { width: Width::W32, op, dst, src: src.into() }
    }

    /// 64-bit `if dst op src goto +off`.
    #[must_use]
    pub fn jump_if(op: JumpOp, dst: Reg, src: impl Into<Operand>, off: i16) -> Insn {
        Insn::JumpIf { width: Width::W64, op, dst, src: src.into(), off }
    }

    /// Call of a helper by number.
    #[must_use]
    pub const fn call_helper(number: i32) -> Insn {
        Insn::Call(CallTarget::Helper(number))
    }

    /// `ld_imm64` of a plain value.
    #[must_use]
    pub const fn load_imm64(dst: Reg, value: u64) -> Insn {
        Insn::LoadImm64 { dst, value: Imm64::Value(value) }
    }

    /// Slots to go when it jumps, counted from the next slot: `goto`, `gotol`, conditional jumps and `may_goto`. Calls are not
    /// jumps.
    #[must_use]
    pub const fn jump_offset(&self) -> Option<i32> {
        match *self {
            Insn::Jump { off, .. } => Some(off),
            Insn::JumpIf { off, .. } | Insn::MayGoto { off } => Some(off as i32),
            _ => None,
        }
    }

    /// The slot that the jump at slot `pc` goes to. It may lie outside of the program: before it (negative) or after it.
    #[must_use]
    pub const fn jump_target(&self, pc: usize) -> Option<i64> {
        match self.jump_offset() {
            Some(off) => Some(pc as i64 + 1 + off as i64),
            None => None,
        }
    }

    /// The first slot of the subprogram that the instruction at slot `pc` names: a call of one, or the load of its
    /// address ([`Imm64::Func`]). It may lie outside of the program.
    #[must_use]
    pub const fn subprogram_target(&self, pc: usize) -> Option<i64> {
        match *self {
            Insn::Call(CallTarget::Local(off)) | Insn::LoadImm64 { value: Imm64::Func(off), .. } => {
                Some(pc as i64 + 1 + off as i64)
            }
            _ => None,
        }
    }

    /// True for `goto`, `gotol`, conditional jumps and `may_goto`.
    #[must_use]
    pub const fn is_jump(&self) -> bool {
        self.jump_offset().is_some()
    }

    /// True for what may jump or fall through: conditional jumps and `may_goto`.
    #[must_use]
    pub const fn is_conditional_jump(&self) -> bool {
        matches!(self, Insn::JumpIf { .. } | Insn::MayGoto { .. })
    }

    /// True for calls of any kind.
    #[must_use]
    pub const fn is_call(&self) -> bool {
        matches!(self, Insn::Call(_) | Insn::CallReg { .. })
    }

    /// True for `exit`.
    #[must_use]
    pub const fn is_exit(&self) -> bool {
        matches!(self, Insn::Exit)
    }

    /// True when the next instruction can run after this one: all but `exit`, `goto` and `gotol`.
    #[must_use]
    pub const fn falls_through(&self) -> bool {
        !matches!(self, Insn::Exit | Insn::Jump { .. })
    }

    /// True when a basic block ends with it: jumps and `exit`.
    #[must_use]
    pub const fn ends_block(&self) -> bool {
        self.is_jump() || self.is_exit()
    }
}
