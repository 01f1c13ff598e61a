//! Tristate numbers against sets of numbers: every operation on every pair of operands of a small width, at the bottom of the 64 bits
//! and moved up to the top and across the middle.

use skep_verifier::Tnum;

/// Bits of the model.
const BITS: u32 = 4;
const MASK: u64 = (1 << BITS) - 1;

/// All tristate numbers of the model's width.
fn all() -> Vec<Tnum> {
    let pairs = (0..=MASK).flat_map(|mask| (0..=MASK).map(move |value| (value, mask)));
    pairs.filter(|(value, mask)| value & mask == 0).map(|(value, mask)| Tnum::new(value, mask)).collect()
}

/// Members of a tristate number whose unknown bits are few.
fn members(t: Tnum) -> Vec<u64> {
    // All subsets of the mask: counting with the bits outside of it set carries over them.
    let mut members = vec![t.value()];
    let mut subset = 0_u64;
    loop {
        subset = (subset | !t.mask()).wrapping_add(1) & t.mask();
        if subset == 0 {
            return members;
        }
        members.push(t.value() | subset);
    }
}

/// The least tristate number with these members.
fn best(values: impl IntoIterator<Item = u64>) -> Tnum {
    values.into_iter().map(Tnum::constant).reduce(Tnum::union).unwrap()
}

/// Checks soundness of a binary operation on all operands, moved up by `shift`, and counts how often it is optimal.
fn binary(
    name: &str,
    shift: u32,
    op: impl Fn(Tnum, Tnum) -> Tnum,
    concrete: impl Fn(u64, u64) -> u64,
) -> (usize, usize) {
    let (mut optimal, mut total) = (0, 0);
    for a in all() {
        for b in all() {
            let (a, b) = (a.lshift(shift), b.lshift(shift));
            let result = op(a, b);
            let exact = best(
                members(a)
                    .into_iter()
                    .flat_map(|x| members(b).into_iter().map(move |y| (x, y)))
                    .map(|(x, y)| concrete(x, y)),
            );
            assert!(result.includes(exact), "{name}: {a} and {b} give {result}, which lacks some of {exact}");
            total += 1;
            optimal += usize::from(result == exact);
        }
    }
    (optimal, total)
}

/// Bottom, across the 32-bit border, top.
const PLACES: [u32; 3] = [0, 30, 60];

#[test]
fn arithmetic_and_bitwise_operations_are_sound_and_optimal() {
    for shift in PLACES {
        for (optimal, total) in [
            binary("add", shift, Tnum::add, u64::wrapping_add),
            binary("sub", shift, Tnum::sub, u64::wrapping_sub),
            binary("and", shift, Tnum::and, |x, y| x & y),
            binary("or", shift, Tnum::or, |x, y| x | y),
            binary("xor", shift, Tnum::xor, |x, y| x ^ y),
        ] {
            assert_eq!(optimal, total);
        }
    }
    for t in all() {
        assert_eq!(t.neg(), best(members(t).into_iter().map(u64::wrapping_neg)));
    }
}

#[test]
fn multiplication_is_sound_and_mostly_optimal() {
    let (optimal, total) = binary("mul", 0, Tnum::mul, u64::wrapping_mul);
    println!("mul: optimal for {optimal} of {total}");
    // Of the 6561 pairs of 4-bit numbers. A change of the algorithm shows here.
    assert!(optimal * 100 >= total * 85, "{optimal} of {total}");
    binary("mul", 30, |a, b| a.mul(b.rshift(30)), |x, y| x.wrapping_mul(y >> 30));
    binary("mul", 60, |a, b| a.mul(b.rshift(60)), |x, y| x.wrapping_mul(y >> 60));
}

#[test]
fn shifts_extensions_and_byte_swaps_are_exact() {
    for place in PLACES {
        for t in all().into_iter().map(|t| t.lshift(place)) {
            let exact = |f: &dyn Fn(u64) -> u64| best(members(t).into_iter().map(f));
            for count in 0..64 {
                assert_eq!(t.lshift(count), exact(&|x| x << count));
                assert_eq!(t.rshift(count), exact(&|x| x >> count));
                assert_eq!(t.arshift(count, 64), exact(&|x| ((x as i64) >> count) as u64));
            }
            for count in 0..32 {
                assert_eq!(t.arshift(count, 32), exact(&|x| u64::from((x as i32 >> count) as u32)));
            }
            for (bytes, bits) in [(1, 8), (2, 16), (4, 32), (8, 64)] {
                let low = u64::MAX >> (64 - bits);
                assert_eq!(t.cast(bytes), exact(&|x| x & low));
                assert_eq!(
                    t.sign_extend(bits),
                    exact(&|x| ((x << (64 - bits)) as i64 >> (64 - bits)) as u64)
                );
                assert_eq!(t.bswap(bytes), exact(&|x| x.swap_bytes() >> (64 - bits)));
            }
            assert_eq!(t.subreg(), t.cast(4));
            assert_eq!(t.clear_subreg(), exact(&|x| x >> 32 << 32));
            assert_eq!(t.const_subreg(7), exact(&|x| x >> 32 << 32 | 7));
            assert_eq!(t.with_subreg(Tnum::UNKNOWN), t.clear_subreg().or(Tnum::UNKNOWN.subreg()));
            for size in [0, 1, 2, 4, 8, 1 << 31, 1 << 61] {
                assert_eq!(t.is_aligned(size), members(t).iter().all(|x| size == 0 || x % size == 0));
            }
        }
    }
    assert_eq!(Tnum::UNKNOWN.lshift(64), Tnum::constant(0));
    assert_eq!(Tnum::UNKNOWN.arshift(64, 64), Tnum::UNKNOWN);
}

#[test]
fn ranges_are_the_least_numbers_that_contain_them() {
    for min in 0..=MASK {
        for max in min..=MASK {
            for place in PLACES {
                assert_eq!(
                    Tnum::range(min << place, max << place).rshift(place),
                    best(min..=max),
                    "{min} to {max}"
                );
            }
        }
    }
    assert_eq!(Tnum::range(1, 0), Tnum::UNKNOWN);
    assert_eq!(Tnum::range(0, u64::MAX), Tnum::UNKNOWN);
    assert_eq!(Tnum::range(u64::MAX, u64::MAX), Tnum::constant(u64::MAX));
}

#[test]
fn sets_are_the_models_sets() {
    for a in all() {
        for b in all() {
            let (in_a, in_b) = (members(a), members(b));
            let common: Vec<u64> = in_a.iter().copied().filter(|x| in_b.contains(x)).collect();
            assert_eq!(a.overlaps(b), !common.is_empty());
            assert_eq!(a.intersect(b), (!common.is_empty()).then(|| best(common)));
            assert_eq!(a.union(b), best(in_a.iter().chain(&in_b).copied()));
            assert_eq!(a.includes(b), in_b.iter().all(|x| in_a.contains(x)));
        }
        for x in 0..=MASK + 1 {
            assert_eq!(a.contains(x), members(a).contains(&x));
            assert_eq!(a.next(x), members(a).into_iter().filter(|&member| member >= x).min());
            for place in [30, 60] {
                let up = |x: u64| x << place;
                if x <= MASK {
                    assert_eq!(a.lshift(place).next(up(x)), a.next(x).map(up));
                }
            }
        }
    }
}
