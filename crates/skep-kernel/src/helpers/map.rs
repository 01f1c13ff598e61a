//! Helpers on maps.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use skep_catalog::MapType;
use skep_maps::{CreateFlags, Map, MapError};

use crate::interp::{Access, FaultKind, Run, Step, argument};

/// A map that programs may change with helpers.
fn changeable<'r>(run: &Run<'r, '_>, helper: &'static str, map: u64) -> Step<&'r Arc<dyn Map>> {
    let map = run.map(helper, 1, map)?;
    if map.spec().flags & CreateFlags::RDONLY_PROG != 0 {
        return Err(argument(helper, 1, "the map is read-only for programs (BPF_F_RDONLY_PROG)"));
    }
    Ok(map)
}

/// What a helper answers for a map's refusal.
fn refusal(error: MapError) -> u64 {
    i64::from(-error.errno()).cast_unsigned()
}

pub(super) fn map_lookup_elem(run: &mut Run<'_, '_>, [map, key, ..]: [u64; 5]) -> Step<u64> {
    let map = run.map("map_lookup_elem", 1, map)?;
    run.check(key, u64::from(map.spec().key_size), Access::Read)?;
    // SAFETY: the key's bytes may be read.
    let value = unsafe { map.lookup_elem(run.context.cpu, key as *const u8) };
    Ok(value.map_or(0, |value| value.as_ptr() as u64))
}

pub(super) fn map_lookup_percpu_elem(run: &mut Run<'_, '_>, [map, key, cpu, ..]: [u64; 5]) -> Step<u64> {
    let map = run.map("map_lookup_percpu_elem", 1, map)?;
    run.check(key, u64::from(map.spec().key_size), Access::Read)?;
    // SAFETY: the key's bytes may be read.
    let value = unsafe { map.lookup_elem(cpu as u32, key as *const u8) };
    Ok(value.map_or(0, |value| value.as_ptr() as u64))
}

pub(super) fn map_update_elem(run: &mut Run<'_, '_>, [map, key, value, flags, _]: [u64; 5]) -> Step<u64> {
    let map = changeable(run, "map_update_elem", map)?;
    // A new element of a per-CPU map gets zeroes for the other virtual CPUs.
    let percpu = matches!(map.spec().map_type, MapType::PercpuHash);
    let lanes = if percpu { map.spec().possible_cpus } else { 1 };
    run.burn(u64::from(map.spec().value_size) * u64::from(lanes) / 8);
    run.check(key, u64::from(map.spec().key_size), Access::Read)?;
    run.check(value, u64::from(map.spec().value_size), Access::Read)?;
    // SAFETY: the bytes of key and value may be read.
    let updated = unsafe { map.update_elem(run.context.cpu, key as *const u8, value as *const u8, flags) };
    Ok(updated.map_or_else(refusal, |()| 0))
}

pub(super) fn map_delete_elem(run: &mut Run<'_, '_>, [map, key, ..]: [u64; 5]) -> Step<u64> {
    let map = changeable(run, "map_delete_elem", map)?;
    run.check(key, u64::from(map.spec().key_size), Access::Read)?;
    // SAFETY: the key's bytes may be read.
    let deleted = unsafe { map.delete_elem(run.context.cpu, key as *const u8) };
    Ok(deleted.map_or_else(refusal, |()| 0))
}

/// `bpf_spin_lock`: waits for the lock, which is the 32-bit word at the address, as long as the run's budget lasts.
pub(super) fn spin_lock(run: &mut Run<'_, '_>, [addr, ..]: [u64; 5]) -> Step<u64> {
    if run.lock.is_some() {
        return Err(Box::new(FaultKind::Lock { addr, why: "is wanted while another lock is held" }));
    }
    run.lock_address("spin_lock", addr)?;
    // SAFETY: aligned, readable and writable; map values live as long as the map, which outlives the run.
    let lock = unsafe { AtomicU32::from_ptr(addr as *mut u32) };
    let mut tries = 0u32;
    while lock.compare_exchange_weak(0, 1, Ordering::Acquire, Ordering::Relaxed).is_err() {
        tries += 1;
        if tries.is_multiple_of(64) {
            // Others may have much to do before this thread runs again.
            let start = Instant::now();
            std::thread::yield_now();
            run.spend(64 + start.elapsed().as_nanos() as u64 / 2)?;
        }
        std::hint::spin_loop();
    }
    run.lock = Some(addr);
    Ok(0)
}

pub(super) fn spin_unlock(run: &mut Run<'_, '_>, [addr, ..]: [u64; 5]) -> Step<u64> {
    if run.lock != Some(addr) {
        return Err(Box::new(FaultKind::Lock { addr, why: "is released without being held" }));
    }
    release_lock(addr);
    run.lock = None;
    Ok(0)
}

/// Releases a lock that a run holds.
pub(crate) fn release_lock(addr: u64) {
    // SAFETY: a held lock was checked when it was taken, and its map outlives the run.
    let lock = unsafe { AtomicU32::from_ptr(addr as *mut u32) };
    lock.store(0, Ordering::Release);
}
