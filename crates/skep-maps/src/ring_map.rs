//! `BPF_MAP_TYPE_RINGBUF`: a ring buffer as a map. It has no elements.

use std::ptr::NonNull;
use std::sync::Arc;

use crate::create::MapSpec;
use crate::error::{CreateError, MapError};
use crate::map::Map;
use crate::ring::RingBuffer;

/// A ring buffer map.
pub(crate) struct RingMap {
    spec: MapSpec,
    ring: Arc<RingBuffer>,
}

impl RingMap {
    pub(crate) fn new(spec: MapSpec) -> Result<RingMap, CreateError> {
        Ok(RingMap { spec, ring: Arc::new(RingBuffer::new(spec.max_entries)?) })
    }
}

impl Map for RingMap {
    fn spec(&self) -> &MapSpec {
        &self.spec
    }

    fn lookup_into(&self, _key: &[u8], _value: &mut [u8], _flags: u64) -> Result<(), MapError> {
        Err(MapError::NotSupported)
    }

    fn update(&self, _key: &[u8], _value: &[u8], _flags: u64) -> Result<(), MapError> {
        Err(MapError::NotSupported)
    }

    fn delete(&self, _key: &[u8]) -> Result<(), MapError> {
        Err(MapError::NotSupported)
    }

    fn next_key(&self, _key: Option<&[u8]>, _next: &mut [u8]) -> Result<(), MapError> {
        Err(MapError::NotSupported)
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

    fn ring(&self) -> Option<&Arc<RingBuffer>> {
        Some(&self.ring)
    }
}
