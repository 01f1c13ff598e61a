//! `BPF_MAP_CREATE`: what a map is made from, and what of it Linux refuses.

use std::sync::Arc;

use skep_catalog::MapType;

use crate::array::ArrayMap;
use crate::error::CreateError;
use crate::hash::HashMap;
use crate::map::Map;
use crate::prog_array::ProgArray;
use crate::ring_map::RingMap;

/// What a map is created from (the attributes of `BPF_MAP_CREATE` that concern its storage).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapSpec {
    /// Type.
    pub map_type: MapType,
    /// Bytes in a key.
    pub key_size: u32,
    /// Bytes in a value.
    pub value_size: u32,
    /// Number of elements; bytes of data for ring buffers.
    pub max_entries: u32,
    /// Creation flags ([`CreateFlags`]).
    pub flags: u32,
    /// Type-specific (`map_extra`).
    pub extra: u64,
    /// Virtual CPUs that per-CPU values have a slot for, at least 1.
    pub possible_cpus: u32,
}

impl Default for MapSpec {
    /// An array of one 4-byte value, one virtual CPU.
    fn default() -> Self {
        MapSpec {
            map_type: MapType::Array,
            key_size: 4,
            value_size: 4,
            max_entries: 1,
            flags: 0,
            extra: 0,
            possible_cpus: 1,
        }
    }
}

/// Creation flags (`BPF_F_*` of `linux/bpf.h`).
#[derive(Clone, Copy, Debug)]
pub struct CreateFlags;

impl CreateFlags {
    /// `BPF_F_NO_PREALLOC`: memory for elements comes when they come.
    pub const NO_PREALLOC: u32 = 1 << 0;
    /// `BPF_F_NUMA_NODE`: a node to allocate from is given; there is only node 0 here.
    pub const NUMA_NODE: u32 = 1 << 2;
    /// `BPF_F_RDONLY`: the descriptor may only read.
    pub const RDONLY: u32 = 1 << 3;
    /// `BPF_F_WRONLY`: the descriptor may only write.
    pub const WRONLY: u32 = 1 << 4;
    /// `BPF_F_ZERO_SEED`: hash without a random seed.
    pub const ZERO_SEED: u32 = 1 << 6;
    /// `BPF_F_RDONLY_PROG`: programs may only read.
    pub const RDONLY_PROG: u32 = 1 << 7;
    /// `BPF_F_WRONLY_PROG`: programs may only write.
    pub const WRONLY_PROG: u32 = 1 << 8;
    /// `BPF_F_MMAPABLE`: the values can be mapped.
    pub const MMAPABLE: u32 = 1 << 10;
    /// `BPF_F_INNER_MAP`: an array that can be an inner map beside arrays of another length.
    pub const INNER_MAP: u32 = 1 << 12;
}

/// Bytes that Linux's allocator gives at once at most, less its hash element's head.
const HASH_ELEM_LIMIT: u64 = (4 << 20) - 48;
/// Bytes of a per-CPU value at most (`PCPU_MIN_UNIT_SIZE`).
const PERCPU_VALUE_LIMIT: u32 = 32 << 10;
/// Elements of a hash map at most: one more, and its buckets pass 2^27.
const HASH_ENTRIES_LIMIT: u32 = 1 << 27;
/// Ring buffer size granularity and smallest size.
const RING_PAGE: u32 = 4096;

/// Creates a map.
///
/// Large maps commit memory as they fill.
///
/// # Errors
/// As `BPF_MAP_CREATE` of Linux 6.18 for the same attributes: `EINVAL` for attributes that the type cannot have, `E2BIG`
/// for sizes beyond its limits, `ENOMEM` when memory cannot be had; `EOPNOTSUPP` for types that are not supported.
pub fn create(spec: &MapSpec) -> Result<Arc<dyn Map>, CreateError> {
    check_access(spec)?;
    if spec.extra != 0 {
        return Err(invalid(spec, format_args!("map_extra {:#x}: the type has none", spec.extra)));
    }
    if spec.possible_cpus == 0 {
        return Err(invalid(spec, format_args!("no virtual CPU")));
    }
    match spec.map_type {
        MapType::Hash | MapType::PercpuHash => {
            check_hash(spec)?;
            Ok(Arc::new(HashMap::new(*spec)?))
        }
        MapType::Array | MapType::PercpuArray => {
            check_array(spec)?;
            Ok(Arc::new(ArrayMap::new(*spec)?))
        }
        MapType::ProgArray => {
            check_prog_array(spec)?;
            Ok(Arc::new(ProgArray::new(*spec)?))
        }
        MapType::Ringbuf => {
            check_ring(spec)?;
            Ok(Arc::new(RingMap::new(*spec)?))
        }
        other => Err(CreateError::Unsupported(other)),
    }
}

fn invalid(spec: &MapSpec, what: std::fmt::Arguments<'_>) -> CreateError {
    CreateError::Invalid(format!("{}: {what}", spec.map_type.uapi_name()))
}

fn too_big(spec: &MapSpec, what: std::fmt::Arguments<'_>) -> CreateError {
    CreateError::TooBig(format!("{}: {what}", spec.map_type.uapi_name()))
}

fn check_flags(spec: &MapSpec, known: u32) -> Result<(), CreateError> {
    match spec.flags & !known {
        0 => Ok(()),
        unknown => Err(invalid(spec, format_args!("flags {unknown:#x} do not exist for this type"))),
    }
}

/// Read-only and write-only exclude each other, on each side.
fn check_access(spec: &MapSpec) -> Result<(), CreateError> {
    let both = |flags| spec.flags & flags == flags;
    if both(CreateFlags::RDONLY | CreateFlags::WRONLY) {
        return Err(invalid(spec, format_args!("both BPF_F_RDONLY and BPF_F_WRONLY")));
    }
    if both(CreateFlags::RDONLY_PROG | CreateFlags::WRONLY_PROG) {
        return Err(invalid(spec, format_args!("both BPF_F_RDONLY_PROG and BPF_F_WRONLY_PROG")));
    }
    Ok(())
}

fn check_nonzero(spec: &MapSpec) -> Result<(), CreateError> {
    let sizes =
        [("max_entries", spec.max_entries), ("key_size", spec.key_size), ("value_size", spec.value_size)];
    match sizes.iter().find(|(_, size)| *size == 0) {
        Some((name, _)) => Err(invalid(spec, format_args!("{name} is 0"))),
        None => Ok(()),
    }
}

fn check_hash(spec: &MapSpec) -> Result<(), CreateError> {
    let percpu = spec.map_type == MapType::PercpuHash;
    let mut known = CreateFlags::NO_PREALLOC
        | CreateFlags::RDONLY
        | CreateFlags::WRONLY
        | CreateFlags::RDONLY_PROG
        | CreateFlags::WRONLY_PROG
        | CreateFlags::ZERO_SEED;
    if !percpu {
        known |= CreateFlags::NUMA_NODE;
    }
    check_flags(spec, known)?;
    check_nonzero(spec)?;
    let element = u64::from(spec.key_size) + u64::from(spec.value_size);
    if element >= HASH_ELEM_LIMIT {
        return Err(too_big(
            spec,
            format_args!("key and value together have {element} bytes, the limit is {HASH_ELEM_LIMIT}"),
        ));
    }
    if percpu {
        check_percpu_value(spec)?;
    }
    if spec.max_entries > HASH_ENTRIES_LIMIT {
        return Err(too_big(
            spec,
            format_args!("{} elements, the limit is {HASH_ENTRIES_LIMIT}", spec.max_entries),
        ));
    }
    Ok(())
}

fn check_percpu_value(spec: &MapSpec) -> Result<(), CreateError> {
    if spec.value_size > PERCPU_VALUE_LIMIT {
        let size = spec.value_size;
        return Err(too_big(
            spec,
            format_args!("value_size {size}, the limit of per-CPU values is {PERCPU_VALUE_LIMIT}"),
        ));
    }
    Ok(())
}

fn check_index_key(spec: &MapSpec) -> Result<(), CreateError> {
    if spec.key_size == 4 {
        Ok(())
    } else {
        Err(invalid(spec, format_args!("key_size {}: indices have 4 bytes", spec.key_size)))
    }
}

fn check_array(spec: &MapSpec) -> Result<(), CreateError> {
    let percpu = spec.map_type == MapType::PercpuArray;
    let mut known =
        CreateFlags::RDONLY | CreateFlags::WRONLY | CreateFlags::RDONLY_PROG | CreateFlags::WRONLY_PROG;
    if !percpu {
        known |= CreateFlags::NUMA_NODE | CreateFlags::MMAPABLE | CreateFlags::INNER_MAP;
    }
    check_nonzero(spec)?;
    check_index_key(spec)?;
    check_flags(spec, known)?;
    if spec.value_size > i32::MAX as u32 {
        return Err(too_big(spec, format_args!("value_size {}, the limit is {}", spec.value_size, i32::MAX)));
    }
    if percpu {
        check_percpu_value(spec)?;
    }
    Ok(())
}

fn check_prog_array(spec: &MapSpec) -> Result<(), CreateError> {
    check_nonzero(spec)?;
    check_index_key(spec)?;
    if spec.value_size != 4 {
        return Err(invalid(spec, format_args!("value_size {}: descriptors have 4 bytes", spec.value_size)));
    }
    check_flags(spec, CreateFlags::NUMA_NODE | CreateFlags::RDONLY | CreateFlags::WRONLY)
}

fn check_ring(spec: &MapSpec) -> Result<(), CreateError> {
    check_flags(spec, CreateFlags::NUMA_NODE)?;
    if spec.key_size != 0 || spec.value_size != 0 {
        return Err(invalid(spec, format_args!("key_size and value_size are 0 in ring buffers")));
    }
    if !spec.max_entries.is_power_of_two() || !spec.max_entries.is_multiple_of(RING_PAGE) {
        return Err(invalid(
            spec,
            format_args!(
                "max_entries {}: a power of two and a multiple of {RING_PAGE} is needed",
                spec.max_entries
            ),
        ));
    }
    Ok(())
}
