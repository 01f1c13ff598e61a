//! The whole eBPF system as a library: open an object, edit it, load it, attach its programs, read what they send.
#![forbid(unsafe_code)]

mod attach;
mod error;
mod events;
mod handle;
mod load;
mod records;
mod system;

pub use attach::{Link, attach_point};
pub use error::{Error, Result};
pub use events::{Event, Events};
pub use handle::Handle;
pub use load::{LoadOptions, Loaded, LoadedMap, LoadedProgram, load};
pub use records::{is_ring, record_type, type_named};
pub use skep_btf as btf;
pub use skep_catalog as catalog;
pub use skep_hooks as hooks;
pub use skep_isa as isa;
pub use skep_kernel as kernel;
pub use skep_object as object;
pub use skep_object::Object;
pub use system::{Process, System};

/// Reads an object file.
///
/// # Errors
/// [`Error::Read`], or [`Error::Object`] with section and reason when it is no valid eBPF object.
pub fn open(path: impl AsRef<std::path::Path>) -> Result<Object> {
    let path = path.as_ref();
    let bytes = std::fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    Ok(Object::parse(&bytes, &path.display().to_string())?)
}
