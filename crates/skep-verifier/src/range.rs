//! The unsigned and the signed range of a number of one width: the working form of [`Scalar`](crate::Scalar)'s ranges.

use crate::tnum::{Tnum, low_bits, sign_extend};

/// Nothing is left: what is known of a value contradicts itself, so that no value at all is meant.
///
/// A comparison that cannot have gone this way ends so. Within the interpreter the path is then dead; Linux, which does not always
/// notice, goes on with an unknown value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Empty;

/// All numbers of `bits` bits that lie in both ranges. Neither range is empty, and both lie within the width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) bits: u32,
    pub(crate) umin: u64,
    pub(crate) umax: u64,
    pub(crate) smin: i64,
    pub(crate) smax: i64,
}

impl Range {
    /// All numbers of this width (2 to 64 bits).
    #[inline]
    pub(crate) const fn full(bits: u32) -> Range {
        let smax = (low_bits(bits) >> 1) as i64;
        Range { bits, umin: 0, umax: low_bits(bits), smin: -smax - 1, smax }
    }

    /// This unsigned range, any sign.
    #[inline]
    pub(crate) const fn unsigned(bits: u32, umin: u64, umax: u64) -> Range {
        Range { umin, umax, ..Range::full(bits) }
    }

    /// This signed range.
    #[inline]
    pub(crate) const fn signed(bits: u32, smin: i64, smax: i64) -> Range {
        Range { smin, smax, ..Range::full(bits) }
    }

    /// What the known bits say.
    #[inline]
    pub(crate) const fn of_bits(bits: u32, known: Tnum) -> Range {
        let sign = 1 << (bits - 1);
        let sign_unknown = known.mask() & sign;
        Range {
            bits,
            umin: known.value(),
            umax: known.max(),
            // The least signed member is negative if it may be, and has no other unknown bit set; the greatest one the opposite.
            smin: sign_extend(known.value() | sign_unknown, bits),
            smax: sign_extend(known.max() & !sign_unknown, bits),
        }
    }

    const fn signed_of(self, x: u64) -> i64 {
        sign_extend(x, self.bits)
    }

    const fn unsigned_of(self, x: i64) -> u64 {
        x as u64 & low_bits(self.bits)
    }

    /// Numbers in both.
    #[inline]
    pub(crate) fn intersect(self, other: Range) -> Result<Range, Empty> {
        let range = Range {
            bits: self.bits,
            umin: self.umin.max(other.umin),
            umax: self.umax.min(other.umax),
            smin: self.smin.max(other.smin),
            smax: self.smax.min(other.smax),
        };
        if range.umin > range.umax || range.smin > range.smax { Err(Empty) } else { Ok(range) }
    }

    /// Lets the two ranges tell each other all they know.
    ///
    /// On the circle of numbers each range is one arc, and either may run across the line where the sign changes. In each half of
    /// the circle, though, both orders are the same, so there the arcs are simply cut with each other.
    #[inline]
    pub(crate) fn exchange(self) -> Result<Range, Empty> {
        if (self.smin < 0) == (self.smax < 0) {
            let umin = self.umin.max(self.unsigned_of(self.smin));
            let umax = self.umax.min(self.unsigned_of(self.smax));
            return if umin > umax { Err(Empty) } else { Ok(self.with_ends((umin, umax), (umin, umax))) };
        }
        let cut = |from: u64, to: u64| {
            let (from, to) = (self.umin.max(from), self.umax.min(to));
            (from <= to).then_some((from, to))
        };
        let positive = cut(0, self.smax as u64);
        let negative = cut(self.unsigned_of(self.smin), low_bits(self.bits));
        match (positive, negative) {
            (Some(half), None) | (None, Some(half)) => Ok(self.with_ends(half, half)),
            (Some(positive), Some(negative)) => {
                Ok(self.with_ends((positive.0, negative.1), (negative.0, positive.1)))
            }
            (None, None) => Err(Empty),
        }
    }

    /// With these ranges, both given as unsigned numbers.
    const fn with_ends(self, unsigned: (u64, u64), signed: (u64, u64)) -> Range {
        Range {
            bits: self.bits,
            umin: unsigned.0,
            umax: unsigned.1,
            smin: self.signed_of(signed.0),
            smax: self.signed_of(signed.1),
        }
    }

    /// What is known of the low `bits` bits: where all numbers of a range agree above them, or count once over a border between
    /// two blocks of such numbers.
    #[inline]
    pub(crate) fn low(self, bits: u32) -> Result<Range, Empty> {
        let half = Range::full(bits);
        let of_range = |from: u64, to: u64| {
            let (block_from, block_to) = (from >> bits, to >> bits);
            let (from, to) = (from & low_bits(bits), to & low_bits(bits));
            let (sfrom, sto) = (half.signed_of(from), half.signed_of(to));
            let next = block_from.wrapping_add(1) & low_bits(self.bits - bits);
            if block_from == block_to {
                Range::unsigned(bits, from, to)
            } else if next == block_to && sfrom < 0 && sto >= 0 {
                Range::signed(bits, sfrom, sto)
            } else {
                half
            }
        };
        of_range(self.umin, self.umax)
            .intersect(of_range(self.unsigned_of(self.smin), self.unsigned_of(self.smax)))
    }

    /// Sets the unsigned range to the numbers from `min` to `max` modulo the width, if they do not wrap around in between; the same
    /// for the signed range. Wide arithmetic cannot overflow here: operands have at most 64 bits.
    const fn wrapped(bits: u32, unsigned: (i128, i128), signed: (i128, i128)) -> Range {
        let mut range = Range::full(bits);
        if unsigned.0 >> bits == unsigned.1 >> bits {
            range.umin = unsigned.0 as u64 & low_bits(bits);
            range.umax = unsigned.1 as u64 & low_bits(bits);
        }
        let half = 1_i128 << (bits - 1);
        if (signed.0 + half) >> bits == (signed.1 + half) >> bits {
            range.smin = sign_extend(signed.0 as u64, bits);
            range.smax = sign_extend(signed.1 as u64, bits);
        }
        range
    }

    pub(crate) const fn add(self, other: Range) -> Range {
        Range::wrapped(
            self.bits,
            (self.umin as i128 + other.umin as i128, self.umax as i128 + other.umax as i128),
            (self.smin as i128 + other.smin as i128, self.smax as i128 + other.smax as i128),
        )
    }

    pub(crate) const fn sub(self, other: Range) -> Range {
        Range::wrapped(
            self.bits,
            (self.umin as i128 - other.umax as i128, self.umax as i128 - other.umin as i128),
            (self.smin as i128 - other.smax as i128, self.smax as i128 - other.smin as i128),
        )
    }

    /// Each range only if no product overflows.
    pub(crate) fn mul(self, other: Range) -> Range {
        let mut range = Range::full(self.bits);
        if u128::from(self.umax) * u128::from(other.umax) <= u128::from(range.umax) {
            range.umin = self.umin * other.umin;
            range.umax = self.umax * other.umax;
        }
        let product = |a: i64, b: i64| i128::from(a) * i128::from(b);
        let corners = [
            product(self.smin, other.smin),
            product(self.smin, other.smax),
            product(self.smax, other.smin),
            product(self.smax, other.smax),
        ];
        let min = corners.into_iter().fold(i128::MAX, i128::min);
        let max = corners.into_iter().fold(i128::MIN, i128::max);
        if min >= i128::from(range.smin) && max <= i128::from(range.smax) {
            range.smin = min as i64;
            range.smax = max as i64;
        }
        range
    }

    /// `known` is what the bits of the result are known to be.
    pub(crate) fn and(self, other: Range, known: Tnum) -> Range {
        Range::unsigned(self.bits, known.value(), self.umax.min(other.umax))
    }

    /// `known` is what the bits of the result are known to be.
    pub(crate) fn or(self, other: Range, known: Tnum) -> Range {
        Range::unsigned(self.bits, self.umin.max(other.umin), known.max())
    }

    /// Left shift by less than the width. The unsigned range only while the result stays within its upper half's first number, which
    /// is where Linux draws the line; known bits say what is left to say beyond.
    pub(crate) const fn lsh(self, count: u32) -> Range {
        if self.umax > (1 << (self.bits - 1)) >> count {
            return Range::full(self.bits);
        }
        Range::unsigned(self.bits, self.umin << count, self.umax << count)
    }

    /// Logical right shift by less than the width.
    pub(crate) const fn rsh(self, count: u32) -> Range {
        Range::unsigned(self.bits, self.umin >> count, self.umax >> count)
    }

    /// Arithmetic right shift by less than the width.
    pub(crate) const fn arsh(self, count: u32) -> Range {
        Range::signed(self.bits, self.smin >> count, self.smax >> count)
    }
}
