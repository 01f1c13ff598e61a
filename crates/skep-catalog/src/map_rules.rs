//! What `BPF_MAP_CREATE` accepts for each map type, and which commands work on it then. Measured on Linux 6.18.
//!
//! ```
//! use skep_catalog::{MapAttrError, MapCommands, MapFlags, MapType};
//!
//! let rules = MapType::Array.rules().unwrap();
//! assert_eq!(rules.check(4, 8, 1, MapFlags::MMAPABLE), Ok(()));
//! let wrong_key = rules.check(8, 8, 1, MapFlags::empty()).unwrap_err();
//! assert_eq!(wrong_key.to_string(), "a map of type array has keys of 4 bytes, not 8");
//! assert!(!rules.commands.contains(MapCommands::DELETE), "elements of an array are always there");
//! ```

use std::fmt;

use bitflags::bitflags;

use crate::{MapFlags, MapType};

/// What a map of one type may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapRules {
    /// The type.
    pub map_type: MapType,
    /// Bytes in a key.
    pub key_size: Sizes,
    /// Bytes in a value. For per-CPU types, of one CPU's.
    pub value_size: Sizes,
    /// Elements; bytes for ring buffers; pages for arenas.
    pub max_entries: Sizes,
    /// The flags it may be created with. [`MapFlags::TOKEN_FD`] is allowed with any type, if the token is.
    pub flags: MapFlags,
    /// The flags it must be created with.
    pub required_flags: MapFlags,
    /// The commands that work on it.
    pub commands: MapCommands,
}

/// The numbers allowed in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sizes {
    /// One of these.
    OneOf(&'static [u32]),
    /// From the first to the second. Memory may end earlier.
    Range(u32, u32),
    /// A multiple of the first, from it to the second.
    MultipleOf(u32, u32),
    /// A power of two that is a multiple of the page size.
    PowerOfTwoPages,
}

bitflags! {
    /// Commands of `bpf(2)` on the elements of a map, and `mmap(2)`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct MapCommands: u16 {
        /// `BPF_MAP_LOOKUP_ELEM`.
        const LOOKUP = 1;
        /// `BPF_MAP_UPDATE_ELEM`.
        const UPDATE = 2;
        /// `BPF_MAP_DELETE_ELEM`.
        const DELETE = 4;
        /// `BPF_MAP_GET_NEXT_KEY`.
        const GET_NEXT_KEY = 8;
        /// `BPF_MAP_LOOKUP_AND_DELETE_ELEM`.
        const LOOKUP_AND_DELETE = 16;
        /// `BPF_MAP_LOOKUP_BATCH`.
        const LOOKUP_BATCH = 32;
        /// `BPF_MAP_UPDATE_BATCH`.
        const UPDATE_BATCH = 64;
        /// `BPF_MAP_DELETE_BATCH`.
        const DELETE_BATCH = 128;
        /// `BPF_MAP_LOOKUP_AND_DELETE_BATCH`.
        const LOOKUP_AND_DELETE_BATCH = 256;
        /// `mmap(2)` of its descriptor, with [`MapFlags::MMAPABLE`] where the type has that flag.
        const MMAP = 512;
    }
}

/// Why a map of a type may not be created so. `bpf(2)` says `EINVAL` to all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MapAttrError {
    /// The key size does not suit the type.
    #[error("a map of type {map_type} has keys of {allowed} bytes, not {size}")]
    KeySize {
        /// The type.
        map_type: MapType,
        /// What is allowed.
        allowed: Sizes,
        /// What was asked for.
        size: u32,
    },
    /// The value size does not suit the type.
    #[error("a map of type {map_type} has values of {allowed} bytes, not {size}")]
    ValueSize {
        /// The type.
        map_type: MapType,
        /// What is allowed.
        allowed: Sizes,
        /// What was asked for.
        size: u32,
    },
    /// The number of entries does not suit the type.
    #[error("max_entries of a map of type {map_type} is {allowed}, not {count}")]
    MaxEntries {
        /// The type.
        map_type: MapType,
        /// What is allowed.
        allowed: Sizes,
        /// What was asked for.
        count: u32,
    },
    /// The type does not have these flags.
    #[error("a map of type {map_type} cannot have the flags {:#x}", flags.bits())]
    Flags {
        /// The type.
        map_type: MapType,
        /// Those that it does not have.
        flags: MapFlags,
    },
    /// The type must have these flags.
    #[error("a map of type {map_type} must have the flags {:#x}", flags.bits())]
    MissingFlags {
        /// The type.
        map_type: MapType,
        /// Those that are missing.
        flags: MapFlags,
    },
    /// Flags that exclude each other.
    #[error("a map cannot be both read-only and write-only")]
    ReadAndWriteOnly,
}

impl Sizes {
    /// Whether the number is allowed. (Page sizes are taken as 4096, the smallest there is.)
    #[must_use]
    pub fn allows(self, size: u32) -> bool {
        match self {
            Self::OneOf(sizes) => sizes.contains(&size),
            Self::Range(min, max) => (min..=max).contains(&size),
            Self::MultipleOf(unit, max) => size != 0 && size <= max && size.is_multiple_of(unit),
            Self::PowerOfTwoPages => size.is_power_of_two() && size >= 4096,
        }
    }
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneOf(sizes) => {
                for (index, size) in sizes.iter().enumerate() {
                    write!(f, "{}{size}", if index == 0 { "" } else { " or " })?;
                }
                Ok(())
            }
            Self::Range(min, u32::MAX) => write!(f, "at least {min}"),
            Self::Range(min, max) => write!(f, "{min} to {max}"),
            Self::MultipleOf(unit, max) => write!(f, "a multiple of {unit} up to {max}"),
            Self::PowerOfTwoPages => write!(f, "a power of two and a multiple of the page size"),
        }
    }
}

impl MapRules {
    /// Whether such a map may be created.
    ///
    /// # Errors
    ///
    /// The first thing that does not suit the type.
    pub fn check(
        &self,
        key_size: u32,
        value_size: u32,
        max_entries: u32,
        flags: MapFlags,
    ) -> Result<(), MapAttrError> {
        let Self { map_type, .. } = *self;
        if !self.key_size.allows(key_size) {
            return Err(MapAttrError::KeySize { map_type, allowed: self.key_size, size: key_size });
        }
        if !self.value_size.allows(value_size) {
            return Err(MapAttrError::ValueSize { map_type, allowed: self.value_size, size: value_size });
        }
        if !self.max_entries.allows(max_entries) {
            return Err(MapAttrError::MaxEntries { map_type, allowed: self.max_entries, count: max_entries });
        }
        let unknown = flags.difference(self.flags | MapFlags::TOKEN_FD);
        if !unknown.is_empty() {
            return Err(MapAttrError::Flags { map_type, flags: unknown });
        }
        let missing = self.required_flags.difference(flags);
        if !missing.is_empty() {
            return Err(MapAttrError::MissingFlags { map_type, flags: missing });
        }
        let both = |a: MapFlags, b: MapFlags| flags.contains(a | b);
        if both(MapFlags::RDONLY, MapFlags::WRONLY) || both(MapFlags::RDONLY_PROG, MapFlags::WRONLY_PROG) {
            return Err(MapAttrError::ReadAndWriteOnly);
        }
        Ok(())
    }
}

impl MapType {
    /// What a map of this type may be; `None` for [`MapType::Unspec`].
    #[must_use]
    pub fn rules(self) -> Option<&'static MapRules> {
        RULES.iter().find(|rules| rules.map_type == self)
    }

    /// Whether each CPU has its own value. User space then reads and writes all of them at once, each rounded up to 8 bytes.
    #[must_use]
    pub const fn is_per_cpu(self) -> bool {
        matches!(self, Self::PercpuHash | Self::PercpuArray | Self::LruPercpuHash | Self::PercpuCgroupStorage)
    }

    /// Whether the values are maps.
    #[must_use]
    pub const fn is_map_of_maps(self) -> bool {
        matches!(self, Self::ArrayOfMaps | Self::HashOfMaps)
    }
}

const NUMA: MapFlags = MapFlags::NUMA_NODE;
/// Access by user space.
const USER: MapFlags = MapFlags::RDONLY.union(MapFlags::WRONLY);
/// Access by user space and by programs.
const BOTH: MapFlags = USER.union(MapFlags::RDONLY_PROG).union(MapFlags::WRONLY_PROG);
const PREALLOC: MapFlags = MapFlags::NO_PREALLOC;
const LRU: MapFlags = MapFlags::NO_COMMON_LRU;
const SEED: MapFlags = MapFlags::ZERO_SEED;
const NO_FLAGS: MapFlags = MapFlags::empty();

const ANY: Sizes = Sizes::Range(1, u32::MAX);
const ZERO: Sizes = Sizes::OneOf(&[0]);
const FOUR: Sizes = Sizes::OneOf(&[4]);
const FOUR_OR_EIGHT: Sizes = Sizes::OneOf(&[4, 8]);
/// Largest value in per-CPU memory.
const PER_CPU: Sizes = Sizes::Range(1, 32768);

const SINGLE: MapCommands = MapCommands::LOOKUP
    .union(MapCommands::UPDATE)
    .union(MapCommands::DELETE)
    .union(MapCommands::GET_NEXT_KEY);
/// Elements that can be neither added nor removed.
const FIXED: MapCommands = SINGLE.difference(MapCommands::DELETE);
const READ_BATCH: MapCommands = MapCommands::LOOKUP_BATCH.union(MapCommands::UPDATE_BATCH);
const HASH: MapCommands = SINGLE
    .union(READ_BATCH)
    .union(MapCommands::LOOKUP_AND_DELETE)
    .union(MapCommands::DELETE_BATCH)
    .union(MapCommands::LOOKUP_AND_DELETE_BATCH);
const QUEUE: MapCommands =
    MapCommands::LOOKUP.union(MapCommands::UPDATE).union(MapCommands::LOOKUP_AND_DELETE);
const BY_OWNER: MapCommands = SINGLE.difference(MapCommands::GET_NEXT_KEY);

const fn rules(
    map_type: MapType,
    key_size: Sizes,
    value_size: Sizes,
    max_entries: Sizes,
    flags: MapFlags,
    commands: MapCommands,
) -> MapRules {
    MapRules { map_type, key_size, value_size, max_entries, flags, required_flags: NO_FLAGS, commands }
}

impl MapRules {
    const fn requires(self, required_flags: MapFlags) -> Self {
        Self { required_flags, flags: self.flags.union(required_flags), ..self }
    }
}

use MapType as M;

#[rustfmt::skip]
static RULES: &[MapRules] = &[
    rules(M::Hash, ANY, ANY, ANY, PREALLOC.union(NUMA).union(SEED).union(BOTH), HASH),
    rules(M::Array, FOUR, ANY, ANY, NUMA.union(BOTH).union(MapFlags::MMAPABLE).union(MapFlags::INNER_MAP), FIXED.union(READ_BATCH).union(MapCommands::MMAP)),
    rules(M::ProgArray, FOUR, FOUR, ANY, NUMA.union(USER), SINGLE),
    rules(M::PerfEventArray, FOUR, FOUR, ANY, NUMA.union(USER).union(MapFlags::PRESERVE_ELEMS), SINGLE.difference(MapCommands::LOOKUP)),
    rules(M::PercpuHash, ANY, PER_CPU, ANY, PREALLOC.union(SEED).union(BOTH), HASH),
    rules(M::PercpuArray, FOUR, PER_CPU, ANY, BOTH, FIXED.union(READ_BATCH)),
    // At most 127 frames, the default of kernel.perf_event_max_stack.
    rules(M::StackTrace, FOUR, Sizes::MultipleOf(8, 127 * 8), ANY, NUMA.union(USER).union(MapFlags::STACK_BUILD_ID), SINGLE.difference(MapCommands::UPDATE).union(MapCommands::LOOKUP_AND_DELETE)),
    rules(M::CgroupArray, FOUR, FOUR, ANY, NUMA.union(USER), SINGLE.difference(MapCommands::LOOKUP)),
    rules(M::LruHash, ANY, ANY, ANY, LRU.union(NUMA).union(SEED).union(BOTH), HASH),
    rules(M::LruPercpuHash, ANY, PER_CPU, ANY, LRU.union(SEED).union(BOTH), HASH),
    // A prefix length of 4 bytes, then 1 to 256 bytes of data.
    rules(M::LpmTrie, Sizes::Range(5, 260), ANY, ANY, NUMA.union(BOTH), SINGLE.union(READ_BATCH).union(MapCommands::DELETE_BATCH)).requires(PREALLOC),
    rules(M::ArrayOfMaps, FOUR, FOUR, ANY, NUMA.union(USER), SINGLE.union(READ_BATCH)),
    rules(M::HashOfMaps, ANY, FOUR, ANY, PREALLOC.union(NUMA).union(SEED).union(BOTH), HASH.difference(MapCommands::LOOKUP_AND_DELETE)),
    rules(M::Devmap, FOUR, FOUR_OR_EIGHT, ANY, NUMA.union(USER), SINGLE),
    // Values of 8 bytes for user space to read socket cookies.
    rules(M::Sockmap, FOUR, FOUR_OR_EIGHT, ANY, NUMA.union(USER), SINGLE),
    // At most one entry for each CPU that the kernel was built for.
    rules(M::Cpumap, FOUR, FOUR_OR_EIGHT, ANY, NUMA, SINGLE),
    rules(M::Xskmap, FOUR, FOUR, ANY, NUMA.union(USER), SINGLE.difference(MapCommands::LOOKUP)),
    rules(M::Sockhash, Sizes::Range(1, 512), FOUR_OR_EIGHT, ANY, NUMA.union(USER), SINGLE),
    // A cgroup id, or `struct bpf_cgroup_storage_key`.
    rules(M::CgroupStorage, Sizes::OneOf(&[8, 16]), PER_CPU, ZERO, NUMA.union(BOTH), FIXED),
    rules(M::ReuseportSockarray, FOUR, FOUR_OR_EIGHT, ANY, NUMA.union(BOTH), SINGLE),
    rules(M::PercpuCgroupStorage, Sizes::OneOf(&[8, 16]), PER_CPU, ZERO, NUMA.union(BOTH), FIXED),
    rules(M::Queue, ZERO, ANY, ANY, NUMA.union(BOTH), QUEUE),
    rules(M::Stack, ZERO, ANY, ANY, NUMA.union(BOTH), QUEUE),
    rules(M::SkStorage, FOUR, ANY, ZERO, MapFlags::CLONE, BY_OWNER).requires(PREALLOC),
    rules(M::DevmapHash, FOUR, FOUR_OR_EIGHT, ANY, NUMA.union(USER), SINGLE),
    // The value is the kernel's structure around the one of function pointers.
    rules(M::StructOps, FOUR, ANY, Sizes::OneOf(&[1]), MapFlags::LINK.union(MapFlags::VTYPE_BTF_OBJ_FD), SINGLE),
    rules(M::Ringbuf, ZERO, ZERO, Sizes::PowerOfTwoPages, NUMA, MapCommands::MMAP),
    rules(M::InodeStorage, FOUR, ANY, ZERO, MapFlags::CLONE, BY_OWNER).requires(PREALLOC),
    rules(M::TaskStorage, FOUR, ANY, ZERO, MapFlags::CLONE, BY_OWNER).requires(PREALLOC),
    // Looking up asks whether the value is in the set.
    rules(M::BloomFilter, ZERO, ANY, ANY, NUMA.union(SEED).union(BOTH), MapCommands::LOOKUP.union(MapCommands::UPDATE)),
    rules(M::UserRingbuf, ZERO, ZERO, Sizes::PowerOfTwoPages, NUMA, MapCommands::MMAP),
    rules(M::CgrpStorage, FOUR, ANY, ZERO, MapFlags::CLONE, BY_OWNER).requires(PREALLOC),
    rules(M::Arena, ZERO, ZERO, ANY, MapFlags::SEGV_ON_FAULT.union(MapFlags::NO_USER_CONV), MapCommands::MMAP).requires(MapFlags::MMAPABLE),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_rules_that_some_map_satisfies() {
        for &map_type in MapType::ALL.iter().filter(|map_type| **map_type != MapType::Unspec) {
            let rules = map_type.rules().unwrap();
            let first = |sizes: Sizes| (0..=4096).find(|size| sizes.allows(*size)).unwrap();
            let (key, value, entries) =
                (first(rules.key_size), first(rules.value_size), first(rules.max_entries));
            assert_eq!(rules.check(key, value, entries, rules.required_flags), Ok(()), "{map_type}");
            assert!(rules.flags.contains(rules.required_flags), "{map_type}");
            assert!(rules.flags.since() <= crate::KernelVersion::LATEST, "{map_type}");
        }
        assert!(MapType::Unspec.rules().is_none());
    }

    #[test]
    fn what_does_not_suit_the_type_is_named() {
        let flags = MapFlags::empty();
        let check = |map_type: MapType, key, value, entries, flags| {
            map_type.rules().unwrap().check(key, value, entries, flags).unwrap_err().to_string()
        };
        for (error, expected) in [
            (check(M::Hash, 0, 8, 1, flags), "a map of type hash has keys of at least 1 bytes, not 0"),
            (
                check(M::LpmTrie, 300, 8, 1, PREALLOC),
                "a map of type lpm_trie has keys of 5 to 260 bytes, not 300",
            ),
            (check(M::Ringbuf, 4, 0, 4096, flags), "a map of type ringbuf has keys of 0 bytes, not 4"),
            (
                check(M::Ringbuf, 0, 0, 5000, flags),
                "max_entries of a map of type ringbuf is a power of two and a multiple of the page size, not 5000",
            ),
            (
                check(M::StackTrace, 4, 12, 1, flags),
                "a map of type stack_trace has values of a multiple of 8 up to 1016 bytes, not 12",
            ),
            (check(M::Devmap, 4, 5, 1, flags), "a map of type devmap has values of 4 or 8 bytes, not 5"),
            (check(M::Hash, 4, 8, 0, flags), "max_entries of a map of type hash is at least 1, not 0"),
            (
                check(M::PercpuArray, 4, 8, 1, MapFlags::MMAPABLE),
                "a map of type percpu_array cannot have the flags 0x400",
            ),
            (check(M::LpmTrie, 8, 8, 1, flags), "a map of type lpm_trie must have the flags 0x1"),
            (check(M::Array, 4, 8, 1, USER), "a map cannot be both read-only and write-only"),
        ] {
            assert_eq!(error, expected);
        }
    }
}
