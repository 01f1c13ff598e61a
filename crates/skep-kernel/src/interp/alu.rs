//! Arithmetic with the corner cases of RFC 9669 section 4.1 as Linux computes them.

use skep_isa::AtomicOp;

pub(super) const fn div64(a: u64, b: u64) -> u64 {
    match a.checked_div(b) {
        Some(quotient) => quotient,
        None => 0,
    }
}

pub(super) const fn div32(a: u32, b: u32) -> u32 {
    match a.checked_div(b) {
        Some(quotient) => quotient,
        None => 0,
    }
}

pub(super) const fn sdiv64(a: u64, b: u64) -> u64 {
    if b == 0 { 0 } else { a.cast_signed().wrapping_div(b.cast_signed()).cast_unsigned() }
}

pub(super) const fn sdiv32(a: u32, b: u32) -> u32 {
    if b == 0 { 0 } else { a.cast_signed().wrapping_div(b.cast_signed()).cast_unsigned() }
}

pub(super) const fn mod64(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { a % b }
}

pub(super) const fn mod32(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { a % b }
}

pub(super) const fn smod64(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { a.cast_signed().wrapping_rem(b.cast_signed()).cast_unsigned() }
}

pub(super) const fn smod32(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { a.cast_signed().wrapping_rem(b.cast_signed()).cast_unsigned() }
}

pub(super) const fn lsh64(a: u64, b: u64) -> u64 {
    a.wrapping_shl(b as u32)
}

pub(super) const fn rsh64(a: u64, b: u64) -> u64 {
    a.wrapping_shr(b as u32)
}

pub(super) const fn arsh64(a: u64, b: u64) -> u64 {
    a.cast_signed().wrapping_shr(b as u32).cast_unsigned()
}

pub(super) const fn arsh32(a: u32, b: u32) -> u32 {
    a.cast_signed().wrapping_shr(b).cast_unsigned()
}

/// Number of an atomic operation in `Op::sub`.
pub(super) const fn atomic_number(op: AtomicOp) -> u8 {
    match op {
        AtomicOp::Add { fetch } => fetch as u8,
        AtomicOp::Or { fetch } => 2 + fetch as u8,
        AtomicOp::And { fetch } => 4 + fetch as u8,
        AtomicOp::Xor { fetch } => 6 + fetch as u8,
        AtomicOp::Xchg => 8,
        AtomicOp::Cmpxchg => 9,
    }
}

/// Declares an atomic step on a memory word. It answers the new values of the source register and of R0.
macro_rules! atomic_step {
    ($(#[$doc:meta])* $name:ident, $word:ty, $atomic:ty) => {
        $(#[$doc])*
        ///
        /// # Safety
        /// `addr` is aligned to the word and points to memory that may be read and written as long as the call lasts.
        pub(super) unsafe fn $name(number: u8, addr: *mut $word, src: u64, r0: u64) -> (u64, u64) {
            use std::sync::atomic::Ordering::SeqCst;
            // SAFETY: the caller promises an aligned address of live memory; all other accesses to it are atomic or in
            // other languages' terms racing on purpose, as between programs in the kernel.
            let word = unsafe { <$atomic>::from_ptr(addr) };
            let value = src as $word;
            let old = match number {
                0 => { word.fetch_add(value, SeqCst); return (src, r0) }
                1 => word.fetch_add(value, SeqCst),
                2 => { word.fetch_or(value, SeqCst); return (src, r0) }
                3 => word.fetch_or(value, SeqCst),
                4 => { word.fetch_and(value, SeqCst); return (src, r0) }
                5 => word.fetch_and(value, SeqCst),
                6 => { word.fetch_xor(value, SeqCst); return (src, r0) }
                7 => word.fetch_xor(value, SeqCst),
                8 => word.swap(value, SeqCst),
                _ => {
                    let old = match word.compare_exchange(r0 as $word, value, SeqCst, SeqCst) {
                        Ok(old) | Err(old) => old,
                    };
                    return (src, u64::from(old));
                }
            };
            (u64::from(old), r0)
        }
    };
}

atomic_step!(
    /// A 32-bit atomic operation: fetched values are zero-extended (RFC 9669 section 5.3).
    atomic32, u32, std::sync::atomic::AtomicU32
);
atomic_step!(
    /// A 64-bit atomic operation.
    atomic64, u64, std::sync::atomic::AtomicU64
);
