//! Pins: names that hold objects, in a tree of this kernel's own that is used like a mounted `bpf` file system.
//!
//! Directories need not be made: they are there as long as something is pinned below them.

use std::collections::BTreeMap;
use std::path::{Component, Path};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::{Errno, KernelError};
use crate::kernel::Result;

use super::fds::Handle;

/// Bytes in a component of a path at most (`NAME_MAX`).
const NAME_MAX: usize = 255;
/// Bytes in a path at most (`PATH_MAX`, less the zero byte).
const PATH_MAX: usize = 4095;

/// Names from the root down.
type Names = Vec<String>;

/// The pins of a kernel.
#[derive(Default)]
pub(crate) struct Pins {
    tree: Mutex<BTreeMap<Names, Handle>>,
}

impl Pins {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Names, Handle>> {
        self.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives an object a name.
    pub(crate) fn pin(&self, path: &Path, handle: Handle) -> Result<()> {
        let names = names(path)?;
        let fail =
            |errno, why: &str| Err(KernelError::new(errno, format!("pinning at {}: {why}", path.display())));
        if names.iter().any(|name| name.contains('.')) {
            return fail(Errno::EPERM, "names of pins contain no dots");
        }
        let mut tree = self.lock();
        if tree.contains_key(&names) {
            return fail(Errno::EEXIST, "something is pinned there");
        }
        if is_directory(&tree, &names) {
            return fail(Errno::EEXIST, "it is a directory");
        }
        if (1..names.len()).any(|depth| tree.contains_key(&names[..depth])) {
            return fail(Errno::ENOTDIR, "something is pinned at a directory of the path");
        }
        tree.insert(names, handle);
        Ok(())
    }

    /// The object with a name.
    pub(crate) fn get(&self, path: &Path) -> Result<Handle> {
        let names = names(path)?;
        let tree = self.lock();
        match tree.get(&names) {
            Some(handle) => Ok(handle.clone()),
            None if is_directory(&tree, &names) => {
                Err(KernelError::new(Errno::EACCES, format!("{} is a directory", path.display())))
            }
            None => Err(nothing_there(path)),
        }
    }

    /// Takes a name away.
    pub(crate) fn unpin(&self, path: &Path) -> Result<()> {
        let names = names(path)?;
        let mut tree = self.lock();
        let removed = tree.remove(&names);
        let directory = is_directory(&tree, &names);
        drop(tree);
        match removed {
            // Dropped without the lock: it may be the last reference.
            Some(_handle) => Ok(()),
            None if directory => {
                Err(KernelError::new(Errno::EISDIR, format!("{} is a directory", path.display())))
            }
            None => Err(nothing_there(path)),
        }
    }

    /// Takes all names away.
    pub(crate) fn clear(&self) {
        let tree = std::mem::take(&mut *self.lock());
        drop(tree);
    }
}

fn nothing_there(path: &Path) -> KernelError {
    KernelError::new(Errno::ENOENT, format!("nothing is pinned at {}", path.display()))
}

fn is_directory(tree: &BTreeMap<Names, Handle>, names: &[String]) -> bool {
    let below = tree.range(names.to_vec()..).find(|(other, _)| other.as_slice() != names);
    below.is_some_and(|(other, _)| other.starts_with(names))
}

/// The names of an absolute path, `.` and `..` resolved.
fn names(path: &Path) -> Result<Names> {
    let fail = |errno, why: &str| Err(KernelError::new(errno, format!("path {}: {why}", path.display())));
    if path.as_os_str().len() > PATH_MAX {
        return fail(Errno::ENAMETOOLONG, "longer than 4095 bytes");
    }
    if !path.has_root() {
        return fail(Errno::EINVAL, "pins of the user-space kernel have absolute paths");
    }
    let mut names = Names::new();
    for component in path.components() {
        match component {
            Component::Prefix(_) | Component::RootDir | Component::CurDir => {}
            Component::ParentDir => drop(names.pop()),
            Component::Normal(name) => match name.to_str() {
                Some(name) if name.len() > NAME_MAX => {
                    return fail(Errno::ENAMETOOLONG, "a name has more than 255 bytes");
                }
                Some(name) => names.push(name.to_owned()),
                None => return fail(Errno::EINVAL, "not UTF-8"),
            },
        }
    }
    if names.is_empty() { fail(Errno::EEXIST, "it is the root directory") } else { Ok(names) }
}
