//! Arithmetic on [`Scalar`](crate::Scalar)s: what each instruction makes of what is known.
//!
//! The rules of the instructions are RFC 9669's, sections 4.1 and 4.2.

use skep_isa::{AluOp, Size, SwapKind, Width};

use crate::range::Range;
use crate::scalar::ScalarOf;
use crate::tnum::{Tnum, low_bits, sign_extend};

impl<const BITS: u32> ScalarOf<BITS> {
    /// `self op src`. A 32-bit operation uses the low halves and clears the upper half.
    ///
    /// Unknown is, as on Linux 6.18, the result of every division and remainder, and of a shift by an amount that is not constant or,
    /// read as 64 bits, may be the width or more. There even the upper half of a 32-bit result is.
    #[must_use]
    pub fn alu(&self, op: AluOp, width: Width, src: &Self) -> Self {
        match op {
            AluOp::Mov if width == Width::W32 => src.zero_extend(Self::HALF),
            AluOp::Mov => *src,
            AluOp::Add => self.combined(width, src, Tnum::add, |a, b, _| a.add(b)),
            AluOp::Sub => self.combined(width, src, Tnum::sub, |a, b, _| a.sub(b)),
            AluOp::Mul => self.combined(width, src, Tnum::mul, |a, b, _| a.mul(b)),
            AluOp::And => self.combined(width, src, Tnum::and, Range::and),
            AluOp::Or => self.combined(width, src, Tnum::or, Range::or),
            AluOp::Xor => self.combined(width, src, Tnum::xor, |a, _, known| {
                Range::unsigned(a.bits, known.value(), known.max())
            }),
            AluOp::Lsh | AluOp::Rsh | AluOp::Arsh => match src.as_const(width) {
                Some(count) if src.umax() < u64::from(self.range_of(width).bits) => {
                    self.shifted(op, width, count as u32)
                }
                _ => Self::unknown(),
            },
            AluOp::Div | AluOp::Sdiv | AluOp::Mod | AluOp::Smod => Self::unknown(),
        }
    }

    /// `-self`.
    #[must_use]
    pub fn neg(&self, width: Width) -> Self {
        Self::constant(0).alu(AluOp::Sub, width, self)
    }

    /// The low `from` of this number, sign-extended to `width` and zero-extended from there (`movsx`, and loads that extend the sign).
    #[must_use]
    pub fn movsx(&self, width: Width, from: Size) -> Self {
        self.sign_extend(width, from.bits())
    }

    /// The low `size` of this number, zero-extended: what a narrower load of it gives.
    #[must_use]
    pub fn load(&self, size: Size) -> Self {
        self.zero_extend(size.bits())
    }

    /// `size` of this number in another byte order, zero-extended, on a little-endian host (`le16`, `be32`, `bswap64`, ...). Where bytes
    /// move, known bits move along, and of ranges remains what these say.
    #[must_use]
    pub fn swap(&self, kind: SwapKind, size: Size) -> Self {
        match kind {
            SwapKind::ToLe => self.zero_extend(size.bits()),
            SwapKind::ToBe | SwapKind::Bswap => Self::from_bits(self.bits().bswap(size.bytes())),
        }
    }

    /// The low `bits` bits of this number (1 to `BITS`), zero-extended.
    ///
    /// As on Linux 6.18, of the ranges the 64-bit unsigned one survives if all its numbers agree above the low bits, and the 32-bit ones
    /// if the low half is whole.
    #[must_use]
    pub fn zero_extend(&self, bits: u32) -> Self {
        if bits >= BITS {
            return *self;
        }
        let mask = low_bits(bits);
        let one_block = self.umin() >> bits == self.umax() >> bits;
        let (umin, umax) = if one_block { (self.umin() & mask, self.umax() & mask) } else { (0, mask) };
        let low = if bits < Self::HALF { Range::full(Self::HALF) } else { self.low() };
        Self::assemble(self.bits().truncate(bits), Range::unsigned(BITS, umin, umax), low).synced()
    }

    /// The low `bits` bits of this number (2 or more), sign-extended to `width` and zero-extended from there.
    ///
    /// As on Linux 6.18, a range survives where all its numbers agree above the low bits and in their sign; otherwise all that is known
    /// of the result is that it is sign-extended.
    #[must_use]
    pub fn sign_extend(&self, width: Width, bits: u32) -> Self {
        let range = self.range_of(width);
        let extended = if bits >= range.bits {
            *self
        } else if let Some(value) = self.as_const(width) {
            Self::constant(sign_extend(value, bits) as u64)
        } else {
            let (smin, smax) = (sign_extend(range.smin as u64, bits), sign_extend(range.smax as u64, bits));
            let one_block = range.smin >> bits == range.smax >> bits;
            let range = if one_block && (smin < 0) == (smax < 0) {
                Range::signed(range.bits, smin, smax)
            } else {
                let all = Range::full(bits);
                Range::signed(range.bits, all.smin, all.smax)
            };
            Self::unknown().tightened(width, Self::unknown().bits_of(width), range).unwrap_or(Self::unknown())
        };
        match width {
            Width::W32 => extended.zero_extend(Self::HALF),
            Width::W64 => extended,
        }
    }

    /// An operation whose low half depends on low halves only. `on_ranges` is also given the known bits of the result at its width.
    fn combined(
        &self,
        width: Width,
        src: &Self,
        on_bits: impl Fn(Tnum, Tnum) -> Tnum,
        on_ranges: impl Fn(Range, Range, Tnum) -> Range,
    ) -> Self {
        let known = on_bits(self.bits_of(width), src.bits_of(width)).truncate(self.range_of(width).bits);
        if let Some(value) = known.as_const() {
            return Self::constant(value);
        }
        let low = on_ranges(self.low(), src.low(), known.truncate(Self::HALF));
        match width {
            Width::W32 => Self::low_alone(known, low),
            Width::W64 => Self::assemble(known, on_ranges(self.full(), src.full(), known), low).synced(),
        }
    }

    /// A number whose upper half is 0.
    fn low_alone(known: Tnum, low: Range) -> Self {
        Self::assemble(known, Range::unsigned(BITS, low.umin, low.umax), low).synced()
    }

    /// A shift by less than the width. In a 32-bit one only the low half of the result means anything.
    fn shifted(&self, op: AluOp, width: Width, count: u32) -> Self {
        let value = self.bits_of(width);
        let range = self.range_of(width);
        let (known, range) = match op {
            AluOp::Lsh => (value.lshift(count).truncate(range.bits), range.lsh(count)),
            AluOp::Rsh => (value.rshift(count), range.rsh(count)),
            _ => (value.arshift(count, range.bits), range.arsh(count)),
        };
        if width == Width::W32 {
            return Self::low_alone(known, range);
        }
        let low = if op == AluOp::Lsh && count < Self::HALF {
            self.low().lsh(count)
        } else {
            Range::full(Self::HALF)
        };
        let full = if op == AluOp::Lsh && count == Self::HALF { self.low_as_high(range) } else { range };
        Self::assemble(known, full, low).synced()
    }

    /// The ranges once the low half has become the upper half, which is how a compiler begins to extend a sign: `shifted`, with the
    /// signed range of the low half.
    const fn low_as_high(&self, shifted: Range) -> Range {
        let low = self.low();
        Range { smin: low.smin << Self::HALF, smax: low.smax << Self::HALF, ..shifted }
    }
}
