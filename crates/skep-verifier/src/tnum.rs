//! Tristate numbers: 64 bits of which each is 0, 1 or unknown.

use std::fmt;

/// A tristate number. It stands for all 64-bit values that agree with `value` wherever `mask` is 0.
///
/// A bit is 0 (`value` 0, `mask` 0), 1 (`value` 1, `mask` 0) or unknown (`value` 0, `mask` 1). Narrower numbers live in the low bits,
/// with the bits above known to be 0.
///
/// Every operation is sound: its result contains what the operation gives on any members of its operands. Addition, subtraction,
/// negation, the bitwise operations, shifts by a constant, extensions, byte swaps, [`range`](Tnum::range), [`union`](Tnum::union) and
/// [`intersect`](Tnum::intersect) are also optimal: no smaller tristate number would be sound. Multiplication is not.
///
/// ```
/// use skep_verifier::Tnum;
///
/// let byte = Tnum::range(0, 255);
/// assert_eq!(byte.to_string(), "(0x0; 0xff)");
/// let scaled = byte.lshift(3).or(Tnum::constant(4));
/// assert_eq!(scaled.to_string(), "(0x4; 0x7f8)");
/// assert!(scaled.contains(0x7fc) && !scaled.contains(0x7fd));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tnum {
    value: u64,
    mask: u64,
}

/// The low `bits` bits (at most 64) set.
pub(crate) const fn low_bits(bits: u32) -> u64 {
    if bits == 0 { 0 } else { u64::MAX >> (64 - bits) }
}

/// The low `bits` bits (1 to 64) of `x`, their top bit copied to all bits above.
pub(crate) const fn sign_extend(x: u64, bits: u32) -> i64 {
    ((x << (64 - bits)) as i64) >> (64 - bits)
}

impl Tnum {
    /// Nothing known.
    pub const UNKNOWN: Tnum = Tnum { value: 0, mask: u64::MAX };

    /// The bits of `mask` unknown, all others as in `value`.
    #[must_use]
    pub const fn new(value: u64, mask: u64) -> Tnum {
        Tnum { value: value & !mask, mask }
    }

    /// Exactly this value.
    #[must_use]
    pub const fn constant(value: u64) -> Tnum {
        Tnum { value, mask: 0 }
    }

    /// The smallest tristate number that contains `min..=max`: the leading bits on which both agree are known. Nothing is known
    /// of an empty range (`min > max`).
    #[must_use]
    pub const fn range(min: u64, max: u64) -> Tnum {
        if min > max {
            return Tnum::UNKNOWN;
        }
        Tnum::new(min, low_bits(64 - (min ^ max).leading_zeros()))
    }

    /// The known bits; unknown ones read 0. Also the smallest member, unsigned.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.value
    }

    /// The unknown bits.
    #[must_use]
    pub const fn mask(self) -> u64 {
        self.mask
    }

    /// The bits that may be 1. Also the greatest member, unsigned.
    #[must_use]
    pub const fn max(self) -> u64 {
        self.value | self.mask
    }

    /// The value, if there is only one.
    #[must_use]
    pub const fn as_const(self) -> Option<u64> {
        if self.mask == 0 { Some(self.value) } else { None }
    }

    /// True when there is only one value.
    #[must_use]
    pub const fn is_const(self) -> bool {
        self.mask == 0
    }

    /// True when nothing is known.
    #[must_use]
    pub const fn is_unknown(self) -> bool {
        self.mask == u64::MAX
    }

    /// True when every member is a multiple of `size`, a power of two. Everything is a multiple of 0.
    #[must_use]
    pub const fn is_aligned(self, size: u64) -> bool {
        size == 0 || self.max() & (size - 1) == 0
    }

    /// True when `x` is a member.
    #[must_use]
    pub const fn contains(self, x: u64) -> bool {
        x & !self.mask == self.value
    }

    /// The least member that is `x` or greater, unsigned.
    #[must_use]
    pub const fn next(self, x: u64) -> Option<u64> {
        let wrong = (x ^ self.value) & !self.mask;
        if wrong == 0 {
            return Some(x);
        }
        // At the first known bit where `x` is wrong it is too small, and the bits below can all be least; or too great, and the last
        // unknown bit before that has room for a carry takes it.
        let top = 63 - wrong.leading_zeros();
        let raised = if x >> top & 1 == 0 {
            top
        } else {
            let room = self.mask & !x & !low_bits(top + 1);
            if room == 0 {
                return None;
            }
            room.trailing_zeros()
        };
        Some(x & self.mask & !low_bits(raised) | self.mask & 1 << raised | self.value)
    }

    /// True when every member of `other` is a member.
    #[must_use]
    pub const fn includes(self, other: Tnum) -> bool {
        other.mask & !self.mask == 0 && other.value & !self.mask == self.value
    }

    /// True when both have a member in common.
    #[must_use]
    pub const fn overlaps(self, other: Tnum) -> bool {
        (self.value ^ other.value) & !self.mask & !other.mask == 0
    }

    /// The common members; `None` when there are none.
    #[must_use]
    pub const fn intersect(self, other: Tnum) -> Option<Tnum> {
        if self.overlaps(other) {
            Some(Tnum::new(self.value | other.value, self.mask & other.mask))
        } else {
            None
        }
    }

    /// The smallest tristate number that contains the members of both.
    #[must_use]
    pub const fn union(self, other: Tnum) -> Tnum {
        Tnum::new(self.value, self.mask | other.mask | (self.value ^ other.value))
    }

    /// Sum, modulo 2^64.
    ///
    /// A bit of the sum is known when both bits and the carry into it are. The least sum has the fewest carries, the greatest one
    /// the most: where these two sums differ, some bit or some carry is unknown.
    #[must_use]
    pub const fn add(self, other: Tnum) -> Tnum {
        let least = self.value.wrapping_add(other.value);
        let greatest = self.max().wrapping_add(other.max());
        Tnum::new(least, (least ^ greatest) | self.mask | other.mask)
    }

    /// Difference, modulo 2^64. Borrows are treated as [`add`](Tnum::add) treats carries.
    #[must_use]
    pub const fn sub(self, other: Tnum) -> Tnum {
        let least = self.value.wrapping_sub(other.max());
        let greatest = self.max().wrapping_sub(other.value);
        let known = self.value.wrapping_sub(other.value);
        Tnum::new(known, (least ^ greatest) | self.mask | other.mask)
    }

    /// Negation, modulo 2^64.
    #[must_use]
    pub const fn neg(self) -> Tnum {
        Tnum::constant(0).sub(self)
    }

    /// Bitwise and.
    #[must_use]
    pub const fn and(self, other: Tnum) -> Tnum {
        let ones = self.value & other.value;
        Tnum::new(ones, self.max() & other.max() & !ones)
    }

    /// Bitwise or.
    #[must_use]
    pub const fn or(self, other: Tnum) -> Tnum {
        let ones = self.value | other.value;
        Tnum::new(ones, (self.mask | other.mask) & !ones)
    }

    /// Bitwise exclusive or.
    #[must_use]
    pub const fn xor(self, other: Tnum) -> Tnum {
        Tnum::new(self.value ^ other.value, self.mask | other.mask)
    }

    /// Product, modulo 2^64, by long multiplication: a known 1 in `self` adds the shifted `other`, an unknown bit adds it or does not.
    ///
    /// Sound but not optimal: partial products are added as if they were independent, and so the two orders of the
    /// operands can give different results.
    #[must_use]
    pub const fn mul(self, other: Tnum) -> Tnum {
        let mut product = Tnum::constant(0);
        let mut rest = self;
        let mut shifted = other;
        while rest.max() != 0 {
            if rest.value & 1 != 0 {
                product = product.add(shifted);
            } else if rest.mask & 1 != 0 {
                product = product.union(product.add(shifted));
            }
            rest = rest.rshift(1);
            shifted = shifted.lshift(1);
        }
        product
    }

    /// Left shift by `count` bits; 0 from 64 bits on.
    #[must_use]
    pub const fn lshift(self, count: u32) -> Tnum {
        if count >= 64 {
            return Tnum::constant(0);
        }
        Tnum { value: self.value << count, mask: self.mask << count }
    }

    /// Logical right shift by `count` bits; 0 from 64 bits on.
    #[must_use]
    pub const fn rshift(self, count: u32) -> Tnum {
        if count >= 64 {
            return Tnum::constant(0);
        }
        Tnum { value: self.value >> count, mask: self.mask >> count }
    }

    /// Arithmetic right shift of a `bits`-wide number (1 to 64) by `count` bits, 0 above it. From `bits` on only the sign remains.
    #[must_use]
    pub const fn arshift(self, count: u32, bits: u32) -> Tnum {
        let count = if count >= bits { bits - 1 } else { count };
        let value = (sign_extend(self.value, bits) >> count) as u64;
        let mask = (sign_extend(self.mask, bits) >> count) as u64;
        Tnum { value, mask }.truncate(bits)
    }

    /// The low `bits` bits (at most 64), 0 above.
    #[must_use]
    pub const fn truncate(self, bits: u32) -> Tnum {
        Tnum { value: self.value & low_bits(bits), mask: self.mask & low_bits(bits) }
    }

    /// The low `bytes` bytes, 0 above.
    #[must_use]
    pub const fn cast(self, bytes: usize) -> Tnum {
        if bytes >= 8 { self } else { self.truncate(bytes as u32 * 8) }
    }

    /// The low `bits` bits (1 to 64), extended with copies of their top bit.
    #[must_use]
    pub const fn sign_extend(self, bits: u32) -> Tnum {
        Tnum { value: sign_extend(self.value, bits) as u64, mask: sign_extend(self.mask, bits) as u64 }
    }

    /// The low 32 bits, 0 above.
    #[must_use]
    pub const fn subreg(self) -> Tnum {
        self.truncate(32)
    }

    /// The upper 32 bits, 0 below.
    #[must_use]
    pub const fn clear_subreg(self) -> Tnum {
        self.clear_low(32)
    }

    /// The upper 32 bits with the low 32 bits of `low`.
    #[must_use]
    pub const fn with_subreg(self, low: Tnum) -> Tnum {
        self.with_low(low, 32)
    }

    /// The upper 32 bits with `value` below.
    #[must_use]
    pub const fn const_subreg(self, value: u32) -> Tnum {
        self.with_subreg(Tnum::constant(value as u64))
    }

    /// All but the low `bits` bits, 0 below.
    pub(crate) const fn clear_low(self, bits: u32) -> Tnum {
        Tnum { value: self.value & !low_bits(bits), mask: self.mask & !low_bits(bits) }
    }

    /// All but the low `bits` bits, which are those of `low`.
    pub(crate) const fn with_low(self, low: Tnum, bits: u32) -> Tnum {
        let (high, low) = (self.clear_low(bits), low.truncate(bits));
        Tnum { value: high.value | low.value, mask: high.mask | low.mask }
    }

    /// The low `bytes` bytes (1 to 8) in opposite order, 0 above.
    #[must_use]
    pub const fn bswap(self, bytes: usize) -> Tnum {
        let unused = if bytes >= 8 { 0 } else { 64 - bytes as u32 * 8 };
        Tnum { value: self.value.swap_bytes(), mask: self.mask.swap_bytes() }.rshift(unused)
    }
}

impl fmt::Display for Tnum {
    /// As Linux prints it: `(value; mask)`, in hexadecimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({:#x}; {:#x})", self.value, self.mask)
    }
}
