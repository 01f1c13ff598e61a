//! `BPF_MAP_TYPE_HASH` and `BPF_MAP_TYPE_PERCPU_HASH`.
//!
//! Elements are records of a [`Slab`]; chains of records hang on buckets. A writer holds its bucket's lock, a bit beside
//! a version that changes whenever an element leaves the bucket. A reader takes no lock: it walks the chain and, before it
//! believes anything it saw, looks whether the version is still the same. If it is, every record it met was in this
//! bucket all the time, with the same key; if not, it starts again.
//!
//! As in the kernel's preallocated hash, an element that leaves is reused for the next one that comes, and replacing a value
//! takes a spare element, so that a reader finds the old or the new value and never none.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use skep_catalog::MapType;

use crate::create::{CreateFlags, MapSpec};
use crate::error::{CreateError, MapError};
use crate::free_list::FreeLists;
use crate::hasher::Seed;
use crate::map::{Map, UpdateFlags, ValueRegion, check_key, check_lookup_flags};
use crate::memory::{Block, Slab, copy_in, copy_out, copy_racy, pause, read_words, round_up_8, zero};

/// Bytes before the key in a record: link to the next record, hash.
const HEAD: usize = 8;
/// The bucket's lock bit; the version counts in the bits above.
const LOCKED: u32 = 1;
/// Attempts of a reader before it takes the lock.
const PATIENCE: u32 = 32;
/// Words of a key that fit on the stack without much zeroing.
const SHORT_KEY: usize = 8;

/// A hash map, per-CPU or not.
pub(crate) struct HashMap {
    spec: MapSpec,
    seed: Seed,
    buckets: Block,
    mask: u32,
    /// Link, hash, key and, unless the map is per-CPU, value.
    records: Slab,
    /// Values of per-CPU maps, a lane for each virtual CPU, under the number of their record.
    values: Option<Slab>,
    free: FreeLists,
    key_words: usize,
    value_offset: usize,
}

/// Head of a chain: a record's number plus 1, 0 for none.
struct Bucket {
    state: AtomicU32,
    head: AtomicU32,
}

/// An element left the bucket while it was being read.
struct Changed;

/// A bucket whose lock is held.
struct Locked<'a> {
    bucket: &'a Bucket,
    state: u32,
}

impl Bucket {
    fn lock(&self) -> Locked<'_> {
        let mut tries = 0;
        loop {
            let state = self.state.load(Ordering::Relaxed);
            if state & LOCKED == 0
                && self
                    .state
                    .compare_exchange_weak(state, state | LOCKED, Ordering::Acquire, Ordering::Relaxed)
                    .is_ok()
            {
                return Locked { bucket: self, state };
            }
            pause(tries);
            tries += 1;
        }
    }

    /// Runs `attempt` until it has seen the bucket unchanged from begin to end. `attempt` calls [`Bucket::unchanged`] with
    /// the version it is given before it follows or believes what it read.
    #[inline]
    fn read<R>(&self, mut attempt: impl FnMut(u32) -> Result<R, Changed>) -> R {
        for tries in 0..PATIENCE {
            let version = self.state.load(Ordering::Acquire) & !LOCKED;
            match attempt(version) {
                Ok(result) => return result,
                Err(Changed) => pause(tries),
            }
        }
        loop {
            let locked = self.lock();
            if let Ok(result) = attempt(locked.state) {
                return result;
            }
        }
    }

    #[inline]
    fn unchanged(&self, version: u32) -> Result<(), Changed> {
        fence(Ordering::Acquire);
        if self.state.load(Ordering::Relaxed) & !LOCKED == version { Ok(()) } else { Err(Changed) }
    }
}

impl Locked<'_> {
    /// An element leaves the bucket: readers begin again when the lock goes.
    fn element_left(&mut self) {
        self.state = self.state.wrapping_add(LOCKED << 1);
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.bucket.state.store(self.state, Ordering::Release);
    }
}

/// Where a new value comes from.
enum NewValue<'a> {
    /// The program side: one value, of one virtual CPU in per-CPU maps.
    Program { cpu: u32, value: *const u8 },
    /// The `bpf(2)` side: the values of all virtual CPUs in per-CPU maps.
    Syscall(&'a [u8]),
}

impl HashMap {
    pub(crate) fn new(spec: MapSpec) -> Result<HashMap, CreateError> {
        let out_of_memory = || CreateError::OutOfMemory(format!("a hash of {} elements", spec.max_entries));
        let percpu = spec.map_type == MapType::PercpuHash;
        let bucket_count = spec.max_entries.checked_next_power_of_two().ok_or_else(out_of_memory)?;
        let buckets = (bucket_count as usize)
            .checked_mul(size_of::<Bucket>())
            .and_then(|bytes| Block::zeroed(bytes, 64))
            .ok_or_else(out_of_memory)?;
        let key_bytes = round_up_8(spec.key_size as usize);
        let value_bytes = round_up_8(spec.value_size as usize);
        // Per-CPU values are changed in place, by their own CPU.
        let spares = if percpu { 0 } else { spec.possible_cpus };
        let records_len = spec.max_entries.checked_add(spares).ok_or_else(out_of_memory)?;
        let stride = HEAD + key_bytes + if percpu { 0 } else { value_bytes };
        let records = Slab::new(records_len, stride, 1);
        let free = FreeLists::new(records_len, spares, spec.possible_cpus);
        if (0..spares).any(|spare| !records.commit(spare)) {
            return Err(out_of_memory());
        }
        Ok(HashMap {
            seed: if spec.flags & CreateFlags::ZERO_SEED == 0 { Seed::random() } else { Seed::zero() },
            buckets,
            mask: bucket_count - 1,
            records,
            values: percpu.then(|| Slab::new(records_len, value_bytes, spec.possible_cpus as usize)),
            free,
            key_words: key_bytes / 8,
            value_offset: HEAD + key_bytes,
            spec,
        })
    }

    #[inline]
    fn bucket(&self, number: u32) -> &Bucket {
        let place = self.buckets.at((number & self.mask) as usize * size_of::<Bucket>());
        // SAFETY: inside the block, aligned to 64; zeroed memory is an empty bucket, and both fields are atomics.
        unsafe { &*place.cast::<Bucket>() }
    }

    /// The link field of a record; on the free lists it links there.
    #[inline]
    fn next(&self, record: u32) -> &AtomicU32 {
        // SAFETY: a committed record begins with its link, aligned to 8, accessed as an atomic only.
        unsafe { AtomicU32::from_ptr(self.records.record(record, 0).cast()) }
    }

    #[inline]
    fn hash_of(&self, record: u32) -> &AtomicU32 {
        // SAFETY: a committed record has its hash after the link, aligned to 4, accessed as an atomic only.
        unsafe { AtomicU32::from_ptr(self.records.record(record, 0).wrapping_add(4).cast()) }
    }

    #[inline]
    fn key_ptr(&self, record: u32) -> *mut u8 {
        self.records.record(record, 0).wrapping_add(HEAD)
    }

    #[inline]
    fn key_word(&self, record: u32, number: usize) -> &AtomicU64 {
        debug_assert!(number < self.key_words);
        // SAFETY: one of the key's words in a committed record, aligned to 8, accessed as an atomic.
        unsafe { AtomicU64::from_ptr(self.key_ptr(record).wrapping_add(number * 8).cast()) }
    }

    #[inline]
    fn value_ptr(&self, record: u32, cpu: u32) -> *mut u8 {
        match &self.values {
            None => self.records.record(record, 0).wrapping_add(self.value_offset),
            Some(values) => values.record(record, cpu as usize),
        }
    }

    /// Bytes from one virtual CPU's value to the next on the `bpf(2)` side.
    fn value_stride(&self) -> usize {
        round_up_8(self.spec.value_size as usize)
    }

    #[inline]
    fn has_key(&self, record: u32, hash: u32, key: &[u64]) -> bool {
        self.hash_of(record).load(Ordering::Relaxed) == hash
            && (0..key.len())
                .all(|number| self.key_word(record, number).load(Ordering::Relaxed) == key[number])
    }

    /// The record with this key, in one attempt to read the bucket at `version`.
    #[inline]
    fn find(&self, bucket: &Bucket, version: u32, hash: u32, key: &[u64]) -> Result<Option<u32>, Changed> {
        let mut link = bucket.head.load(Ordering::Acquire);
        while let Some(record) = link.checked_sub(1) {
            let found = self.has_key(record, hash, key);
            link = self.next(record).load(Ordering::Acquire);
            bucket.unchanged(version)?;
            if found {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// Runs `with` on the words of a key at any address.
    ///
    /// # Safety
    /// `key` points to `key_size` readable bytes.
    #[inline]
    unsafe fn with_key<R>(
        &self,
        key: *const u8,
        with: impl FnOnce(&[u64]) -> Result<R, MapError>,
    ) -> Result<R, MapError> {
        let size = self.spec.key_size as usize;
        if self.key_words <= SHORT_KEY {
            let mut words = [0; SHORT_KEY];
            let words = &mut words[..self.key_words];
            // SAFETY: readable by contract, and these are as many words as the key takes.
            unsafe { read_words(words, key, size) };
            with(words)
        } else {
            let mut words = Vec::new();
            words.try_reserve_exact(self.key_words).map_err(|_| MapError::OutOfMemory)?;
            words.resize(self.key_words, 0);
            // SAFETY: as above.
            unsafe { read_words(&mut words, key, size) };
            with(&words)
        }
    }

    /// [`HashMap::with_key`] for a key of the `bpf(2)` side.
    fn with_slice<R>(
        &self,
        key: &[u8],
        with: impl FnOnce(&[u64]) -> Result<R, MapError>,
    ) -> Result<R, MapError> {
        check_key(&self.spec, key)?;
        // SAFETY: the slice has `key_size` bytes, as just checked.
        unsafe { self.with_key(key.as_ptr(), with) }
    }

    /// Copies the values of a record out, as the `bpf(2)` side has them. `to` has `value_bytes` bytes.
    fn copy_values_out(&self, record: u32, to: &mut [u8]) {
        let part = if self.values.is_some() { self.value_stride() } else { to.len() };
        for (cpu, part) in (0..).zip(to.chunks_mut(part)) {
            // SAFETY: the record's value has no fewer readable bytes than the part, and is aligned to 8.
            unsafe { copy_out(part, self.value_ptr(record, cpu)) };
        }
    }

    /// Writes a value into a record. `fresh` says that the record is new: values of other virtual CPUs become zero.
    ///
    /// # Safety
    /// A program's value pointer has `value_size` readable bytes.
    unsafe fn write_value(&self, record: u32, from: &NewValue<'_>, fresh: bool) {
        match *from {
            NewValue::Syscall(bytes) => {
                let part = if self.values.is_some() { self.value_stride() } else { bytes.len() };
                for (cpu, part) in (0..).zip(bytes.chunks(part)) {
                    // SAFETY: the record's value has no fewer writable bytes than the part, and is aligned to 8.
                    unsafe { copy_in(self.value_ptr(record, cpu), part) };
                }
            }
            NewValue::Program { cpu, value } => {
                if fresh && self.values.is_some() {
                    for other in (0..self.spec.possible_cpus).filter(|other| *other != cpu) {
                        // SAFETY: the value of each virtual CPU has this many writable bytes, aligned to 8.
                        unsafe { zero(self.value_ptr(record, other), self.value_stride()) };
                    }
                }
                let size = self.spec.value_size as usize;
                // SAFETY: `size` bytes are readable by contract and writable in the record.
                unsafe { copy_racy(self.value_ptr(record, cpu), value, size) };
            }
        }
    }

    /// Fills a record that nobody else may write, up to the link.
    ///
    /// # Safety
    /// As [`HashMap::write_value`].
    unsafe fn write_element(&self, record: u32, hash: u32, key: &[u64], from: &NewValue<'_>) {
        // Whoever still reads this record in its old bucket, and sees any of what follows, shall also see that bucket's new
        // version.
        fence(Ordering::Release);
        self.hash_of(record).store(hash, Ordering::Relaxed);
        for (number, word) in key.iter().enumerate() {
            self.key_word(record, number).store(*word, Ordering::Relaxed);
        }
        // SAFETY: by this function's contract.
        unsafe { self.write_value(record, from, true) };
    }

    /// The record with this key and the link that leads to it, in a bucket whose lock is held.
    fn find_locked<'a>(&'a self, bucket: &'a Bucket, hash: u32, key: &[u64]) -> Option<(u32, &'a AtomicU32)> {
        let mut place = &bucket.head;
        while let Some(record) = place.load(Ordering::Relaxed).checked_sub(1) {
            if self.has_key(record, hash, key) {
                return Some((record, place));
            }
            place = self.next(record);
        }
        None
    }

    /// A record that is in no bucket, with memory.
    fn allocate(&self, shard: u32) -> Result<u32, MapError> {
        let commit =
            |record| self.records.commit(record) && self.values.as_ref().is_none_or(|v| v.commit(record));
        self.free.take(shard, |record| self.next(record), commit)
    }

    /// # Safety
    /// As [`HashMap::write_value`].
    unsafe fn put(&self, shard: u32, key: &[u64], from: &NewValue<'_>, flags: u64) -> Result<(), MapError> {
        if flags > UpdateFlags::EXIST {
            return Err(MapError::InvalidFlags);
        }
        let hash = self.seed.hash(key);
        let bucket = self.bucket(hash);
        let mut locked = bucket.lock();
        let Some((old, place)) = self.find_locked(bucket, hash, key) else {
            if flags == UpdateFlags::EXIST {
                return Err(MapError::NotFound);
            }
            let new = self.allocate(shard)?;
            // SAFETY: by this function's contract.
            unsafe { self.write_element(new, hash, key, from) };
            self.next(new).store(bucket.head.load(Ordering::Relaxed), Ordering::Relaxed);
            bucket.head.store(new + 1, Ordering::Release);
            return Ok(());
        };
        if flags == UpdateFlags::NOEXIST {
            return Err(MapError::Exists);
        }
        if self.values.is_some() {
            // SAFETY: by this function's contract.
            unsafe { self.write_value(old, from, false) };
            return Ok(());
        }
        let (slot, new) = self.free.take_spare(shard);
        // SAFETY: by this function's contract.
        unsafe { self.write_element(new, hash, key, from) };
        self.next(new).store(self.next(old).load(Ordering::Relaxed), Ordering::Relaxed);
        place.store(new + 1, Ordering::Release);
        locked.element_left();
        drop(locked);
        // Not before the version has changed may the old record be written again.
        self.free.put_spare(slot, old);
        Ok(())
    }

    /// Takes the element out, after `before` has seen it.
    fn remove(&self, shard: u32, key: &[u64], before: impl FnOnce(u32)) -> Result<(), MapError> {
        let hash = self.seed.hash(key);
        let bucket = self.bucket(hash);
        let mut locked = bucket.lock();
        let (record, place) = self.find_locked(bucket, hash, key).ok_or(MapError::NotFound)?;
        before(record);
        place.store(self.next(record).load(Ordering::Relaxed), Ordering::Release);
        locked.element_left();
        drop(locked);
        self.free.give(shard, record, |record| self.next(record));
        Ok(())
    }

    fn copy_key_out(&self, record: u32, to: &mut [u8]) {
        // SAFETY: the record's key has `key_size` readable bytes, aligned to 8, and callers give that many.
        unsafe { copy_out(to, self.key_ptr(record)) };
    }

    /// The first key in buckets `from` and up.
    fn first_key(&self, from: u32, next: &mut [u8]) -> Result<(), MapError> {
        for number in from..=self.mask {
            let bucket = self.bucket(number);
            let found = bucket.read(|version| {
                let Some(record) = bucket.head.load(Ordering::Acquire).checked_sub(1) else {
                    return Ok(false);
                };
                self.copy_key_out(record, next);
                bucket.unchanged(version)?;
                Ok(true)
            });
            if found {
                return Ok(());
            }
        }
        Err(MapError::NotFound)
    }

    /// Numbers of the records in a bucket.
    fn records_in(&self, bucket: &Bucket, into: &mut Vec<u32>) {
        bucket.read(|version| {
            into.clear();
            let mut link = bucket.head.load(Ordering::Acquire);
            while let Some(record) = link.checked_sub(1) {
                into.push(record);
                link = self.next(record).load(Ordering::Acquire);
                bucket.unchanged(version)?;
            }
            Ok(())
        });
    }
}

impl Map for HashMap {
    fn spec(&self) -> &MapSpec {
        &self.spec
    }

    fn value_bytes(&self) -> usize {
        match self.values {
            None => self.spec.value_size as usize,
            Some(_) => self.value_stride() * self.spec.possible_cpus as usize,
        }
    }

    fn lookup_into(&self, key: &[u8], value: &mut [u8], flags: u64) -> Result<(), MapError> {
        check_lookup_flags(flags)?;
        if value.len() != self.value_bytes() {
            return Err(MapError::ValueSize);
        }
        self.with_slice(key, |key| {
            let hash = self.seed.hash(key);
            let bucket = self.bucket(hash);
            let found = bucket.read(|version| {
                let Some(record) = self.find(bucket, version, hash, key)? else { return Ok(false) };
                self.copy_values_out(record, value);
                bucket.unchanged(version)?;
                Ok(true)
            });
            if found { Ok(()) } else { Err(MapError::NotFound) }
        })
    }

    fn update(&self, key: &[u8], value: &[u8], flags: u64) -> Result<(), MapError> {
        if value.len() != self.value_bytes() {
            return Err(MapError::ValueSize);
        }
        // SAFETY: the value is a slice.
        self.with_slice(key, |key| unsafe {
            self.put(FreeLists::shard(), key, &NewValue::Syscall(value), flags)
        })
    }

    fn delete(&self, key: &[u8]) -> Result<(), MapError> {
        self.with_slice(key, |key| self.remove(FreeLists::shard(), key, |_| ()))
    }

    fn lookup_and_delete(&self, key: &[u8], flags: u64) -> Result<Vec<u8>, MapError> {
        check_lookup_flags(flags)?;
        let mut value = crate::map::zeroed_buffer(self.value_bytes())?;
        let copy = |record| self.copy_values_out(record, &mut value);
        self.with_slice(key, |key| self.remove(FreeLists::shard(), key, copy))?;
        Ok(value)
    }

    fn next_key(&self, key: Option<&[u8]>, next: &mut [u8]) -> Result<(), MapError> {
        if next.len() != self.spec.key_size as usize {
            return Err(MapError::KeySize);
        }
        let Some(key) = key else { return self.first_key(0, next) };
        self.with_slice(key, |key| {
            let hash = self.seed.hash(key);
            let number = hash & self.mask;
            let bucket = self.bucket(number);
            // None: the key is not there. Some(true): the key after it is in `next`.
            let followed = bucket.read(|version| {
                let Some(record) = self.find(bucket, version, hash, key)? else { return Ok(None) };
                let link = self.next(record).load(Ordering::Acquire);
                bucket.unchanged(version)?;
                let Some(following) = link.checked_sub(1) else { return Ok(Some(false)) };
                self.copy_key_out(following, next);
                bucket.unchanged(version)?;
                Ok(Some(true))
            });
            match followed {
                None => self.first_key(0, next),
                Some(true) => Ok(()),
                Some(false) => self.first_key(number + 1, next),
            }
        })
    }

    #[inline]
    unsafe fn lookup_elem(&self, cpu: u32, key: *const u8) -> Option<NonNull<u8>> {
        if cpu >= self.spec.possible_cpus && self.values.is_some() {
            return None;
        }
        let find = |key: &[u64]| {
            let hash = self.seed.hash(key);
            let bucket = self.bucket(hash);
            let record = bucket.read(|version| self.find(bucket, version, hash, key));
            record.ok_or(MapError::NotFound)
        };
        // SAFETY: readable by contract.
        let record = unsafe { self.with_key(key, find) }.ok()?;
        NonNull::new(self.value_ptr(record, cpu))
    }

    unsafe fn update_elem(
        &self,
        cpu: u32,
        key: *const u8,
        value: *const u8,
        flags: u64,
    ) -> Result<(), MapError> {
        if cpu >= self.spec.possible_cpus && self.values.is_some() {
            return Err(MapError::OutOfRange);
        }
        // SAFETY: the value is readable by contract.
        let put = |key: &[u64]| unsafe { self.put(cpu, key, &NewValue::Program { cpu, value }, flags) };
        // SAFETY: the key is readable by contract.
        unsafe { self.with_key(key, put) }
    }

    unsafe fn delete_elem(&self, cpu: u32, key: *const u8) -> Result<(), MapError> {
        // SAFETY: readable by contract.
        unsafe { self.with_key(key, |key| self.remove(cpu, key, |_| ())) }
    }

    fn for_each(
        &self,
        cpu: u32,
        each: &mut dyn FnMut(NonNull<u8>, NonNull<u8>) -> bool,
    ) -> Result<u32, MapError> {
        if cpu >= self.spec.possible_cpus && self.values.is_some() {
            return Err(MapError::OutOfRange);
        }
        let mut count = 0u32;
        let mut records = Vec::new();
        for number in 0..=self.mask {
            let bucket = self.bucket(number);
            if bucket.head.load(Ordering::Relaxed) == 0 {
                continue;
            }
            self.records_in(bucket, &mut records);
            for record in &records {
                let pointers =
                    NonNull::new(self.key_ptr(*record)).zip(NonNull::new(self.value_ptr(*record, cpu)));
                let Some((key, value)) = pointers else { continue };
                count = count.saturating_add(1);
                if !each(key, value) {
                    return Ok(count);
                }
            }
        }
        Ok(count)
    }

    fn walk(
        &self,
        cpu: u32,
        from: u64,
        places: u32,
        each: &mut dyn FnMut(NonNull<u8>, NonNull<u8>),
    ) -> Result<Option<u64>, MapError> {
        if cpu >= self.spec.possible_cpus && self.values.is_some() {
            return Err(MapError::OutOfRange);
        }
        let end = from.saturating_add(u64::from(places)).min(u64::from(self.mask) + 1);
        let mut records = Vec::new();
        for number in from..end {
            let bucket = self.bucket(number as u32);
            if bucket.head.load(Ordering::Relaxed) == 0 {
                continue;
            }
            self.records_in(bucket, &mut records);
            for record in &records {
                let pointers =
                    NonNull::new(self.key_ptr(*record)).zip(NonNull::new(self.value_ptr(*record, cpu)));
                if let Some((key, value)) = pointers {
                    each(key, value);
                }
            }
        }
        Ok((end <= u64::from(self.mask)).then_some(end))
    }

    fn value_at(&self, addr: usize) -> Option<ValueRegion> {
        let start = match &self.values {
            None => self.records.record_at(addr)? + self.value_offset,
            Some(values) => values.record_at(addr)?,
        };
        let len = self.spec.value_size as usize;
        (addr >= start && addr - start < len).then_some(ValueRegion {
            start,
            len,
            readable: self.spec.flags & CreateFlags::WRONLY_PROG == 0,
            writable: self.spec.flags & CreateFlags::RDONLY_PROG == 0,
        })
    }
}
