//! The ring buffer: many producers, one consumer, records in the order in which they were reserved.
//!
//! Layout is the kernel's: an 8-byte header before each record (length in the low 30 bits of the first word, then the
//! discard and busy bits; the second word is the distance to the buffer's start in pages), records rounded up to 8
//! bytes, positions that count bytes and never wrap. Where the kernel maps the data area twice, this one allocates it
//! twice: a record that starts near the end goes on into the second half, and stays in one piece.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{CreateError, MapError};
use crate::memory::{Block, copy_racy, pause};

/// `BPF_RINGBUF_BUSY_BIT`: reserved, not yet submitted.
const BUSY: u32 = 1 << 31;
/// `BPF_RINGBUF_DISCARD_BIT`: given up; the consumer skips it.
const DISCARD: u32 = 1 << 30;
/// `BPF_RINGBUF_HDR_SZ`: bytes of a record's header.
const HEADER: u32 = 8;
/// Longest record Linux accepts: a quarter of the range of 32 bits.
const MAX_RECORD: u32 = u32::MAX / 4;
/// Unit of the header's second word.
const PAGE: usize = 4096;

/// Flags of output, submit and discard (`linux/bpf.h`).
#[derive(Clone, Copy, Debug)]
pub struct WakeFlags;

impl WakeFlags {
    /// `BPF_RB_NO_WAKEUP`: do not wake the consumer.
    pub const NO_WAKEUP: u64 = 1;
    /// `BPF_RB_FORCE_WAKEUP`: wake it even when it has not caught up.
    pub const FORCE_WAKEUP: u64 = 2;
    /// All of them.
    pub const ALL: u64 = Self::NO_WAKEUP | Self::FORCE_WAKEUP;
}

/// What `bpf_ringbuf_query` can be asked (`linux/bpf.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum RingQuery {
    /// `BPF_RB_AVAIL_DATA`: bytes not yet consumed, headers included.
    AvailData = 0,
    /// `BPF_RB_RING_SIZE`: bytes of the data area.
    RingSize = 1,
    /// `BPF_RB_CONS_POS`: consumer position.
    ConsPos = 2,
    /// `BPF_RB_PROD_POS`: producer position.
    ProdPos = 3,
}

impl RingQuery {
    /// The query with this number, if there is one.
    #[must_use]
    pub const fn from_number(number: u64) -> Option<RingQuery> {
        match number {
            0 => Some(RingQuery::AvailData),
            1 => Some(RingQuery::RingSize),
            2 => Some(RingQuery::ConsPos),
            3 => Some(RingQuery::ProdPos),
            _ => None,
        }
    }
}

/// One cache line's worth of room, so that consumer and producers do not slow each other down.
#[repr(align(64))]
struct Line<T>(T);

/// What is called when the consumer would be woken.
type WakeCallback = Box<dyn Fn() + Send + Sync>;

/// A ring buffer's memory and positions.
pub struct RingBuffer {
    data: Block,
    /// Data bytes, a power of two.
    size: u64,
    consumer: Line<AtomicU64>,
    producer: Line<AtomicU64>,
    /// Held while a record is laid out.
    reserving: AtomicBool,
    /// Consumers asleep or about to be.
    waiters: AtomicU32,
    /// The one consumer is there.
    taken: AtomicBool,
    sleep: Mutex<()>,
    woken: Condvar,
    callback: OnceLock<WakeCallback>,
}

impl RingBuffer {
    /// A ring buffer of `size` data bytes, a power of two not below a page.
    pub(crate) fn new(size: u32) -> Result<RingBuffer, CreateError> {
        let twice = (size as usize).checked_mul(2);
        let data = twice
            .and_then(|bytes| Block::zeroed(bytes, PAGE))
            .ok_or_else(|| CreateError::OutOfMemory(format!("a ring buffer of {size} bytes")))?;
        Ok(RingBuffer {
            data,
            size: u64::from(size),
            consumer: Line(AtomicU64::new(0)),
            producer: Line(AtomicU64::new(0)),
            reserving: AtomicBool::new(false),
            waiters: AtomicU32::new(0),
            taken: AtomicBool::new(false),
            sleep: Mutex::new(()),
            woken: Condvar::new(),
            callback: OnceLock::new(),
        })
    }

    fn offset(&self, position: u64) -> usize {
        (position & (self.size - 1)) as usize
    }

    /// The first word of the header at byte `offset` of the data area.
    fn header(&self, offset: usize) -> &AtomicU32 {
        let place = self.data.at(offset & (self.size as usize - 8)).cast();
        // SAFETY: inside the first half of the block, aligned to 8; headers are accessed as atomics only.
        unsafe { AtomicU32::from_ptr(place) }
    }

    /// `bpf_ringbuf_reserve`: room for a record of `len` bytes that the caller alone writes until it submits or
    /// discards it. None when the buffer has no room or `len` is beyond what a record may have.
    pub fn reserve(&self, len: u64) -> Option<NonNull<u8>> {
        if len > u64::from(MAX_RECORD) {
            return None;
        }
        let total = (len + u64::from(HEADER)).next_multiple_of(8);
        if total > self.size {
            return None;
        }
        let mut tries = 0;
        while self.reserving.compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed).is_err()
        {
            pause(tries);
            tries += 1;
        }
        let start = self.producer.0.load(Ordering::Relaxed);
        let end = start.wrapping_add(total);
        // One byte fewer than the size is the most that may be in use, as in the kernel.
        let fits = end.wrapping_sub(self.consumer.0.load(Ordering::Acquire)) < self.size;
        let offset = self.offset(start);
        if fits {
            let pages = (offset / PAGE) as u32;
            let word = self.data.at(offset + 4).cast::<u32>();
            // SAFETY: inside the block, aligned to 4; between the positions nobody else uses it.
            unsafe { word.write_volatile(pages) };
            self.header(offset).store(len as u32 | BUSY, Ordering::Relaxed);
            self.producer.0.store(end, Ordering::Release);
        }
        self.reserving.store(false, Ordering::Release);
        fits.then(|| NonNull::new(self.data.at(offset + HEADER as usize))).flatten()
    }

    /// `bpf_ringbuf_submit`: the record is complete. `flags` are [`WakeFlags`].
    ///
    /// # Safety
    /// `record` came from [`RingBuffer::reserve`] of this buffer, has been neither submitted nor discarded, and is not used
    /// any more.
    pub unsafe fn submit(&self, record: NonNull<u8>, flags: u64) {
        self.commit(record, 0, flags);
    }

    /// `bpf_ringbuf_discard`: the consumer shall skip the record. `flags` are [`WakeFlags`].
    ///
    /// # Safety
    /// As for [`RingBuffer::submit`].
    pub unsafe fn discard(&self, record: NonNull<u8>, flags: u64) {
        self.commit(record, DISCARD, flags);
    }

    fn commit(&self, record: NonNull<u8>, discard: u32, flags: u64) {
        let at = (record.as_ptr() as usize)
            .wrapping_sub(self.data.as_ptr() as usize)
            .wrapping_sub(HEADER as usize);
        let header = self.header(at);
        let len = header.load(Ordering::Relaxed) & !BUSY;
        header.store(len | discard, Ordering::Release);
        // The consumer publishes its position, then looks at the header; we publish the header, then look at the position:
        // one of us sees the other.
        fence(Ordering::SeqCst);
        let caught_up = self.offset(self.consumer.0.load(Ordering::Relaxed)) == at;
        if flags & WakeFlags::FORCE_WAKEUP != 0 || (caught_up && flags & WakeFlags::NO_WAKEUP == 0) {
            self.wake();
        }
    }

    /// `bpf_ringbuf_output`: a record with a copy of `len` bytes. False when there is no room.
    ///
    /// # Safety
    /// `data` points to `len` readable bytes, which may change meanwhile.
    #[must_use]
    pub unsafe fn output_raw(&self, data: *const u8, len: u64, flags: u64) -> bool {
        let Some(record) = self.reserve(len) else { return false };
        // SAFETY: the record has `len` bytes of its own, and so has `data` by this function's contract.
        unsafe { copy_racy(record.as_ptr(), data, len as usize) };
        // SAFETY: reserved just above.
        unsafe { self.submit(record, flags) };
        true
    }

    /// [`RingBuffer::output_raw`] from a slice.
    #[must_use]
    pub fn output(&self, data: &[u8], flags: u64) -> bool {
        // SAFETY: the slice is readable and keeps still.
        unsafe { self.output_raw(data.as_ptr(), data.len() as u64, flags) }
    }

    /// `bpf_ringbuf_query`. The numbers are a moment's.
    #[must_use]
    pub fn query(&self, what: RingQuery) -> u64 {
        let consumer = self.consumer.0.load(Ordering::Acquire);
        let producer = self.producer.0.load(Ordering::Acquire);
        match what {
            RingQuery::AvailData => producer.saturating_sub(consumer),
            RingQuery::RingSize => self.size,
            RingQuery::ConsPos => consumer,
            RingQuery::ProdPos => producer,
        }
    }

    /// Calls `callback` whenever the consumer would be woken, from the producer's thread: for consumers that wait
    /// elsewhere, on an event descriptor say. Can be set once; false when it was set already.
    pub fn on_wake(&self, callback: impl Fn() + Send + Sync + 'static) -> bool {
        self.callback.set(Box::new(callback)).is_ok()
    }

    fn wake(&self) {
        if self.waiters.load(Ordering::SeqCst) > 0 {
            drop(self.lock_sleep());
            self.woken.notify_all();
        }
        if let Some(callback) = self.callback.get() {
            callback();
        }
    }

    fn lock_sleep(&self) -> MutexGuard<'_, ()> {
        self.sleep.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True when the oldest record is complete.
    fn ready(&self) -> bool {
        let position = self.consumer.0.load(Ordering::Relaxed);
        self.producer.0.load(Ordering::Acquire) != position
            && self.header(self.offset(position)).load(Ordering::Acquire) & BUSY == 0
    }

    /// The consumer. None while there is one already.
    #[must_use]
    pub fn consumer(self: &Arc<Self>) -> Option<RingConsumer> {
        let free = self.taken.compare_exchange(false, true, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        free.then(|| RingConsumer { ring: Arc::clone(self) })
    }
}

/// The one consumer of a ring buffer.
pub struct RingConsumer {
    ring: Arc<RingBuffer>,
}

impl RingConsumer {
    /// Hands each complete record, oldest first, to `each`, and frees it; stops at one that is not complete yet. Returns how
    /// many there were. Never waits.
    ///
    /// # Errors
    /// [`MapError::Corrupt`] when a header tells a length that no record in the buffer can have.
    pub fn consume(&mut self, each: &mut dyn FnMut(&[u8])) -> Result<usize, MapError> {
        let ring = &*self.ring;
        let mut count = 0;
        let mut position = ring.consumer.0.load(Ordering::Relaxed);
        loop {
            let end = ring.producer.0.load(Ordering::Acquire);
            if position == end {
                return Ok(count);
            }
            let offset = ring.offset(position);
            let header = ring.header(offset).load(Ordering::Acquire);
            if header & BUSY != 0 {
                return Ok(count);
            }
            let len = header & !(BUSY | DISCARD);
            let total = (u64::from(len) + u64::from(HEADER)).next_multiple_of(8);
            if total > end.wrapping_sub(position) {
                return Err(MapError::Corrupt);
            }
            if header & DISCARD == 0 {
                let record = ring.data.at(offset + HEADER as usize);
                // SAFETY: a submitted record between the positions: `len` bytes inside the block (offset < size and
                // total <= size), which no producer writes until the consumer position has passed it.
                each(unsafe { std::slice::from_raw_parts(record, len as usize) });
                count += 1;
            }
            position = position.wrapping_add(total);
            ring.consumer.0.store(position, Ordering::Release);
            // Pairs with the fence in `commit`.
            fence(Ordering::SeqCst);
        }
    }

    /// Waits until the oldest record is complete; false when the time ran out first. A record that was submitted with
    /// [`WakeFlags::NO_WAKEUP`] ends no wait that has begun, but is found when the time has run out.
    pub fn wait(&mut self, timeout: Duration) -> bool {
        let ring = &*self.ring;
        if ring.ready() {
            return true;
        }
        let deadline = Instant::now().checked_add(timeout);
        ring.waiters.fetch_add(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        let mut guard = ring.lock_sleep();
        let mut ready = ring.ready();
        while !ready {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                break;
            }
            // A deadline beyond the clock's range is waited for in pieces.
            let left = left.unwrap_or(Duration::from_secs(3600));
            guard = ring.woken.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0;
            ready = ring.ready();
        }
        drop(guard);
        ring.waiters.fetch_sub(1, Ordering::SeqCst);
        ready
    }

    /// The buffer it reads.
    #[must_use]
    pub fn ring(&self) -> &Arc<RingBuffer> {
        &self.ring
    }
}

impl Drop for RingConsumer {
    fn drop(&mut self) {
        self.ring.taken.store(false, Ordering::Release);
    }
}
