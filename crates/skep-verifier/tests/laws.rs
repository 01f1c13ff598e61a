//! Laws of 64-bit scalars: whatever is known of two numbers, and whatever is done with them, the numbers themselves are never ruled out.

use proptest::prelude::*;
use skep_isa::{AluOp, JumpOp, Size, SwapKind, Width};
use skep_verifier::{Scalar, Tnum, branch_taken, refine};

/// Numbers of all magnitudes, many of them near a border of some width.
fn number() -> impl Strategy<Value = u64> {
    let shifted = (any::<u64>(), 0_u32..64).prop_map(|(x, by)| x >> by);
    let border = (0_u32..64, -2_i64..=2).prop_map(|(bit, by)| (1_u64 << bit).wrapping_add_signed(by));
    prop_oneof![
        any::<u64>(),
        shifted.clone(),
        shifted.prop_map(u64::wrapping_neg),
        border.clone(),
        border.prop_map(|x| !x)
    ]
}

/// A number, and a scalar that it is a member of: facts that hold for it, one after the other.
fn member() -> impl Strategy<Value = (u64, Scalar)> {
    let fact = (jump(), width(), number());
    (number(), number(), any::<bool>(), prop::collection::vec(fact, 0..5)).prop_map(
        |(x, mask, any_bits, facts)| {
            let mut scalar = if any_bits { Scalar::unknown() } else { Scalar::from_bits(Tnum::new(x, mask)) };
            for (op, width, y) in facts {
                refine(op, width, holds(op, width, x, y), &mut scalar, &mut Scalar::constant(y)).unwrap();
                assert!(scalar.contains(x), "{x:#x} lost by {op:?} {width:?} {y:#x}: {scalar}");
            }
            (x, scalar)
        },
    )
}

fn width() -> impl Strategy<Value = Width> {
    prop::sample::select(vec![Width::W32, Width::W64])
}

fn jump() -> impl Strategy<Value = JumpOp> {
    use JumpOp::*;
    prop::sample::select(vec![Eq, Ne, Gt, Ge, Lt, Le, Sgt, Sge, Slt, Sle, Set])
}

fn alu() -> impl Strategy<Value = AluOp> {
    use AluOp::*;
    prop::sample::select(vec![Add, Sub, Mul, Div, Sdiv, Mod, Smod, Or, And, Xor, Lsh, Rsh, Arsh, Mov])
}

/// Arithmetic as RFC 9669 defines it.
fn compute(op: AluOp, width: Width, a: u64, b: u64) -> u64 {
    if width == Width::W64 {
        let (sa, sb) = (a as i64, b as i64);
        return match op {
            AluOp::Add => a.wrapping_add(b),
            AluOp::Sub => a.wrapping_sub(b),
            AluOp::Mul => a.wrapping_mul(b),
            AluOp::Div => a.checked_div(b).unwrap_or(0),
            AluOp::Mod => a.checked_rem(b).unwrap_or(a),
            AluOp::Sdiv if b == 0 => 0,
            AluOp::Sdiv => sa.wrapping_div(sb) as u64,
            AluOp::Smod if b == 0 => a,
            AluOp::Smod => sa.wrapping_rem(sb) as u64,
            AluOp::Or => a | b,
            AluOp::And => a & b,
            AluOp::Xor => a ^ b,
            AluOp::Lsh => a << (b & 63),
            AluOp::Rsh => a >> (b & 63),
            AluOp::Arsh => (sa >> (b & 63)) as u64,
            AluOp::Mov => b,
        };
    }
    let (sa, sb) = (a as i32, b as i32);
    let result = match op {
        AluOp::Sdiv if sb == 0 => 0,
        AluOp::Sdiv => sa.wrapping_div(sb) as u64,
        AluOp::Smod if sb == 0 => a,
        AluOp::Smod => sa.wrapping_rem(sb) as u64,
        AluOp::Lsh => a << (b & 31),
        AluOp::Rsh => u64::from(a as u32 >> (b & 31)),
        AluOp::Arsh => (sa >> (b & 31)) as u64,
        _ => compute(op, Width::W64, u64::from(a as u32), u64::from(b as u32)),
    };
    u64::from(result as u32)
}

fn holds(op: JumpOp, width: Width, a: u64, b: u64) -> bool {
    let (a, b) = match width {
        Width::W64 => (a, b),
        // Sign extension keeps both orders, and equality, and which bits are common.
        Width::W32 => (a as i32 as u64, b as i32 as u64),
    };
    let (sa, sb) = (a as i64, b as i64);
    match op {
        JumpOp::Eq => a == b,
        JumpOp::Ne => a != b,
        JumpOp::Gt => a > b,
        JumpOp::Ge => a >= b,
        JumpOp::Lt => a < b,
        JumpOp::Le => a <= b,
        JumpOp::Sgt => sa > sb,
        JumpOp::Sge => sa >= sb,
        JumpOp::Slt => sa < sb,
        JumpOp::Sle => sa <= sb,
        JumpOp::Set => a & b != 0,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arithmetic_keeps_its_results(op in alu(), width in width(), (x, a) in member(), (y, b) in member(), constant in any::<bool>()) {
        let amount = y % if width == Width::W32 { 32 } else { 64 };
        let (y, b) = match op {
            AluOp::Lsh | AluOp::Rsh | AluOp::Arsh if constant => (amount, Scalar::constant(amount)),
            _ if constant => (y, Scalar::constant(y)),
            _ => (y, b),
        };
        let (z, result) = (compute(op, width, x, y), a.alu(op, width, &b));
        prop_assert!(result.contains(z), "{a} {op:?} {width:?} {b} gives {result} without {z:#x}");
        if a.as_const(Width::W64).is_some() && b.as_const(Width::W64).is_some() && !result.is_unknown() {
            prop_assert_eq!(result, Scalar::constant(z));
        }
    }

    #[test]
    fn refinement_keeps_what_went_this_way(op in jump(), width in width(), (x, a) in member(), (y, b) in member()) {
        let taken = holds(op, width, x, y);
        prop_assert_ne!(branch_taken(op, width, &a, &b), Some(!taken), "{} {:?} {:?} {}", a, op, width, b);
        let (mut a2, mut b2) = (a, b);
        prop_assert_eq!(refine(op, width, taken, &mut a2, &mut b2), Ok(()), "{} {:?} {:?} {}", a, op, width, b);
        prop_assert!(a2.contains(x), "{a} {op:?} {width:?} {b}, {taken}: {a2} without {x:#x}");
        prop_assert!(b2.contains(y), "{a} {op:?} {width:?} {b}, {taken}: {b2} without {y:#x}");
    }

    #[test]
    fn unary_operations_keep_their_results((x, a) in member(), size in prop::sample::select(vec![Size::B, Size::H, Size::W, Size::DW])) {
        prop_assert!(a.neg(Width::W64).contains(x.wrapping_neg()));
        prop_assert!(a.neg(Width::W32).contains(u64::from((x as u32).wrapping_neg())));
        let unused = 64 - size.bits();
        prop_assert!(a.load(size).contains(x << unused >> unused));
        let extended = ((x << unused) as i64 >> unused) as u64;
        prop_assert!(a.movsx(Width::W64, size).contains(extended), "{a} gives {}", a.movsx(Width::W64, size));
        if size < Size::W {
            prop_assert!(a.movsx(Width::W32, size).contains(u64::from(extended as u32)));
        }
        if size > Size::B {
            prop_assert!(a.swap(SwapKind::ToLe, size).contains(x << unused >> unused));
            prop_assert!(a.swap(SwapKind::ToBe, size).contains(x.swap_bytes() >> unused));
            prop_assert!(a.swap(SwapKind::Bswap, size).contains(x.swap_bytes() >> unused));
        }
    }

    #[test]
    fn sets_of_numbers_behave_as_sets((x, a) in member(), (y, b) in member()) {
        match a.intersect(&b) {
            Ok(both) => prop_assert!([x, y].iter().all(|&z| both.contains(z) || !(a.contains(z) && b.contains(z)))),
            Err(_) => prop_assert!(!b.contains(x) && !a.contains(y)),
        }
        prop_assert!(!a.includes(&b) || a.contains(y));
        prop_assert!(a.widen(&b).contains(x) && a.widen(&b).contains(y));
        prop_assert!(a.umin() <= x && x <= a.umax() && a.smin() <= x as i64 && x as i64 <= a.smax());
        prop_assert!(a.u32_min() <= x as u32 && x as u32 <= a.u32_max() && a.s32_min() <= x as i32 && x as i32 <= a.s32_max());
        prop_assert!(Scalar::from_unsigned(x.min(y), x.max(y)).unwrap().contains(y));
        prop_assert!(Scalar::from_signed((x as i64).min(y as i64), (x as i64).max(y as i64)).unwrap().contains(x));
    }
}
