//! The interpreter's own form of a program: fixed-size operations with direct targets.

/// What an operation does. One variant for every operation, width and kind of second operand, so that the interpreter
/// decides once an instruction. `R` and `I` name the second operand: register or immediate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[rustfmt::skip]
pub(crate) enum Code {
    Add64R, Add64I, Add32R, Add32I,
    Sub64R, Sub64I, Sub32R, Sub32I,
    Mul64R, Mul64I, Mul32R, Mul32I,
    Div64R, Div64I, Div32R, Div32I,
    Sdiv64R, Sdiv64I, Sdiv32R, Sdiv32I,
    Mod64R, Mod64I, Mod32R, Mod32I,
    Smod64R, Smod64I, Smod32R, Smod32I,
    Or64R, Or64I, Or32R, Or32I,
    And64R, And64I, And32R, And32I,
    Xor64R, Xor64I, Xor32R, Xor32I,
    Lsh64R, Lsh64I, Lsh32R, Lsh32I,
    Rsh64R, Rsh64I, Rsh32R, Rsh32I,
    Arsh64R, Arsh64I, Arsh32R, Arsh32I,
    Mov64R, Mov64I, Mov32R, Mov32I,
    Neg64, Neg32,
    Movsx64B, Movsx64H, Movsx64W, Movsx32B, Movsx32H,
    Trunc16, Trunc32, Swap16, Swap32, Swap64, Nop,
    LoadB, LoadH, LoadW, LoadDW, LoadSB, LoadSH, LoadSW,
    StoreRB, StoreRH, StoreRW, StoreRDW,
    StoreIB, StoreIH, StoreIW, StoreIDW,
    LoadAcqB, LoadAcqH, LoadAcqW, LoadAcqDW,
    StoreRelB, StoreRelH, StoreRelW, StoreRelDW,
    Atomic32, Atomic64,
    Packet,
    Jump,
    JeqR64, JeqI64, JeqR32, JeqI32,
    JneR64, JneI64, JneR32, JneI32,
    JgtR64, JgtI64, JgtR32, JgtI32,
    JgeR64, JgeI64, JgeR32, JgeI32,
    JltR64, JltI64, JltR32, JltI32,
    JleR64, JleI64, JleR32, JleI32,
    JsgtR64, JsgtI64, JsgtR32, JsgtI32,
    JsgeR64, JsgeI64, JsgeR32, JsgeI32,
    JsltR64, JsltI64, JsltR32, JsltI32,
    JsleR64, JsleI64, JsleR32, JsleI32,
    JsetR64, JsetI64, JsetR32, JsetI32,
    MayGoto,
    Helper,
    CallLocal, CallReg,
    Exit,
    AddrSpaceCast,
}

/// One operation: 16 bytes, so that four share a cache line.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(16))]
pub(crate) struct Op {
    /// What to do.
    pub(crate) code: Code,
    /// Destination register, or the base of a store.
    pub(crate) dst: u8,
    /// Source register, or the base of a load.
    pub(crate) src: u8,
    /// Operation of an atomic, size in bytes of a packet load.
    pub(crate) sub: u8,
    /// Offset of an access in bytes; of a jump or a call: index of the target operation.
    pub(crate) off: i32,
    /// Immediate operand, sign-extended; address; number of a helper (index into the program's table of them).
    pub(crate) imm: i64,
}

/// `Op::sub` of `Code::Packet` when there is an index register.
pub(crate) const PACKET_INDIRECT: u8 = 0x80;

const _: () = assert!(size_of::<Op>() == 16);
