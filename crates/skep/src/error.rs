//! What can go wrong between a file and running programs.

use std::io;
use std::path::PathBuf;

use skep_kernel::{KernelError, LoadError};
use skep_object::ObjectError;

/// Result of this library's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error with the file, map, program or section it is about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is no valid object, or a program of it cannot be linked.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// The kernel refused a map.
    #[error("map '{map}': {source}")]
    Map {
        /// Name of the map.
        map: String,
        /// Why.
        source: KernelError,
    },
    /// The kernel refused a program.
    #[error("program '{program}' (section '{section}'): {source}")]
    Program {
        /// Name of the program.
        program: String,
        /// Its section.
        section: String,
        /// Why; with the verifier's log.
        source: LoadError,
    },
    /// The section's name does not say what type the program has.
    #[error(
        "program '{program}': its section '{section}' says nothing of its type; name the section as libbpf does (\"xdp\", \"tracepoint/…\")"
    )]
    UnknownType {
        /// Name of the program.
        program: String,
        /// Its section.
        section: String,
    },
    /// A program cannot be attached.
    #[error("program '{program}' (section '{section}') cannot be attached: {source}")]
    Attach {
        /// Name of the program.
        program: String,
        /// Its section.
        section: String,
        /// Why.
        source: KernelError,
    },
    /// A kernel refused something else.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// The command cannot be started or followed.
    #[error(transparent)]
    Trace(#[from] skep_hooks::TraceError),
    /// There is nothing of that name.
    #[error("there is no {what} '{name}'; there are: {known}")]
    NoSuch {
        /// Sort of thing.
        what: &'static str,
        /// Its name.
        name: String,
        /// Those there are.
        known: String,
    },
}
