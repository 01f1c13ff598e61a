//! Random classic programs for property tests.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{Extension, Insn, Op, SKF_LL_OFF, SKF_NET_OFF, SocketFilter, Source};
use crate::{AluOp, JumpOp, Size};

/// Any encoded instruction, valid or not, about half of them with a known operation.
pub fn insn() -> impl Strategy<Value = Insn> {
    let code = prop_oneof![0_u16..0x100, any::<u16>()];
    let small = prop_oneof![Just(0), any::<u8>()];
    (code, small.clone(), small, constant()).prop_map(|(code, jt, jf, k)| Insn { code, jt, jf, k })
}

/// Valid socket filters of up to `max` instructions and a few more, over packets of about `len` bytes (at least 60). Of
/// the extensions they use only those given; offsets relative to headers only if `headers` is set.
pub fn socket_filter(
    max: usize,
    len: u32,
    extensions: &'static [Extension],
    headers: bool,
) -> impl Strategy<Value = SocketFilter> {
    (any::<u16>(), vec((draft(len, extensions, headers), any::<u8>(), any::<u8>()), 1..max)).prop_map(
        |(stored, drafts)| {
            let mut insns: Vec<Insn> =
                (0..16).filter(|k| stored & 1 << k != 0).map(|k| Op::St(k).into()).collect();
            let count = drafts.len();
            for (index, (op, jt, jf)) in drafts.into_iter().enumerate() {
                // Jumps may go to any of the instructions behind, the two returns at the end included.
                let reach = |skip: u8| (usize::from(skip) % (count - index + 1)) as u8;
                let op = match op {
                    Op::Ja(_) => Op::Ja(reach(jt).into()),
                    Op::Jump { op, src, .. } => Op::Jump { op, src, jt: reach(jt), jf: reach(jf) },
                    Op::LdMem(k) if stored & 1 << k == 0 => Op::Txa,
                    Op::LdxMem(k) if stored & 1 << k == 0 => Op::Tax,
                    op => op,
                };
                insns.push(op.into());
            }
            insns.extend([Op::RetA, Op::RetK(count as u32)].map(Insn::from));
            SocketFilter::new(insns)
                .unwrap_or_else(|error| panic!("the generator made a bad filter: {error}"))
        },
    )
}

fn constant() -> impl Strategy<Value = u32> {
    prop_oneof![
        Just(0),
        Just(1),
        Just(u32::MAX),
        Just(i32::MIN.cast_unsigned()),
        Just(i32::MAX.cast_unsigned()),
        0_u32..64,
        any::<u32>(),
        (0_u32..=17).prop_map(|n| super::SKF_AD_OFF + 4 * n),
    ]
}

/// An instruction whose jumps and scratch loads are still to be made valid.
fn draft(len: u32, extensions: &'static [Extension], headers: bool) -> impl Strategy<Value = Op> {
    let size = || prop::sample::select(&[Size::B, Size::H, Size::W][..]);
    // Mostly inside the packet, sometimes across its end.
    let offset = || {
        let header = if headers { SKF_LL_OFF..SKF_LL_OFF + 20 } else { 0..60 };
        let network = if headers { SKF_NET_OFF..SKF_NET_OFF + 60 } else { 0..60 };
        prop_oneof![8 => 0..len, 1 => len - 4..len + 8, 1 => header, 1 => network]
    };
    let source = || prop_oneof![constant().prop_map(Source::K), Just(Source::X)];
    let word = 0_u32..16;
    let extension = match extensions {
        [] => Just(Op::Neg).boxed(),
        some => (size(), prop::sample::select(some)).prop_map(|(s, e)| Op::LdExt(s, e)).boxed(),
    };
    let condition = prop::sample::select(&[JumpOp::Eq, JumpOp::Gt, JumpOp::Ge, JumpOp::Set][..]);
    prop_oneof![
        3 => (size(), offset()).prop_map(|(size, k)| Op::LdAbs(size, k)),
        1 => (size(), 0_u32..40).prop_map(|(size, k)| Op::LdInd(size, k)),
        2 => extension,
        1 => prop_oneof![Just(Op::LdLen), Just(Op::LdxLen), Just(Op::Tax), Just(Op::Txa), Just(Op::Neg)],
        2 => constant().prop_map(Op::LdImm),
        2 => prop_oneof![constant().prop_map(Op::LdxImm), (0_u32..40).prop_map(Op::LdxImm)],
        1 => offset().prop_map(Op::LdxMsh),
        2 => word.clone().prop_map(Op::LdMem),
        1 => word.clone().prop_map(Op::LdxMem),
        2 => word.clone().prop_map(Op::St),
        1 => word.prop_map(Op::Stx),
        8 => (arithmetic(), source()).prop_map(|(op, src)| match (op, src) {
            (AluOp::Div | AluOp::Mod, Source::K(0)) => Op::Alu(op, Source::K(3)),
            (AluOp::Lsh | AluOp::Rsh, Source::K(k)) => Op::Alu(op, Source::K(k % 32)),
            _ => Op::Alu(op, src),
        }),
        1 => Just(Op::Ja(0)),
        4 => (condition, source()).prop_map(|(op, src)| Op::Jump { op, src, jt: 0, jf: 0 }),
        1 => prop_oneof![Just(Op::RetA), constant().prop_map(Op::RetK)],
    ]
}

fn arithmetic() -> impl Strategy<Value = AluOp> {
    prop::sample::select(
        &[
            AluOp::Add,
            AluOp::Sub,
            AluOp::Mul,
            AluOp::Div,
            AluOp::Mod,
            AluOp::Or,
            AluOp::And,
            AluOp::Xor,
            AluOp::Lsh,
            AluOp::Rsh,
        ][..],
    )
}
