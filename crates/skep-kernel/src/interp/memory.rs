//! The memory that a run may touch: where its stack frames are, which regions it has seen, and what lies at an address.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

/// Bytes of stack in a frame (RFC 9669 section 2.3 leaves it open; Linux: `MAX_BPF_STACK`).
pub(crate) const STACK_SIZE: u64 = 512;
/// Nested frames of one program (Linux: `MAX_CALL_FRAMES`).
pub(crate) const MAX_FRAMES: usize = 8;
/// Bytes from one frame to the next: below each frame lie as many bytes that nobody may touch, so that an access beyond
/// the end of a frame never falls into its neighbour.
const STRIDE: u64 = 2 * STACK_SIZE;

/// A range of memory that a program may access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Region {
    /// Address of the first byte.
    pub(crate) start: u64,
    /// Bytes.
    pub(crate) len: u64,
    /// May be written.
    pub(crate) writable: bool,
    /// What it is.
    pub(crate) kind: RegionKind,
}

/// What a region is, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RegionKind {
    Stack,
    Context,
    Packet,
    MapValue,
    Record,
    MapKey,
    KernelMemory,
}

impl RegionKind {
    pub(crate) fn describe(self) -> &'static str {
        match self {
            RegionKind::Stack => "a stack frame",
            RegionKind::Context => "the context",
            RegionKind::Packet => "the packet",
            RegionKind::MapValue => "a map value",
            RegionKind::Record => "a ring buffer record",
            RegionKind::MapKey => "a map key",
            RegionKind::KernelMemory => "kernel memory that only bpf_probe_read_kernel may read",
        }
    }
}

impl Region {
    /// A slice as a region.
    pub(crate) fn of(bytes: &[u8], writable: bool, kind: RegionKind) -> Region {
        Region { start: bytes.as_ptr() as u64, len: bytes.len() as u64, writable, kind }
    }

    /// Whether all of an access lies inside.
    #[inline]
    pub(crate) fn holds(&self, addr: u64, size: u64) -> bool {
        let offset = addr.wrapping_sub(self.start);
        offset <= self.len && self.len - offset >= size
    }
}

/// Zeroed memory for stack frames, aligned for 8-byte atomics.
pub(crate) struct StackMemory {
    base: NonNull<u8>,
    frames: usize,
}

// SAFETY: it owns its memory, which nothing else refers to while no run uses it.
unsafe impl Send for StackMemory {}

impl StackMemory {
    pub(crate) fn new(frames: usize) -> StackMemory {
        let layout = Self::layout(frames);
        // SAFETY: the layout has more than zero bytes.
        let base = unsafe { alloc_zeroed(layout) };
        let Some(base) = NonNull::new(base) else { handle_alloc_error(layout) };
        StackMemory { base, frames }
    }

    fn layout(frames: usize) -> Layout {
        let size = frames.max(1) * STRIDE as usize;
        // A size of a few hundred frames and an alignment that is a power of two always make a layout.
        Layout::from_size_align(size, 64).unwrap_or(Layout::new::<[u64; 128]>())
    }

    pub(crate) fn start(&self) -> u64 {
        self.base.as_ptr() as u64
    }

    /// The frame with this number: zeroes its bytes, gives the address one past its highest byte.
    pub(crate) fn enter(&self, frame: usize) -> u64 {
        assert!(frame < self.frames, "a frame inside the memory");
        let low = frame * STRIDE as usize + STACK_SIZE as usize;
        // SAFETY: the frame is inside the allocation, as asserted.
        let low = unsafe { self.base.as_ptr().add(low) };
        // SAFETY: a frame has STACK_SIZE bytes from its lowest address on; only this run uses them.
        unsafe { low.write_bytes(0, STACK_SIZE as usize) };
        low as u64 + STACK_SIZE
    }
}

impl Drop for StackMemory {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with the same layout.
        unsafe { dealloc(self.base.as_ptr(), Self::layout(self.frames)) };
    }
}

#[derive(Clone, Copy, Default)]
struct Hot {
    start: u64,
    len: u64,
}

impl Hot {
    #[inline(always)]
    fn holds(self, addr: u64, size: u64) -> bool {
        let offset = addr.wrapping_sub(self.start);
        offset < self.len && self.len - offset >= size
    }
}

/// What accesses are compared with first: the live stack frames and the regions hit last.
pub(crate) struct Hits {
    stack_base: u64,
    stack_live: u64,
    read: [Hot; 4],
    write: [Hot; 4],
    next_read: usize,
    next_write: usize,
}

impl Hits {
    pub(crate) fn new(stack_base: u64) -> Hits {
        Hits {
            stack_base,
            stack_live: 0,
            read: [Hot::default(); 4],
            write: [Hot::default(); 4],
            next_read: 0,
            next_write: 0,
        }
    }

    /// The first `frames` frames are in use.
    #[inline]
    pub(crate) fn set_frames(&mut self, frames: usize) {
        self.stack_live = frames as u64 * STRIDE;
    }

    #[inline(always)]
    fn on_stack(&self, addr: u64, size: u64) -> bool {
        let offset = addr.wrapping_sub(self.stack_base);
        offset < self.stack_live
            && offset & STACK_SIZE != 0
            && (offset & (STACK_SIZE - 1)).saturating_add(size) <= STACK_SIZE
    }

    /// Whether an access is known to be a good read. False says nothing.
    #[inline(always)]
    pub(crate) fn readable(&self, addr: u64, size: u64) -> bool {
        self.on_stack(addr, size) || self.read.iter().any(|hot| hot.holds(addr, size))
    }

    /// Whether an access is known to be a good write. False says nothing.
    #[inline(always)]
    pub(crate) fn writable(&self, addr: u64, size: u64) -> bool {
        self.on_stack(addr, size) || self.write.iter().any(|hot| hot.holds(addr, size))
    }

    /// Remembers a region.
    pub(crate) fn remember(&mut self, region: &Region) {
        let hot = Hot { start: region.start, len: region.len };
        self.read[self.next_read & 3] = hot;
        self.next_read += 1;
        if region.writable {
            self.write[self.next_write & 3] = hot;
            self.next_write += 1;
        }
    }

    /// Forgets all regions: one of them is gone.
    pub(crate) fn forget(&mut self) {
        self.read = [Hot::default(); 4];
        self.write = [Hot::default(); 4];
    }

    /// The nearest live stack frame's lowest address.
    pub(crate) fn frames(&self) -> impl Iterator<Item = Region> + '_ {
        (0..self.stack_live / STRIDE).map(|frame| Region {
            start: self.stack_base + frame * STRIDE + STACK_SIZE,
            len: STACK_SIZE,
            writable: true,
            kind: RegionKind::Stack,
        })
    }
}

/// Declares access to a word of program memory at any alignment.
///
/// Programs share memory and race on it as they do in the kernel. Aligned words are accessed as relaxed atomics, which makes
/// such races defined; others byte by byte.
macro_rules! word_access {
    ($load:ident, $store:ident, $word:ty, $atomic:ty) => {
        /// Reads a word.
        ///
        /// # Safety
        /// The word's bytes at `addr` may be read.
        #[inline(always)]
        pub(crate) unsafe fn $load(addr: u64) -> $word {
            let pointer = addr as *mut $word;
            if pointer.is_aligned() {
                // SAFETY: aligned, and readable as the caller promises.
                return unsafe { <$atomic>::from_ptr(pointer) }.load(Ordering::Relaxed);
            }
            let mut bytes = [0; size_of::<$word>()];
            // SAFETY: readable as the caller promises.
            unsafe { copy_out(addr, &mut bytes) };
            <$word>::from_ne_bytes(bytes)
        }

        /// Writes a word.
        ///
        /// # Safety
        /// The word's bytes at `addr` may be written.
        #[inline(always)]
        pub(crate) unsafe fn $store(addr: u64, value: $word) {
            let pointer = addr as *mut $word;
            if pointer.is_aligned() {
                // SAFETY: aligned, and writable as the caller promises.
                unsafe { <$atomic>::from_ptr(pointer) }.store(value, Ordering::Relaxed);
                return;
            }
            // SAFETY: writable as the caller promises.
            unsafe { copy_in(addr, &value.to_ne_bytes()) };
        }
    };
}

word_access!(load8, store8, u8, AtomicU8);
word_access!(load16, store16, u16, AtomicU16);
word_access!(load32, store32, u32, AtomicU32);
word_access!(load64, store64, u64, AtomicU64);

/// Copies bytes out of program memory.
///
/// # Safety
/// `out.len()` bytes at `addr` may be read.
#[cold]
pub(crate) unsafe fn copy_out(addr: u64, out: &mut [u8]) {
    for (index, byte) in out.iter_mut().enumerate() {
        // SAFETY: inside the range that the caller promises.
        let cell = unsafe { AtomicU8::from_ptr((addr + index as u64) as *mut u8) };
        *byte = cell.load(Ordering::Relaxed);
    }
}

/// Copies bytes into program memory.
///
/// # Safety
/// `bytes.len()` bytes at `addr` may be written.
#[cold]
pub(crate) unsafe fn copy_in(addr: u64, bytes: &[u8]) {
    for (index, byte) in bytes.iter().enumerate() {
        // SAFETY: inside the range that the caller promises.
        let cell = unsafe { AtomicU8::from_ptr((addr + index as u64) as *mut u8) };
        cell.store(*byte, Ordering::Relaxed);
    }
}
