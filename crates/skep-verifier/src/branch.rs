//! Conditional jumps: which way they go, and what one learns from it (RFC 9669 section 4.3).

use skep_isa::{JumpOp, Width};

use crate::range::{Empty, Range};
use crate::scalar::ScalarOf;
use crate::tnum::Tnum;

/// A condition that holds, in a form in which fewer have to be looked at: `a` and `b` may have changed sides.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fact {
    Equal,
    Different,
    Less,
    LessOrEqual,
    SignedLess,
    SignedLessOrEqual,
    /// `a & b` is not 0.
    CommonBit,
    /// `a & b` is 0.
    NoCommonBit,
}

/// What holds after a jump that was or was not taken, and whether it does so with `a` and `b` exchanged.
fn fact(op: JumpOp, taken: bool) -> (Fact, bool) {
    match (op, taken) {
        (JumpOp::Eq, true) | (JumpOp::Ne, false) => (Fact::Equal, false),
        (JumpOp::Ne, true) | (JumpOp::Eq, false) => (Fact::Different, false),
        (JumpOp::Lt, true) | (JumpOp::Ge, false) => (Fact::Less, false),
        (JumpOp::Le, true) | (JumpOp::Gt, false) => (Fact::LessOrEqual, false),
        (JumpOp::Gt, true) | (JumpOp::Le, false) => (Fact::Less, true),
        (JumpOp::Ge, true) | (JumpOp::Lt, false) => (Fact::LessOrEqual, true),
        (JumpOp::Slt, true) | (JumpOp::Sge, false) => (Fact::SignedLess, false),
        (JumpOp::Sle, true) | (JumpOp::Sgt, false) => (Fact::SignedLessOrEqual, false),
        (JumpOp::Sgt, true) | (JumpOp::Sle, false) => (Fact::SignedLess, true),
        (JumpOp::Sge, true) | (JumpOp::Slt, false) => (Fact::SignedLessOrEqual, true),
        (JumpOp::Set, true) => (Fact::CommonBit, false),
        (JumpOp::Set, false) => (Fact::NoCommonBit, false),
    }
}

/// Which way `if a op b` goes: always taken, never taken, or not known.
#[must_use]
pub fn branch_taken<const BITS: u32>(
    op: JumpOp,
    width: Width,
    a: &ScalarOf<BITS>,
    b: &ScalarOf<BITS>,
) -> Option<bool> {
    match fact(op, true) {
        (fact, false) => always(fact, width, a, b),
        (fact, true) => always(fact, width, b, a),
    }
}

/// Whether `fact` always holds, never, or not known.
fn always<const BITS: u32>(fact: Fact, width: Width, a: &ScalarOf<BITS>, b: &ScalarOf<BITS>) -> Option<bool> {
    let (ra, rb) = (a.range_of(width), b.range_of(width));
    let (ta, tb) = (a.bits_of(width), b.bits_of(width));
    match fact {
        Fact::Equal => equal(width, a, b),
        Fact::Different => equal(width, a, b).map(|equal| !equal),
        Fact::Less if ra.umax < rb.umin => Some(true),
        Fact::Less if ra.umin >= rb.umax => Some(false),
        Fact::LessOrEqual if ra.umax <= rb.umin => Some(true),
        Fact::LessOrEqual if ra.umin > rb.umax => Some(false),
        Fact::SignedLess if ra.smax < rb.smin => Some(true),
        Fact::SignedLess if ra.smin >= rb.smax => Some(false),
        Fact::SignedLessOrEqual if ra.smax <= rb.smin => Some(true),
        Fact::SignedLessOrEqual if ra.smin > rb.smax => Some(false),
        // As on Linux 6.18, two unknown numbers are not compared bit by bit.
        Fact::CommonBit | Fact::NoCommonBit if !ta.is_const() && !tb.is_const() => None,
        Fact::CommonBit if ta.value() & tb.value() != 0 => Some(true),
        Fact::CommonBit if ta.max() & tb.max() == 0 => Some(false),
        Fact::NoCommonBit if ta.max() & tb.max() == 0 => Some(true),
        Fact::NoCommonBit if ta.value() & tb.value() != 0 => Some(false),
        _ => None,
    }
}

fn equal<const BITS: u32>(width: Width, a: &ScalarOf<BITS>, b: &ScalarOf<BITS>) -> Option<bool> {
    let (ta, tb) = (a.bits_of(width), b.bits_of(width));
    if let (Some(a), Some(b)) = (ta.as_const(), tb.as_const()) {
        return Some(a == b);
    }
    let apart = |a: Range, b: Range| a.intersect(b).is_err();
    // Equal numbers have equal low halves.
    let different =
        !ta.overlaps(tb) || apart(a.range_of(width), b.range_of(width)) || apart(a.low(), b.low());
    different.then_some(false)
}

/// What `a` and `b` are once `if a op b` was taken, or was not. 32-bit comparisons say nothing of the upper halves, except through the
/// bits and ranges that join both.
///
/// # Errors
/// [`Empty`] when the jump cannot go this way; then neither is changed.
pub fn refine<const BITS: u32>(
    op: JumpOp,
    width: Width,
    taken: bool,
    a: &mut ScalarOf<BITS>,
    b: &mut ScalarOf<BITS>,
) -> Result<(), Empty> {
    let (fact, exchanged) = fact(op, taken);
    if exchanged {
        (*b, *a) = given(fact, width, b, a)?;
    } else {
        (*a, *b) = given(fact, width, a, b)?;
    }
    Ok(())
}

fn given<const BITS: u32>(
    fact: Fact,
    width: Width,
    a: &ScalarOf<BITS>,
    b: &ScalarOf<BITS>,
) -> Result<(ScalarOf<BITS>, ScalarOf<BITS>), Empty> {
    let (mut ra, mut rb) = (a.range_of(width), b.range_of(width));
    let (mut ta, mut tb) = (a.bits_of(width), b.bits_of(width));
    match fact {
        Fact::Equal => {
            ra = ra.intersect(rb)?;
            rb = ra;
            ta = ta.intersect(tb).ok_or(Empty)?;
            tb = ta;
        }
        Fact::Different => match (ta.as_const(), tb.as_const()) {
            (Some(a), Some(b)) if a == b => return Err(Empty),
            (_, Some(value)) => ra = without(ra, value)?,
            (Some(value), None) => rb = without(rb, value)?,
            (None, None) => {}
        },
        Fact::Less => {
            ra.umax = ra.umax.min(rb.umax.checked_sub(1).ok_or(Empty)?);
            rb.umin = rb.umin.max(ra.umin.checked_add(1).ok_or(Empty)?);
        }
        Fact::LessOrEqual => {
            ra.umax = ra.umax.min(rb.umax);
            rb.umin = rb.umin.max(ra.umin);
        }
        Fact::SignedLess => {
            ra.smax = ra.smax.min(rb.smax.checked_sub(1).ok_or(Empty)?);
            rb.smin = rb.smin.max(ra.smin.checked_add(1).ok_or(Empty)?);
        }
        Fact::SignedLessOrEqual => {
            ra.smax = ra.smax.min(rb.smax);
            rb.smin = rb.smin.max(ra.smin);
        }
        Fact::CommonBit => {
            // Only a mask of one bit says which bit it is.
            ta = match tb.as_const() {
                Some(bit) if bit.is_power_of_two() => with_bit(ta, bit)?,
                _ => ta,
            };
            tb = match a.bits_of(width).as_const() {
                Some(bit) if bit.is_power_of_two() => with_bit(tb, bit)?,
                _ => tb,
            };
        }
        Fact::NoCommonBit => {
            if ta.value() & tb.value() != 0 {
                return Err(Empty);
            }
            // As on Linux 6.18, only a constant tells the other side anything, and that keeps nothing but its bits, which the new zeros
            // are added to.
            let cleared = |scalar: &ScalarOf<BITS>, ones: Option<u64>| match ones {
                Some(ones) => Ok(ScalarOf::from_bits(scalar.bits().and(Tnum::constant(!ones)))),
                None => scalar.sync(),
            };
            return match tb.as_const() {
                Some(ones) => Ok((cleared(a, Some(ones))?, *b)),
                None => Ok((cleared(a, None)?, cleared(b, ta.as_const())?)),
            };
        }
    }
    Ok((a.tightened(width, ta, ra)?, b.tightened(width, tb, rb)?))
}

/// The ends of the ranges moved past `value`.
fn without(range: Range, value: u64) -> Result<Range, Empty> {
    let mut rest = range;
    let signed = crate::tnum::sign_extend(value, range.bits);
    if range.umin == range.umax && range.umin == value || range.smin == range.smax && range.smin == signed {
        return Err(Empty);
    }
    rest.umin += u64::from(range.umin == value);
    rest.umax -= u64::from(range.umax == value);
    rest.smin += i64::from(range.smin == signed);
    rest.smax -= i64::from(range.smax == signed);
    Ok(rest)
}

/// With this bit known to be 1.
fn with_bit(known: Tnum, bit: u64) -> Result<Tnum, Empty> {
    if known.max() & bit == 0 { Err(Empty) } else { Ok(known.or(Tnum::constant(bit))) }
}
