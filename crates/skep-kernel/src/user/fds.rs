//! Descriptors: small numbers that hold references to objects.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Errno, KernelError};
use crate::kernel::{Fd, Result};

use super::object::{BtfObject, LinkObject, MapHandle, ProgObject};

/// Descriptors a kernel has at most (Linux: `fs.nr_open`).
const MAX_DESCRIPTORS: usize = 1 << 20;
/// The first number. 0 to 2 are the standard streams of a process, and many a field says 0 for "none".
const FIRST: usize = 3;

/// A reference to an object, as descriptors and pins hold it.
#[derive(Clone)]
pub(crate) enum Handle {
    Map(MapHandle, Access),
    Program(Arc<ProgObject>),
    Link(Arc<LinkObject>),
    Btf(Arc<BtfObject>),
}

/// What a map's descriptor was opened for (`BPF_F_RDONLY`, `BPF_F_WRONLY`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) read: bool,
    pub(crate) write: bool,
}

impl Access {
    pub(crate) const BOTH: Access = Access { read: true, write: true };
}

impl Handle {
    fn kind(&self) -> &'static str {
        match self {
            Handle::Map(..) => "a map",
            Handle::Program(_) => "a program",
            Handle::Link(_) => "a link",
            Handle::Btf(_) => "a BTF object",
        }
    }
}

/// The descriptors of a kernel. A new one gets the lowest free number.
#[derive(Default)]
pub(crate) struct Descriptors {
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    handles: Vec<Option<Handle>>,
    /// No index below is free.
    lowest: usize,
}

impl Descriptors {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new descriptor.
    pub(crate) fn open(&self, handle: Handle) -> Result<Fd> {
        let mut table = self.lock();
        let free = (table.lowest..table.handles.len()).find(|index| table.handles[*index].is_none());
        let index = free.unwrap_or(table.handles.len());
        if index >= MAX_DESCRIPTORS {
            drop(table);
            return Err(KernelError::new(
                Errno::EMFILE,
                format!("all {MAX_DESCRIPTORS} descriptors are in use"),
            ));
        }
        match table.handles.get_mut(index) {
            Some(place) => *place = Some(handle),
            None => table.handles.push(Some(handle)),
        }
        table.lowest = index + 1;
        Ok(Fd((index + FIRST) as i32))
    }

    /// What a descriptor refers to.
    pub(crate) fn get(&self, fd: Fd) -> Result<Handle> {
        let table = self.lock();
        let handle = index(fd).and_then(|index| table.handles.get(index)?.clone());
        handle.ok_or_else(|| not_open(fd))
    }

    /// Gives a descriptor back.
    pub(crate) fn close(&self, fd: Fd) -> Result<()> {
        let mut table = self.lock();
        let Some((index, handle)) =
            index(fd).and_then(|index| Some((index, table.handles.get_mut(index)?.take()?)))
        else {
            return Err(not_open(fd));
        };
        table.lowest = table.lowest.min(index);
        while table.handles.last().is_some_and(Option::is_none) {
            table.handles.pop();
        }
        drop(table);
        // What the last reference holds may be much, and may come back here.
        drop(handle);
        Ok(())
    }

    /// Descriptors in use.
    pub(crate) fn count(&self) -> usize {
        self.lock().handles.iter().flatten().count()
    }

    /// Closes all.
    pub(crate) fn clear(&self) {
        let table = std::mem::take(&mut *self.lock());
        drop(table);
    }

    /// The map of a descriptor, held from outside while it is worked on: a program array that is being filled is not
    /// emptied behind one's back.
    pub(crate) fn map(&self, fd: Fd) -> Result<(MapHandle, Access)> {
        match self.get(fd)? {
            Handle::Map(map, access) => Ok((map, access)),
            other => Err(wrong_kind(fd, &other, "a map")),
        }
    }

    /// The program of a descriptor.
    pub(crate) fn program(&self, fd: Fd) -> Result<Arc<ProgObject>> {
        match self.get(fd)? {
            Handle::Program(program) => Ok(program),
            other => Err(wrong_kind(fd, &other, "a program")),
        }
    }

    /// The link of a descriptor.
    pub(crate) fn link(&self, fd: Fd) -> Result<Arc<LinkObject>> {
        match self.get(fd)? {
            Handle::Link(link) => Ok(link),
            other => Err(wrong_kind(fd, &other, "a link")),
        }
    }

    /// The BTF object of a descriptor.
    pub(crate) fn btf(&self, fd: Fd) -> Result<Arc<BtfObject>> {
        match self.get(fd)? {
            Handle::Btf(btf) => Ok(btf),
            other => Err(wrong_kind(fd, &other, "a BTF object")),
        }
    }
}

fn index(fd: Fd) -> Option<usize> {
    usize::try_from(fd.0).ok()?.checked_sub(FIRST)
}

fn not_open(fd: Fd) -> KernelError {
    KernelError::new(Errno::EBADF, format!("descriptor {} is not open", fd.0))
}

fn wrong_kind(fd: Fd, is: &Handle, wanted: &str) -> KernelError {
    KernelError::new(Errno::EINVAL, format!("descriptor {} is {}, not {wanted}", fd.0, is.kind()))
}
