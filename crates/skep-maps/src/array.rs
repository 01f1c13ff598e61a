//! `BPF_MAP_TYPE_ARRAY` and `BPF_MAP_TYPE_PERCPU_ARRAY`: all elements exist from the start, zeroed, in one piece of memory.

use std::ptr::NonNull;

use skep_catalog::MapType;

use crate::create::{CreateFlags, MapSpec};
use crate::error::{CreateError, MapError};
use crate::map::{InlineLookup, Map, UpdateFlags, ValueRegion, check_key, check_lookup_flags};
use crate::memory::{Block, copy_in, copy_out, copy_racy, round_up_8};

/// An array, per-CPU or not: element `index` of virtual CPU `cpu` is at `cpu * cpu_stride + index * stride`.
pub(crate) struct ArrayMap {
    spec: MapSpec,
    values: Block,
    stride: usize,
    cpu_stride: usize,
    /// Virtual CPUs that have values of their own: 1 unless the map is per-CPU.
    cpus: u32,
}

impl ArrayMap {
    pub(crate) fn new(spec: MapSpec) -> Result<ArrayMap, CreateError> {
        let percpu = spec.map_type == MapType::PercpuArray;
        let cpus = if percpu { spec.possible_cpus } else { 1 };
        let stride = round_up_8(spec.value_size as usize);
        // Each CPU's values begin on a cache line of their own; arrays that can be mapped begin on a page.
        let align = if spec.flags & CreateFlags::MMAPABLE == 0 { 64 } else { 4096 };
        let cpu_stride = stride
            .checked_mul(spec.max_entries as usize)
            .and_then(|bytes| bytes.checked_next_multiple_of(align));
        let values = cpu_stride
            .and_then(|bytes| bytes.checked_mul(cpus as usize))
            .and_then(|bytes| Block::zeroed(bytes, align));
        match (cpu_stride, values) {
            (Some(cpu_stride), Some(values)) => Ok(ArrayMap { spec, values, stride, cpu_stride, cpus }),
            _ => Err(CreateError::OutOfMemory(format!(
                "{} values of {} bytes",
                u64::from(spec.max_entries) * u64::from(cpus),
                spec.value_size
            ))),
        }
    }

    fn percpu(&self) -> bool {
        self.spec.map_type == MapType::PercpuArray
    }

    /// Address of an element that exists.
    #[inline]
    fn value(&self, cpu: u32, index: u32) -> *mut u8 {
        self.values.at(cpu as usize * self.cpu_stride + index as usize * self.stride)
    }

    fn index(&self, key: &[u8]) -> Result<u32, MapError> {
        check_key(&self.spec, key)?;
        key.try_into().map(u32::from_ne_bytes).map_err(|_| MapError::KeySize)
    }

    /// Checks flags of an update and the index, in the kernel's order.
    fn check_update(&self, index: u32, flags: u64) -> Result<(), MapError> {
        if flags > UpdateFlags::EXIST {
            return Err(MapError::InvalidFlags);
        }
        if index >= self.spec.max_entries {
            return Err(MapError::IndexOutOfRange);
        }
        if flags == UpdateFlags::NOEXIST { Err(MapError::Exists) } else { Ok(()) }
    }
}

/// The number that a key pointer points to.
///
/// # Safety
/// `key` points to 4 readable bytes.
#[inline]
unsafe fn read_index(key: *const u8) -> u32 {
    if (key as usize).is_multiple_of(4) {
        // SAFETY: readable by contract, and aligned as just seen.
        return unsafe { key.cast::<u32>().read_volatile() };
    }
    let mut bytes = [0; 4];
    for (at, byte) in bytes.iter_mut().enumerate() {
        // SAFETY: one of the four readable bytes.
        *byte = unsafe { key.wrapping_add(at).read_volatile() };
    }
    u32::from_ne_bytes(bytes)
}

/// `BPF_MAP_GET_NEXT_KEY` of every map whose keys are indices.
pub(crate) fn next_index(spec: &MapSpec, key: Option<&[u8]>, next: &mut [u8]) -> Result<(), MapError> {
    let index = match key {
        None => None,
        Some(key) => Some(key.try_into().map(u32::from_ne_bytes).map_err(|_| MapError::KeySize)?),
    };
    let following = match index {
        Some(index) if index < spec.max_entries => index + 1,
        _ => 0,
    };
    if following == spec.max_entries {
        return Err(MapError::NotFound);
    }
    if next.len() != 4 {
        return Err(MapError::KeySize);
    }
    next.copy_from_slice(&following.to_ne_bytes());
    Ok(())
}

impl Map for ArrayMap {
    fn spec(&self) -> &MapSpec {
        &self.spec
    }

    fn value_bytes(&self) -> usize {
        if self.percpu() { self.stride * self.cpus as usize } else { self.spec.value_size as usize }
    }

    fn lookup_into(&self, key: &[u8], value: &mut [u8], flags: u64) -> Result<(), MapError> {
        check_lookup_flags(flags)?;
        let index = self.index(key)?;
        if value.len() != self.value_bytes() {
            return Err(MapError::ValueSize);
        }
        if index >= self.spec.max_entries {
            return Err(MapError::NotFound);
        }
        let part = if self.percpu() { self.stride } else { value.len() };
        for (cpu, part) in (0..).zip(value.chunks_mut(part)) {
            // SAFETY: the element has `stride` readable bytes, no fewer than the part, and is aligned to 8.
            unsafe { copy_out(part, self.value(cpu, index)) };
        }
        Ok(())
    }

    fn update(&self, key: &[u8], value: &[u8], flags: u64) -> Result<(), MapError> {
        let index = self.index(key)?;
        if value.len() != self.value_bytes() {
            return Err(MapError::ValueSize);
        }
        self.check_update(index, flags)?;
        let part = if self.percpu() { self.stride } else { value.len() };
        for (cpu, part) in (0..).zip(value.chunks(part)) {
            // SAFETY: the element has `stride` writable bytes, no fewer than the part, and is aligned to 8.
            unsafe { copy_in(self.value(cpu, index), part) };
        }
        Ok(())
    }

    fn delete(&self, key: &[u8]) -> Result<(), MapError> {
        check_key(&self.spec, key)?;
        Err(MapError::CannotDelete)
    }

    fn next_key(&self, key: Option<&[u8]>, next: &mut [u8]) -> Result<(), MapError> {
        next_index(&self.spec, key, next)
    }

    #[inline]
    unsafe fn lookup_elem(&self, cpu: u32, key: *const u8) -> Option<NonNull<u8>> {
        // SAFETY: keys have 4 bytes, readable by contract.
        let index = unsafe { read_index(key) };
        let cpu = if self.percpu() { cpu } else { 0 };
        if index >= self.spec.max_entries || cpu >= self.cpus {
            return None;
        }
        NonNull::new(self.value(cpu, index))
    }

    unsafe fn update_elem(
        &self,
        cpu: u32,
        key: *const u8,
        value: *const u8,
        flags: u64,
    ) -> Result<(), MapError> {
        // SAFETY: keys have 4 bytes, readable by contract.
        let index = unsafe { read_index(key) };
        self.check_update(index, flags)?;
        let cpu = if self.percpu() { cpu } else { 0 };
        if cpu >= self.cpus {
            return Err(MapError::OutOfRange);
        }
        // SAFETY: `value_size` bytes are readable by contract, and the element has as many.
        unsafe { copy_racy(self.value(cpu, index), value, self.spec.value_size as usize) };
        Ok(())
    }

    unsafe fn delete_elem(&self, _cpu: u32, _key: *const u8) -> Result<(), MapError> {
        Err(MapError::CannotDelete)
    }

    fn for_each(
        &self,
        cpu: u32,
        each: &mut dyn FnMut(NonNull<u8>, NonNull<u8>) -> bool,
    ) -> Result<u32, MapError> {
        let cpu = if self.percpu() { cpu } else { 0 };
        if cpu >= self.cpus {
            return Err(MapError::OutOfRange);
        }
        for index in 0..self.spec.max_entries {
            let mut key = index;
            if let Some(value) = NonNull::new(self.value(cpu, index))
                && !each(NonNull::from(&mut key).cast(), value)
            {
                return Ok(index + 1);
            }
        }
        Ok(self.spec.max_entries)
    }

    fn walk(
        &self,
        cpu: u32,
        from: u64,
        places: u32,
        each: &mut dyn FnMut(NonNull<u8>, NonNull<u8>),
    ) -> Result<Option<u64>, MapError> {
        let cpu = if self.percpu() { cpu } else { 0 };
        if cpu >= self.cpus {
            return Err(MapError::OutOfRange);
        }
        let end = from.saturating_add(u64::from(places)).min(u64::from(self.spec.max_entries));
        for index in from..end {
            let mut key = index as u32;
            if let Some(value) = NonNull::new(self.value(cpu, key)) {
                each(NonNull::from(&mut key).cast(), value);
            }
        }
        Ok((end < u64::from(self.spec.max_entries)).then_some(end))
    }

    fn value_at(&self, addr: usize) -> Option<ValueRegion> {
        let offset = addr.checked_sub(self.values.as_ptr() as usize)?;
        if offset >= self.cpu_stride * self.cpus as usize {
            return None;
        }
        let in_cpu = offset % self.cpu_stride;
        let in_value = in_cpu % self.stride;
        if in_cpu / self.stride >= self.spec.max_entries as usize || in_value >= self.spec.value_size as usize
        {
            return None;
        }
        Some(ValueRegion {
            start: addr - in_value,
            len: self.spec.value_size as usize,
            readable: self.spec.flags & CreateFlags::WRONLY_PROG == 0,
            writable: self.spec.flags & CreateFlags::RDONLY_PROG == 0,
        })
    }

    fn direct_value(&self, offset: u32) -> Result<NonNull<u8>, MapError> {
        if self.percpu() || self.spec.max_entries != 1 {
            return Err(MapError::NotSupported);
        }
        if offset >= self.spec.value_size {
            return Err(MapError::OutOfRange);
        }
        NonNull::new(self.values.at(offset as usize)).ok_or(MapError::OutOfRange)
    }

    fn inline_lookup(&self) -> Option<InlineLookup> {
        Some(InlineLookup {
            base: self.values.as_ptr() as usize,
            stride: self.stride,
            cpu_stride: if self.percpu() { self.cpu_stride } else { 0 },
            max_entries: self.spec.max_entries,
        })
    }
}
