//! The whole eBPF system as a library: open an object, edit it, load it, attach its programs, read what they send.
//!
//! | step | |
//! | --- | --- |
//! | open | [`open`] reads a file into an [`Object`], plain data that you may edit: variables, map sizes, sections |
//! | load | [`load`] makes its maps and programs in the kernel of a [`System`], and gives a [`Loaded`] |
//! | attach | [`Loaded::attach_all`] attaches every program where its section's name says, [`Loaded::attach_at`] one elsewhere |
//! | read | [`Events`] hands over what programs send while a command runs; [`LoadedMap::entries`] walks a map |
//!
//! The same code runs on both targets: [`System::user`] is skep's own kernel, inside this process, and [`System::linux`] the
//! running Linux kernel.
//!
//! ```
//! use skep::isa::asm::{Options, assemble};
//! use skep::{LoadOptions, Object, System};
//!
//! // An object, here from text; skep::open reads one from a file.
//! let text = r#"
//!     .section socket,"ax"
//!     .globl length
//!     .type length,@function
//! length:
//!     r0 = *(u32 *)(r1 + 0)
//!     exit
//! "#;
//! let file = skep::object::write_assembly(&assemble(text, &Options::default())?)?;
//! let object = Object::parse(&file, "length.o")?;
//!
//! let system = System::user();
//! let loaded = skep::load(&object, system.kernel(), &LoadOptions::default())?;
//!
//! // A test run, with a packet of 100 bytes.
//! let run = skep::kernel::TestRun { data_in: vec![0; 100], ..Default::default() };
//! let program = loaded.program("length").expect("it was loaded");
//! assert_eq!(system.kernel().prog_test_run(program.handle.fd(), &run)?.retval, 86);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod attach;
mod error;
mod events;
mod handle;
mod load;
mod records;
mod system;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

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

/// Bytes that an object file may have. The largest known ones have a few megabytes; a device that never ends has more.
pub const MAX_FILE: u64 = 256 << 20;

/// Reads an object file.
///
/// # Errors
/// [`Error::Read`], also for files of more than [`MAX_FILE`] bytes, or [`Error::Object`] with section and reason when it is
/// no valid eBPF object.
pub fn open(path: impl AsRef<Path>) -> Result<Object> {
    let path = path.as_ref();
    Ok(Object::parse(&read(path)?, &path.display().to_string())?)
}

/// Reads a file of at most [`MAX_FILE`] bytes.
///
/// # Errors
/// [`Error::Read`].
pub fn read(path: impl AsRef<Path>) -> Result<Vec<u8>> {
    let path = path.as_ref();
    let whole = File::open(path).and_then(read_from);
    whole.map_err(|source| Error::Read { path: path.to_owned(), source })
}

/// Reads at most [`MAX_FILE`] bytes to the end.
///
/// # Errors
/// The reader's, and [`io::ErrorKind::FileTooLarge`].
pub fn read_from(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = reader.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if read as u64 > MAX_FILE {
        let what = format!("more than {} MiB, which no object has", MAX_FILE >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
    }
    Ok(bytes)
}

/// The README's example.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
