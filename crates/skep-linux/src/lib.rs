//! The [`Kernel`](skep_kernel::Kernel) interface over the running Linux kernel: `bpf(2)`, `perf_event_open(2)`, tracefs.
//!
//! [`LinuxKernel`] gives out descriptors whose numbers are those of the process, so that they can be looked at with
//! other tools, and owns them: when it is dropped, everything that is not pinned goes, attachments first.
//!
//! ```no_run
//! use skep_catalog::MapType;
//! use skep_kernel::{Kernel, MapCreate};
//! use skep_linux::LinuxKernel;
//!
//! let kernel = LinuxKernel::new()?; // says why, where bpf(2) does not answer
//! let map = kernel.map_create(&MapCreate {
//!     map_type: MapType::Array,
//!     key_size: 4,
//!     value_size: 8,
//!     max_entries: 1,
//!     flags: 0,
//!     extra: 0,
//!     name: "count".into(),
//!     inner: None,
//!     btf: None,
//! })?;
//! kernel.map_update(map, &[0; 4], &1_u64.to_ne_bytes(), 0)?;
//! assert_eq!(kernel.map_lookup(map, &[0; 4], 0)?, 1_u64.to_ne_bytes());
//! # Ok::<(), skep_kernel::KernelError>(())
//! ```

mod attr;
mod cpus;
mod explain;
mod fds;
mod kernel;
mod links;
mod log;
mod maps;
mod objects;
mod progs;
mod ring;
mod sys;
mod tracefs;

pub use kernel::LinuxKernel;
