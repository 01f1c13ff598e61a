//! Maps: creation and access to elements.

use std::os::fd::AsFd;

use skep_catalog::{Command, MapType};
use skep_kernel::{Errno, Fd, KernelError, MapCreate, MapInfo, ObjectKind, Result};

use crate::explain::refused;
use crate::fds::{MapShape, Object};
use crate::objects::{name_bytes, name_from};
use crate::sys::{address, address_mut, raw};
use crate::{LinuxKernel, attr, sys};

impl LinuxKernel {
    pub(crate) fn create_map(&self, spec: &MapCreate) -> Result<Fd> {
        let mut request = attr::MapCreate {
            map_type: spec.map_type.number(),
            key_size: spec.key_size,
            value_size: spec.value_size,
            max_entries: spec.max_entries,
            map_flags: spec.flags,
            map_extra: spec.extra,
            map_name: name_bytes(&spec.name),
            ..attr::MapCreate::default()
        };
        if matches!(spec.map_type, MapType::ArrayOfMaps | MapType::HashOfMaps) && spec.inner.is_none() {
            // The kernel would take descriptor 0, whatever that is.
            let what =
                format!("creating map `{}`: a map of maps needs a template for its inner maps", spec.name);
            return Err(KernelError::new(Errno::EINVAL, what));
        }
        // These hold the descriptors open during the call.
        let inner = spec.inner.map(|inner| self.fds.get(inner, ObjectKind::Map)).transpose()?;
        let btf = spec.btf.map(|btf| self.fds.get(btf.fd, ObjectKind::Btf)).transpose()?;
        if let Some(inner) = &inner {
            request.inner_map_fd = raw(inner.as_fd());
        }
        if let (Some(object), Some(types)) = (&btf, spec.btf) {
            request.btf_fd = raw(object.as_fd());
            request.btf_key_type_id = types.key_type_id;
            request.btf_value_type_id = types.value_type_id;
        }
        // SAFETY: the structure of the command, which holds no addresses.
        let created = self.with_memlock(|| unsafe { sys::bpf_fd(Command::MapCreate, &mut { request }) });
        let fd = created.map_err(|errno| {
            let what = format!(
                "creating map `{}` ({}, key {} bytes, value {} bytes, max_entries {}, flags {:#x})",
                spec.name, spec.map_type, spec.key_size, spec.value_size, spec.max_entries, spec.flags
            );
            refused(Command::MapCreate, errno, what)
        })?;
        Ok(self.fds.insert(fd, ObjectKind::Map))
    }

    pub(crate) fn map_shape(&self, map: Fd) -> Result<(std::sync::Arc<Object>, MapShape)> {
        let object = self.fds.get(map, ObjectKind::Map)?;
        if let Some(shape) = object.shape.get() {
            return Ok((object.clone(), *shape));
        }
        let info = map_info(&object, map)?;
        let shape = MapShape {
            map_type: MapType::from_number(info.map_type),
            key_size: info.key_size,
            value_size: info.value_size,
            max_entries: info.max_entries,
        };
        Ok((object.clone(), *object.shape.get_or_init(|| shape)))
    }

    /// Bytes that `bpf(2)` reads or writes for a value.
    fn value_len(&self, shape: &MapShape) -> usize {
        let size = shape.value_size as usize;
        let per_cpu = matches!(
            shape.map_type,
            Some(
                MapType::PercpuHash
                    | MapType::PercpuArray
                    | MapType::LruPercpuHash
                    | MapType::PercpuCgroupStorage
            )
        );
        // User space sees the maps of other objects by descriptor or id.
        let is_fd_map = matches!(
            shape.map_type,
            Some(
                MapType::ProgArray
                    | MapType::PerfEventArray
                    | MapType::CgroupArray
                    | MapType::ArrayOfMaps
                    | MapType::HashOfMaps
            )
        );
        if per_cpu {
            size.next_multiple_of(8) * self.cpus as usize
        } else if is_fd_map {
            4
        } else {
            size
        }
    }

    /// One `BPF_MAP_*_ELEM` command with buffers of the right sizes. None where the map or the command has no such part.
    fn element(
        &self,
        command: Command,
        map: Fd,
        key: Option<&[u8]>,
        value: Value<'_>,
        flags: u64,
    ) -> Result<()> {
        let (object, shape) = self.map_shape(map)?;
        let key = match key {
            // Queues, stacks and bloom filters have none.
            Some([]) if shape.key_size == 0 => None,
            key => key,
        };
        if let Some(key) = key
            && key.len() != shape.key_size as usize
        {
            let what = format!(
                "{}: the key has {} bytes, the map's keys {}",
                describe(command, map),
                key.len(),
                shape.key_size
            );
            return Err(KernelError::new(Errno::EINVAL, what));
        }
        let expected = match &value {
            Value::None => 0,
            Value::NextKey(_) => shape.key_size as usize,
            Value::In(_) | Value::Out(_) => self.value_len(&shape),
        };
        if value.len() != expected {
            let what = format!(
                "{}: the value has {} bytes, the map's values {expected}",
                describe(command, map),
                value.len()
            );
            return Err(KernelError::new(Errno::EINVAL, what));
        }
        let mut request = attr::MapElem {
            map_fd: raw(object.as_fd()),
            key: key.map_or(0, address),
            value: match value {
                Value::None => 0,
                Value::In(bytes) => address(bytes),
                Value::NextKey(bytes) | Value::Out(bytes) => address_mut(bytes),
            },
            flags,
            ..attr::MapElem::default()
        };
        // SAFETY: key and value have just the sizes that the map's elements have for user space.
        let done = unsafe { sys::bpf(command, &mut request) };
        done.map(drop).map_err(|errno| refused(command, errno, describe(command, map)))
    }

    pub(crate) fn lookup(&self, map: Fd, key: &[u8], flags: u64) -> Result<Vec<u8>> {
        let (_, shape) = self.map_shape(map)?;
        if shape.map_type == Some(MapType::BloomFilter) {
            // The value is what is looked for.
            let mut value = key.to_vec();
            self.element(Command::MapLookupElem, map, None, Value::Out(&mut value), flags)?;
            return Ok(value);
        }
        let mut value = vec![0; self.value_len(&shape)];
        self.element(Command::MapLookupElem, map, Some(key), Value::Out(&mut value), flags)?;
        Ok(value)
    }

    pub(crate) fn lookup_and_delete(&self, map: Fd, key: &[u8], flags: u64) -> Result<Vec<u8>> {
        let (_, shape) = self.map_shape(map)?;
        let mut value = vec![0; self.value_len(&shape)];
        self.element(Command::MapLookupAndDeleteElem, map, Some(key), Value::Out(&mut value), flags)?;
        Ok(value)
    }

    pub(crate) fn update(&self, map: Fd, key: &[u8], value: &[u8], flags: u64) -> Result<()> {
        self.element(Command::MapUpdateElem, map, Some(key), Value::In(value), flags)
    }

    pub(crate) fn delete(&self, map: Fd, key: &[u8]) -> Result<()> {
        self.element(Command::MapDeleteElem, map, Some(key), Value::None, 0)
    }

    pub(crate) fn next_key(&self, map: Fd, key: Option<&[u8]>) -> Result<Vec<u8>> {
        let (_, shape) = self.map_shape(map)?;
        let mut next = vec![0; shape.key_size as usize];
        self.element(Command::MapGetNextKey, map, key, Value::NextKey(&mut next), 0)?;
        Ok(next)
    }

    pub(crate) fn freeze(&self, map: Fd) -> Result<()> {
        let object = self.fds.get(map, ObjectKind::Map)?;
        let mut request = attr::MapElem { map_fd: raw(object.as_fd()), ..attr::MapElem::default() };
        // SAFETY: the command takes just the descriptor.
        let done = unsafe { sys::bpf(Command::MapFreeze, &mut request) };
        done.map(drop).map_err(|errno| refused(Command::MapFreeze, errno, describe(Command::MapFreeze, map)))
    }

    pub(crate) fn info_of_map(&self, map: Fd) -> Result<MapInfo> {
        let object = self.fds.get(map, ObjectKind::Map)?;
        let info = map_info(&object, map)?;
        let map_type = MapType::from_number(info.map_type).ok_or_else(|| {
            let what =
                format!("map {} has type {}, which is newer than this program", info.id, info.map_type);
            KernelError::new(Errno::ENOTSUPP, what)
        })?;
        Ok(MapInfo {
            id: info.id,
            map_type,
            key_size: info.key_size,
            value_size: info.value_size,
            max_entries: info.max_entries,
            flags: info.map_flags,
            name: name_from(&info.name),
            btf_id: info.btf_id,
            btf_key_type_id: info.btf_key_type_id,
            btf_value_type_id: info.btf_value_type_id,
            frozen: is_frozen(&object),
        })
    }
}

/// The value part of an element command.
enum Value<'a> {
    None,
    In(&'a [u8]),
    Out(&'a mut [u8]),
    NextKey(&'a mut [u8]),
}

impl Value<'_> {
    fn len(&self) -> usize {
        match self {
            Value::None => 0,
            Value::In(bytes) => bytes.len(),
            Value::Out(bytes) | Value::NextKey(bytes) => bytes.len(),
        }
    }
}

fn describe(command: Command, map: Fd) -> String {
    format!("{command} on the map with descriptor {}", map.0)
}

fn map_info(object: &Object, map: Fd) -> Result<attr::MapInfo> {
    let mut info = attr::MapInfo::default();
    // SAFETY: the structure for maps, which holds no addresses.
    unsafe { sys::info(object.as_fd(), &mut info) }.map_err(|errno| {
        refused(Command::ObjGetInfoByFd, errno, format!("asking about the map with descriptor {}", map.0))
    })?;
    Ok(info)
}

/// `struct bpf_map_info` does not say it; the descriptor's entry in `/proc` does.
fn is_frozen(object: &Object) -> bool {
    crate::objects::fdinfo(object, "frozen").is_some_and(|value| value != "0")
}
