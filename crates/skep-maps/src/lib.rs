//! Storage of eBPF maps: what lies behind `bpf_map_lookup_elem` and behind `BPF_MAP_LOOKUP_ELEM`.
//!
//! A map has two sides. The `bpf(2)` side speaks slices and answers with the errors that Linux gives for the same
//! misuse. The program side speaks raw pointers: a value pointer that a program was given stays valid memory until the map
//! goes, as in the kernel, where the elements of a preallocated map are reused but never given back. Both sides work at
//! the same time from any number of threads; neither takes a lock that covers the whole map.
//!
//! Programs run on *virtual CPUs*: small numbers, below [`MapSpec::possible_cpus`], that choose the slot of a per-CPU
//! value. They need not be processors of the machine.
//!
//! ```
//! use skep_catalog::MapType;
//! use skep_maps::{MapSpec, UpdateFlags};
//!
//! let spec = MapSpec { map_type: MapType::Hash, key_size: 4, value_size: 8, max_entries: 100, ..MapSpec::default() };
//! let map = skep_maps::create(&spec)?;
//! map.update(&7u32.to_ne_bytes(), &1u64.to_ne_bytes(), UpdateFlags::ANY)?;
//! assert_eq!(map.lookup(&7u32.to_ne_bytes(), 0)?, 1u64.to_ne_bytes());
//!
//! // The same element as a program sees it: a pointer to its value.
//! let key = 7u32;
//! // SAFETY: `key` has the four readable bytes that the map's keys have.
//! let value = unsafe { map.lookup_elem(0, (&raw const key).cast()) }.expect("it is there");
//! // SAFETY: the value has eight bytes, aligned to eight, and lives as long as the map.
//! assert_eq!(unsafe { value.cast::<u64>().read_volatile() }, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod array;
mod create;
mod error;
mod free_list;
mod hash;
mod hasher;
mod map;
mod memory;
mod prog_array;
mod ring;
mod ring_map;

pub use create::{CreateFlags, MapSpec, create};
pub use error::{CreateError, MapError};
pub use map::{InlineLookup, Map, UpdateFlags, ValueRegion};
pub use prog_array::{ProgArray, ProgSlot};
pub use ring::{RingBuffer, RingConsumer, RingQuery, WakeFlags};
