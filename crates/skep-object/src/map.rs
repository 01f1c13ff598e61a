//! Map definitions, whichever way the object writes them.

use skep_catalog::MapType;

use crate::program::FuncRef;

/// A map that the object's programs use. Numbers are as in `union bpf_attr` of `BPF_MAP_CREATE`; edit them freely
/// before loading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapDef {
    /// Name. Maps of global data are named as libbpf names them: the object's name cut so that it and the section
    /// make at most 15 bytes (`hello.rodata`), or the section alone where that has a second dot (`.rodata.config`).
    pub name: String,
    /// Section that defines it.
    pub section: String,
    /// Byte offset of the definition in the section.
    pub section_offset: u64,
    /// How it is defined.
    pub origin: MapOrigin,
    /// `enum bpf_map_type`; a number, because an object may use a type that is newer than this library.
    pub map_type: u32,
    /// Bytes in a key.
    pub key_size: u32,
    /// Bytes in a value.
    pub value_size: u32,
    /// Elements, or bytes for ring buffers. 0 in a perf event array means one per CPU.
    pub max_entries: u32,
    /// `BPF_F_*` creation flags.
    pub map_flags: u32,
    /// NUMA node, if `BPF_F_NUMA_NODE` is among the flags.
    pub numa_node: u32,
    /// Type-specific (`map_extra`).
    pub map_extra: u64,
    /// Pinning that the object asks for.
    pub pinning: Pinning,
    /// BTF type id of a key, 0 if none.
    pub key_type_id: u32,
    /// BTF type id of a value, 0 if none.
    pub value_type_id: u32,
    /// Template of the inner maps of a map of maps.
    pub inner: Option<Box<MapDef>>,
    /// Elements to fill in before the programs run: inner maps, and programs of prog arrays.
    pub slots: Vec<MapSlot>,
    /// First bytes of the initial value of a map of global data or a `struct_ops` map; the rest, up to `value_size`,
    /// is zero.
    pub data: Vec<u8>,
    /// User space may no longer write it once it is filled (`BPF_MAP_FREEZE`): read-only data and kconfig.
    pub frozen: bool,
}

/// How a map is defined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MapOrigin {
    /// A structure in section `.maps`, described by BTF.
    Btf,
    /// A record in section `maps` or `maps/NAME`.
    Legacy(LegacyRecord),
    /// A section of global variables.
    Data(DataKind),
    /// A variable in a `.struct_ops` section.
    StructOps(StructOps),
}

/// The parts of a legacy record that have no attribute of `BPF_MAP_CREATE`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LegacyRecord {
    /// Bytes in the record.
    pub size: u32,
    /// iproute2's `id`, by which `inner_id` of other records and tail-call sections (`ID/SLOT`) refer to it.
    pub id: u32,
    /// iproute2's `inner_id`: the `id` of the inner map, 0 if none.
    pub inner_id: u32,
    /// iproute2's `inner_idx`: the slot that this map takes in a map of maps that has it as inner map.
    pub inner_idx: u32,
}

/// Sorts of global data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DataKind {
    /// `.rodata*`: constants, read-only for programs and frozen before they load.
    Rodata,
    /// `.data*`: initialised variables.
    Data,
    /// `.bss*`: variables that start as zero.
    Bss,
    /// `.kconfig`: values of the kernel's configuration, see [`Extern`](crate::Extern).
    Kconfig,
}

/// A `struct_ops` variable: a structure of the kernel that programs fill with functions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StructOps {
    /// Name of the structure, such as `tcp_congestion_ops`.
    pub type_name: String,
    /// BTF type id of the structure in the object.
    pub type_id: u32,
    /// Functions, by byte offset of the member that points to them.
    pub members: Vec<(u32, FuncRef)>,
    /// From `.struct_ops.link`: attached by a link (`BPF_F_LINK`).
    pub link: bool,
    /// Section name without a leading `?`: created without being asked for.
    pub autocreate: bool,
}

/// One element to fill in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MapSlot {
    /// Index in the array (or key of the hash) of maps, or in the prog array.
    pub index: u32,
    /// What goes there.
    pub value: SlotValue,
}

/// What goes into an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SlotValue {
    /// A map, by index in [`Object::maps`](crate::Object::maps).
    Map(usize),
    /// A program, by index in [`Object::programs`](crate::Object::programs).
    Program(usize),
}

/// Pinning that a definition asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Pinning {
    /// None (0).
    #[default]
    None,
    /// By name under the object's pin path (`LIBBPF_PIN_BY_NAME`, 1; iproute2's `PIN_OBJECT_NS`).
    ByName,
    /// A value that the object's own loader gives a meaning, such as iproute2's `PIN_GLOBAL_NS` (2) or Cilium's
    /// replace flag (16). Treat as [`Pinning::None`] unless you know it.
    Other(u32),
}

impl Pinning {
    /// The pinning with this number.
    #[must_use]
    pub const fn from_number(number: u32) -> Self {
        match number {
            0 => Pinning::None,
            1 => Pinning::ByName,
            other => Pinning::Other(other),
        }
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Pinning::None => 0,
            Pinning::ByName => 1,
            Pinning::Other(other) => other,
        }
    }
}

impl MapDef {
    /// A definition with nothing in it but name and place.
    pub(crate) fn new(name: &str, section: &str, section_offset: u64, origin: MapOrigin) -> Self {
        MapDef {
            name: name.to_owned(),
            section: section.to_owned(),
            section_offset,
            origin,
            map_type: 0,
            key_size: 0,
            value_size: 0,
            max_entries: 0,
            map_flags: 0,
            numa_node: 0,
            map_extra: 0,
            pinning: Pinning::None,
            key_type_id: 0,
            value_type_id: 0,
            inner: None,
            slots: Vec::new(),
            data: Vec::new(),
            frozen: false,
        }
    }

    /// Its type, if this library knows it.
    #[must_use]
    pub fn known_type(&self) -> Option<MapType> {
        MapType::from_number(self.map_type)
    }

    /// Name of its type in `linux/bpf.h`, or the number.
    #[must_use]
    pub fn type_name(&self) -> String {
        self.known_type().map_or_else(|| self.map_type.to_string(), |kind| kind.uapi_name().to_owned())
    }

    /// Whether its one value holds global data.
    #[must_use]
    pub fn is_data(&self) -> bool {
        matches!(self.origin, MapOrigin::Data(_))
    }

    /// Whether the kernel lets a map of this type carry BTF ids of key and value. For the others the ids only tell
    /// user space what the elements are.
    #[must_use]
    pub fn takes_btf(&self) -> bool {
        use MapType as M;
        !matches!(
            self.known_type(),
            Some(
                M::PerfEventArray
                    | M::CgroupArray
                    | M::StackTrace
                    | M::ArrayOfMaps
                    | M::HashOfMaps
                    | M::Devmap
                    | M::DevmapHash
                    | M::Cpumap
                    | M::Xskmap
                    | M::Sockmap
                    | M::Sockhash
                    | M::ProgArray
                    | M::Ringbuf
                    | M::UserRingbuf
                    | M::ReuseportSockarray
                    | M::Arena
            )
        )
    }

    /// The whole initial value: [`MapDef::data`] and zeros up to `value_size`.
    #[must_use]
    pub fn initial_value(&self) -> Vec<u8> {
        let mut value = self.data.clone();
        value.resize(self.value_size as usize, 0);
        value
    }
}
