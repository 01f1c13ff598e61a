//! `BPF_MAP_TYPE_PROG_ARRAY`: programs by index, for tail calls.

use std::any::Any;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};

use arc_swap::{ArcSwapOption, Guard};

use crate::create::MapSpec;
use crate::error::{CreateError, MapError};
use crate::map::{Map, check_key, check_lookup_flags};
use crate::memory::Block;

/// A program in a slot.
pub struct ProgSlot {
    /// The program's id, which the `bpf(2)` side reads.
    pub id: u32,
    /// What a tail call runs, of a type that the kernel knows.
    pub program: Arc<dyn Any + Send + Sync>,
    /// The slot's reference to the program as an object with an id.
    pub object: Arc<dyn Any + Send + Sync>,
}

/// Slots in a leaf.
const LEAF: usize = 512;

/// The slots of a program array. Reading one takes no lock; leaves come into being when a slot in them is first set.
pub struct ProgArray {
    spec: MapSpec,
    leaves: Block,
    leaf_count: usize,
}

type Leaf = [ArcSwapOption<ProgSlot>; LEAF];

impl ProgArray {
    pub(crate) fn new(spec: MapSpec) -> Result<ProgArray, CreateError> {
        let leaf_count = (spec.max_entries as usize).div_ceil(LEAF);
        let leaves = Block::zeroed(leaf_count * size_of::<AtomicPtr<Leaf>>(), 64)
            .ok_or_else(|| CreateError::OutOfMemory(format!("{} program slots", spec.max_entries)))?;
        Ok(ProgArray { spec, leaves, leaf_count })
    }

    fn leaf(&self, number: usize) -> &AtomicPtr<Leaf> {
        assert!(number < self.leaf_count, "callers check the index");
        let place = self.leaves.at(number * size_of::<AtomicPtr<Leaf>>()).cast();
        // SAFETY: inside the block, aligned; zeroed memory is a null pointer, and every access is atomic.
        unsafe { AtomicPtr::from_ptr(place) }
    }

    fn slot(&self, index: u32) -> Option<&ArcSwapOption<ProgSlot>> {
        if index >= self.spec.max_entries {
            return None;
        }
        let leaf = self.leaf(index as usize / LEAF).load(Ordering::Acquire);
        // SAFETY: a leaf that is not null came from `Box::into_raw` and lives until the map is dropped.
        let leaf = unsafe { leaf.as_ref() }?;
        leaf.get(index as usize % LEAF)
    }

    /// The program at `index`, as `bpf_tail_call` finds it.
    #[inline]
    #[must_use]
    pub fn get(&self, index: u32) -> Option<Guard<Option<Arc<ProgSlot>>>> {
        let guard = self.slot(index)?.load();
        guard.is_some().then_some(guard)
    }

    /// Puts a program at `index`, giving what was there.
    ///
    /// # Errors
    /// [`MapError::IndexOutOfRange`].
    pub fn set(&self, index: u32, program: ProgSlot) -> Result<Option<Arc<ProgSlot>>, MapError> {
        if index >= self.spec.max_entries {
            return Err(MapError::IndexOutOfRange);
        }
        let place = self.leaf(index as usize / LEAF);
        if place.load(Ordering::Acquire).is_null() {
            let fresh: Box<Leaf> = Box::new(std::array::from_fn(|_| ArcSwapOption::const_empty()));
            let fresh = Box::into_raw(fresh);
            if place
                .compare_exchange(std::ptr::null_mut(), fresh, Ordering::AcqRel, Ordering::Acquire)
                .is_err()
            {
                // SAFETY: made just above, and nobody else has seen it.
                drop(unsafe { Box::from_raw(fresh) });
            }
        }
        let slot = self.slot(index).ok_or(MapError::OutOfMemory)?;
        Ok(slot.swap(Some(Arc::new(program))))
    }

    /// Takes the program at `index` out.
    ///
    /// # Errors
    /// [`MapError::IndexOutOfRange`], [`MapError::NotFound`] when the slot is empty.
    pub fn take(&self, index: u32) -> Result<Arc<ProgSlot>, MapError> {
        if index >= self.spec.max_entries {
            return Err(MapError::IndexOutOfRange);
        }
        self.slot(index).and_then(|slot| slot.swap(None)).ok_or(MapError::NotFound)
    }

    /// Empties all slots, as happens when the last descriptor and pin of the map goes.
    pub fn clear(&self) {
        for number in 0..self.leaf_count {
            // SAFETY: as in `slot`.
            if let Some(leaf) = unsafe { self.leaf(number).load(Ordering::Acquire).as_ref() } {
                for slot in leaf {
                    drop(slot.swap(None));
                }
            }
        }
    }
}

impl Drop for ProgArray {
    fn drop(&mut self) {
        for number in 0..self.leaf_count {
            let leaf = self.leaf(number).load(Ordering::Acquire);
            if !leaf.is_null() {
                // SAFETY: from `Box::into_raw`, and freed only here.
                drop(unsafe { Box::from_raw(leaf) });
            }
        }
    }
}

fn index_of(key: &[u8]) -> Result<u32, MapError> {
    key.try_into().map(u32::from_ne_bytes).map_err(|_| MapError::KeySize)
}

impl Map for ProgArray {
    fn spec(&self) -> &MapSpec {
        &self.spec
    }

    /// Gives the program's id.
    fn lookup_into(&self, key: &[u8], value: &mut [u8], flags: u64) -> Result<(), MapError> {
        check_lookup_flags(flags)?;
        check_key(&self.spec, key)?;
        if value.len() != 4 {
            return Err(MapError::ValueSize);
        }
        let slot = self.get(index_of(key)?).ok_or(MapError::NotFound)?;
        let id = slot.as_ref().map_or(0, |slot| slot.id);
        value.copy_from_slice(&id.to_ne_bytes());
        Ok(())
    }

    /// Values are descriptors, which the kernel resolves: see [`ProgArray::set`].
    fn update(&self, _key: &[u8], _value: &[u8], _flags: u64) -> Result<(), MapError> {
        Err(MapError::NotSupported)
    }

    fn delete(&self, key: &[u8]) -> Result<(), MapError> {
        check_key(&self.spec, key)?;
        self.take(index_of(key)?).map(drop)
    }

    fn next_key(&self, key: Option<&[u8]>, next: &mut [u8]) -> Result<(), MapError> {
        crate::array::next_index(&self.spec, key, next)
    }

    unsafe fn lookup_elem(&self, _cpu: u32, _key: *const u8) -> Option<NonNull<u8>> {
        None
    }

    unsafe fn update_elem(
        &self,
        _cpu: u32,
        _key: *const u8,
        _value: *const u8,
        _flags: u64,
    ) -> Result<(), MapError> {
        Err(MapError::NotSupported)
    }

    unsafe fn delete_elem(&self, _cpu: u32, _key: *const u8) -> Result<(), MapError> {
        Err(MapError::NotSupported)
    }

    fn prog_array(&self) -> Option<&ProgArray> {
        Some(self)
    }
}
