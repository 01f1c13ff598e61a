//! Every instruction, one a line: which fields it uses, its conformance group, and since when it exists.

use crate::{Insn, RawInsn};

/// The conformance groups of RFC 9669 (section 2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names of the standard")]
pub enum ConformanceGroup {
    Base32,
    Base64,
    Atomic32,
    Atomic64,
    Divmul32,
    Divmul64,
    Packet,
}

impl ConformanceGroup {
    /// Its label in the standard: `base32`, ...
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Base32 => "base32",
            Base64 => "base64",
            Atomic32 => "atomic32",
            Atomic64 => "atomic64",
            Divmul32 => "divmul32",
            Divmul64 => "divmul64",
            Packet => "packet",
        }
    }
}

/// What an instruction has in one of its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FieldUse {
    /// Nothing: the field is zero.
    Zero,
    /// A register, 0 to 10.
    Register,
    /// Any value.
    Any,
    /// This value, which is a part of the opcode.
    Is(i32),
}

impl FieldUse {
    /// True when the field may hold this value.
    #[must_use]
    pub const fn allows(self, value: i32) -> bool {
        match self {
            FieldUse::Zero => value == 0,
            FieldUse::Register => 0 <= value && value <= 10,
            FieldUse::Any => true,
            FieldUse::Is(only) => value == only,
        }
    }
}

/// One line of [`FORMS`]: an instruction of the set, operands aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Form {
    /// Operation code.
    pub opcode: u8,
    /// Use of the destination register field.
    pub dst: FieldUse,
    /// Use of the source register field.
    pub src: FieldUse,
    /// Use of the offset field.
    pub off: FieldUse,
    /// Use of the immediate field (of `ld_imm64`: of the first slot).
    pub imm: FieldUse,
    /// Its conformance group; none for what Linux adds to the standard.
    ///
    /// The sign-extending loads are in none of the standard's lists of exceptions, hence in `base32`.
    pub group: Option<ConformanceGroup>,
    /// The Linux version (major, minor) whose verifier first accepted it; none for `callx`, which none does.
    pub linux: Option<(u8, u8)>,
    /// The first of clang's `-mcpu=v1` to `v4` for which the compiler chooses it. Assemblers take it with any.
    pub cpu: u8,
    /// An instruction of this form in assembly text.
    pub example: &'static str,
}

impl Form {
    /// True when the slot is an instruction of this form. The second slot of `ld_imm64` is not looked at.
    #[must_use]
    pub const fn matches(&self, slot: RawInsn) -> bool {
        self.opcode == slot.opcode
            && self.dst.allows(slot.dst as i32)
            && self.src.allows(slot.src as i32)
            && self.off.allows(slot.off as i32)
            && self.imm.allows(slot.imm)
    }
}

impl RawInsn {
    /// The line of the manual that this slot belongs to; none if it is no instruction, or the second slot of one.
    #[must_use]
    pub fn form(self) -> Option<&'static Form> {
        let start = FORMS.partition_point(|form| form.opcode < self.opcode);
        let candidates = FORMS.iter().skip(start).take_while(|form| form.opcode == self.opcode);
        candidates.into_iter().find(|form| form.matches(self))
    }
}

impl Insn {
    /// The line of the manual that it belongs to; none only if it is not [valid](Insn::is_valid).
    ///
    /// ```
    /// use skep_isa::{ConformanceGroup, Insn};
    /// let form = Insn::Exit.form().unwrap();
    /// assert_eq!((form.opcode, form.group, form.linux), (0x95, Some(ConformanceGroup::Base32), Some((3, 18))));
    /// ```
    #[must_use]
    pub fn form(&self) -> Option<&'static Form> {
        self.encode().first()?.form()
    }

    /// Its conformance group; none for what Linux adds to the standard.
    #[must_use]
    pub fn conformance_group(&self) -> Option<ConformanceGroup> {
        self.form()?.group
    }
}

#[expect(clippy::too_many_arguments, reason = "the columns of the table")]
const fn f(
    opcode: u8,
    dst: FieldUse,
    src: FieldUse,
    off: FieldUse,
    imm: FieldUse,
    group: Option<ConformanceGroup>,
    linux: Option<(u8, u8)>,
    cpu: u8,
    example: &'static str,
) -> Form {
    Form { opcode, dst, src, off, imm, group, linux, cpu, example }
}

use ConformanceGroup::{Atomic32, Atomic64, Base32, Base64, Divmul32, Divmul64, Packet};
use FieldUse::{Any as ANY, Is as IS, Register as REG, Zero as ZERO};

/// The instruction set by opcode: RFC 9669's appendix, and Linux's additions.
#[rustfmt::skip]
pub static FORMS: &[Form] = &[
    // opcode, dst, src, off,     imm,       group,          Linux,          cpu, example
    f(0x04, REG,  ZERO,  ZERO,   ANY,       Some(Base32),   Some((3, 18)), 3, "w1 += 5"),
    f(0x05, ZERO, ZERO,  ANY,    ZERO,      Some(Base32),   Some((3, 18)), 1, "goto +1"),
    f(0x06, ZERO, ZERO,  ZERO,   ANY,       Some(Base32),   Some((6, 6)),  4, "gotol +1"),
    f(0x07, REG,  ZERO,  ZERO,   ANY,       Some(Base64),   Some((3, 18)), 1, "r1 += 5"),
    f(0x0c, REG,  REG,   ZERO,   ZERO,      Some(Base32),   Some((3, 18)), 3, "w1 += w2"),
    f(0x0f, REG,  REG,   ZERO,   ZERO,      Some(Base64),   Some((3, 18)), 1, "r1 += r2"),
    f(0x14, REG,  ZERO,  ZERO,   ANY,       Some(Base32),   Some((3, 18)), 3, "w1 -= 5"),
    f(0x15, REG,  ZERO,  ANY,    ANY,       Some(Base64),   Some((3, 18)), 1, "if r1 == 5 goto +1"),
    f(0x16, REG,  ZERO,  ANY,    ANY,       Some(Base32),   Some((5, 1)),  3, "if w1 == 5 goto +1"),
    f(0x17, REG,  ZERO,  ZERO,   ANY,       Some(Base64),   Some((3, 18)), 1, "r1 -= 5"),
    f(0x18, REG,  ZERO,  ZERO,   ANY,       Some(Base64),   Some((3, 18)), 1, "r1 = 5 ll"),
    f(0x18, REG,  IS(1), ZERO,   ANY,       Some(Base64),   Some((3, 18)), 1, "r1 = map[fd:5] ll"),
    f(0x18, REG,  IS(2), ZERO,   ANY,       Some(Base64),   Some((5, 2)),  1, "r1 = map[fd:5][0]+8 ll"),
    f(0x18, REG,  IS(3), ZERO,   ANY,       Some(Base64),   Some((5, 10)), 1, "r1 = var[btf_id:5] ll"),
    f(0x18, REG,  IS(4), ZERO,   ANY,       Some(Base64),   Some((5, 13)), 1, "r1 = subprog[+1] ll"),
    f(0x18, REG,  IS(5), ZERO,   ANY,       Some(Base64),   Some((5, 14)), 1, "r1 = map[idx:5] ll"),
    f(0x18, REG,  IS(6), ZERO,   ANY,       Some(Base64),   Some((5, 14)), 1, "r1 = map[idx:5][0]+8 ll"),
    f(0x1c, REG,  REG,   ZERO,   ZERO,      Some(Base32),   Some((3, 18)), 3, "w1 -= w2"),
    f(0x1d, REG,  REG,   ANY,    ZERO,      Some(Base64),   Some((3, 18)), 1, "if r1 == r2 goto +1"),
    f(0x1e, REG,  REG,   ANY,    ZERO,      Some(Base32),   Some((5, 1)),  3, "if w1 == w2 goto +1"),
    f(0x1f, REG,  REG,   ZERO,   ZERO,      Some(Base64),   Some((3, 18)), 1, "r1 -= r2"),
    f(0x20, ZERO, ZERO,  ZERO,   ANY,       Some(Packet),   Some((3, 18)), 1, "r0 = *(u32 *)skb[14]"),
    f(0x24, REG,  ZERO,  ZERO,   ANY,       Some(Divmul32), Some((3, 18)), 3, "w1 *= 5"),
    f(0x25, REG,  ZERO,  ANY,    ANY,       Some(Base64),   Some((3, 18)), 1, "if r1 > 5 goto +1"),
    f(0x26, REG,  ZERO,  ANY,    ANY,       Some(Base32),   Some((5, 1)),  3, "if w1 > 5 goto +1"),
    f(0x27, REG,  ZERO,  ZERO,   ANY,       Some(Divmul64), Some((3, 18)), 1, "r1 *= 5"),
    f(0x28, ZERO, ZERO,  ZERO,   ANY,       Some(Packet),   Some((3, 18)), 1, "r0 = *(u16 *)skb[14]"),
    f(0x2c, REG,  REG,   ZERO,   ZERO,      Some(Divmul32), Some((3, 18)), 3, "w1 *= w2"),
    f(0x2d, REG,  REG,   ANY,    ZERO,      Some(Base64),   Some((3, 18)), 1, "if r1 > r2 goto +1"),
    f(0x2e, REG,  REG,   ANY,    ZERO,      Some(Base32),   Some((5, 1)),  3, "if w1 > w2 goto +1"),
    f(0x2f, REG,  REG,   ZERO,   ZERO,      Some(Divmul64), Some((3, 18)), 1, "r1 *= r2"),
    f(0x30, ZERO, ZERO,  ZERO,   ANY,       Some(Packet),   Some((3, 18)), 1, "r0 = *(u8 *)skb[14]"),
    f(0x34, REG,  ZERO,  ZERO,   ANY,       Some(Divmul32), Some((3, 18)), 3, "w1 /= 5"),
    f(0x34, REG,  ZERO,  IS(1),  ANY,       Some(Divmul32), Some((6, 6)),  4, "w1 s/= 5"),
    f(0x35, REG,  ZERO,  ANY,    ANY,       Some(Base64),   Some((3, 18)), 1, "if r1 >= 5 goto +1"),
    f(0x36, REG,  ZERO,  ANY,    ANY,       Some(Base32),   Some((5, 1)),  3, "if w1 >= 5 goto +1"),
    f(0x37, REG,  ZERO,  ZERO,   ANY,       Some(Divmul64), Some((3, 18)), 1, "r1 /= 5"),
    f(0x37, REG,  ZERO,  IS(1),  ANY,       Some(Divmul64), Some((6, 6)),  4, "r1 s/= 5"),
    f(0x3c, REG,  REG,   ZERO,   ZERO,      Some(Divmul32), Some((3, 18)), 3, "w1 /= w2"),
    f(0x3c, REG,  REG,   IS(1),  ZERO,      Some(Divmul32), Some((6, 6)),  4, "w1 s/= w2"),
    f(0x3d, REG,  REG,   ANY,    ZERO,      Some(Base64),   Some((3, 18)), 1, "if r1 >= r2 goto +1"),
    f(0x3e, REG,  REG,   ANY,    ZERO,      Some(Base32),   Some((5, 1)),  3, "if w1 >= w2 goto +1"),
    f(0x3f, REG,  REG,   ZERO,   ZERO,      Some(Divmul64), Some((3, 18)), 1, "r1 /= r2"),
    f(0x3f, REG,  REG,   IS(1),  ZERO,      Some(Divmul64), Some((6, 6)),  4, "r1 s/= r2"),
    f(0x40, ZERO, REG,   ZERO,   ANY,       Some(Packet),   Some((3, 18)), 1, "r0 = *(u32 *)skb[r6]"),
    f(0x44, REG,  ZERO,  ZERO,   ANY,       Some(Base32),   Some((3, 18)), 3, "w1 |= 5"),
    f(0x45, REG,  ZERO,  ANY,    ANY,       Some(Base64),   Some((3, 18)), 1, "if r1 & 5 goto +1"),
    f(0x46, REG,  ZERO,  ANY,    ANY,       Some(Base32),   Some((5, 1)),  3, "if w1 & 5 goto +1"),
    f(0x47, REG,  ZERO,  ZERO,   ANY,       Some(Base64),   Some((3, 18)), 1, "r1 |= 5"),
    f(0x48, ZERO, REG,   ZERO,   ANY,       Some(Packet),   Some((3, 18)), 1, "r0 = *(u16 *)skb[r6]"),
    f(0x4c, REG,  REG,   ZERO,   ZERO,      Some(Base32),   Some((3, 18)), 3, "w1 |= w2"),
    f(0x4d, REG,  REG,   ANY,    ZERO,      Some(Base64),   Some((3, 18)), 1, "if r1 & r2 goto +1"),
    f(0x4e, REG,  REG,   ANY,    ZERO,      Some(Base32),   Some((5, 1)),  3, "if w1 & w2 goto +1"),
    f(0x4f, REG,  REG,   ZERO,   ZERO,      Some(Base64),   Some((3, 18)), 1, "r1 |= r2"),
    f(0x50, ZERO, REG,   ZERO,   ANY,       Some(Packet),   Some((3, 18)), 1, "r0 = *(u8 *)skb[r6]"),
    f(0x54, REG,  ZERO,  ZERO,   ANY,       Some(Base32),   Some((3, 18)), 3, "w1 &= 5"),
    f(0x55, REG,  ZERO,  ANY,    ANY,       Some(Base64),   Some((3, 18)), 1, "if r1 != 5 goto +1"),
    f(0x56, REG,  ZERO,  ANY,    ANY,       Some(Base32),   Some((5, 1)),  3, "if w1 != 5 goto +1"),
    f(0x57, REG,  ZERO,  ZERO,   ANY,       Some(Base64),   Some((3, 18)), 1, "r1 &= 5"),
    f(0x5c, REG,  REG,   ZERO,   ZERO,      Some(Base32),   Some((3, 18)), 3, "w1 &= w2"),
    f(0x5d, REG,  REG,   ANY,    ZERO,      Some(Base64),   Some((3, 18)), 1, "if r1 != r2 goto +1"),
    f(0x5e, REG,  REG,   ANY,    ZERO,      Some(Base32),   Some((5, 1)),  3, "if w1 != w2 goto +1"),
    f(0x5f, REG,  REG,   ZERO,   ZERO,      Some(Base64),   Some((3, 18)), 1, "r1 &= r2"),
    f(0x61, REG,  REG,   ANY,    ZERO,      Some(Base32),   Some((3, 18)), 1, "r1 = *(u32 *)(r2 + 4)"),
    f(0x62, REG,  ZERO,  ANY,    ANY,       Some(Base32),   Some((3, 18)), 4, "*(u32 *)(r1 + 4) = 5"),
    f(0x63, REG,  REG,   ANY,    ZERO,      Some(Base32),   Some((3, 18)), 1, "*(u32 *)(r1 + 4) = r2"),
    f(0x64, REG,  ZERO,  ZERO,   ANY,       Some(Base32),   Some((3, 18)), 3, "w1 <<= 5"),
    f(0x65, REG,  ZERO,  ANY,    ANY,       Some(Base64),   Some((3, 18)), 1, "if r1 s> 5 goto +1"),
    f(0x66, REG,  ZERO,  ANY,    ANY,       Some(Base32),   Some((5, 1)),  3, "if w1 s> 5 goto +1"),
    f(0x67, REG,  ZERO,  ZERO,   ANY,       Some(Base64),   Some((3, 18)), 1, "r1 <<= 5"),
    f(0x69, REG,  REG,   ANY,    ZERO,      Some(Base32),   Some((3, 18)), 1, "r1 = *(u16 *)(r2 + 4)"),
    f(0x6a, REG,  ZERO,  ANY,    ANY,       Some(Base32),   Some((3, 18)), 4, "*(u16 *)(r1 + 4) = 5"),
    f(0x6b, REG,  REG,   ANY,    ZERO,      Some(Base32),   Some((3, 18)), 1, "*(u16 *)(r1 + 4) = r2"),
    f(0x6c, REG,  REG,   ZERO,   ZERO,      Some(Base32),   Some((3, 18)), 3, "w1 <<= w2"),
    f(0x6d, REG,  REG,   ANY,    ZERO,      Some(Base64),   Some((3, 18)), 1, "if r1 s> r2 goto +1"),
    f(0x6e, REG,  REG,   ANY,    ZERO,      Some(Base32),   Some((5, 1)),  3, "if w1 s> w2 goto +1"),
    f(0x6f, REG,  REG,   ZERO,   ZERO,      Some(Base64),   Some((3, 18)), 1, "r1 <<= r2"),
    f(0x71, REG,  REG,   ANY,    ZERO,      Some(Base32),   Some((3, 18)), 1, "r1 = *(u8 *)(r2 + 4)"),
    f(0x72, REG,  ZERO,  ANY,    ANY,       Some(Base32),   Some((3, 18)), 4, "*(u8 *)(r1 + 4) = 5"),
    f(0x73, REG,  REG,   ANY,    ZERO,      Some(Base32),   Some((3, 18)), 1, "*(u8 *)(r1 + 4) = r2"),
    f(0x74, REG,  ZERO,  ZERO,   ANY,       Some(Base32),   Some((3, 18)), 3, "w1 >>= 5"),
    f(0x75, REG,  ZERO,  ANY,    ANY,       Some(Base64),   Some((3, 18)), 1, "if r1 s>= 5 goto +1"),
    f(0x76, REG,  ZERO,  ANY,    ANY,       Some(Base32),   Some((5, 1)),  3, "if w1 s>= 5 goto +1"),
    f(0x77, REG,  ZERO,  ZERO,   ANY,       Some(Base64),   Some((3, 18)), 1, "r1 >>= 5"),
    f(0x79, REG,  REG,   ANY,    ZERO,      Some(Base64),   Some((3, 18)), 1, "r1 = *(u64 *)(r2 + 4)"),
    f(0x7a, REG,  ZERO,  ANY,    ANY,       Some(Base64),   Some((3, 18)), 4, "*(u64 *)(r1 + 4) = 5"),
    f(0x7b, REG,  REG,   ANY,    ZERO,      Some(Base64),   Some((3, 18)), 1, "*(u64 *)(r1 + 4) = r2"),
    f(0x7c, REG,  REG,   ZERO,   ZERO,      Some(Base32),   Some((3, 18)), 3, "w1 >>= w2"),
    f(0x7d, REG,  REG,   ANY,    ZERO,      Some(Base64),   Some((3, 18)), 1, "if r1 s>= r2 goto +1"),
    f(0x7e, REG,  REG,   ANY,    ZERO,      Some(Base32),   Some((5, 1)),  3, "if w1 s>= w2 goto +1"),
    f(0x7f, REG,  REG,   ZERO,   ZERO,      Some(Base64),   Some((3, 18)), 1, "r1 >>= r2"),
    f(0x81, REG,  REG,   ANY,    ZERO,      Some(Base32),   Some((6, 6)),  4, "r1 = *(s32 *)(r2 + 4)"),
    f(0x84, REG,  ZERO,  ZERO,   ZERO,      Some(Base32),   Some((3, 18)), 3, "w1 = -w1"),
    f(0x85, ZERO, ZERO,  ZERO,   ANY,       Some(Base32),   Some((3, 18)), 1, "call 6"),
    f(0x85, ZERO, IS(1), ZERO,   ANY,       Some(Base32),   Some((4, 16)), 1, "call local +1"),
    f(0x85, ZERO, IS(2), ANY,    ANY,       Some(Base32),   Some((5, 13)), 1, "call kfunc 1234"),
    f(0x87, REG,  ZERO,  ZERO,   ZERO,      Some(Base64),   Some((3, 18)), 1, "r1 = -r1"),
    f(0x89, REG,  REG,   ANY,    ZERO,      Some(Base32),   Some((6, 6)),  4, "r1 = *(s16 *)(r2 + 4)"),
    f(0x8d, REG,  ZERO,  ZERO,   ZERO,      None,           None,          1, "callx r1"),
    f(0x91, REG,  REG,   ANY,    ZERO,      Some(Base32),   Some((6, 6)),  4, "r1 = *(s8 *)(r2 + 4)"),
    f(0x94, REG,  ZERO,  ZERO,   ANY,       Some(Divmul32), Some((3, 18)), 3, "w1 %= 5"),
    f(0x94, REG,  ZERO,  IS(1),  ANY,       Some(Divmul32), Some((6, 6)),  4, "w1 s%= 5"),
    f(0x95, ZERO, ZERO,  ZERO,   ZERO,      Some(Base32),   Some((3, 18)), 1, "exit"),
    f(0x97, REG,  ZERO,  ZERO,   ANY,       Some(Divmul64), Some((3, 18)), 1, "r1 %= 5"),
    f(0x97, REG,  ZERO,  IS(1),  ANY,       Some(Divmul64), Some((6, 6)),  4, "r1 s%= 5"),
    f(0x9c, REG,  REG,   ZERO,   ZERO,      Some(Divmul32), Some((3, 18)), 3, "w1 %= w2"),
    f(0x9c, REG,  REG,   IS(1),  ZERO,      Some(Divmul32), Some((6, 6)),  4, "w1 s%= w2"),
    f(0x9f, REG,  REG,   ZERO,   ZERO,      Some(Divmul64), Some((3, 18)), 1, "r1 %= r2"),
    f(0x9f, REG,  REG,   IS(1),  ZERO,      Some(Divmul64), Some((6, 6)),  4, "r1 s%= r2"),
    f(0xa4, REG,  ZERO,  ZERO,   ANY,       Some(Base32),   Some((3, 18)), 3, "w1 ^= 5"),
    f(0xa5, REG,  ZERO,  ANY,    ANY,       Some(Base64),   Some((4, 14)), 2, "if r1 < 5 goto +1"),
    f(0xa6, REG,  ZERO,  ANY,    ANY,       Some(Base32),   Some((5, 1)),  3, "if w1 < 5 goto +1"),
    f(0xa7, REG,  ZERO,  ZERO,   ANY,       Some(Base64),   Some((3, 18)), 1, "r1 ^= 5"),
    f(0xac, REG,  REG,   ZERO,   ZERO,      Some(Base32),   Some((3, 18)), 3, "w1 ^= w2"),
    f(0xad, REG,  REG,   ANY,    ZERO,      Some(Base64),   Some((4, 14)), 2, "if r1 < r2 goto +1"),
    f(0xae, REG,  REG,   ANY,    ZERO,      Some(Base32),   Some((5, 1)),  3, "if w1 < w2 goto +1"),
    f(0xaf, REG,  REG,   ZERO,   ZERO,      Some(Base64),   Some((3, 18)), 1, "r1 ^= r2"),
    f(0xb4, REG,  ZERO,  ZERO,   ANY,       Some(Base32),   Some((3, 18)), 3, "w1 = 5"),
    f(0xb5, REG,  ZERO,  ANY,    ANY,       Some(Base64),   Some((4, 14)), 2, "if r1 <= 5 goto +1"),
    f(0xb6, REG,  ZERO,  ANY,    ANY,       Some(Base32),   Some((5, 1)),  3, "if w1 <= 5 goto +1"),
    f(0xb7, REG,  ZERO,  ZERO,   ANY,       Some(Base64),   Some((3, 18)), 1, "r1 = 5"),
    f(0xbc, REG,  REG,   ZERO,   ZERO,      Some(Base32),   Some((3, 18)), 3, "w1 = w2"),
    f(0xbc, REG,  REG,   IS(8),  ZERO,      Some(Base32),   Some((6, 6)),  4, "w1 = (s8)w2"),
    f(0xbc, REG,  REG,   IS(16), ZERO,      Some(Base32),   Some((6, 6)),  4, "w1 = (s16)w2"),
    f(0xbd, REG,  REG,   ANY,    ZERO,      Some(Base64),   Some((4, 14)), 2, "if r1 <= r2 goto +1"),
    f(0xbe, REG,  REG,   ANY,    ZERO,      Some(Base32),   Some((5, 1)),  3, "if w1 <= w2 goto +1"),
    f(0xbf, REG,  REG,   ZERO,   ZERO,      Some(Base64),   Some((3, 18)), 1, "r1 = r2"),
    f(0xbf, REG,  REG,   IS(1),  ANY,       None,           Some((6, 9)),  1, "r1 = addr_space_cast(r2, 0, 1)"),
    f(0xbf, REG,  REG,   IS(8),  ZERO,      Some(Base64),   Some((6, 6)),  4, "r1 = (s8)r2"),
    f(0xbf, REG,  REG,   IS(16), ZERO,      Some(Base64),   Some((6, 6)),  4, "r1 = (s16)r2"),
    f(0xbf, REG,  REG,   IS(32), ZERO,      Some(Base64),   Some((6, 6)),  4, "r1 = (s32)r2"),
    f(0xc3, REG,  REG,   ANY,    IS(0),     Some(Atomic32), Some((3, 18)), 1, "lock *(u32 *)(r1 + 4) += w2"),
    f(0xc3, REG,  REG,   ANY,    IS(1),     Some(Atomic32), Some((5, 12)), 3, "w2 = atomic_fetch_add((u32 *)(r1 + 4), w2)"),
    f(0xc3, REG,  REG,   ANY,    IS(0x40),  Some(Atomic32), Some((5, 12)), 3, "lock *(u32 *)(r1 + 4) |= w2"),
    f(0xc3, REG,  REG,   ANY,    IS(0x41),  Some(Atomic32), Some((5, 12)), 3, "w2 = atomic_fetch_or((u32 *)(r1 + 4), w2)"),
    f(0xc3, REG,  REG,   ANY,    IS(0x50),  Some(Atomic32), Some((5, 12)), 3, "lock *(u32 *)(r1 + 4) &= w2"),
    f(0xc3, REG,  REG,   ANY,    IS(0x51),  Some(Atomic32), Some((5, 12)), 3, "w2 = atomic_fetch_and((u32 *)(r1 + 4), w2)"),
    f(0xc3, REG,  REG,   ANY,    IS(0xa0),  Some(Atomic32), Some((5, 12)), 3, "lock *(u32 *)(r1 + 4) ^= w2"),
    f(0xc3, REG,  REG,   ANY,    IS(0xa1),  Some(Atomic32), Some((5, 12)), 3, "w2 = atomic_fetch_xor((u32 *)(r1 + 4), w2)"),
    f(0xc3, REG,  REG,   ANY,    IS(0xe1),  Some(Atomic32), Some((5, 12)), 3, "w2 = xchg32_32(r1 + 4, w2)"),
    f(0xc3, REG,  REG,   ANY,    IS(0xf1),  Some(Atomic32), Some((5, 12)), 3, "w0 = cmpxchg32_32(r1 + 4, w0, w2)"),
    f(0xc3, REG,  REG,   ANY,    IS(0x100), None,           Some((6, 15)), 4, "w1 = load_acquire((u32 *)(r2 + 4))"),
    f(0xc3, REG,  REG,   ANY,    IS(0x110), None,           Some((6, 15)), 4, "store_release((u32 *)(r1 + 4), w2)"),
    f(0xc4, REG,  ZERO,  ZERO,   ANY,       Some(Base32),   Some((3, 18)), 3, "w1 s>>= 5"),
    f(0xc5, REG,  ZERO,  ANY,    ANY,       Some(Base64),   Some((4, 14)), 2, "if r1 s< 5 goto +1"),
    f(0xc6, REG,  ZERO,  ANY,    ANY,       Some(Base32),   Some((5, 1)),  3, "if w1 s< 5 goto +1"),
    f(0xc7, REG,  ZERO,  ZERO,   ANY,       Some(Base64),   Some((3, 18)), 1, "r1 s>>= 5"),
    f(0xcb, REG,  REG,   ANY,    IS(0x100), None,           Some((6, 15)), 4, "w1 = load_acquire((u16 *)(r2 + 4))"),
    f(0xcb, REG,  REG,   ANY,    IS(0x110), None,           Some((6, 15)), 4, "store_release((u16 *)(r1 + 4), w2)"),
    f(0xcc, REG,  REG,   ZERO,   ZERO,      Some(Base32),   Some((3, 18)), 3, "w1 s>>= w2"),
    f(0xcd, REG,  REG,   ANY,    ZERO,      Some(Base64),   Some((4, 14)), 2, "if r1 s< r2 goto +1"),
    f(0xce, REG,  REG,   ANY,    ZERO,      Some(Base32),   Some((5, 1)),  3, "if w1 s< w2 goto +1"),
    f(0xcf, REG,  REG,   ZERO,   ZERO,      Some(Base64),   Some((3, 18)), 1, "r1 s>>= r2"),
    f(0xd3, REG,  REG,   ANY,    IS(0x100), None,           Some((6, 15)), 4, "w1 = load_acquire((u8 *)(r2 + 4))"),
    f(0xd3, REG,  REG,   ANY,    IS(0x110), None,           Some((6, 15)), 4, "store_release((u8 *)(r1 + 4), w2)"),
    f(0xd4, REG,  ZERO,  ZERO,   IS(16),    Some(Base32),   Some((3, 18)), 1, "r1 = le16 r1"),
    f(0xd4, REG,  ZERO,  ZERO,   IS(32),    Some(Base32),   Some((3, 18)), 1, "r1 = le32 r1"),
    f(0xd4, REG,  ZERO,  ZERO,   IS(64),    Some(Base64),   Some((3, 18)), 1, "r1 = le64 r1"),
    f(0xd5, REG,  ZERO,  ANY,    ANY,       Some(Base64),   Some((4, 14)), 2, "if r1 s<= 5 goto +1"),
    f(0xd6, REG,  ZERO,  ANY,    ANY,       Some(Base32),   Some((5, 1)),  3, "if w1 s<= 5 goto +1"),
    f(0xd7, REG,  ZERO,  ZERO,   IS(16),    Some(Base32),   Some((6, 6)),  4, "r1 = bswap16 r1"),
    f(0xd7, REG,  ZERO,  ZERO,   IS(32),    Some(Base32),   Some((6, 6)),  4, "r1 = bswap32 r1"),
    f(0xd7, REG,  ZERO,  ZERO,   IS(64),    Some(Base64),   Some((6, 6)),  4, "r1 = bswap64 r1"),
    f(0xdb, REG,  REG,   ANY,    IS(0),     Some(Atomic64), Some((3, 18)), 1, "lock *(u64 *)(r1 + 4) += r2"),
    f(0xdb, REG,  REG,   ANY,    IS(1),     Some(Atomic64), Some((5, 12)), 3, "r2 = atomic_fetch_add((u64 *)(r1 + 4), r2)"),
    f(0xdb, REG,  REG,   ANY,    IS(0x40),  Some(Atomic64), Some((5, 12)), 3, "lock *(u64 *)(r1 + 4) |= r2"),
    f(0xdb, REG,  REG,   ANY,    IS(0x41),  Some(Atomic64), Some((5, 12)), 3, "r2 = atomic_fetch_or((u64 *)(r1 + 4), r2)"),
    f(0xdb, REG,  REG,   ANY,    IS(0x50),  Some(Atomic64), Some((5, 12)), 3, "lock *(u64 *)(r1 + 4) &= r2"),
    f(0xdb, REG,  REG,   ANY,    IS(0x51),  Some(Atomic64), Some((5, 12)), 3, "r2 = atomic_fetch_and((u64 *)(r1 + 4), r2)"),
    f(0xdb, REG,  REG,   ANY,    IS(0xa0),  Some(Atomic64), Some((5, 12)), 3, "lock *(u64 *)(r1 + 4) ^= r2"),
    f(0xdb, REG,  REG,   ANY,    IS(0xa1),  Some(Atomic64), Some((5, 12)), 3, "r2 = atomic_fetch_xor((u64 *)(r1 + 4), r2)"),
    f(0xdb, REG,  REG,   ANY,    IS(0xe1),  Some(Atomic64), Some((5, 12)), 3, "r2 = xchg_64(r1 + 4, r2)"),
    f(0xdb, REG,  REG,   ANY,    IS(0xf1),  Some(Atomic64), Some((5, 12)), 3, "r0 = cmpxchg_64(r1 + 4, r0, r2)"),
    f(0xdb, REG,  REG,   ANY,    IS(0x100), None,           Some((6, 15)), 4, "r1 = load_acquire((u64 *)(r2 + 4))"),
    f(0xdb, REG,  REG,   ANY,    IS(0x110), None,           Some((6, 15)), 4, "store_release((u64 *)(r1 + 4), r2)"),
    f(0xdc, REG,  ZERO,  ZERO,   IS(16),    Some(Base32),   Some((3, 18)), 1, "r1 = be16 r1"),
    f(0xdc, REG,  ZERO,  ZERO,   IS(32),    Some(Base32),   Some((3, 18)), 1, "r1 = be32 r1"),
    f(0xdc, REG,  ZERO,  ZERO,   IS(64),    Some(Base64),   Some((3, 18)), 1, "r1 = be64 r1"),
    f(0xdd, REG,  REG,   ANY,    ZERO,      Some(Base64),   Some((4, 14)), 2, "if r1 s<= r2 goto +1"),
    f(0xde, REG,  REG,   ANY,    ZERO,      Some(Base32),   Some((5, 1)),  3, "if w1 s<= w2 goto +1"),
    f(0xe5, ZERO, ZERO,  ANY,    ZERO,      None,           Some((6, 9)),  1, "may_goto +1"),
];
