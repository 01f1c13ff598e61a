//! Free elements of a hash map: a list for each virtual CPU, those never used yet, and the spare ones.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::error::MapError;
use crate::memory::pause;

/// Free records by number. Lists are linked through the records' own link fields.
pub(crate) struct FreeLists {
    /// Heads: the number of the first record plus 1 in the lower half, a count of changes in the upper half, which
    /// keeps a head that was taken and put back in between from passing for unchanged.
    lists: Box<[Line<AtomicU64>]>,
    /// The first record that was never used.
    fresh: Line<AtomicU32>,
    len: u32,
    /// One record for each virtual CPU, number plus 1, to replace a value with; 0 while it is in use.
    spares: Box<[Line<AtomicU32>]>,
}

#[repr(align(64))]
struct Line<T>(T);

impl FreeLists {
    /// Records 0 to `spares` are spare ones, those from there to `len` are free.
    pub(crate) fn new(len: u32, spares: u32, cpus: u32) -> FreeLists {
        FreeLists {
            lists: (0..cpus.max(1)).map(|_| Line(AtomicU64::new(0))).collect(),
            fresh: Line(AtomicU32::new(spares)),
            len,
            spares: (0..spares).map(|number| Line(AtomicU32::new(number + 1))).collect(),
        }
    }

    /// A list for a thread that runs on no virtual CPU.
    pub(crate) fn shard() -> u32 {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        thread_local!(static SHARD: u32 = NEXT.fetch_add(1, Ordering::Relaxed));
        SHARD.with(|shard| *shard)
    }

    /// Takes a record: from the shard's own list, or one never used, or from another's list. `next` gives a record's
    /// link, `commit` its memory.
    ///
    /// # Errors
    /// [`MapError::Full`], [`MapError::OutOfMemory`] when `commit` says so.
    pub(crate) fn take<'a>(
        &self,
        shard: u32,
        next: impl Fn(u32) -> &'a AtomicU32,
        commit: impl Fn(u32) -> bool,
    ) -> Result<u32, MapError> {
        let own = shard as usize % self.lists.len();
        if let Some(record) = pop(&self.lists[own].0, &next) {
            return Ok(record);
        }
        let mut fresh = self.fresh.0.load(Ordering::Relaxed);
        let mut out_of_memory = false;
        while fresh < self.len {
            if !commit(fresh) {
                out_of_memory = true;
                break;
            }
            match self.fresh.0.compare_exchange_weak(fresh, fresh + 1, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(fresh),
                Err(now) => fresh = now,
            }
        }
        let (before, after) = self.lists.split_at(own);
        let other = after.iter().chain(before).find_map(|list| pop(&list.0, &next));
        other.ok_or(if out_of_memory { MapError::OutOfMemory } else { MapError::Full })
    }

    /// Gives a record back.
    pub(crate) fn give<'a>(&self, shard: u32, record: u32, next: impl Fn(u32) -> &'a AtomicU32) {
        let list = &self.lists[shard as usize % self.lists.len()].0;
        let mut head = list.load(Ordering::Relaxed);
        loop {
            next(record).store(head as u32, Ordering::Relaxed);
            let new = changed(head, record + 1);
            match list.compare_exchange_weak(head, new, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// Takes a spare record, and the place to put one back. Each is held for a moment only, by a thread that waits for
    /// nothing meanwhile.
    pub(crate) fn take_spare(&self, shard: u32) -> (usize, u32) {
        let count = self.spares.len();
        let mut slot = shard as usize % count;
        let mut tries = 0;
        loop {
            if let Some(record) = self.spares[slot].0.swap(0, Ordering::Acquire).checked_sub(1) {
                return (slot, record);
            }
            slot = (slot + 1) % count;
            pause(tries);
            tries += 1;
        }
    }

    /// Puts a record in the place of the spare one that was taken.
    pub(crate) fn put_spare(&self, slot: usize, record: u32) {
        self.spares[slot].0.store(record + 1, Ordering::Release);
    }
}

/// The head that follows `head` with this link.
fn changed(head: u64, link: u32) -> u64 {
    ((head >> 32).wrapping_add(1) << 32) | u64::from(link)
}

fn pop<'a>(list: &AtomicU64, next: &impl Fn(u32) -> &'a AtomicU32) -> Option<u32> {
    let mut head = list.load(Ordering::Acquire);
    loop {
        let record = (head as u32).checked_sub(1)?;
        // If another thread takes the record first, this link means nothing, and the exchange fails.
        let link = next(record).load(Ordering::Relaxed);
        match list.compare_exchange_weak(head, changed(head, link), Ordering::Acquire, Ordering::Acquire) {
            Ok(_) => return Some(record),
            Err(now) => head = now,
        }
    }
}
