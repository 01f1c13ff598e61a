//! The descriptors a [`LinuxKernel`](crate::LinuxKernel) has given out: owned here, named by their numbers.

use std::collections::HashMap;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use skep_catalog::MapType;
use skep_kernel::{Errno, Fd, KernelError, ObjectKind, Result};

use crate::sys::errno;

/// A descriptor of a BPF object.
#[derive(Debug)]
pub(crate) struct Object {
    fd: OwnedFd,
    kind: ObjectKind,
    /// Of maps, once it was asked.
    pub(crate) shape: OnceLock<MapShape>,
}

/// What accesses to a map need to know of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MapShape {
    /// None for types that are newer than this crate.
    pub(crate) map_type: Option<MapType>,
    pub(crate) key_size: u32,
    pub(crate) value_size: u32,
    pub(crate) max_entries: u32,
}

impl AsFd for Object {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Open descriptors by number. A descriptor that is closed while another thread uses it stays open until that is done.
#[derive(Debug, Default)]
pub(crate) struct FdTable {
    objects: RwLock<HashMap<i32, Arc<Object>>>,
}

impl FdTable {
    pub(crate) fn insert(&self, fd: OwnedFd, kind: ObjectKind) -> Fd {
        let number = fd.as_raw_fd();
        let object = Arc::new(Object { fd, kind, shape: OnceLock::new() });
        self.objects.write().unwrap_or_else(PoisonError::into_inner).insert(number, object);
        Fd(number)
    }

    /// The object of this kind. Commands rely on it: buffers are sized by what the kernel says of the object.
    pub(crate) fn get(&self, fd: Fd, kind: ObjectKind) -> Result<Arc<Object>> {
        let object = self.get_any(fd)?;
        if object.kind != kind {
            let what = format!(
                "descriptor {} is of a {}, not of a {}",
                fd.0,
                kind_name(object.kind),
                kind_name(kind)
            );
            return Err(KernelError::new(Errno::EINVAL, what));
        }
        Ok(object)
    }

    pub(crate) fn get_any(&self, fd: Fd) -> Result<Arc<Object>> {
        let objects = self.objects.read().unwrap_or_else(PoisonError::into_inner);
        objects.get(&fd.0).cloned().ok_or_else(|| unknown(fd))
    }

    pub(crate) fn close(&self, fd: Fd) -> Result<()> {
        let object = self.objects.write().unwrap_or_else(PoisonError::into_inner).remove(&fd.0);
        object.map(drop).ok_or_else(|| unknown(fd))
    }

    pub(crate) fn dup(&self, fd: Fd) -> Result<Fd> {
        let object = self.get_any(fd)?;
        let again = object
            .fd
            .try_clone()
            .map_err(|error| KernelError::new(errno(&error), format!("duplicating descriptor {}", fd.0)))?;
        Ok(self.insert(again, object.kind))
    }
}

/// What a descriptor from elsewhere is of, by the name that the kernel gives its file.
pub(crate) fn kind_of(fd: BorrowedFd<'_>) -> Option<ObjectKind> {
    let name = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).ok()?;
    let name = name.to_str()?.strip_prefix("anon_inode:")?.trim_matches(['[', ']']);
    match name {
        "bpf-map" => Some(ObjectKind::Map),
        "bpf-prog" => Some(ObjectKind::Program),
        "bpf-link" | "bpf_link" => Some(ObjectKind::Link),
        "btf" => Some(ObjectKind::Btf),
        _ => None,
    }
}

/// The kind as sentences say it.
pub(crate) const fn kind_name(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Map => "map",
        ObjectKind::Program => "program",
        ObjectKind::Link => "link",
        ObjectKind::Btf => "BTF object",
    }
}

fn unknown(fd: Fd) -> KernelError {
    KernelError::new(Errno::EBADF, format!("descriptor {} is not open in this target", fd.0))
}
