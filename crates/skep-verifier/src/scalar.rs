//! What is known of a number: bits and ranges, kept together.

use std::fmt;

use skep_isa::Width;

use crate::range::{Empty, Range};
use crate::tnum::{Tnum, low_bits, sign_extend};

/// What is known of the number in a register.
pub type Scalar = ScalarOf<64>;

/// What is known of a number of `BITS` bits with a subregister of half as many: its bits, and an unsigned and a signed range of the
/// whole and of the low half. The value is a member of all five.
///
/// `BITS` is 64 in every program: use [`Scalar`]. Other even widths from 4 on are there so that all operations can be checked
/// against all values, which is possible for small numbers only; the algorithms are the same. Where this documentation says 64 and
/// 32 bits, it means the whole and the low half.
///
/// Values are given and taken as `u64`, narrower ones with zeros above, signed ones sign-extended in `i64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ScalarOf<const BITS: u32> {
    bits: Tnum,
    umin: u64,
    umax: u64,
    smin: i64,
    smax: i64,
    u32_min: u32,
    u32_max: u32,
    s32_min: i32,
    s32_max: i32,
}

impl<const BITS: u32> ScalarOf<BITS> {
    /// Width of the subregister.
    pub(crate) const HALF: u32 = BITS / 2;

    /// Nothing known.
    #[must_use]
    pub const fn unknown() -> Self {
        Self::assemble(Tnum::new(0, low_bits(BITS)), Range::full(BITS), Range::full(Self::HALF))
    }

    /// Exactly this value.
    #[must_use]
    pub const fn constant(value: u64) -> Self {
        let bits = Tnum::constant(value & low_bits(BITS));
        Self::assemble(
            bits,
            Range::of_bits(BITS, bits),
            Range::of_bits(Self::HALF, bits.truncate(Self::HALF)),
        )
    }

    /// Any value from `min` to `max`, unsigned.
    ///
    /// # Errors
    /// [`Empty`] when `min > max`.
    pub fn from_unsigned(min: u64, max: u64) -> Result<Self, Empty> {
        Self::unknown().with_full(Range::unsigned(BITS, min & low_bits(BITS), max & low_bits(BITS)))
    }

    /// Any value from `min` to `max`, signed.
    ///
    /// # Errors
    /// [`Empty`] when `min > max`.
    pub fn from_signed(min: i64, max: i64) -> Result<Self, Empty> {
        Self::unknown().with_full(Range::signed(BITS, min, max))
    }

    /// Any value with these bits.
    #[must_use]
    pub fn from_bits(bits: Tnum) -> Self {
        let mut scalar = Self::unknown();
        scalar.bits = bits.truncate(BITS);
        scalar.synced()
    }

    /// Which bits are known.
    #[must_use]
    pub const fn bits(&self) -> Tnum {
        self.bits
    }

    /// The least member, unsigned.
    #[must_use]
    pub const fn umin(&self) -> u64 {
        self.umin
    }

    /// The greatest member, unsigned.
    #[must_use]
    pub const fn umax(&self) -> u64 {
        self.umax
    }

    /// The least member, signed.
    #[must_use]
    pub const fn smin(&self) -> i64 {
        self.smin
    }

    /// The greatest member, signed.
    #[must_use]
    pub const fn smax(&self) -> i64 {
        self.smax
    }

    /// The least low half of a member, unsigned.
    #[must_use]
    pub const fn u32_min(&self) -> u32 {
        self.u32_min
    }

    /// The greatest low half of a member, unsigned.
    #[must_use]
    pub const fn u32_max(&self) -> u32 {
        self.u32_max
    }

    /// The least low half of a member, signed.
    #[must_use]
    pub const fn s32_min(&self) -> i32 {
        self.s32_min
    }

    /// The greatest low half of a member, signed.
    #[must_use]
    pub const fn s32_max(&self) -> i32 {
        self.s32_max
    }

    /// The value, or the low half of it, if there is only one.
    #[must_use]
    pub const fn as_const(&self, width: Width) -> Option<u64> {
        self.bits_of(width).as_const()
    }

    /// True when nothing is known.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        *self == Self::unknown()
    }

    /// True when `value` may be the number.
    #[must_use]
    pub const fn contains(&self, value: u64) -> bool {
        let signed = sign_extend(value, BITS);
        let low = (value & low_bits(Self::HALF)) as u32;
        let signed_low = sign_extend(value, Self::HALF) as i32;
        self.bits.contains(value)
            && self.umin <= value
            && value <= self.umax
            && self.smin <= signed
            && signed <= self.smax
            && self.u32_min <= low
            && low <= self.u32_max
            && self.s32_min <= signed_low
            && signed_low <= self.s32_max
    }

    /// True when every part of what is known of `other` lies within what is known of this one. A state that is safe for this number
    /// is then safe for the other, which is what pruning asks.
    #[must_use]
    pub const fn includes(&self, other: &Self) -> bool {
        self.umin <= other.umin
            && other.umax <= self.umax
            && self.smin <= other.smin
            && other.smax <= self.smax
            && self.u32_min <= other.u32_min
            && other.u32_max <= self.u32_max
            && self.s32_min <= other.s32_min
            && other.s32_max <= self.s32_max
            && self.bits.includes(other.bits)
    }

    /// The number at a loop's head after another round, in which it became `next`: itself if nothing changed, otherwise unknown, so
    /// that the loop is left after one more round at most.
    #[must_use]
    pub fn widen(&self, next: &Self) -> Self {
        if self == next { *self } else { Self::unknown() }
    }

    /// Values that both allow. Equality of two registers gives both of them this.
    ///
    /// # Errors
    /// [`Empty`] when they have no value in common.
    pub fn intersect(&self, other: &Self) -> Result<Self, Empty> {
        let bits = self.bits.intersect(other.bits).ok_or(Empty)?;
        let full = self.full().intersect(other.full())?;
        let low = self.low().intersect(other.low())?;
        Self::assemble(bits, full, low).sync()
    }

    pub(crate) const fn assemble(bits: Tnum, full: Range, low: Range) -> Self {
        ScalarOf {
            bits,
            umin: full.umin,
            umax: full.umax,
            smin: full.smin,
            smax: full.smax,
            u32_min: low.umin as u32,
            u32_max: low.umax as u32,
            s32_min: low.smin as i32,
            s32_max: low.smax as i32,
        }
    }

    /// The ranges of the whole number.
    pub(crate) const fn full(&self) -> Range {
        Range { bits: BITS, umin: self.umin, umax: self.umax, smin: self.smin, smax: self.smax }
    }

    /// The ranges of its low half.
    pub(crate) const fn low(&self) -> Range {
        Range {
            bits: Self::HALF,
            umin: self.u32_min as u64,
            umax: self.u32_max as u64,
            smin: self.s32_min as i64,
            smax: self.s32_max as i64,
        }
    }

    /// The ranges at a width.
    pub(crate) const fn range_of(&self, width: Width) -> Range {
        match width {
            Width::W32 => self.low(),
            Width::W64 => self.full(),
        }
    }

    /// The bits of a width, 0 above.
    pub(crate) const fn bits_of(&self, width: Width) -> Tnum {
        match width {
            Width::W32 => self.bits.truncate(Self::HALF),
            Width::W64 => self.bits,
        }
    }

    /// With the ranges of the whole cut to `range`.
    fn with_full(self, range: Range) -> Result<Self, Empty> {
        Self::assemble(self.bits, self.full().intersect(range)?, self.low()).sync()
    }

    /// With the ranges at a width and the bits of that width replaced by tighter ones.
    pub(crate) fn tightened(self, width: Width, bits: Tnum, range: Range) -> Result<Self, Empty> {
        match width {
            Width::W32 => Self::assemble(self.bits.with_low(bits, Self::HALF), self.full(), range),
            Width::W64 => Self::assemble(bits, range, self.low()),
        }
        .sync()
    }

    /// Makes every part as tight as the others allow: ranges from bits, three rounds of exchange between the ranges, bits from ranges,
    /// and ranges from these bits. Members are never lost.
    pub(crate) fn sync(self) -> Result<Self, Empty> {
        let start = self.ranges_from_bits()?;
        let (mut full, mut low) = (start.full(), start.low());
        for _ in 0..3 {
            let before = (full, low);
            low = low.intersect(full.low(Self::HALF)?)?.exchange()?;
            full = Self::full_from_low(full.exchange()?, low)?;
            if before == (full, low) {
                break;
            }
        }
        let bits = start.bits.intersect(Tnum::range(full.umin, full.umax)).ok_or(Empty)?;
        let low_bits = bits.truncate(Self::HALF).intersect(Tnum::range(low.umin, low.umax)).ok_or(Empty)?;
        Self::assemble(bits.with_low(low_bits, Self::HALF), full, low).ranges_from_bits()
    }

    /// As [`sync`](Self::sync), for a number that is known to have members. Should it have none that the parts know of, it is as good as
    /// unknown.
    pub(crate) fn synced(self) -> Self {
        self.sync().unwrap_or(Self::unknown())
    }

    /// Ranges no wider than the bits allow. A number of which only one value has these bits and lies in the range is that value; when
    /// that is the greatest with these bits, and the range has no other, Linux leaves it to the next time that bits are learned from
    /// the range, and so does this.
    #[inline]
    fn ranges_from_bits(self) -> Result<Self, Empty> {
        let full = self.full().intersect(Range::of_bits(BITS, self.bits))?;
        let low = self.low().intersect(Range::of_bits(Self::HALF, self.bits.truncate(Self::HALF)))?;
        let synced = Self::assemble(self.bits, full, low);
        if full.umin < full.umax && self.bits.contains(full.umin) && self.bits.contains(full.umax) {
            return Ok(synced);
        }
        let least = self.bits.next(full.umin).filter(|&least| least <= full.umax).ok_or(Empty)?;
        let another = least < full.umax && self.bits.next(least + 1).is_some_and(|next| next <= full.umax);
        if another || full.umin == self.bits.max() && !self.bits.is_const() {
            return Ok(synced);
        }
        if self.contains(least) { Ok(Self::constant(least)) } else { Err(Empty) }
    }

    /// The ends of a range of the whole cannot have a low half outside of the low half's range. And a number that is at most as negative
    /// as a sign-extended low half can be is not negative at all if the low half is not: it is the low half. Linux then takes the low
    /// half's range as it is, although the whole's may be narrower; so does this.
    #[inline]
    fn full_from_low(full: Range, low: Range) -> Result<Range, Empty> {
        let high = !low_bits(Self::HALF);
        let full = full.intersect(Range {
            bits: BITS,
            umin: full.umin & high | low.umin,
            umax: full.umax & high | low.umax,
            smin: full.smin & high as i64 | low.umin as i64,
            smax: full.smax & high as i64 | low.umax as i64,
        })?;
        if low.smin >= 0
            && full.smin >= Range::full(Self::HALF).smin
            && full.smax <= low_bits(Self::HALF) as i64
        {
            let low = Range { bits: BITS, ..low };
            return full.intersect(low).map(|_| low);
        }
        Ok(full)
    }
}

impl<const BITS: u32> fmt::Display for ScalarOf<BITS> {
    /// As Linux's verifier log prints it: a constant as a number, else `scalar(...)` with every bound that says something, equal ones
    /// together.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(value) = self.bits.as_const() {
            return write_signed(f, sign_extend(value, BITS), BITS);
        }
        let unknown = Self::unknown();
        // Minima and maxima alternate. The width is that of signed numbers in hexadecimal. A number of the low half that is
        // not printed in decimal counts as unsigned.
        let signed_low = |x: i32| {
            i128::from(if i16::try_from(x).is_ok() {
                i64::from(x)
            } else {
                i64::from(x) & low_bits(Self::HALF) as i64
            })
        };
        let bounds = [
            ("smin", i128::from(self.smin), i128::from(unknown.smin), BITS),
            ("smax", i128::from(self.smax), i128::from(unknown.smax), BITS),
            ("umin", i128::from(self.umin), i128::from(unknown.umin), 0),
            ("umax", i128::from(self.umax), i128::from(unknown.umax), 0),
            ("smin32", signed_low(self.s32_min), signed_low(unknown.s32_min), Self::HALF),
            ("smax32", signed_low(self.s32_max), signed_low(unknown.s32_max), Self::HALF),
            ("umin32", i128::from(self.u32_min), i128::from(unknown.u32_min), 0),
            ("umax32", i128::from(self.u32_max), i128::from(unknown.u32_max), 0),
        ];
        let mut printed = [false; 8];
        let mut separator = "";
        write!(f, "scalar(")?;
        for (i, &(name, value, default, signed_bits)) in bounds.iter().enumerate() {
            if printed[i] || value == default {
                continue;
            }
            write!(f, "{separator}{name}=")?;
            separator = ",";
            for (j, &(other, other_value, other_default, _)) in
                bounds.iter().enumerate().skip(i + 2).step_by(2)
            {
                if other_value == value && other_value != other_default {
                    printed[j] = true;
                    write!(f, "{other}=")?;
                }
            }
            if signed_bits > 0 {
                write_signed(f, value as i64, signed_bits)?;
            } else {
                write_unsigned(f, value as u64)?;
            }
        }
        if self.bits != unknown.bits {
            write!(f, "{separator}var_off={}", self.bits)?;
        }
        write!(f, ")")
    }
}

/// Small numbers in decimal, others in hexadecimal.
fn write_unsigned(f: &mut fmt::Formatter<'_>, value: u64) -> fmt::Result {
    if value <= u64::from(u16::MAX) { write!(f, "{value}") } else { write!(f, "{value:#x}") }
}

/// Small numbers in decimal, others in hexadecimal as `bits`-wide two's complement.
fn write_signed(f: &mut fmt::Formatter<'_>, value: i64, bits: u32) -> fmt::Result {
    if i16::try_from(value).is_ok() {
        write!(f, "{value}")
    } else {
        write!(f, "{:#x}", value as u64 & low_bits(bits))
    }
}
