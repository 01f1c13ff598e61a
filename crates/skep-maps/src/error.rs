//! What maps refuse, and the errno that Linux gives for it.

use skep_catalog::MapType;

/// An operation on an element that a map refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum MapError {
    /// `ENOENT`: no element under this key, or no key after the last.
    #[error("the map has no such element")]
    NotFound,
    /// `EEXIST`: `BPF_NOEXIST` was asked, and there is an element.
    #[error("the map already has an element under this key")]
    Exists,
    /// `E2BIG`: the map holds `max_entries` elements.
    #[error("the map is full")]
    Full,
    /// `E2BIG`: an index that is not below `max_entries`.
    #[error("the index is not below max_entries")]
    IndexOutOfRange,
    /// `EINVAL`: flags that the operation does not know for this map.
    #[error("the flags are not valid for this operation on this map")]
    InvalidFlags,
    /// `EINVAL`: the key has another size than the map's keys.
    #[error("the key has not the size of the map's keys")]
    KeySize,
    /// `EINVAL`: the value has another size than the map's values have on this side.
    #[error("the value has not the size of the map's values")]
    ValueSize,
    /// `EINVAL`: elements of arrays cannot be deleted.
    #[error("elements of an array cannot be deleted")]
    CannotDelete,
    /// `EINVAL`: an offset beyond the value, or a virtual CPU that the map has no slot for.
    #[error("out of the map's range")]
    OutOfRange,
    /// `ENOTSUPP`: the map type does not have this operation.
    #[error("the map type does not support this operation")]
    NotSupported,
    /// `ENOMEM`: memory for the element could not be had.
    #[error("out of memory")]
    OutOfMemory,
    /// `EFAULT`: ring buffer positions or record headers that no ring buffer can have.
    #[error("the ring buffer's positions or record headers are damaged")]
    Corrupt,
}

impl MapError {
    /// The errno of Linux, as a positive number of `asm-generic/errno.h` (and 524 for the kernel's own `ENOTSUPP`).
    #[must_use]
    pub const fn errno(self) -> i32 {
        match self {
            MapError::NotFound => 2,
            MapError::Exists => 17,
            MapError::Full | MapError::IndexOutOfRange => 7,
            MapError::InvalidFlags
            | MapError::KeySize
            | MapError::ValueSize
            | MapError::CannotDelete
            | MapError::OutOfRange => 22,
            MapError::NotSupported => 524,
            MapError::OutOfMemory => 12,
            MapError::Corrupt => 14,
        }
    }
}

/// A map that cannot be created.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// `EINVAL`: an attribute that maps of this type cannot have.
    #[error("{0}")]
    Invalid(String),
    /// `E2BIG`: a size beyond what Linux allows.
    #[error("{0}")]
    TooBig(String),
    /// `ENOMEM`: memory for the elements could not be had.
    #[error("out of memory for {0}")]
    OutOfMemory(String),
    /// `EOPNOTSUPP`: a map type that this storage does not have.
    #[error("maps of type {} are not supported by the user-space kernel; the linux target has them", .0.uapi_name())]
    Unsupported(MapType),
}

impl CreateError {
    /// The errno of Linux, as a positive number.
    #[must_use]
    pub const fn errno(&self) -> i32 {
        match self {
            CreateError::Invalid(_) => 22,
            CreateError::TooBig(_) => 7,
            CreateError::OutOfMemory(_) => 12,
            CreateError::Unsupported(_) => 95,
        }
    }
}
