//! Loading: an object's maps and programs become objects of a kernel.

use std::sync::Arc;

use skep_catalog::MapType;
use skep_kernel::{Fd, Kernel, MapBtf, MapCreate, ProgBtf, ProgLoad};
use skep_object::{CoreRelocations, KernelFacts, LinkedProgram, MapDef, Object, SlotValue};

use crate::attach::Link;
use crate::error::{Error, Result};
use crate::handle::Handle;

/// Bytes of a value that names a map: its descriptor.
const FD_SIZE: u32 = 4;

/// How to load.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// Verifier log level of every program: 0 none unless the load fails, 1 basic, 2 every instruction.
    pub log_level: u32,
    /// Load only these programs, also those that are not loaded unless asked for. Empty: all that load by themselves.
    pub only: Vec<String>,
    /// Take the layout of every type that CO-RE relocations ask for to be the one that the object was compiled with,
    /// instead of refusing programs that have such relocations.
    pub assume_local_layout: bool,
}

/// An object in a kernel: its maps and programs. Everything is given back when it is dropped.
pub struct Loaded {
    kernel: Arc<dyn Kernel>,
    /// Maps, in the order of [`Object::maps`].
    pub maps: Vec<LoadedMap>,
    /// Programs that were loaded.
    pub programs: Vec<LoadedProgram>,
    /// Links made so far.
    pub links: Vec<Link>,
    /// BTF of the object, where it has one that the kernel accepts.
    _btf: Option<Handle>,
    /// What was left out or done differently, each with the reason.
    pub warnings: Vec<String>,
}

/// A map in a kernel.
#[derive(Debug)]
pub struct LoadedMap {
    /// What it was made from.
    pub def: MapDef,
    /// The map.
    pub handle: Handle,
}

/// A program in a kernel.
#[derive(Debug)]
pub struct LoadedProgram {
    /// Index in [`Object::programs`].
    pub index: usize,
    /// Name.
    pub name: String,
    /// Section as written in the object.
    pub section: String,
    /// What the section's name says.
    pub kind: skep_object::SectionKind,
    /// The program.
    pub handle: Handle,
}

/// Loads an object: creates its maps, fills those of global data, loads its programs, then fills maps of maps and program
/// arrays.
///
/// # Errors
/// [`Error`] names the map or program that the kernel refused, and why.
pub fn load(object: &Object, kernel: &Arc<dyn Kernel>, options: &LoadOptions) -> Result<Loaded> {
    check_names(object, options)?;
    let mut object = object.clone();
    object.set_kernel_facts(&KernelFacts {
        version: kernel.linux_version(),
        has_bpf_cookie: true,
        has_syscall_wrapper: true,
    })?;
    let object = &object;
    let mut warnings = object.warnings.clone();
    let btf = load_btf(object, kernel, &mut warnings);
    let btf_fd = btf.as_ref().map(Handle::fd);

    let mut maps = Vec::with_capacity(object.maps.len());
    for def in &object.maps {
        let handle = create_map(def, kernel, btf_fd)?;
        fill_data(def, &handle)?;
        maps.push(LoadedMap { def: def.clone(), handle });
    }

    let mut programs = Vec::new();
    for (index, program) in object.programs.iter().enumerate() {
        let wanted = match options.only.as_slice() {
            [] => program.autoload,
            only => only.contains(&program.name),
        };
        if wanted {
            let linked = object.link_program(index, core(options))?;
            let handle = load_program(object, index, &linked, &maps, kernel, btf_fd, options)?;
            let (name, section) = (program.name.clone(), program.section.clone());
            programs.push(LoadedProgram { index, name, section, kind: program.kind.clone(), handle });
        }
    }
    let loaded =
        Loaded { kernel: Arc::clone(kernel), maps, programs, links: Vec::new(), _btf: btf, warnings };
    fill_slots(&loaded)?;
    Ok(loaded)
}

fn core(options: &LoadOptions) -> CoreRelocations<'static> {
    if options.assume_local_layout { CoreRelocations::KeepLocal } else { CoreRelocations::Refuse }
}

/// Every program that is asked for must be there.
fn check_names(object: &Object, options: &LoadOptions) -> Result<()> {
    let Some(name) = options.only.iter().find(|name| object.program(name).is_none()) else { return Ok(()) };
    let known: Vec<_> = object.programs.iter().map(|program| program.name.as_str()).collect();
    Err(Error::NoSuch { what: "program", name: name.clone(), known: known.join(", ") })
}

/// A kernel that refuses the BTF can still run the programs, as long as nothing in them needs it.
fn load_btf(object: &Object, kernel: &Arc<dyn Kernel>, warnings: &mut Vec<String>) -> Option<Handle> {
    let btf = object.loadable_btf()?;
    match kernel.btf_load(&btf) {
        Ok(fd) => Some(Handle::new(kernel, fd)),
        Err(error) => {
            warnings.push(format!("loading without BTF: {error}"));
            None
        }
    }
}

fn create_map(def: &MapDef, kernel: &Arc<dyn Kernel>, btf: Option<Fd>) -> Result<Handle> {
    let refused = |source| Error::Map { map: def.name.clone(), source };
    let Some(map_type) = def.known_type() else {
        let what = format!("map type {} is not known", def.map_type);
        return Err(refused(skep_kernel::KernelError::new(skep_kernel::Errno::EINVAL, what)));
    };
    let inner = def.inner.as_ref().map(|inner| create_map(inner, kernel, btf)).transpose()?;
    let create = MapCreate {
        map_type,
        key_size: def.key_size,
        value_size: match map_type {
            // What a definition says here describes the records to user space; the kernel takes no value size.
            MapType::Ringbuf | MapType::UserRingbuf => 0,
            MapType::ArrayOfMaps | MapType::HashOfMaps if def.value_size == 0 => FD_SIZE,
            _ => def.value_size,
        },
        max_entries: match map_type {
            MapType::PerfEventArray if def.max_entries == 0 => kernel.possible_cpus(),
            _ => def.max_entries,
        },
        flags: def.map_flags,
        extra: def.map_extra,
        name: def.name.clone(),
        inner: inner.as_ref().map(Handle::fd),
        btf: match btf {
            Some(fd) if def.takes_btf() && def.value_type_id != 0 => {
                Some(MapBtf { fd, key_type_id: def.key_type_id, value_type_id: def.value_type_id })
            }
            _ => None,
        },
    };
    let create = if matches!(map_type, MapType::Ringbuf | MapType::UserRingbuf) {
        MapCreate { key_size: 0, ..create }
    } else {
        create
    };
    match kernel.map_create(&create) {
        Ok(fd) => Ok(Handle::new(kernel, fd)),
        // Kernels refuse types in places where they know no use for them (a value with a lock in the wrong map, say);
        // what the map does without them is the same.
        Err(error) if create.btf.is_some() => match kernel.map_create(&MapCreate { btf: None, ..create }) {
            Ok(fd) => Ok(Handle::new(kernel, fd)),
            Err(_) => Err(refused(error)),
        },
        Err(error) => Err(refused(error)),
    }
}

fn fill_data(def: &MapDef, handle: &Handle) -> Result<()> {
    if !def.is_data() {
        return Ok(());
    }
    let refused = |source| Error::Map { map: def.name.clone(), source };
    let kernel = handle.kernel();
    kernel.map_update(handle.fd(), &0u32.to_ne_bytes(), &def.initial_value(), 0).map_err(refused)?;
    if def.frozen {
        kernel.map_freeze(handle.fd()).map_err(refused)?;
    }
    Ok(())
}

fn load_program(
    object: &Object,
    index: usize,
    linked: &LinkedProgram,
    maps: &[LoadedMap],
    kernel: &Arc<dyn Kernel>,
    btf: Option<Fd>,
    options: &LoadOptions,
) -> Result<Handle> {
    let program = &object.programs[index];
    let (name, section) = (program.name.clone(), program.section.clone());
    let Some(prog_type) = program.kind.prog_type else {
        return Err(Error::UnknownType { program: name, section });
    };
    let load = ProgLoad {
        prog_type,
        expected_attach_type: program.kind.attach_type,
        insns: linked.insns.clone(),
        maps: linked.maps.iter().map(|&map| maps[map].handle.fd()).collect(),
        license: object.license.clone(),
        kern_version: object.version,
        name: name.clone(),
        flags: program.kind.prog_flags,
        btf: btf.filter(|_| !linked.func_info.is_empty()).map(|fd| ProgBtf {
            fd,
            func_info: linked.func_info.clone(),
            func_info_rec_size: linked.func_info_rec_size,
            line_info: linked.line_info.clone(),
            line_info_rec_size: linked.line_info_rec_size,
        }),
        attach_btf_id: 0,
        log_level: options.log_level,
    };
    match kernel.prog_load(&load) {
        Ok(fd) => Ok(Handle::new(kernel, fd)),
        Err(source) => Err(Error::Program { program: name, section, source }),
    }
}

/// Elements that are maps or programs: they exist only now.
fn fill_slots(loaded: &Loaded) -> Result<()> {
    for map in &loaded.maps {
        for slot in &map.def.slots {
            let fd = match slot.value {
                SlotValue::Map(index) => loaded.maps.get(index).map(|map| map.handle.fd()),
                // A program that was not to be loaded leaves its slot empty.
                SlotValue::Program(index) => loaded
                    .programs
                    .iter()
                    .find(|program| program.index == index)
                    .map(|program| program.handle.fd()),
            };
            if let Some(fd) = fd {
                let refused = |source| Error::Map { map: map.def.name.clone(), source };
                loaded
                    .kernel
                    .map_update(map.handle.fd(), &slot.index.to_ne_bytes(), &fd.0.to_ne_bytes(), 0)
                    .map_err(refused)?;
            }
        }
    }
    Ok(())
}

impl Loaded {
    /// The kernel that it is in.
    #[must_use]
    pub fn kernel(&self) -> &Arc<dyn Kernel> {
        &self.kernel
    }

    /// The map with this name.
    #[must_use]
    pub fn map(&self, name: &str) -> Option<&LoadedMap> {
        self.maps.iter().find(|map| map.def.name == name)
    }

    /// The program with this name.
    #[must_use]
    pub fn program(&self, name: &str) -> Option<&LoadedProgram> {
        self.programs.iter().find(|program| program.name == name)
    }
}

impl LoadedMap {
    /// Every key and value, in the map's own order, while programs go on writing: elements that come or go meanwhile may
    /// or may not be among them. At most `max_entries` elements.
    ///
    /// # Errors
    /// What the kernel answers, for map types that cannot be walked.
    pub fn entries(&self) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let (kernel, fd) = (self.handle.kernel(), self.handle.fd());
        let refused = |source| Error::Map { map: self.def.name.clone(), source };
        let mut entries = Vec::new();
        let mut key: Option<Vec<u8>> = None;
        while entries.len() < self.def.max_entries as usize {
            let next = match kernel.map_next_key(fd, key.as_deref()) {
                Ok(next) => next,
                Err(error) if error.errno == skep_kernel::Errno::ENOENT => break,
                Err(error) => return Err(refused(error)),
            };
            match kernel.map_lookup(fd, &next, 0) {
                Ok(value) => entries.push((next.clone(), value)),
                // Deleted between the two calls.
                Err(error) if error.errno == skep_kernel::Errno::ENOENT => {}
                Err(error) => return Err(refused(error)),
            }
            key = Some(next);
        }
        Ok(entries)
    }
}
