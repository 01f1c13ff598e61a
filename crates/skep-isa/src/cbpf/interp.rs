//! The reference interpreter: what a filter says about a packet or a system call.

use std::ops::ControlFlow;

use super::{Extension, Op, SECCOMP_DATA_SIZE, SKF_LL_OFF, SKF_NET_OFF, SeccompFilter, SocketFilter, Source};
use crate::{AluOp, JumpOp, Size};

/// A packet as a socket filter sees it: bytes, and what the kernel knows besides (`struct sk_buff`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packet<'a> {
    /// All bytes there are, those before the packet included.
    pub buffer: &'a [u8],
    /// Where in the buffer the packet begins, for the filter: offset 0.
    pub data: usize,
    /// Where the network header is, for offsets from `SKF_NET_OFF`.
    pub network_header: usize,
    /// Where the link-layer header is, for offsets from `SKF_LL_OFF`; None if it is not known.
    pub mac_header: Option<usize>,
    /// `proto`: the Ethernet protocol, host byte order.
    pub protocol: u16,
    /// `type`: `PACKET_HOST`, ...
    pub pkt_type: u8,
    /// `ifidx` and `hatype`.
    pub device: Option<Device>,
    /// `mark`.
    pub mark: u32,
    /// `queue`.
    pub queue: u16,
    /// `rxhash`.
    pub rxhash: u32,
    /// `cpu`.
    pub cpu: u32,
    /// `vlan_tci`, `vlan_tpid`, and `vlan_avail` if there is one.
    pub vlan: Option<Vlan>,
    /// `poff`: what the flow dissector makes of the packet.
    pub payload_offset: u32,
    /// `rand`: the number that is drawn.
    pub random: u32,
}

/// The interface of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its index.
    pub ifindex: u32,
    /// Its type (`ARPHRD_*`).
    pub hatype: u16,
}

/// A VLAN tag that was taken off a packet, host byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vlan {
    /// Priority and id.
    pub tci: u16,
    /// Protocol (`ETH_P_8021Q`, ...).
    pub tpid: u16,
}

impl<'a> Packet<'a> {
    /// A packet of just these bytes, nothing else known.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Packet { buffer: bytes, ..Packet::default() }
    }

    fn bytes(&self) -> &'a [u8] {
        self.buffer.get(self.data..).unwrap_or_default()
    }
}

impl SocketFilter {
    /// Runs the filter: how many bytes of the packet to keep, 0 for none.
    #[must_use]
    pub fn run(&self, packet: &Packet<'_>) -> u32 {
        execute(&self.ops, packet)
    }
}

impl SeccompFilter {
    /// Runs the filter on a `struct seccomp_data` in host byte order: the action (`SECCOMP_RET_*`).
    #[must_use]
    pub fn run(&self, data: &[u8; SECCOMP_DATA_SIZE]) -> u32 {
        execute(&self.ops, data)
    }
}

/// What a filter loads from. None ends the program with 0.
trait Input {
    fn length(&self) -> u32;
    fn load(&self, size: Size, offset: u32) -> Option<u32>;
    /// Breaks with the program's result, or gives the new A.
    fn extension(&self, extension: Extension, a: u32, x: u32) -> ControlFlow<u32, u32>;
}

/// Runs checked operations. It ends: every step moves forward.
fn execute(ops: &[Op], input: &impl Input) -> u32 {
    let (mut a, mut x, mut m) = (0_u32, 0_u32, [0_u32; 16]);
    let mut pc = 0;
    while let Some(op) = ops.get(pc) {
        pc += 1;
        match *op {
            Op::LdAbs(size, k) => match input.load(size, k) {
                Some(value) => a = value,
                None => return 0,
            },
            Op::LdInd(size, k) => match input.load(size, x.wrapping_add(k)) {
                Some(value) => a = value,
                None => return 0,
            },
            Op::LdExt(_, extension) => match input.extension(extension, a, x) {
                ControlFlow::Continue(value) => a = value,
                ControlFlow::Break(result) => return result,
            },
            Op::LdLen => a = input.length(),
            Op::LdImm(k) => a = k,
            Op::LdMem(k) => a = m[k as usize & 15],
            Op::LdxLen => x = input.length(),
            Op::LdxMsh(k) => match input.load(Size::B, k) {
                Some(value) => x = (value & 0xf) << 2,
                None => return 0,
            },
            Op::LdxImm(k) => x = k,
            Op::LdxMem(k) => x = m[k as usize & 15],
            Op::St(k) => m[k as usize & 15] = a,
            Op::Stx(k) => m[k as usize & 15] = x,
            Op::Alu(op, src) => match alu(op, a, source(src, x)) {
                Some(value) => a = value,
                None => return 0,
            },
            Op::Neg => a = a.wrapping_neg(),
            Op::Ja(k) => pc += k as usize,
            Op::Jump { op, src, jt, jf } => {
                let skip = if condition(op, a, source(src, x)) { jt } else { jf };
                pc += usize::from(skip);
            }
            Op::RetK(k) => return k,
            Op::RetA => return a,
            Op::Tax => x = a,
            Op::Txa => a = x,
        }
    }
    0
}

fn source(src: Source, x: u32) -> u32 {
    match src {
        Source::K(k) => k,
        Source::X => x,
    }
}

fn alu(op: AluOp, a: u32, b: u32) -> Option<u32> {
    Some(match op {
        AluOp::Add => a.wrapping_add(b),
        AluOp::Sub => a.wrapping_sub(b),
        AluOp::Mul => a.wrapping_mul(b),
        AluOp::Div => a.checked_div(b)?,
        AluOp::Mod => a.checked_rem(b)?,
        AluOp::Or => a | b,
        AluOp::And => a & b,
        AluOp::Xor => a ^ b,
        AluOp::Lsh => a.wrapping_shl(b),
        AluOp::Rsh => a.wrapping_shr(b),
        // Decoding gives none of these.
        AluOp::Sdiv | AluOp::Smod | AluOp::Arsh | AluOp::Mov => a,
    })
}

fn condition(op: JumpOp, a: u32, b: u32) -> bool {
    match op {
        JumpOp::Gt => a > b,
        JumpOp::Ge => a >= b,
        JumpOp::Set => a & b != 0,
        // Decoding gives none of the others.
        _ => a == b,
    }
}

impl Input for [u8; SECCOMP_DATA_SIZE] {
    fn length(&self) -> u32 {
        SECCOMP_DATA_SIZE as u32
    }

    fn load(&self, _size: Size, offset: u32) -> Option<u32> {
        let word = self.get(offset as usize..)?.first_chunk()?;
        Some(u32::from_ne_bytes(*word))
    }

    fn extension(&self, _extension: Extension, _a: u32, _x: u32) -> ControlFlow<u32, u32> {
        ControlFlow::Break(0)
    }
}

impl Input for Packet<'_> {
    fn length(&self) -> u32 {
        self.bytes().len() as u32
    }

    fn load(&self, size: Size, offset: u32) -> Option<u32> {
        let from = if offset <= i32::MAX.cast_unsigned() {
            self.data.checked_add(offset as usize)?
        } else if offset >= SKF_NET_OFF {
            self.network_header.checked_add((offset - SKF_NET_OFF) as usize)?
        } else if offset >= SKF_LL_OFF {
            self.mac_header?.checked_add((offset - SKF_LL_OFF) as usize)?
        } else {
            return None;
        };
        let bytes = self.buffer.get(from..)?.get(..size.bytes())?;
        Some(bytes.iter().fold(0, |value, byte| value << 8 | u32::from(*byte)))
    }

    fn extension(&self, extension: Extension, a: u32, x: u32) -> ControlFlow<u32, u32> {
        ControlFlow::Continue(match extension {
            Extension::Protocol => self.protocol.into(),
            Extension::PktType => self.pkt_type.into(),
            Extension::Ifindex => match self.device {
                Some(device) => device.ifindex,
                None => return ControlFlow::Break(a),
            },
            Extension::Hatype => match self.device {
                Some(device) => device.hatype.into(),
                None => return ControlFlow::Break(a),
            },
            Extension::NlAttr => find_attribute(self.bytes(), a as usize, x).unwrap_or(0),
            Extension::NlAttrNest => find_nested_attribute(self.bytes(), a as usize, x).unwrap_or(0),
            Extension::Mark => self.mark,
            Extension::Queue => self.queue.into(),
            Extension::Rxhash => self.rxhash,
            Extension::Cpu => self.cpu,
            Extension::AluXorX => a ^ x,
            Extension::VlanTci => self.vlan.map_or(0, |vlan| vlan.tci.into()),
            Extension::VlanAvail => self.vlan.is_some().into(),
            Extension::VlanTpid => self.vlan.map_or(0, |vlan| vlan.tpid.into()),
            Extension::PayOffset => self.payload_offset,
            Extension::Random => self.random,
        })
    }
}

/// Bytes in the header of a netlink attribute: length (header included) and type, host byte order (`struct nlattr`).
const NLA_HEADER: usize = 4;
/// Bits of the type that are the type (`NLA_TYPE_MASK`).
const NLA_TYPE_MASK: u16 = 0x3fff;

/// The attribute at an offset: its length and type, if it lies within the bytes.
fn attribute(bytes: &[u8], at: usize) -> Option<(usize, u16)> {
    let [l0, l1, t0, t1] = *bytes.get(at..)?.first_chunk::<NLA_HEADER>()?;
    let len = usize::from(u16::from_ne_bytes([l0, l1]));
    let fits = len <= bytes.len() - at;
    fits.then_some((len, u16::from_ne_bytes([t0, t1]) & NLA_TYPE_MASK))
}

/// Offset of the first attribute of a type among those that follow each other from `at` on.
fn find_attribute(bytes: &[u8], mut at: usize, wanted: u32) -> Option<u32> {
    loop {
        let (len, kind) = attribute(bytes, at)?;
        if len < NLA_HEADER {
            return None;
        }
        if u32::from(kind) == wanted {
            return u32::try_from(at).ok();
        }
        at = at.checked_add(len.next_multiple_of(4))?;
    }
}

fn find_nested_attribute(bytes: &[u8], at: usize, wanted: u32) -> Option<u32> {
    let (len, _) = attribute(bytes, at)?;
    find_attribute(bytes.get(..at + len)?, at + NLA_HEADER, wanted)
}
