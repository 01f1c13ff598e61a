//! The numbers of the instruction set (RFC 9669 section 3 to 5, `linux/bpf.h`, `linux/bpf_common.h`).
//!
//! The low three bits of an opcode are its class. Arithmetic and jump opcodes then hold one source bit ([`K`] or
//! [`X`]) and four bits of operation; load and store opcodes two bits of size and three bits of mode:
//!
//! ```text
//!  arithmetic, jumps    7 6 5 4   3   2 1 0        loads, stores    7 6 5   4 3   2 1 0
//!                        code    src  class                          mode   size  class
//! ```
//!
//! [`crate::FORMS`] lists every instruction made of these, one a line.

/// Mask of the class bits.
pub const CLASS_MASK: u8 = 0x07;
/// Non-standard loads: `ld_imm64` and the legacy packet loads.
pub const LD: u8 = 0x00;
/// Loads into a register.
pub const LDX: u8 = 0x01;
/// Stores of an immediate.
pub const ST: u8 = 0x02;
/// Stores of a register, and atomic operations.
pub const STX: u8 = 0x03;
/// 32-bit arithmetic.
pub const ALU: u8 = 0x04;
/// Jumps comparing 64 bits, calls, exit.
pub const JMP: u8 = 0x05;
/// Jumps comparing 32 bits, and the long jump.
pub const JMP32: u8 = 0x06;
/// 64-bit arithmetic.
pub const ALU64: u8 = 0x07;

/// Mask of the source bit.
pub const SOURCE_MASK: u8 = 0x08;
/// The second operand is the `imm` field.
pub const K: u8 = 0x00;
/// The second operand is the `src` register.
pub const X: u8 = 0x08;

/// Mask of the operation bits of arithmetic and jumps.
pub const CODE_MASK: u8 = 0xf0;
/// `dst += src`
pub const ADD: u8 = 0x00;
/// `dst -= src`
pub const SUB: u8 = 0x10;
/// `dst *= src`
pub const MUL: u8 = 0x20;
/// `dst /= src`; signed when `off` is [`OFF_SIGNED`].
pub const DIV: u8 = 0x30;
/// `dst |= src`
pub const OR: u8 = 0x40;
/// `dst &= src`
pub const AND: u8 = 0x50;
/// `dst <<= src`
pub const LSH: u8 = 0x60;
/// `dst >>= src`, logical.
pub const RSH: u8 = 0x70;
/// `dst = -dst`
pub const NEG: u8 = 0x80;
/// `dst %= src`; signed when `off` is [`OFF_SIGNED`].
pub const MOD: u8 = 0x90;
/// `dst ^= src`
pub const XOR: u8 = 0xa0;
/// `dst = src`; with `off` 8, 16 or 32 sign-extending, with `off` [`OFF_ADDR_SPACE_CAST`] and `ALU64 | X` a cast.
pub const MOV: u8 = 0xb0;
/// `dst >>= src`, arithmetic.
pub const ARSH: u8 = 0xc0;
/// Byte order; `imm` is the number of bits. Class `ALU` with [`TO_LE`] or [`TO_BE`], class `ALU64` swaps always.
pub const END: u8 = 0xd0;
/// Source bit of [`END`]: to little endian.
pub const TO_LE: u8 = 0x00;
/// Source bit of [`END`]: to big endian.
pub const TO_BE: u8 = 0x08;
/// `off` of a signed [`DIV`] or [`MOD`].
pub const OFF_SIGNED: i16 = 1;
/// `off` of an address-space cast (`BPF_ADDR_SPACE_CAST`); `imm` is `dst_as << 16 | src_as`.
pub const OFF_ADDR_SPACE_CAST: i16 = 1;

/// Unconditional: by `off` in class [`JMP`], by `imm` in class [`JMP32`].
pub const JA: u8 = 0x00;
/// `dst == src`
pub const JEQ: u8 = 0x10;
/// `dst > src`
pub const JGT: u8 = 0x20;
/// `dst >= src`
pub const JGE: u8 = 0x30;
/// `dst & src`
pub const JSET: u8 = 0x40;
/// `dst != src`
pub const JNE: u8 = 0x50;
/// `dst > src`, signed.
pub const JSGT: u8 = 0x60;
/// `dst >= src`, signed.
pub const JSGE: u8 = 0x70;
/// Call; `src` says of what, see [`PSEUDO_CALL`] and [`PSEUDO_KFUNC_CALL`].
pub const CALL: u8 = 0x80;
/// Return.
pub const EXIT: u8 = 0x90;
/// `dst < src`
pub const JLT: u8 = 0xa0;
/// `dst <= src`
pub const JLE: u8 = 0xb0;
/// `dst < src`, signed.
pub const JSLT: u8 = 0xc0;
/// `dst <= src`, signed.
pub const JSLE: u8 = 0xd0;
/// A condition kept by the kernel (`BPF_JCOND`); `src` 0 is `may_goto`.
pub const JCOND: u8 = 0xe0;

/// Mask of the size bits of loads and stores.
pub const SIZE_MASK: u8 = 0x18;
/// 4 bytes.
pub const W: u8 = 0x00;
/// 2 bytes.
pub const H: u8 = 0x08;
/// 1 byte.
pub const B: u8 = 0x10;
/// 8 bytes.
pub const DW: u8 = 0x18;

/// Mask of the mode bits of loads and stores.
pub const MODE_MASK: u8 = 0xe0;
/// A 64-bit immediate in two slots.
pub const IMM: u8 = 0x00;
/// Legacy packet load at an absolute offset.
pub const ABS: u8 = 0x20;
/// Legacy packet load at an offset from a register.
pub const IND: u8 = 0x40;
/// Plain memory access.
pub const MEM: u8 = 0x60;
/// Sign-extending load.
pub const MEMSX: u8 = 0x80;
/// Atomic operation, chosen by `imm`.
pub const ATOMIC: u8 = 0xc0;

/// Opcode of the first slot of `ld_imm64`.
pub const LD_IMM64: u8 = LD | IMM | DW;

/// `imm` bit of atomic operations: also fetch the old value.
pub const ATOMIC_FETCH: i32 = 0x01;
/// `imm`: add.
pub const ATOMIC_ADD: i32 = 0x00;
/// `imm`: or.
pub const ATOMIC_OR: i32 = 0x40;
/// `imm`: and.
pub const ATOMIC_AND: i32 = 0x50;
/// `imm`: exclusive or.
pub const ATOMIC_XOR: i32 = 0xa0;
/// `imm`: exchange (always fetches).
pub const ATOMIC_XCHG: i32 = 0xe0 | ATOMIC_FETCH;
/// `imm`: compare with R0 and exchange (always fetches).
pub const ATOMIC_CMPXCHG: i32 = 0xf0 | ATOMIC_FETCH;
/// `imm`: load with acquire ordering (`BPF_LOAD_ACQ`).
pub const LOAD_ACQ: i32 = 0x100;
/// `imm`: store with release ordering (`BPF_STORE_REL`).
pub const STORE_REL: i32 = 0x110;

/// `src` of `ld_imm64`: a map by descriptor.
pub const PSEUDO_MAP_FD: u8 = 1;
/// `src` of `ld_imm64`: the value of a map by descriptor.
pub const PSEUDO_MAP_VALUE: u8 = 2;
/// `src` of `ld_imm64`: a kernel variable by BTF id.
pub const PSEUDO_BTF_ID: u8 = 3;
/// `src` of `ld_imm64`: the address of a subprogram.
pub const PSEUDO_FUNC: u8 = 4;
/// `src` of `ld_imm64`: a map by index.
pub const PSEUDO_MAP_IDX: u8 = 5;
/// `src` of `ld_imm64`: the value of a map by index.
pub const PSEUDO_MAP_IDX_VALUE: u8 = 6;
/// `src` of [`CALL`]: a subprogram, relative.
pub const PSEUDO_CALL: u8 = 1;
/// `src` of [`CALL`]: a kernel function by BTF id.
pub const PSEUDO_KFUNC_CALL: u8 = 2;
