//! Legacy maps: records of 32-bit words in section `maps`, or one in each section `maps/NAME`.
//!
//! All begin with type, key size, value size and number of elements. What follows depends on the record's size, because every
//! loader had its own: 20 bytes (libbpf: flags), 24 (flags, inner map), 28 (flags, inner map and NUMA node; or flags, id and
//! pinning, as Aya has it), 36 (iproute2: flags, id, pinning, inner id, inner index), 280 (gobpf: flags, pinning, namespace).

use std::collections::{BTreeMap, HashMap};

use skep_btf::Kind;

use super::Reader;
use crate::error::{ErrorKind, ObjectError, Result};
use crate::map::{LegacyRecord, MapDef, MapOrigin, MapSlot, Pinning, SlotValue};
use crate::program::FuncRef;
use crate::section::Role;

const ARRAY_OF_MAPS: u32 = 12;
const HASH_OF_MAPS: u32 = 13;
const PROG_ARRAY: u32 = 3;
/// `BPF_F_NUMA_NODE` (`linux/bpf.h`).
const BPF_F_NUMA_NODE: u32 = 1 << 2;

/// Shortest record: type, key size, value size, number of elements.
const SHORTEST: usize = 16;
/// gobpf's record: six words and a namespace of 256 bytes.
const GOBPF: usize = 280;
/// iproute2's `struct bpf_elf_map`.
const IPROUTE2: usize = 36;

impl Reader<'_> {
    pub(super) fn read_legacy_maps(&mut self) -> Result<()> {
        let mut inner_index = HashMap::new();
        for section in self.sections(|role| role == Role::LegacyMaps) {
            self.read_legacy_section(section, &mut inner_index)?;
        }
        self.connect_inner_maps(&inner_index)?;
        self.connect_tail_calls();
        Ok(())
    }

    /// `inner_index` collects what records of maps of maps say of their inner map by position.
    fn read_legacy_section(
        &mut self,
        section: usize,
        inner_index: &mut HashMap<usize, (usize, u32)>,
    ) -> Result<()> {
        let elf = &self.elf.sections[section];
        let (section_name, data) = (elf.name, elf.data);
        let fail = |reason: String| ObjectError::new(ErrorKind::Map, reason).section(section_name);
        // One symbol names each record; of several at one place the first.
        let mut starts: BTreeMap<u64, (&str, u64)> = BTreeMap::new();
        for &number in self.symbols_in.get(&section).into_iter().flatten() {
            let symbol = &self.elf.symbols[number];
            if !symbol.is_section() && !symbol.name.is_empty() {
                starts.entry(symbol.value).or_insert((symbol.name, symbol.size));
            }
        }
        let own_name = section_name.strip_prefix("maps/").unwrap_or_default();
        if starts.is_empty() && !data.is_empty() {
            if own_name.is_empty() {
                return Err(fail(format!("its {} bytes hold maps, but no symbol names them", data.len())));
            }
            starts.insert(0, (own_name, 0));
        }
        let alone = starts.len() == 1;
        let first = self.object.maps.len();
        let ends: Vec<u64> = starts.keys().skip(1).copied().chain([data.len() as u64]).collect();
        for ((&start, &(symbol, size)), end) in starts.iter().zip(ends) {
            let fail = |reason: String| fail(reason).offset(start).map(symbol);
            // Without a size, and where padding follows, the record reaches to the next one.
            let end = if size == 0 { end } else { start.saturating_add(size) };
            let record = usize::try_from(start)
                .ok()
                .zip(usize::try_from(end).ok())
                .and_then(|(start, end)| data.get(start..end))
                .ok_or_else(|| fail(format!("its record reaches past the section's {} bytes", data.len())))?;
            if record.len() < SHORTEST {
                return Err(fail(format!(
                    "its record has {} bytes, too few for type, key size, value size and number of elements ({SHORTEST})",
                    record.len()
                )));
            }
            let name = if alone && !own_name.is_empty() { own_name } else { symbol };
            let (map, inner) = self.legacy_map(name, section_name, start, record);
            if let Some(inner) = inner {
                inner_index.insert(self.object.maps.len(), (first, inner));
            }
            self.spend(name.len() + section_name.len() + size_of::<MapDef>())?;
            self.map_at.insert((section, start), self.object.maps.len());
            if alone {
                self.map_of.insert(section, self.object.maps.len());
            }
            self.object.maps.push(map);
        }
        Ok(())
    }

    /// Reads one record; also the position of the inner map in the section, where the record has that.
    fn legacy_map(&self, name: &str, section: &str, start: u64, record: &[u8]) -> (MapDef, Option<u32>) {
        let word = |index: usize| {
            record
                .get(index * 4..index * 4 + 4)
                .and_then(|b| <[u8; 4]>::try_from(b).ok())
                .map_or(0, |b| self.u32(b))
        };
        let mut legacy =
            LegacyRecord { size: u32::try_from(record.len()).unwrap_or(u32::MAX), ..LegacyRecord::default() };
        let mut pinning = 0;
        let mut numa_node = 0;
        let mut inner = None;
        let (map_type, flags) = (word(0), word(4));
        let of_maps = map_type == ARRAY_OF_MAPS || map_type == HASH_OF_MAPS;
        match record.len() {
            GOBPF.. => pinning = word(5),
            IPROUTE2.. => {
                (legacy.id, pinning) = (word(5), word(6));
                (legacy.inner_id, legacy.inner_idx) = (word(7), word(8));
            }
            _ => {
                if flags & BPF_F_NUMA_NODE != 0 {
                    numa_node = word(6);
                }
                if of_maps {
                    inner = (record.len() >= 24).then(|| word(5));
                } else if flags & BPF_F_NUMA_NODE == 0 {
                    (legacy.id, pinning) = (word(5), word(6));
                }
            }
        }
        let mut map = MapDef::new(name, section, start, MapOrigin::Legacy(legacy));
        (map.map_type, map.key_size, map.value_size, map.max_entries) = (map_type, word(1), word(2), word(3));
        map.map_flags = flags;
        map.numa_node = numa_node;
        map.pinning = Pinning::from_number(pinning);
        if let Some((key, value)) = self.annotated_types(name) {
            map.key_type_id = key;
            map.value_type_id = value;
        }
        (map, inner)
    }

    /// Types of key and value from `struct ____btf_map_NAME` (`BPF_ANNOTATE_KV_PAIR`).
    fn annotated_types(&self, map: &str) -> Option<(u32, u32)> {
        let btf = self.btf.as_ref()?;
        let container = btf.find(&format!("____btf_map_{map}"), Kind::Struct)?;
        let member = |name: &str| container.members().find(|member| member.name() == name);
        Some((member("key")?.type_id, member("value")?.type_id))
    }

    /// Maps of maps get their template, by iproute2's ids or by position in the section.
    fn connect_inner_maps(&mut self, by_position: &HashMap<usize, (usize, u32)>) -> Result<()> {
        let mut by_id: HashMap<u32, Vec<usize>> = HashMap::new();
        for (index, map) in self.object.maps.iter().enumerate() {
            if let MapOrigin::Legacy(LegacyRecord { id: id @ 1.., .. }) = map.origin {
                by_id.entry(id).or_default().push(index);
            }
        }
        for outer in 0..self.object.maps.len() {
            let map = &self.object.maps[outer];
            let MapOrigin::Legacy(record) = &map.origin else { continue };
            let of_maps = map.map_type == ARRAY_OF_MAPS || map.map_type == HASH_OF_MAPS;
            let by_id = if record.inner_id == 0 { None } else { by_id.get(&record.inner_id) };
            let template = match (by_id.and_then(|list| list.first()), by_position.get(&outer)) {
                (Some(&inner), _) => Some(inner),
                (None, Some(&(first, inner))) => Some(first.saturating_add(inner as usize)),
                (None, None) => None,
            };
            let Some(template) = template.filter(|&inner| of_maps && inner != outer) else { continue };
            let count = by_id.map_or(0, Vec::len);
            self.spend(count * size_of::<MapSlot>() + size_of::<MapDef>())?;
            let slots: Vec<MapSlot> = by_id
                .into_iter()
                .flatten()
                .filter_map(|&inner| match self.object.maps[inner].origin {
                    MapOrigin::Legacy(record) => {
                        Some(MapSlot { index: record.inner_idx, value: SlotValue::Map(inner) })
                    }
                    _ => None,
                })
                .collect();
            let Some(template) = self.object.maps.get(template).cloned() else { continue };
            let outer = &mut self.object.maps[outer];
            outer.inner = Some(Box::new(MapDef { inner: None, slots: Vec::new(), ..template }));
            outer.slots = slots;
        }
        Ok(())
    }

    /// iproute2's tail calls: the program of section `ID/SLOT` goes into that slot of the prog array of that id.
    fn connect_tail_calls(&mut self) {
        let number = |text: &str| match text.strip_prefix("0x") {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => text.parse().ok(),
        };
        let mut arrays: HashMap<u32, usize> = HashMap::new();
        for (index, map) in self.object.maps.iter().enumerate() {
            if let MapOrigin::Legacy(LegacyRecord { id: id @ 1.., .. }) = map.origin
                && map.map_type == PROG_ARRAY
            {
                arrays.entry(id).or_insert(index);
            }
        }
        for functions in &self.functions {
            for function in functions {
                let FuncRef::Program(program) = *function else { continue };
                let section = self.object.programs[program].section.as_str();
                let Some((id, slot)) = section.split_once('/') else { continue };
                if let (Some(id), Some(slot)) = (number(id), number(slot))
                    && let Some(&map) = arrays.get(&id)
                {
                    self.object.maps[map]
                        .slots
                        .push(MapSlot { index: slot, value: SlotValue::Program(program) });
                }
            }
        }
    }
}
