//! Helpers on ring buffers.

use std::ptr::NonNull;
use std::sync::Arc;

use skep_maps::{RingBuffer, RingQuery, WakeFlags};

use super::error;
use crate::error::Errno;
use crate::interp::{Access, Record, Region, RegionKind, Run, Step, argument};

fn ring<'r>(run: &Run<'r, '_>, helper: &'static str, map: u64) -> Step<&'r Arc<RingBuffer>> {
    run.map(helper, 1, map)?.ring().ok_or_else(|| argument(helper, 1, "is not a ring buffer"))
}

pub(super) fn ringbuf_output(run: &mut Run<'_, '_>, [map, data, size, flags, _]: [u64; 5]) -> Step<u64> {
    let ring = ring(run, "ringbuf_output", map)?;
    run.check(data, size, Access::Read)?;
    run.burn(64);
    if flags & !WakeFlags::ALL != 0 {
        return Ok(error(Errno::EINVAL));
    }
    // SAFETY: the bytes may be read.
    let fits = unsafe { ring.output_raw(data as *const u8, size, flags) };
    Ok(if fits { 0 } else { error(Errno::EAGAIN) })
}

pub(super) fn ringbuf_reserve(run: &mut Run<'_, '_>, [map, size, flags, ..]: [u64; 5]) -> Step<u64> {
    let ring = ring(run, "ringbuf_reserve", map)?;
    if flags != 0 {
        return Ok(0);
    }
    run.burn(run.records.len() as u64 / 16);
    let Some(record) = ring.reserve(size) else { return Ok(0) };
    let start = record.as_ptr() as u64;
    let region = Region { start, len: size, writable: true, kind: RegionKind::Record };
    run.records.push(Record { ring: Arc::clone(ring), region });
    Ok(start)
}

pub(super) fn ringbuf_submit(run: &mut Run<'_, '_>, [record, flags, ..]: [u64; 5]) -> Step<u64> {
    let (record, at) = take(run, "ringbuf_submit", record)?;
    // SAFETY: reserved by this run from this buffer and given up just now.
    unsafe { record.ring.submit(at, flags) };
    Ok(0)
}

pub(super) fn ringbuf_discard(run: &mut Run<'_, '_>, [record, flags, ..]: [u64; 5]) -> Step<u64> {
    let (record, at) = take(run, "ringbuf_discard", record)?;
    // SAFETY: reserved by this run from this buffer and given up just now.
    unsafe { record.ring.discard(at, flags) };
    Ok(0)
}

/// Takes a record out of the run's hands.
fn take(run: &mut Run<'_, '_>, helper: &'static str, addr: u64) -> Step<(Record, NonNull<u8>)> {
    run.burn(64 + run.records.len() as u64 / 4);
    let held = run.records.iter().position(|record| record.region.start == addr);
    match (held, NonNull::new(addr as *mut u8)) {
        (Some(index), Some(at)) => {
            run.forget();
            Ok((run.records.swap_remove(index), at))
        }
        _ => Err(argument(
            helper,
            1,
            format!("{addr:#x} is not a record that the program reserved and still holds"),
        )),
    }
}

/// Discards a record that a run kept.
pub(crate) fn discard_record(record: &Record) {
    if let Some(at) = NonNull::new(record.region.start as *mut u8) {
        // SAFETY: reserved from this buffer, and the run that held it is over.
        unsafe { record.ring.discard(at, 0) };
    }
}

pub(super) fn ringbuf_query(run: &mut Run<'_, '_>, [map, what, ..]: [u64; 5]) -> Step<u64> {
    let ring = ring(run, "ringbuf_query", map)?;
    Ok(RingQuery::from_number(what).map_or(0, |what| ring.query(what)))
}
