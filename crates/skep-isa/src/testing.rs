//! Strategies for property tests: registers, slots, instructions (feature `proptest`).
//!
//! ```
//! use proptest::prelude::*;
//! use skep_isa::{Insn, testing};
//! proptest!(|(insn in testing::insn())| {
//!     prop_assert_eq!(Insn::decode(&insn.encode()), Ok(insn));
//! });
//! ```

use proptest::prelude::*;
use proptest::sample::select;

use crate::{AluOp, AtomicOp, CallTarget, Imm64, Insn, JumpOp, Operand, RawInsn, Reg, Size, SwapKind, Width};

/// All of [`AluOp`].
pub const ALU_OPS: [AluOp; 14] = [
    AluOp::Add,
    AluOp::Sub,
    AluOp::Mul,
    AluOp::Div,
    AluOp::Sdiv,
    AluOp::Mod,
    AluOp::Smod,
    AluOp::Or,
    AluOp::And,
    AluOp::Xor,
    AluOp::Lsh,
    AluOp::Rsh,
    AluOp::Arsh,
    AluOp::Mov,
];

/// All of [`JumpOp`].
pub const JUMP_OPS: [JumpOp; 11] = [
    JumpOp::Eq,
    JumpOp::Ne,
    JumpOp::Gt,
    JumpOp::Ge,
    JumpOp::Lt,
    JumpOp::Le,
    JumpOp::Sgt,
    JumpOp::Sge,
    JumpOp::Slt,
    JumpOp::Sle,
    JumpOp::Set,
];

/// All of [`AtomicOp`].
pub const ATOMIC_OPS: [AtomicOp; 10] = [
    AtomicOp::Add { fetch: false },
    AtomicOp::Add { fetch: true },
    AtomicOp::Or { fetch: false },
    AtomicOp::Or { fetch: true },
    AtomicOp::And { fetch: false },
    AtomicOp::And { fetch: true },
    AtomicOp::Xor { fetch: false },
    AtomicOp::Xor { fetch: true },
    AtomicOp::Xchg,
    AtomicOp::Cmpxchg,
];

/// Any register.
pub fn reg() -> impl Strategy<Value = Reg> + Clone {
    select(&Reg::ALL[..])
}

/// Either width.
pub fn width() -> impl Strategy<Value = Width> + Clone {
    select(&[Width::W32, Width::W64][..])
}

/// Any access size.
pub fn size() -> impl Strategy<Value = Size> + Clone {
    select(&[Size::B, Size::H, Size::W, Size::DW][..])
}

/// Immediates: anything, with the edges of every width more often than chance would have it.
pub fn imm() -> impl Strategy<Value = i32> + Clone {
    let edges = [
        0,
        1,
        -1,
        2,
        7,
        8,
        31,
        32,
        33,
        63,
        64,
        65,
        0x7f,
        0x80,
        0xff,
        0x100,
        0x7fff,
        0x8000,
        0xffff,
        0x10000,
        -0x80,
        -0x81,
        -0x8000,
        -0x8001,
        i32::MAX,
        i32::MIN,
        i32::MIN + 1,
    ];
    prop_oneof![2 => any::<i32>(), 3 => select(edges.to_vec())]
}

/// 64-bit values: anything, with the edges of every width more often than chance would have it.
pub fn value64() -> impl Strategy<Value = u64> + Clone {
    let edges = [
        0,
        1,
        2,
        63,
        64,
        0x7f,
        0x80,
        0xff,
        0x7fff,
        0x8000,
        0xffff,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_ffff,
        0x1_0000_0000,
        0x7fff_ffff_ffff_ffff,
        0x8000_0000_0000_0000,
        0xffff_ffff_0000_0000,
        0xffff_ffff_7fff_ffff,
        0xffff_ffff_8000_0000,
        0xffff_ffff_ffff_ff80,
        u64::MAX,
    ];
    prop_oneof![2 => any::<u64>(), 3 => select(edges.to_vec())]
}

/// A register or an immediate.
pub fn operand() -> impl Strategy<Value = Operand> + Clone {
    prop_oneof![reg().prop_map(Operand::Reg), imm().prop_map(Operand::Imm)]
}

/// Any of the seven source kinds of `ld_imm64`.
pub fn imm64() -> impl Strategy<Value = Imm64> {
    prop_oneof![
        4 => value64().prop_map(Imm64::Value),
        1 => imm().prop_map(Imm64::MapFd),
        1 => (imm(), any::<u32>()).prop_map(|(fd, off)| Imm64::MapValueFd { fd, off }),
        1 => (imm(), imm()).prop_map(|(id, fd)| Imm64::BtfId { id, fd }),
        1 => imm().prop_map(Imm64::Func),
        1 => imm().prop_map(Imm64::MapIdx),
        1 => (imm(), any::<u32>()).prop_map(|(idx, off)| Imm64::MapValueIdx { idx, off }),
    ]
}

/// Arithmetic: binary operations, `movsx`, negation, byte order. Division by the immediate 0 and shifts by more than
/// the width are among them.
pub fn arithmetic() -> impl Strategy<Value = Insn> {
    let movsx = (width(), select(&[Size::B, Size::H, Size::W][..]), reg(), reg()).prop_map(
        |(width, from, dst, src)| match (width, from) {
            // A 32-bit movsx of 32 bits would be a plain mov; there is none.
            (Width::W32, Size::W) => Insn::Movsx { width: Width::W64, from, dst, src },
            _ => Insn::Movsx { width, from, dst, src },
        },
    );
    let swap = (
        select(&[SwapKind::ToLe, SwapKind::ToBe, SwapKind::Bswap][..]),
        select(&[Size::H, Size::W, Size::DW][..]),
        reg(),
    )
        .prop_map(|(kind, size, dst)| Insn::Swap { kind, size, dst });
    prop_oneof![
        10 => (width(), select(&ALU_OPS[..]), reg(), operand())
            .prop_map(|(width, op, dst, src)| Insn::Alu { width, op, dst, src }),
        2 => movsx,
        1 => (width(), reg()).prop_map(|(width, dst)| Insn::Neg { width, dst }),
        2 => swap,
    ]
}

/// Loads, stores and atomics through registers.
pub fn memory() -> impl Strategy<Value = Insn> {
    let load =
        (size(), any::<bool>(), reg(), reg(), any::<i16>()).prop_map(|(size, sign, dst, base, off)| {
            // All 8 bytes need no extension.
            Insn::Load { size, sign_extend: sign && size != Size::DW, dst, base, off }
        });
    prop_oneof![
        3 => load,
        1 => (size(), reg(), any::<i16>(), imm())
            .prop_map(|(size, base, off, imm)| Insn::StoreImm { size, base, off, imm }),
        1 => (size(), reg(), any::<i16>(), reg())
            .prop_map(|(size, base, off, src)| Insn::StoreReg { size, base, off, src }),
        3 => (select(&ATOMIC_OPS[..]), select(&[Size::W, Size::DW][..]), reg(), any::<i16>(), reg())
            .prop_map(|(op, size, base, off, src)| Insn::Atomic { op, size, base, off, src }),
        1 => (size(), reg(), reg(), any::<i16>())
            .prop_map(|(size, dst, base, off)| Insn::LoadAcquire { size, dst, base, off }),
        1 => (size(), reg(), any::<i16>(), reg())
            .prop_map(|(size, base, off, src)| Insn::StoreRelease { size, base, off, src }),
    ]
}

/// Jumps, with any offset.
pub fn jump() -> impl Strategy<Value = Insn> {
    prop_oneof![
        1 => any::<i16>().prop_map(|off| Insn::Jump { off: off.into(), long: false }),
        1 => imm().prop_map(|off| Insn::Jump { off, long: true }),
        6 => (width(), select(&JUMP_OPS[..]), reg(), operand(), any::<i16>())
            .prop_map(|(width, op, dst, src, off)| Insn::JumpIf { width, op, dst, src, off }),
        1 => any::<i16>().prop_map(|off| Insn::MayGoto { off }),
    ]
}

/// Calls and `exit`.
pub fn call() -> impl Strategy<Value = Insn> {
    prop_oneof![
        imm().prop_map(|number| Insn::Call(CallTarget::Helper(number))),
        imm().prop_map(|off| Insn::Call(CallTarget::Local(off))),
        (imm(), any::<i16>()).prop_map(|(btf_id, fd_idx)| Insn::Call(CallTarget::Kfunc { btf_id, fd_idx })),
        reg().prop_map(|target| Insn::CallReg { target }),
        Just(Insn::Exit),
    ]
}

/// Any valid instruction at all.
pub fn insn() -> impl Strategy<Value = Insn> {
    let packet_size = || select(&[Size::B, Size::H, Size::W][..]);
    prop_oneof![
        6 => arithmetic(),
        5 => memory(),
        4 => jump(),
        2 => call(),
        2 => (reg(), imm64()).prop_map(|(dst, value)| Insn::LoadImm64 { dst, value }),
        1 => (reg(), reg(), any::<u16>(), any::<u16>())
            .prop_map(|(dst, src, dst_as, src_as)| Insn::AddrSpaceCast { dst, src, dst_as, src_as }),
        1 => (packet_size(), imm()).prop_map(|(size, off)| Insn::LoadAbs { size, off }),
        1 => (packet_size(), reg(), imm()).prop_map(|(size, src, off)| Insn::LoadInd { size, src, off }),
    ]
}

/// Any slot at all, most of which are no instruction.
pub fn raw() -> impl Strategy<Value = RawInsn> {
    let off = prop_oneof![1 => any::<i16>(), 3 => select(&[0, 1, 8, 16, 32][..])];
    let imm = prop_oneof![1 => imm(), 3 => Just(0)];
    (any::<u8>(), 0..16u8, prop_oneof![0..16u8, Just(0)], off, imm)
        .prop_map(|(opcode, dst, src, off, imm)| RawInsn { opcode, dst, src, off, imm })
}
