//! Reading ring buffers through their mapped pages (kernel documentation, `bpf/ringbuf.rst`).
//!
//! The map's descriptor offers one page with the consumer's position, writable; then, read-only, one page with the
//! producers' position and the data pages, mapped twice in a row so that records never wrap. Positions only grow; a
//! position modulo the size is where a record begins. A record is an 8-byte header (length and two flags in the first
//! word) and the data, rounded up to 8 bytes.

use std::os::fd::{AsFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use skep_catalog::MapType;
use skep_kernel::{Errno, Fd, KernelError, Result, RingReader};

use crate::LinuxKernel;
use crate::tracefs::wait_readable;

/// The record is still being written (`BPF_RINGBUF_BUSY_BIT`).
const BUSY: u32 = 1 << 31;
/// The record was discarded (`BPF_RINGBUF_DISCARD_BIT`).
const DISCARD: u32 = 1 << 30;
/// Bytes in a record's header (`BPF_RINGBUF_HDR_SZ`).
const HEADER: usize = 8;

impl LinuxKernel {
    pub(crate) fn open_ring(&self, map: Fd) -> Result<LinuxRingReader> {
        let (object, shape) = self.map_shape(map)?;
        if shape.map_type != Some(MapType::Ringbuf) {
            let what =
                format!("the map with descriptor {} is not a ring buffer (BPF_MAP_TYPE_RINGBUF)", map.0);
            return Err(KernelError::new(Errno::EINVAL, what));
        }
        let failed = |step: &str, errno: Errno| {
            KernelError::new(errno, format!("{step} the ring buffer with descriptor {}", map.0))
        };
        let fd = object
            .as_fd()
            .try_clone_to_owned()
            .map_err(|error| failed("duplicating the descriptor of", crate::sys::errno(&error)))?;
        let size = shape.max_entries as usize;
        let page = rustix::param::page_size();
        let mapped = |error: rustix::io::Errno| failed("mapping", Errno(error.raw_os_error()));
        let consumer = Mapping::new(&fd, 0, page, ProtFlags::READ | ProtFlags::WRITE).map_err(mapped)?;
        let producer_len = size.checked_mul(2).and_then(|data| data.checked_add(page));
        let producer_len = producer_len.ok_or_else(|| failed("mapping", Errno::EOVERFLOW))?;
        let producer = Mapping::new(&fd, page as u64, producer_len, ProtFlags::READ).map_err(mapped)?;
        Ok(LinuxRingReader { fd, consumer, producer, page, size })
    }
}

/// Pages of a map.
struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

impl Mapping {
    fn new(fd: &OwnedFd, offset: u64, len: usize, prot: ProtFlags) -> Result<Self, rustix::io::Errno> {
        // SAFETY: a new mapping at an address of the kernel's choice disturbs no memory of ours.
        let start = unsafe { mmap(std::ptr::null_mut(), len, prot, MapFlags::SHARED, fd, offset) }?;
        let start = NonNull::new(start.cast()).ok_or(rustix::io::Errno::NOMEM)?;
        Ok(Mapping { start, len })
    }

    /// The position that the first word of the mapping is.
    fn position(&self) -> &AtomicUsize {
        // SAFETY: the first word of a page, mapped as long as self; the kernel accesses it atomically.
        unsafe { self.start.cast().as_ref() }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: made by `mmap` with this length; references into it borrow self. It cannot fail then.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
    }
}

// SAFETY: shared pages, which any thread may read; positions are atomic.
unsafe impl Send for Mapping {}

/// The reader of one ring buffer.
pub(crate) struct LinuxRingReader {
    fd: OwnedFd,
    consumer: Mapping,
    /// The page with the position, then the data, twice.
    producer: Mapping,
    page: usize,
    /// Bytes of data, a power of two.
    size: usize,
}

impl LinuxRingReader {
    /// The header word of the record at a position.
    fn header(&self, position: usize) -> &AtomicU32 {
        let offset = self.page + position % self.size;
        // SAFETY: inside the first copy of the data.
        let header = unsafe { self.producer.start.add(offset) };
        // SAFETY: as above, 8-byte aligned as positions are checked to be; the kernel sets the word atomically.
        unsafe { header.cast().as_ref() }
    }

    /// The data of the finished record at a position, whose length is checked to be below the buffer's.
    fn data(&self, position: usize, len: usize) -> &[u8] {
        let offset = self.page + position % self.size + HEADER;
        // SAFETY: the record begins inside the first copy of the data and is at most as long as the data, so it ends
        // inside the second copy.
        let start = unsafe { self.producer.start.add(offset) };
        // SAFETY: as above; programs do not write a finished record, and producers do not reuse it before the
        // consumer's position has passed it, which is after this borrow.
        unsafe { std::slice::from_raw_parts(start.as_ptr(), len) }
    }
}

impl RingReader for LinuxRingReader {
    fn consume(&mut self, each: &mut dyn FnMut(&[u8])) -> Result<usize> {
        let damaged =
            |what: String| KernelError::new(Errno::EFAULT, format!("the ring buffer is damaged: {what}"));
        let mut position = self.consumer.position().load(Ordering::Acquire);
        let mut count = 0;
        loop {
            let end = self.producer.position().load(Ordering::Acquire);
            let available = end.wrapping_sub(position);
            if available == 0 {
                return Ok(count);
            }
            if available > self.size || !position.is_multiple_of(8) || available < HEADER {
                return Err(damaged(format!(
                    "consumer at {position}, producers at {end}, {} bytes",
                    self.size
                )));
            }
            let header = self.header(position).load(Ordering::Acquire);
            if header & BUSY != 0 {
                return Ok(count);
            }
            let len = (header & !(BUSY | DISCARD)) as usize;
            let whole = (len + HEADER).next_multiple_of(8);
            if whole > available {
                return Err(damaged(format!("a record of {len} bytes at {position}, producers at {end}")));
            }
            if header & DISCARD == 0 {
                each(self.data(position, len));
                count += 1;
            }
            position = position.wrapping_add(whole);
            self.consumer.position().store(position, Ordering::Release);
        }
    }

    fn wait(&mut self, timeout: Duration) -> Result<bool> {
        wait_readable(&self.fd, timeout)
            .map_err(|error| KernelError::new(Errno(error.raw_os_error()), "waiting for the ring buffer"))
    }
}
