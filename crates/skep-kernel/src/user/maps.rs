//! `BPF_MAP_*`: creation with its BTF, and access through descriptors.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use skep_btf::{Btf, Kind};
use skep_catalog::MapType;
use skep_maps::{CreateFlags, Map, MapError, MapSpec, RingConsumer};

use crate::error::{Errno, KernelError};
use crate::kernel::{Fd, MapBtf, MapCreate, MapInfo, Result, RingReader};

use super::UserKernel;
use super::fds::{Access, Handle};
use super::object::{MapHandle, MapObject, MapTypes};

impl UserKernel {
    pub(super) fn create_map(&self, create: &MapCreate) -> Result<Fd> {
        let fail = |errno, why: String| Err(KernelError::new(errno, format!("map {}: {why}", create.name)));
        let name = super::names::checked(&create.name)?;
        if create.inner.is_some() {
            return fail(Errno::EINVAL, format!("{} has no inner maps", create.map_type.uapi_name()));
        }
        let spec = MapSpec {
            map_type: create.map_type,
            key_size: create.key_size,
            value_size: create.value_size,
            max_entries: create.max_entries,
            flags: create.flags,
            extra: create.extra,
            possible_cpus: self.possible_cpus,
        };
        let map = match skep_maps::create(&spec) {
            Ok(map) => map,
            Err(error) => return fail(Errno(error.errno()), error.to_string()),
        };
        let btf = create.btf.map(|btf| self.map_types(create, btf)).transpose()?;
        let access = Access {
            read: create.flags & CreateFlags::WRONLY == 0,
            write: create.flags & CreateFlags::RDONLY == 0,
        };
        let object = self.maps.create(|id| MapObject::new(id, map, name, btf));
        let object = object.ok_or_else(|| KernelError::new(Errno::ENOSPC, "all map ids are in use"))?;
        self.fds.open(Handle::Map(MapHandle::new(object), access))
    }

    /// Checks BTF of a map's key and value.
    fn map_types(&self, create: &MapCreate, ids: MapBtf) -> Result<MapTypes> {
        let object = self.fds.btf(ids.fd)?;
        let fail = |why: String| {
            Err(KernelError::new(Errno::EINVAL, format!("map {}: BTF of key and value: {why}", create.name)))
        };
        let names_types = ids.key_type_id != 0 || ids.value_type_id != 0;
        if let (true, Err(why)) = (names_types, check_types(&object.btf, create, ids)) {
            return fail(why);
        }
        Ok(MapTypes { btf: object, key: ids.key_type_id, value: ids.value_type_id })
    }

    /// The map, if its descriptor was opened for what is asked and the map is not frozen against it.
    fn accessible(&self, fd: Fd, wanted: Access) -> Result<MapHandle> {
        let (object, access) = self.fds.map(fd)?;
        let refuse = |why: &str| Err(KernelError::new(Errno::EPERM, format!("map {}: {why}", object.name)));
        if wanted.write && !access.write {
            return refuse("the descriptor is read-only");
        }
        if wanted.read && !access.read {
            return refuse("the descriptor is write-only");
        }
        if wanted.write && object.frozen.load(Ordering::Acquire) {
            return refuse("it is frozen");
        }
        Ok(object)
    }

    pub(super) fn lookup(&self, fd: Fd, key: &[u8], flags: u64) -> Result<Vec<u8>> {
        let object = self.accessible(fd, Access { read: true, write: false })?;
        object.map.lookup(key, flags).map_err(|error| refused(&object, "lookup", error))
    }

    pub(super) fn update(&self, fd: Fd, key: &[u8], value: &[u8], flags: u64) -> Result<()> {
        let object = self.accessible(fd, Access { read: false, write: true })?;
        let done = match object.map.prog_array() {
            Some(_) => return self.update_prog_array(&object, key, value, flags),
            None => object.map.update(key, value, flags),
        };
        done.map_err(|error| refused(&object, "update", error))
    }

    /// The value is a program's descriptor.
    fn update_prog_array(&self, object: &MapObject, key: &[u8], value: &[u8], flags: u64) -> Result<()> {
        let refuse = |error| Err(refused(object, "update", error));
        let Ok(index) = key.try_into().map(u32::from_ne_bytes) else { return refuse(MapError::KeySize) };
        let Ok(fd) = value.try_into().map(i32::from_ne_bytes) else { return refuse(MapError::ValueSize) };
        if flags != 0 {
            return refuse(MapError::InvalidFlags);
        }
        if index >= object.map.spec().max_entries {
            return refuse(MapError::IndexOutOfRange);
        }
        let program = self.fds.program(Fd(fd))?;
        object.admit(program.kind)?;
        let slot = program.program.slot(program.id.number(), Arc::clone(&program) as _);
        match object.map.prog_array().map(|array| array.set(index, slot)) {
            // What was there goes here.
            Some(Ok(_before)) => Ok(()),
            Some(Err(error)) => refuse(error),
            None => refuse(MapError::NotSupported),
        }
    }

    pub(super) fn delete(&self, fd: Fd, key: &[u8]) -> Result<()> {
        let object = self.accessible(fd, Access { read: false, write: true })?;
        object.map.delete(key).map_err(|error| refused(&object, "delete", error))
    }

    pub(super) fn lookup_and_delete(&self, fd: Fd, key: &[u8], flags: u64) -> Result<Vec<u8>> {
        let object = self.accessible(fd, Access::BOTH)?;
        object.map.lookup_and_delete(key, flags).map_err(|error| refused(&object, "lookup and delete", error))
    }

    pub(super) fn next_key(&self, fd: Fd, key: Option<&[u8]>) -> Result<Vec<u8>> {
        let object = self.accessible(fd, Access { read: true, write: false })?;
        let mut next = vec![0; object.map.spec().key_size as usize];
        match object.map.next_key(key, &mut next) {
            Ok(()) => Ok(next),
            Err(error) => Err(refused(&object, "next key", error)),
        }
    }

    pub(super) fn freeze(&self, fd: Fd) -> Result<()> {
        // Frozen maps are not writable, so that the second time answers EPERM, as on Linux.
        let object = self.accessible(fd, Access { read: false, write: true })?;
        object.frozen.store(true, Ordering::Release);
        Ok(())
    }

    pub(super) fn info_of_map(&self, fd: Fd) -> Result<MapInfo> {
        let (object, _) = self.fds.map(fd)?;
        let spec = object.map.spec();
        let btf = object.btf.as_ref();
        Ok(MapInfo {
            id: object.id.number(),
            map_type: spec.map_type,
            key_size: spec.key_size,
            value_size: spec.value_size,
            max_entries: spec.max_entries,
            // These two concern the descriptor.
            flags: spec.flags & !(CreateFlags::RDONLY | CreateFlags::WRONLY),
            name: object.name.clone(),
            btf_id: btf.map_or(0, |types| types.btf.id.number()),
            btf_key_type_id: btf.map_or(0, |types| types.key),
            btf_value_type_id: btf.map_or(0, |types| types.value),
            frozen: object.frozen.load(Ordering::Acquire),
        })
    }

    pub(super) fn reader(&self, fd: Fd) -> Result<Box<dyn RingReader>> {
        let object = self.accessible(fd, Access { read: true, write: false })?;
        let fail = |errno, why: &str| Err(KernelError::new(errno, format!("map {}: {why}", object.name)));
        let Some(ring) = object.map.ring() else { return fail(Errno::EINVAL, "it is not a ring buffer") };
        match ring.consumer() {
            Some(consumer) => Ok(Box::new(Reader { consumer, _map: Arc::clone(object.object()) })),
            None => fail(Errno::EBUSY, "the ring buffer has a reader already"),
        }
    }

    /// The storage of a map, for direct access in this process.
    ///
    /// # Errors
    /// `EBADF` and `EINVAL` as every use of a descriptor.
    pub fn map(&self, fd: Fd) -> Result<Arc<dyn Map>> {
        let (object, _) = self.fds.map(fd)?;
        Ok(Arc::clone(&object.map))
    }
}

fn refused(object: &MapObject, what: &str, error: MapError) -> KernelError {
    KernelError::new(Errno(error.errno()), format!("{what} in map {}: {error}", object.name))
}

/// The kernel's rules for types of keys and values.
fn check_types(btf: &Btf, create: &MapCreate, ids: MapBtf) -> std::result::Result<(), String> {
    let array = matches!(create.map_type, MapType::Array | MapType::PercpuArray);
    let size = |id: u32| btf.size_of(id).map_err(|error| error.to_string());
    let value_size = size(ids.value_type_id)?;
    if value_size != create.value_size {
        return Err(format!("the value's type has {value_size} bytes, values have {}", create.value_size));
    }
    if ids.key_type_id == 0 {
        // Global data: the value is a section, and there is only the one.
        let value = btf.resolve(ids.value_type_id).map_err(|error| error.to_string())?;
        if create.map_type == MapType::Array && create.max_entries == 1 && value.kind() == Kind::Datasec {
            return Ok(());
        }
        return Err("there is no type for the key".to_owned());
    }
    let key_size = size(ids.key_type_id)?;
    if key_size != create.key_size {
        return Err(format!("the key's type has {key_size} bytes, keys have {}", create.key_size));
    }
    let key = btf.resolve(ids.key_type_id).map_err(|error| error.to_string())?;
    if array && !key.int().is_some_and(|int| int.bits == 32 && int.bit_offset == 0) {
        return Err("the key of an array is a 32-bit integer".to_owned());
    }
    Ok(())
}

/// Reader of a ring buffer; it holds the map, as a mapping of its pages would.
struct Reader {
    consumer: RingConsumer,
    _map: Arc<MapObject>,
}

impl RingReader for Reader {
    fn consume(&mut self, each: &mut dyn FnMut(&[u8])) -> Result<usize> {
        let consumed = self.consumer.consume(each);
        consumed.map_err(|error| KernelError::new(Errno(error.errno()), error.to_string()))
    }

    fn wait(&mut self, timeout: Duration) -> Result<bool> {
        Ok(self.consumer.wait(timeout))
    }
}
