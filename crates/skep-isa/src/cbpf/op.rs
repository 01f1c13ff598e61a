//! What an instruction means.

use super::{Insn, SKF_AD_OFF};
use crate::{AluOp, JumpOp, Size};

/// Second operand of arithmetic and conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// The instruction's constant (`BPF_K`).
    K(u32),
    /// The index register (`BPF_X`).
    X,
}

/// An instruction by meaning. A and X are the registers, M the scratch memory, P the packet (or, for seccomp, the
/// bytes of `struct seccomp_data`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// `A = ntoh(P[k])`; ends the program with 0 when P is too short. Offsets from [`SKF_LL_OFF`](super::SKF_LL_OFF)
    /// up are relative to headers. For seccomp, which allows words only, in host byte order.
    LdAbs(Size, u32),
    /// `A = ntoh(P[X + k])`, as [`Op::LdAbs`].
    LdInd(Size, u32),
    /// `A =` something about the packet that is not in it. The size makes no difference.
    LdExt(Size, Extension),
    /// `A = length of P`.
    LdLen,
    /// `A = k`.
    LdImm(u32),
    /// `A = M[k]`.
    LdMem(u32),
    /// `X = length of P`.
    LdxLen,
    /// `X = 4 * (P[k] & 0xf)`: the length of an IPv4 header.
    LdxMsh(u32),
    /// `X = k`.
    LdxImm(u32),
    /// `X = M[k]`.
    LdxMem(u32),
    /// `M[k] = A`.
    St(u32),
    /// `M[k] = X`.
    Stx(u32),
    /// `A = A op source` in 32 bits; one of `Add`, `Sub`, `Mul`, `Div`, `Mod`, `Or`, `And`, `Xor`, `Lsh`, `Rsh`.
    /// Division by an X of 0 ends the program with 0; shift counts in X are taken modulo 32.
    Alu(AluOp, Source),
    /// `A = -A`.
    Neg,
    /// Skips `k` instructions.
    Ja(u32),
    /// Skips `jt` instructions if the unsigned condition on A holds, `jf` if not; one of `Eq`, `Gt`, `Ge`, `Set`.
    Jump {
        /// Condition.
        op: JumpOp,
        /// What A is compared with.
        src: Source,
        /// Instructions to skip if it holds.
        jt: u8,
        /// Instructions to skip if not.
        jf: u8,
    },
    /// Ends the program with `k`.
    RetK(u32),
    /// Ends the program with A.
    RetA,
    /// `X = A`.
    Tax,
    /// `A = X`.
    Txa,
}

// Fields of the operation code (linux/bpf_common.h, linux/filter.h).
const CLASS: u16 = 0x07;
const LD: u16 = 0x00;
const LDX: u16 = 0x01;
const ST: u16 = 0x02;
const STX: u16 = 0x03;
const ALU: u16 = 0x04;
const JMP: u16 = 0x05;
const RET: u16 = 0x06;
const MISC: u16 = 0x07;
const IMM: u16 = 0x00;
const ABS: u16 = 0x20;
const IND: u16 = 0x40;
const MEM: u16 = 0x60;
const LEN: u16 = 0x80;
const MSH: u16 = 0xa0;
const X: u16 = 0x08;
const A: u16 = 0x10;
const TXA: u16 = 0x80;
const NEG: u16 = 0x80;

const SIZES: [(u16, Size); 3] = [(0x00, Size::W), (0x08, Size::H), (0x10, Size::B)];
const ALU_OPS: [(u16, AluOp); 10] = [
    (0x00, AluOp::Add),
    (0x10, AluOp::Sub),
    (0x20, AluOp::Mul),
    (0x30, AluOp::Div),
    (0x40, AluOp::Or),
    (0x50, AluOp::And),
    (0x60, AluOp::Lsh),
    (0x70, AluOp::Rsh),
    (0x90, AluOp::Mod),
    (0xa0, AluOp::Xor),
];
const JUMP_OPS: [(u16, JumpOp); 4] =
    [(0x10, JumpOp::Eq), (0x20, JumpOp::Gt), (0x30, JumpOp::Ge), (0x40, JumpOp::Set)];

fn by_number<T: Copy>(table: &[(u16, T)], number: u16) -> Option<T> {
    table.iter().find(|(n, _)| *n == number).map(|(_, item)| *item)
}

fn number_of<T: Copy + PartialEq>(table: &[(u16, T)], item: T) -> u16 {
    table.iter().find(|(_, i)| *i == item).map_or(0, |(n, _)| *n)
}

impl Insn {
    /// What the instruction means; None for codes that Linux does not know. Fields that the operation does not use
    /// are ignored, as Linux ignores them.
    #[must_use]
    pub fn op(&self) -> Option<Op> {
        let Insn { code, jt, jf, k } = *self;
        if code > 0xff {
            return None;
        }
        let source = if code & X == 0 { Source::K(k) } else { Source::X };
        Some(match code & CLASS {
            LD if code & 0xe0 == ABS => {
                let size = by_number(&SIZES, code & 0x18)?;
                match Extension::from_offset(k) {
                    Some(extension) => Op::LdExt(size, extension),
                    None => Op::LdAbs(size, k),
                }
            }
            LD if code & 0xe0 == IND => Op::LdInd(by_number(&SIZES, code & 0x18)?, k),
            LD => match code & !CLASS {
                IMM => Op::LdImm(k),
                MEM => Op::LdMem(k),
                LEN => Op::LdLen,
                _ => return None,
            },
            LDX => match code & !CLASS {
                IMM => Op::LdxImm(k),
                MEM => Op::LdxMem(k),
                LEN => Op::LdxLen,
                // Byte size only.
                mode if mode == MSH | 0x10 => Op::LdxMsh(k),
                _ => return None,
            },
            ST if code == ST => Op::St(k),
            STX if code == STX => Op::Stx(k),
            ALU if code == ALU | NEG => Op::Neg,
            ALU => Op::Alu(by_number(&ALU_OPS, code & 0xf0)?, source),
            JMP if code == JMP => Op::Ja(k),
            JMP => Op::Jump { op: by_number(&JUMP_OPS, code & 0xf0)?, src: source, jt, jf },
            RET if code == RET => Op::RetK(k),
            RET if code == RET | A => Op::RetA,
            MISC if code == MISC => Op::Tax,
            MISC if code == MISC | TXA => Op::Txa,
            _ => return None,
        })
    }
}

impl From<Op> for Insn {
    /// Encodes the operation, with zero in the fields that it does not use.
    ///
    /// Widths, arithmetic and conditions that classic BPF does not have (those that the fields of [`Op`] do not list)
    /// become the first of the kind: words, addition, equality.
    fn from(op: Op) -> Insn {
        let with = |code: u16, src: Source| match src {
            Source::K(k) => Insn::new(code, k),
            Source::X => Insn::new(code | X, 0),
        };
        match op {
            Op::LdAbs(size, k) => Insn::new(LD | ABS | number_of(&SIZES, size), k),
            Op::LdInd(size, k) => Insn::new(LD | IND | number_of(&SIZES, size), k),
            Op::LdExt(size, extension) => Insn::new(LD | ABS | number_of(&SIZES, size), extension.offset()),
            Op::LdLen => Insn::new(LD | LEN, 0),
            Op::LdImm(k) => Insn::new(LD | IMM, k),
            Op::LdMem(k) => Insn::new(LD | MEM, k),
            Op::LdxLen => Insn::new(LDX | LEN, 0),
            Op::LdxMsh(k) => Insn::new(LDX | MSH | 0x10, k),
            Op::LdxImm(k) => Insn::new(LDX | IMM, k),
            Op::LdxMem(k) => Insn::new(LDX | MEM, k),
            Op::St(k) => Insn::new(ST, k),
            Op::Stx(k) => Insn::new(STX, k),
            Op::Alu(op, src) => with(ALU | number_of(&ALU_OPS, op), src),
            Op::Neg => Insn::new(ALU | NEG, 0),
            Op::Ja(k) => Insn::new(JMP, k),
            Op::Jump { op, src, jt, jf } => {
                let op = number_of(&JUMP_OPS, op).max(0x10);
                Insn { jt, jf, ..with(JMP | op, src) }
            }
            Op::RetK(k) => Insn::new(RET, k),
            Op::RetA => Insn::new(RET | A, 0),
            Op::Tax => Insn::new(MISC, 0),
            Op::Txa => Insn::new(MISC | TXA, 0),
        }
    }
}

/// Declares the extensions: number above `SKF_AD_OFF`, names in `bpf_asm` and `tcpdump -d`.
macro_rules! extensions {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $asm:literal, $pcap:literal;)*) => {
        /// What Linux says about a packet through loads at and above [`SKF_AD_OFF`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Extension { $($(#[$doc])* $variant,)* }

        impl Extension {
            /// All of them, by number.
            pub const ALL: &[Extension] = &[$(Extension::$variant,)*];

            /// The one that a load at this packet offset means.
            #[must_use]
            pub const fn from_offset(k: u32) -> Option<Extension> {
                match k.wrapping_sub(SKF_AD_OFF) {
                    $($number => Some(Extension::$variant),)*
                    _ => None,
                }
            }

            /// The packet offset that means it.
            #[must_use]
            pub const fn offset(self) -> u32 {
                SKF_AD_OFF + match self { $(Extension::$variant => $number,)* }
            }

            /// Its name in `bpf_asm` (`ALU_XOR_X`, which that does not have, is `xor_x`).
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Extension::$variant => $asm,)* }
            }

            /// Its name in `tcpdump -d`.
            #[must_use]
            pub const fn tcpdump_name(self) -> &'static str {
                match self { $(Extension::$variant => $pcap,)* }
            }

            /// The one with this name in `bpf_asm` or `tcpdump -d`.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Extension> {
                Self::ALL.iter().copied().find(|e| e.name() == name || e.tcpdump_name() == name)
            }
        }
    };
}

extensions! {
    /// `SKF_AD_PROTOCOL`: the Ethernet protocol of the packet.
    Protocol = 0, "proto", "proto";
    /// `SKF_AD_PKTTYPE`: `PACKET_HOST`, `PACKET_OUTGOING`, ...
    PktType = 4, "type", "type";
    /// `SKF_AD_IFINDEX`: index of the interface; ends the program with A when the packet has none.
    Ifindex = 8, "ifidx", "ifidx";
    /// `SKF_AD_NLATTR`: offset of the netlink attribute of type X among those from offset A on, 0 if there is none.
    NlAttr = 12, "nla", "nla";
    /// `SKF_AD_NLATTR_NEST`: as `nla`, inside the attribute at offset A.
    NlAttrNest = 16, "nlan", "nlan";
    /// `SKF_AD_MARK`: the packet's mark.
    Mark = 20, "mark", "mark";
    /// `SKF_AD_QUEUE`: its queue.
    Queue = 24, "queue", "queue";
    /// `SKF_AD_HATYPE`: type of the interface (`ARPHRD_*`); ends the program with A when the packet has none.
    Hatype = 28, "hatype", "hatype";
    /// `SKF_AD_RXHASH`: hash of its flow.
    Rxhash = 32, "rxhash", "rxhash";
    /// `SKF_AD_CPU`: the CPU that runs the filter.
    Cpu = 36, "cpu", "cpu";
    /// `SKF_AD_ALU_XOR_X`: `A ^ X`, older than the instruction for it.
    AluXorX = 40, "xor_x", "xor_x";
    /// `SKF_AD_VLAN_TAG`: the VLAN tag taken off the packet.
    VlanTci = 44, "vlan_tci", "vlan_tci";
    /// `SKF_AD_VLAN_TAG_PRESENT`: 1 if a VLAN tag was taken off the packet.
    VlanAvail = 48, "vlan_avail", "vlanp";
    /// `SKF_AD_PAY_OFFSET`: where the payload begins, headers dissected.
    PayOffset = 52, "poff", "poff";
    /// `SKF_AD_RANDOM`: a random number.
    Random = 56, "rand", "random";
    /// `SKF_AD_VLAN_TPID`: protocol of the VLAN tag.
    VlanTpid = 60, "vlan_tpid", "vlan_tpid";
}
