//! Helpers and instructions on the packet of a test run.

use super::error;
use crate::error::Errno;
use crate::interp::{Access, FaultKind, Packet, Run, Step, argument};

/// Bytes of an Ethernet header (`ETH_HLEN`).
const ETH_HLEN: usize = 14;
/// Bytes at the start of the headroom that the kernel keeps for itself (`struct xdp_frame`).
const XDP_FRAME: usize = 40;
/// Legacy offsets from here on count from the network header (`SKF_NET_OFF`).
const NET_OFF: i32 = -0x10_0000;
/// Legacy offsets from here on count from the link-layer header (`SKF_LL_OFF`).
const LL_OFF: i32 = -0x20_0000;

/// `BPF_LD | BPF_ABS` and `BPF_IND`: a big-endian word of the packet; None when it does not lie inside.
pub(crate) fn packet_load(run: &Run<'_, '_>, off: i32, size: usize) -> Step<Option<u64>> {
    let Some(packet) = run.packet.as_deref() else { return Err(Box::new(FaultKind::NoPacket)) };
    let (base, off) = match off {
        0.. => (packet.start, off),
        NET_OFF.. => (packet.mac + ETH_HLEN, off - NET_OFF),
        LL_OFF.. => (packet.mac, off - LL_OFF),
        _ => return Ok(None),
    };
    let from = base + off as usize;
    let word = packet.buffer.get(from..from + size).filter(|_| from + size <= packet.end);
    Ok(word.map(|word| word.iter().fold(0, |value, byte| value << 8 | u64::from(*byte))))
}

fn packet<'a>(run: &'a mut Run<'_, '_>, helper: &'static str, context: u64) -> Step<&'a mut Packet> {
    if context != run.context.ctx.as_ptr() as u64 {
        return Err(argument(helper, 1, "is not the context"));
    }
    run.packet.as_deref_mut().ok_or_else(|| argument(helper, 1, "has no packet"))
}

/// The range of `len` bytes at `offset` of the packet, if they lie inside.
fn range(packet: &Packet, offset: u64, len: u64) -> Option<std::ops::Range<usize>> {
    let from = packet.start.checked_add(usize::try_from(i32::try_from(offset as u32).ok()?).ok()?)?;
    let to = from.checked_add(usize::try_from(len).ok()?)?;
    (to <= packet.end).then_some(from..to)
}

pub(super) fn skb_load_bytes(run: &mut Run<'_, '_>, [skb, offset, to, len, _]: [u64; 5]) -> Step<u64> {
    run.check(to, len, Access::Write)?;
    let packet = packet(run, "skb_load_bytes", skb)?;
    match range(packet, offset, len).and_then(|range| packet.buffer.get(range)).map(<[u8]>::to_vec) {
        Some(bytes) => {
            run.write(to, &bytes)?;
            Ok(0)
        }
        None => {
            run.write_zeroes(to, len)?;
            Ok(error(Errno::EFAULT))
        }
    }
}

pub(super) fn skb_store_bytes(run: &mut Run<'_, '_>, [skb, offset, from, len, flags]: [u64; 5]) -> Step<u64> {
    /// `BPF_F_RECOMPUTE_CSUM | BPF_F_INVALIDATE_HASH`.
    const FLAGS: u64 = 3;
    let bytes = run.read_vec(from, len)?;
    let packet = packet(run, "skb_store_bytes", skb)?;
    if flags & !FLAGS != 0 {
        return Ok(error(Errno::EINVAL));
    }
    match range(packet, offset, len).and_then(|range| packet.buffer.get_mut(range)) {
        Some(place) => {
            place.copy_from_slice(&bytes);
            Ok(0)
        }
        None => Ok(error(Errno::EFAULT)),
    }
}

/// Packets of test runs are linear already.
pub(super) fn skb_pull_data(run: &mut Run<'_, '_>, [skb, len, ..]: [u64; 5]) -> Step<u64> {
    let packet = packet(run, "skb_pull_data", skb)?;
    let there = packet.end - packet.start;
    Ok(if len as u32 as usize <= there { 0 } else { error(Errno::ENOMEM) })
}

pub(super) fn xdp_adjust_head(run: &mut Run<'_, '_>, [xdp, delta, ..]: [u64; 5]) -> Step<u64> {
    let packet = packet(run, "xdp_adjust_head", xdp)?;
    let metadata = packet.start - packet.meta;
    let start = packet.start as i64 + i64::from(delta as i32);
    if start < (XDP_FRAME + metadata) as i64 || start > packet.end as i64 - ETH_HLEN as i64 {
        return Ok(error(Errno::EINVAL));
    }
    let start = start as usize;
    packet.buffer.copy_within(packet.meta..packet.start, start - metadata);
    (packet.start, packet.meta) = (start, start - metadata);
    run.forget();
    Ok(0)
}

pub(super) fn xdp_adjust_tail(run: &mut Run<'_, '_>, [xdp, delta, ..]: [u64; 5]) -> Step<u64> {
    let packet = packet(run, "xdp_adjust_tail", xdp)?;
    let end = packet.end as i64 + i64::from(delta as i32);
    if end > packet.buffer.len() as i64 || end < (packet.start + ETH_HLEN) as i64 {
        return Ok(error(Errno::EINVAL));
    }
    let end = end as usize;
    if let Some(grown) = packet.buffer.get_mut(packet.end..end) {
        grown.fill(0);
    }
    packet.end = end;
    run.forget();
    Ok(0)
}

pub(super) fn xdp_adjust_meta(run: &mut Run<'_, '_>, [xdp, delta, ..]: [u64; 5]) -> Step<u64> {
    let packet = packet(run, "xdp_adjust_meta", xdp)?;
    let meta = packet.meta as i64 + i64::from(delta as i32);
    if meta < XDP_FRAME as i64 || meta > packet.start as i64 {
        return Ok(error(Errno::EINVAL));
    }
    let len = packet.start as i64 - meta;
    if len % 4 != 0 || len > 252 {
        return Ok(error(Errno::EACCES));
    }
    packet.meta = meta as usize;
    run.forget();
    Ok(0)
}

/// `bpf_csum_diff`: the checksum of `to` minus that of `from` plus a seed, folded to 16 bits.
pub(super) fn csum_diff(run: &mut Run<'_, '_>, [from, from_size, to, to_size, seed]: [u64; 5]) -> Step<u64> {
    let (from_size, to_size, seed) = (from_size & 0xffff_ffff, to_size & 0xffff_ffff, seed as u32);
    if !from_size.is_multiple_of(4) || !to_size.is_multiple_of(4) {
        return Ok(error(Errno::EINVAL));
    }
    let from = run.read_vec(from, from_size)?;
    let to = run.read_vec(to, to_size)?;
    Ok(u64::from(match (from.is_empty(), to.is_empty()) {
        (true, true) => seed,
        (true, false) => fold16(add32(seed, sum(&to))),
        (false, true) => fold16(!add32(!seed, sum(&from))),
        (false, false) => fold16(add32(add32(seed, sum(&to)), !sum(&from))),
    }))
}

/// Sum of the 32-bit words in ones' complement.
fn sum(bytes: &[u8]) -> u32 {
    let words = bytes.chunks_exact(4).filter_map(|word| word.try_into().ok()).map(u32::from_ne_bytes);
    words.fold(0, add32)
}

/// Addition in ones' complement.
fn add32(a: u32, b: u32) -> u32 {
    let (sum, carry) = a.overflowing_add(b);
    sum.wrapping_add(u32::from(carry))
}

/// To 16 bits, with the carry added until there is none.
fn fold16(sum: u32) -> u32 {
    let sum = (sum & 0xffff) + (sum >> 16);
    (sum & 0xffff) + (sum >> 16)
}
