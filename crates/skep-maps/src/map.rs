//! The interface of every map: the `bpf(2)` side and the program side.

use std::ptr::NonNull;
use std::sync::Arc;

use crate::create::MapSpec;
use crate::error::MapError;
use crate::prog_array::ProgArray;
use crate::ring::RingBuffer;

type Result<T> = std::result::Result<T, MapError>;

/// Flags of an update (`linux/bpf.h`, `BPF_MAP_UPDATE_ELEM`).
#[derive(Clone, Copy, Debug)]
pub struct UpdateFlags;

impl UpdateFlags {
    /// `BPF_ANY`: create the element or replace it.
    pub const ANY: u64 = 0;
    /// `BPF_NOEXIST`: create it, `EEXIST` if there is one.
    pub const NOEXIST: u64 = 1;
    /// `BPF_EXIST`: replace it, `ENOENT` if there is none.
    pub const EXIST: u64 = 2;
    /// `BPF_F_LOCK`: copy under the value's `bpf_spin_lock`.
    pub const LOCK: u64 = 4;
}

/// Memory of one value (or, in arrays that programs address directly, of all values around an address).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueRegion {
    /// Address of the first byte.
    pub start: usize,
    /// Bytes that a program may access from there.
    pub len: usize,
    /// Programs may read it: the map was not created with `BPF_F_WRONLY_PROG`.
    pub readable: bool,
    /// Programs may write it: the map was not created with `BPF_F_RDONLY_PROG`.
    pub writable: bool,
}

/// How compiled code finds an element without a call: element `index` (below `max_entries`) of virtual CPU `cpu` is at
/// `base + cpu * cpu_stride + index * stride`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InlineLookup {
    /// Address of element 0 of virtual CPU 0.
    pub base: usize,
    /// Bytes from one element to the next.
    pub stride: usize,
    /// Bytes from one virtual CPU's elements to the next one's; 0 in maps that are not per-CPU.
    pub cpu_stride: usize,
    /// Number of elements.
    pub max_entries: u32,
}

/// A map. Every method may be called from any thread at any time.
///
/// Keys and values of the `bpf(2)` side are slices; a slice of the wrong size is [`MapError::KeySize`] or
/// [`MapError::ValueSize`]. The program side takes pointers, for which the caller answers.
pub trait Map: Send + Sync {
    /// What the map was created from.
    fn spec(&self) -> &MapSpec;

    // The bpf(2) side.

    /// Bytes of a value on the `bpf(2)` side: `value_size`, or for per-CPU maps one value for each possible CPU, each
    /// rounded up to 8 bytes.
    fn value_bytes(&self) -> usize {
        self.spec().value_size as usize
    }

    /// `BPF_MAP_LOOKUP_ELEM` into `value`, which has [`Map::value_bytes`] bytes. What a program writes meanwhile may show
    /// in part; what updates and deletes do meanwhile never does.
    ///
    /// # Errors
    /// [`MapError::NotFound`], [`MapError::InvalidFlags`], [`MapError::NotSupported`].
    fn lookup_into(&self, key: &[u8], value: &mut [u8], flags: u64) -> Result<()>;

    /// [`Map::lookup_into`] with a buffer of its own.
    ///
    /// # Errors
    /// As [`Map::lookup_into`].
    fn lookup(&self, key: &[u8], flags: u64) -> Result<Vec<u8>> {
        let mut value = zeroed_buffer(self.value_bytes())?;
        self.lookup_into(key, &mut value, flags)?;
        Ok(value)
    }

    /// `BPF_MAP_UPDATE_ELEM`; `value` has [`Map::value_bytes`] bytes.
    ///
    /// # Errors
    /// [`MapError::Exists`], [`MapError::NotFound`], [`MapError::Full`], [`MapError::IndexOutOfRange`],
    /// [`MapError::InvalidFlags`], [`MapError::NotSupported`].
    fn update(&self, key: &[u8], value: &[u8], flags: u64) -> Result<()>;

    /// `BPF_MAP_DELETE_ELEM`.
    ///
    /// # Errors
    /// [`MapError::NotFound`], [`MapError::CannotDelete`], [`MapError::NotSupported`].
    fn delete(&self, key: &[u8]) -> Result<()>;

    /// `BPF_MAP_LOOKUP_AND_DELETE_ELEM`.
    ///
    /// # Errors
    /// [`MapError::NotFound`], [`MapError::InvalidFlags`], [`MapError::NotSupported`].
    fn lookup_and_delete(&self, key: &[u8], flags: u64) -> Result<Vec<u8>> {
        let _ = key;
        check_lookup_flags(flags)?;
        Err(MapError::NotSupported)
    }

    /// `BPF_MAP_GET_NEXT_KEY` into `next`, which has `key_size` bytes: the key after `key`, the first one for None or for a
    /// key that the map does not have.
    ///
    /// # Errors
    /// [`MapError::NotFound`] after the last key and in an empty map, [`MapError::NotSupported`].
    fn next_key(&self, key: Option<&[u8]>, next: &mut [u8]) -> Result<()>;

    // The program side.

    /// `bpf_map_lookup_elem`, and with the number of another virtual CPU `bpf_map_lookup_percpu_elem`: the address of the
    /// value, aligned to 8 bytes, `value_size` rounded up to 8 bytes long, valid until the map goes. It may come to hold
    /// another element's value after a delete or an update. None also for a virtual CPU that the map has no slot for.
    ///
    /// # Safety
    /// `key` points to `key_size` readable bytes.
    unsafe fn lookup_elem(&self, cpu: u32, key: *const u8) -> Option<NonNull<u8>>;

    /// `bpf_map_update_elem`: per-CPU maps set the value of this virtual CPU only; a new element has zeroes for the others.
    ///
    /// # Errors
    /// As [`Map::update`].
    ///
    /// # Safety
    /// `key` points to `key_size` readable bytes, `value` to `value_size` readable bytes.
    unsafe fn update_elem(&self, cpu: u32, key: *const u8, value: *const u8, flags: u64) -> Result<()>;

    /// `bpf_map_delete_elem`.
    ///
    /// # Errors
    /// As [`Map::delete`].
    ///
    /// # Safety
    /// `key` points to `key_size` readable bytes.
    unsafe fn delete_elem(&self, cpu: u32, key: *const u8) -> Result<()>;

    /// `bpf_for_each_map_elem`: hands the addresses of key and value of each element to `each`, with the values of virtual
    /// CPU `cpu`, until `each` says `false`; returns how many it was called with. `each` may change the map. In hash maps
    /// elements that come while it runs may or may not be seen.
    ///
    /// # Errors
    /// [`MapError::NotSupported`].
    fn for_each(&self, cpu: u32, each: &mut dyn FnMut(NonNull<u8>, NonNull<u8>) -> bool) -> Result<u32> {
        let _ = (cpu, each);
        Err(MapError::NotSupported)
    }

    /// [`Map::for_each`] in parts, for walks that do other things in between: hands out the elements at some `places` places of
    /// the map from position `from` on, which is 0 at first, and answers where the walk goes on; None at its end. A place
    /// without an element counts too.
    ///
    /// # Errors
    /// As [`Map::for_each`].
    fn walk(
        &self,
        cpu: u32,
        from: u64,
        places: u32,
        each: &mut dyn FnMut(NonNull<u8>, NonNull<u8>),
    ) -> Result<Option<u64>> {
        let _ = (cpu, from, places, each);
        Err(MapError::NotSupported)
    }

    /// The value that an address lies in, of an element that is in use or may come into use: what a program may access
    /// through a value pointer. None for every other address. Takes time logarithmic in `max_entries` at most.
    fn value_at(&self, addr: usize) -> Option<ValueRegion> {
        let _ = addr;
        None
    }

    /// Address of byte `offset` of the only value of an array (`BPF_PSEUDO_MAP_VALUE`).
    ///
    /// # Errors
    /// [`MapError::NotSupported`] unless the map is an array of one element, [`MapError::OutOfRange`] beyond the value.
    fn direct_value(&self, offset: u32) -> Result<NonNull<u8>> {
        let _ = offset;
        Err(MapError::NotSupported)
    }

    /// Where compiled code finds elements without a call, if the map is laid out so.
    fn inline_lookup(&self) -> Option<InlineLookup> {
        None
    }

    /// The ring buffer, if it is one.
    fn ring(&self) -> Option<&Arc<RingBuffer>> {
        None
    }

    /// The program array, if it is one.
    fn prog_array(&self) -> Option<&ProgArray> {
        None
    }
}

/// A zeroed buffer, or an error where there is no memory for it.
pub(crate) fn zeroed_buffer(len: usize) -> Result<Vec<u8>> {
    let mut buffer = Vec::new();
    buffer.try_reserve_exact(len).map_err(|_| MapError::OutOfMemory)?;
    buffer.resize(len, 0);
    Ok(buffer)
}

/// Checks a key that the `bpf(2)` side gave.
pub(crate) fn check_key(spec: &MapSpec, key: &[u8]) -> Result<()> {
    if key.len() == spec.key_size as usize { Ok(()) } else { Err(MapError::KeySize) }
}

/// Checks flags of a lookup on the `bpf(2)` side: `BPF_F_LOCK` needs a `bpf_spin_lock` in the value, which no map here
/// has yet, and there is no other flag.
pub(crate) fn check_lookup_flags(flags: u64) -> Result<()> {
    if flags == 0 { Ok(()) } else { Err(MapError::InvalidFlags) }
}
