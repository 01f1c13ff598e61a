//! Memory that programs and the `bpf(2)` side share: allocation in lazily committed chunks, and copies that may race.
//!
//! A program may write any byte of a value while the kernel copies it. Copies therefore go through relaxed atomics of
//! the widest size that the alignment allows; what is torn is torn between those units only.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::{self, NonNull};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, AtomicU8, AtomicU64, Ordering};

/// A cache line: what belongs to different virtual CPUs begins on lines of its own.
const LINE: usize = 64;
/// Alignment that every allocator gives without extra work. With a greater one, the standard allocator zeroes the memory
/// itself instead of taking fresh pages from the host, and so commits all of it.
const NATIVE_ALIGN: usize = 8;

/// Rounds up to a multiple of 8.
pub(crate) const fn round_up_8(bytes: usize) -> usize {
    (bytes + 7) & !7
}

/// Zeroed memory at a fixed address, given back when dropped. Large ones are committed by the host when first touched.
pub(crate) struct Block {
    start: NonNull<u8>,
    /// Bytes from `start` on.
    len: usize,
    allocated: NonNull<u8>,
    layout: Layout,
}

// SAFETY: a block is plain memory; all access goes through raw pointers under the rules of its users.
unsafe impl Send for Block {}
// SAFETY: as above.
unsafe impl Sync for Block {}

impl Block {
    /// `bytes` zeroed bytes aligned to `align`, a power of two; None when the host has no memory for them.
    pub(crate) fn zeroed(bytes: usize, align: usize) -> Option<Block> {
        let align = align.max(LINE);
        let layout = Layout::from_size_align(bytes.checked_add(align)?, NATIVE_ALIGN).ok()?;
        // SAFETY: the layout has a size of at least `align`.
        let allocated = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        let ahead = (allocated.as_ptr() as usize).next_multiple_of(align) - allocated.as_ptr() as usize;
        // SAFETY: `ahead` is less than `align`, and so inside the allocation.
        let start = unsafe { allocated.add(ahead) };
        Some(Block { start, len: bytes, allocated, layout })
    }

    /// Address of the first byte.
    pub(crate) fn as_ptr(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// A pointer to byte `offset`, which must not lie beyond the end.
    #[inline]
    pub(crate) fn at(&self, offset: usize) -> *mut u8 {
        debug_assert!(offset <= self.len);
        self.start.as_ptr().wrapping_add(offset)
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout in `zeroed`, freed once.
        unsafe { dealloc(self.allocated.as_ptr(), self.layout) };
    }
}

/// Bytes of the first chunk of a slab, about: a map that fits has one chunk.
const FIRST_CHUNK: usize = 1 << 20;
/// Chunks that cover 2^32 elements when each is twice as long as the one before.
const CHUNKS: usize = 33;

/// Records of one size, by number, at fixed addresses, in chunks that are allocated when first used: chunk `k` holds
/// `first << k` records. With several lanes, each record has one part a lane, and the parts of one lane lie together, away
/// from the other lanes' cache lines.
pub(crate) struct Slab {
    stride: usize,
    lanes: usize,
    /// The first chunk has `1 << first_shift` records (fewer, if there are fewer in all).
    first_shift: u32,
    len: u32,
    /// First bytes of the chunks that are there.
    chunks: [AtomicPtr<u8>; CHUNKS],
    /// Their memory.
    blocks: [OnceLock<Block>; CHUNKS],
}

impl Slab {
    /// A slab of `len` records of `stride` bytes (a multiple of 8) in each of `lanes` lanes. Allocates nothing yet.
    pub(crate) fn new(len: u32, stride: usize, lanes: usize) -> Slab {
        let per_record = stride.saturating_mul(lanes).max(1);
        let fit = (FIRST_CHUNK / per_record).max(1);
        let first_shift = fit.ilog2().min(31);
        Slab {
            stride,
            lanes,
            first_shift,
            len,
            chunks: [const { AtomicPtr::new(ptr::null_mut()) }; CHUNKS],
            blocks: [const { OnceLock::new() }; CHUNKS],
        }
    }

    /// Chunk of record `index` and its number in there.
    #[inline]
    fn locate(&self, index: u32) -> (usize, usize) {
        let shifted = u64::from(index) + (1u64 << self.first_shift);
        let chunk = shifted.ilog2() - self.first_shift;
        (chunk as usize, (shifted - (1u64 << (chunk + self.first_shift))) as usize)
    }

    /// Records in chunk `chunk`; 0 beyond the last.
    fn chunk_len(&self, chunk: usize) -> usize {
        let before = ((1u64 << chunk) - 1) << self.first_shift;
        let full = 1u64 << (chunk as u32 + self.first_shift);
        full.min(u64::from(self.len).saturating_sub(before)) as usize
    }

    /// Bytes between the lanes of chunk `chunk`.
    #[inline]
    fn lane_stride(&self, chunk: usize) -> usize {
        if self.lanes == 1 { 0 } else { (self.chunk_len(chunk) * self.stride).next_multiple_of(LINE) }
    }

    /// Makes sure that record `index` has memory. False when the host has none.
    pub(crate) fn commit(&self, index: u32) -> bool {
        let (chunk, _) = self.locate(index);
        if !self.chunks[chunk].load(Ordering::Acquire).is_null() {
            return true;
        }
        let lane = self
            .chunk_len(chunk)
            .checked_mul(self.stride)
            .and_then(|bytes| bytes.checked_next_multiple_of(LINE));
        let Some(bytes) = lane.and_then(|bytes| bytes.checked_mul(self.lanes)) else { return false };
        let Some(fresh) = Block::zeroed(bytes, LINE) else { return false };
        // Another thread may have been faster; its block is as good.
        let block = self.blocks[chunk].get_or_init(|| fresh);
        self.chunks[chunk].store(block.as_ptr(), Ordering::Release);
        true
    }

    /// Address of record `index` in `lane`. The record must have been committed.
    #[inline]
    pub(crate) fn record(&self, index: u32, lane: usize) -> *mut u8 {
        let (chunk, at) = self.locate(index);
        let base = self.chunks[chunk].load(Ordering::Acquire);
        debug_assert!(!base.is_null() && index < self.len && lane < self.lanes);
        base.wrapping_add(at * self.stride + lane * self.lane_stride(chunk))
    }

    /// The start of the record that an address lies in, whatever its lane.
    pub(crate) fn record_at(&self, addr: usize) -> Option<usize> {
        for (number, chunk) in self.chunks.iter().enumerate() {
            let base = chunk.load(Ordering::Acquire) as usize;
            if base == 0 || addr < base {
                continue;
            }
            let used = self.chunk_len(number) * self.stride;
            let offset = addr - base;
            let in_lane = if self.lanes == 1 {
                offset
            } else {
                let lane = self.lane_stride(number);
                if lane == 0 || offset / lane >= self.lanes {
                    continue;
                }
                offset % lane
            };
            if in_lane < used {
                return Some(addr - in_lane % self.stride);
            }
        }
        None
    }
}

/// Eight bytes at any address.
#[derive(Clone, Copy)]
#[repr(C, packed)]
struct Unaligned(u64);

/// Copies `len` bytes from a program's memory, at any address, into shared memory, whose address is a multiple of 8. Other
/// threads may access both meanwhile.
///
/// # Safety
/// `src` has `len` readable bytes, `dst` `len` writable ones, aligned to 8.
#[inline]
pub(crate) unsafe fn copy_racy(dst: *mut u8, src: *const u8, len: usize) {
    let mut at = 0;
    while at + 8 <= len {
        // SAFETY: eight readable bytes within `len`; the type asks for no alignment.
        let Unaligned(word) = unsafe { src.wrapping_add(at).cast::<Unaligned>().read_volatile() };
        // SAFETY: eight writable bytes within `len`, aligned to 8.
        unsafe { AtomicU64::from_ptr(dst.wrapping_add(at).cast()) }.store(word, Ordering::Relaxed);
        at += 8;
    }
    while at < len {
        // SAFETY: a readable byte within `len`.
        let byte = unsafe { src.wrapping_add(at).read_volatile() };
        // SAFETY: a writable byte within `len`.
        unsafe { AtomicU8::from_ptr(dst.wrapping_add(at)) }.store(byte, Ordering::Relaxed);
        at += 1;
    }
}

/// Reads `len` bytes at any address as words, the last one filled up with zero bytes; `words` has as many as that takes.
///
/// # Safety
/// `src` has `len` readable bytes.
#[inline]
pub(crate) unsafe fn read_words(words: &mut [u64], src: *const u8, len: usize) {
    for (number, word) in words.iter_mut().enumerate() {
        let at = number * 8;
        *word = if at + 8 <= len {
            // SAFETY: eight readable bytes within `len`; the type asks for no alignment.
            unsafe { src.wrapping_add(at).cast::<Unaligned>().read_volatile() }.0
        } else {
            // SAFETY: fewer than eight readable bytes are left, at least one.
            unsafe { read_tail(src.wrapping_add(at), len - at) }
        };
    }
}

/// Reads up to seven bytes as a word.
///
/// # Safety
/// `src` has `len` readable bytes.
#[inline]
unsafe fn read_tail(src: *const u8, len: usize) -> u64 {
    #[derive(Clone, Copy)]
    #[repr(C, packed)]
    struct Half(u32);
    let mut bytes = [0; 8];
    let mut at = 0;
    if len >= 4 {
        // SAFETY: four readable bytes; the type asks for no alignment.
        let Half(half) = unsafe { src.cast::<Half>().read_volatile() };
        bytes[..4].copy_from_slice(&half.to_ne_bytes());
        at = 4;
    }
    while at < len.min(7) {
        // SAFETY: a readable byte within `len`.
        bytes[at] = unsafe { src.wrapping_add(at).read_volatile() };
        at += 1;
    }
    u64::from_ne_bytes(bytes)
}

/// Copies a value out of shared memory, whose address is a multiple of 8.
///
/// # Safety
/// `src` has `dst.len()` readable bytes and is aligned to 8.
pub(crate) unsafe fn copy_out(dst: &mut [u8], src: *const u8) {
    let mut words = dst.chunks_exact_mut(8);
    let mut at = 0;
    for word in &mut words {
        // SAFETY: eight readable bytes, aligned to 8.
        let from = unsafe { AtomicU64::from_ptr(src.wrapping_add(at).cast_mut().cast()) };
        word.copy_from_slice(&from.load(Ordering::Relaxed).to_ne_bytes());
        at += 8;
    }
    for byte in words.into_remainder() {
        // SAFETY: a readable byte.
        *byte = unsafe { AtomicU8::from_ptr(src.wrapping_add(at).cast_mut()) }.load(Ordering::Relaxed);
        at += 1;
    }
}

/// Copies a value into shared memory, whose address is a multiple of 8.
///
/// # Safety
/// `dst` has `src.len()` writable bytes and is aligned to 8.
pub(crate) unsafe fn copy_in(dst: *mut u8, src: &[u8]) {
    let (words, tail) = src.as_chunks::<8>();
    let mut at = 0;
    for word in words {
        // SAFETY: eight writable bytes, aligned to 8.
        let to = unsafe { AtomicU64::from_ptr(dst.wrapping_add(at).cast()) };
        to.store(u64::from_ne_bytes(*word), Ordering::Relaxed);
        at += 8;
    }
    for byte in tail {
        // SAFETY: a writable byte.
        unsafe { AtomicU8::from_ptr(dst.wrapping_add(at)) }.store(*byte, Ordering::Relaxed);
        at += 1;
    }
}

/// Zeroes shared memory whose address and length are multiples of 8.
///
/// # Safety
/// `dst` has `len` writable bytes.
pub(crate) unsafe fn zero(dst: *mut u8, len: usize) {
    for at in (0..len).step_by(8) {
        // SAFETY: eight writable bytes, aligned to 8.
        unsafe { AtomicU64::from_ptr(dst.wrapping_add(at).cast()) }.store(0, Ordering::Relaxed);
    }
}

/// Spins a little, then gives the processor away: what a waiter does between looks at a lock that is held briefly.
pub(crate) fn pause(tries: u32) {
    if tries % 64 == 63 {
        std::thread::yield_now();
    } else {
        std::hint::spin_loop();
    }
}
