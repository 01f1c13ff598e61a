//! What all objects have: ids, names, pins; and BTF objects.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use skep_catalog::Command;
use skep_kernel::{Errno, Fd, KernelError, LoadError, ObjectKind, Result};

use crate::attr::NAME_LEN;
use crate::explain::refused;
use crate::fds::{Object, kind_name, kind_of};
use crate::sys::{address, address_mut, raw};
use crate::{LinuxKernel, attr, log, sys};

impl LinuxKernel {
    pub(crate) fn id_after(&self, kind: ObjectKind, after: u32) -> Result<Option<u32>> {
        // No id is greater, and the kernel takes no such number.
        if after >= i32::MAX.cast_unsigned() {
            return Ok(None);
        }
        let command = match kind {
            ObjectKind::Map => Command::MapGetNextId,
            ObjectKind::Program => Command::ProgGetNextId,
            ObjectKind::Link => Command::LinkGetNextId,
            ObjectKind::Btf => Command::BtfGetNextId,
        };
        let mut request = attr::Id { id: after, ..attr::Id::default() };
        // SAFETY: the structure of the command, which holds no addresses.
        match unsafe { sys::bpf(command, &mut request) } {
            Ok(_) => Ok(Some(request.next_id)),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => {
                Err(refused(command, errno, format!("asking for the {} after id {after}", kind_name(kind))))
            }
        }
    }

    pub(crate) fn open_id(&self, kind: ObjectKind, id: u32) -> Result<Fd> {
        let command = match kind {
            ObjectKind::Map => Command::MapGetFdById,
            ObjectKind::Program => Command::ProgGetFdById,
            ObjectKind::Link => Command::LinkGetFdById,
            ObjectKind::Btf => Command::BtfGetFdById,
        };
        let mut request = attr::Id { id, ..attr::Id::default() };
        // SAFETY: the structure of the command, which holds no addresses and gives a descriptor.
        let fd = unsafe { sys::bpf_fd(command, &mut request) };
        let fd = fd.map_err(|errno| refused(command, errno, format!("opening {} {id}", kind_name(kind))))?;
        Ok(self.fds.insert(fd, kind))
    }

    pub(crate) fn pin_object(&self, fd: Fd, path: &Path) -> Result<()> {
        let object = self.fds.get_any(fd)?;
        let name = path_string(path)?;
        let mut request = attr::ObjPath {
            pathname: address(name.as_bytes_with_nul()),
            bpf_fd: raw(object.as_fd()),
            ..attr::ObjPath::default()
        };
        // SAFETY: the path is a zero-terminated string.
        let done = unsafe { sys::bpf(Command::ObjPin, &mut request) };
        done.map(drop).map_err(|errno| {
            refused(Command::ObjPin, errno, format!("pinning descriptor {} at {}", fd.0, path.display()))
        })
    }

    pub(crate) fn open_pinned(&self, path: &Path) -> Result<Fd> {
        let name = path_string(path)?;
        let mut request =
            attr::ObjPath { pathname: address(name.as_bytes_with_nul()), ..attr::ObjPath::default() };
        // SAFETY: the path is a zero-terminated string; the command gives a descriptor.
        let fd = unsafe { sys::bpf_fd(Command::ObjGet, &mut request) };
        let fd =
            fd.map_err(|errno| refused(Command::ObjGet, errno, format!("opening {}", path.display())))?;
        let kind = kind_of(fd.as_fd()).ok_or_else(|| {
            let what = format!("{} is neither a map nor a program, link or BTF object", path.display());
            KernelError::new(Errno::ENOTSUPP, what)
        })?;
        Ok(self.fds.insert(fd, kind))
    }

    pub(crate) fn load_btf(&self, btf: &[u8]) -> Result<Fd, LoadError> {
        let size = log::count(btf.len(), "bytes of BTF")?;
        let loaded = log::with_log(0, |log_level, log| {
            let request = attr::BtfLoad {
                btf: address(btf),
                btf_size: size,
                btf_log_level: log_level,
                btf_log_size: log.len() as u32,
                btf_log_buf: address_mut(log),
                ..attr::BtfLoad::default()
            };
            // SAFETY: data and log have the lengths that are given; the command gives a descriptor.
            self.with_memlock(|| unsafe { sys::bpf_fd(Command::BtfLoad, &mut { request }) })
        });
        match loaded {
            Ok(fd) => Ok(self.fds.insert(fd, ObjectKind::Btf)),
            Err((errno, log)) => {
                let error = refused(Command::BtfLoad, errno, format!("loading {size} bytes of BTF"));
                Err(LoadError { log, ..error.into() })
            }
        }
    }

    pub(crate) fn bytes_of_btf(&self, btf: Fd) -> Result<Vec<u8>> {
        let object = self.fds.get(btf, ObjectKind::Btf)?;
        let error = |errno| {
            refused(Command::ObjGetInfoByFd, errno, format!("reading the BTF with descriptor {}", btf.0))
        };
        let mut bytes = Vec::new();
        // The first question is for the size; the object never changes.
        for _ in 0..2 {
            let mut info = attr::BtfInfo {
                btf: address_mut(&mut bytes),
                btf_size: bytes.len() as u32,
                ..attr::BtfInfo::default()
            };
            // SAFETY: the buffer has the length that is given, and there is none for the name.
            unsafe { sys::info(object.as_fd(), &mut info) }.map_err(error)?;
            if info.btf_size as usize == bytes.len() {
                break;
            }
            bytes.resize(info.btf_size as usize, 0);
        }
        Ok(bytes)
    }
}

/// A name as the kernel takes it: cut to 15 bytes, characters other than letters, digits, `_` and `.` replaced by `_`.
pub(crate) fn name_bytes(name: &str) -> [u8; NAME_LEN] {
    let mut bytes = [0; NAME_LEN];
    for (to, from) in bytes.iter_mut().take(NAME_LEN - 1).zip(name.bytes()) {
        let allowed = from.is_ascii_alphanumeric() || matches!(from, b'_' | b'.');
        *to = if allowed { from } else { b'_' };
    }
    bytes
}

/// A zero-terminated name that the kernel wrote.
pub(crate) fn name_from(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// A field of the descriptor's entry in `/proc/self/fdinfo`.
pub(crate) fn fdinfo(object: &Object, field: &str) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", object.as_fd().as_raw_fd())).ok()?;
    text.lines().find_map(|line| Some(line.strip_prefix(field)?.strip_prefix(':')?.trim().to_owned()))
}

fn path_string(path: &Path) -> Result<CString> {
    c_string(path.as_os_str().as_bytes())
}

/// The bytes with a zero at the end.
pub(crate) fn c_string(bytes: &[u8]) -> Result<CString> {
    CString::new(bytes).map_err(|_| {
        KernelError::new(
            Errno::EINVAL,
            format!("`{}` has a zero byte in it", String::from_utf8_lossy(bytes).escape_debug()),
        )
    })
}
