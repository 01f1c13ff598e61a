//! Maps that structures in section `.maps` define, and the elements that relocations put into them.
//!
//! Each member of the structure is an attribute: a number is the length of the array that it points to (`__uint`) or the only
//! enumerator of its type (`__ulong`), a type is what it points to (`__type`).

use skep_btf::{Btf, Kind, Type};

use super::{MAX_WARNINGS, Reader, short};
use crate::code::CodeAddress;
use crate::elf::{Definition, Rel, reloc};
use crate::error::{ErrorKind, ObjectError, Result};
use crate::map::{MapDef, MapOrigin, MapSlot, Pinning, SlotValue};
use crate::program::FuncRef;
use crate::section::Role;

const PROG_ARRAY: u32 = 3;
const ARRAY_OF_MAPS: u32 = 12;
const HASH_OF_MAPS: u32 = 13;
const RINGBUF: u32 = 27;
const USER_RINGBUF: u32 = 31;

/// Attributes of one definition; libbpf knows 13.
const MAX_ATTRIBUTES: usize = 64;

/// Bytes in an element of `values`, a pointer of the BPF machine.
const POINTER: u64 = 8;

impl Reader<'_> {
    pub(super) fn read_btf_maps(&mut self) -> Result<()> {
        for section in self.sections(|role| role == Role::BtfMaps) {
            let elf = &self.elf.sections[section];
            if elf.size == 0 {
                continue;
            }
            let (section_name, section_size) = (elf.name, elf.size);
            let fail = |reason: &str| ObjectError::new(ErrorKind::Map, reason).section(section_name);
            let Some(btf) = &self.btf else {
                return Err(fail("the object has no BTF to say what maps are in it; compile with -g"));
            };
            let Some(datasec) = btf.find(section_name, Kind::Datasec) else {
                return Err(fail("BTF has no DATASEC of this name to say what maps are in it"));
            };
            let mut found = Vec::new();
            let mut warnings = Vec::new();
            for info in datasec.secinfos() {
                let var = btf.require(info.type_id).map_err(|e| fail(&e.to_string()))?;
                let name = var.name_or_anon();
                let at = |e: ObjectError| e.section(section_name).map(name).offset(u64::from(info.offset));
                if u64::from(info.offset) >= section_size {
                    return Err(at(ObjectError::new(
                        ErrorKind::Map,
                        format!("it lies past the section's {section_size} bytes"),
                    )));
                }
                let mut definition = Definer { btf, warnings: &mut warnings, values_offset: None };
                let mut map = definition
                    .map(name, section_name, u64::from(info.offset), var.target().unwrap_or(0), false)
                    .map_err(at)?;
                if map.map_type == 0 {
                    return Err(at(ObjectError::new(ErrorKind::Map, "its type is not specified")));
                }
                drop_ring_buffer_sizes(&mut map, definition.warnings);
                found.push((info.offset, definition.values_offset, map));
            }
            for (offset, values, map) in found {
                self.spend(map.name.len() + map.section.len() + size_of::<MapDef>())?;
                if let Some(values) = values {
                    self.values_at.insert(self.object.maps.len(), u64::from(values));
                }
                self.map_at.insert((section, u64::from(offset)), self.object.maps.len());
                self.object.maps.push(map);
            }
            for warning in warnings {
                self.warn(warning);
            }
        }
        Ok(())
    }

    /// Elements of `values`, and functions of `struct_ops` variables, from the relocations of their sections.
    pub(super) fn read_map_slots(&mut self) -> Result<()> {
        for section in self.sections(|role| role == Role::BtfMaps || role == Role::StructOps) {
            for rel in std::mem::take(&mut self.elf.sections[section].relocations) {
                if rel.kind == reloc::NONE {
                    continue;
                }
                self.read_slot(section, &rel).map_err(|error| {
                    error
                        .section(self.elf.sections[section].name)
                        .offset(rel.offset)
                        .symbol(self.elf.symbol_name(rel.symbol))
                })?;
            }
        }
        Ok(())
    }

    fn read_slot(&mut self, section: usize, rel: &Rel) -> Result<()> {
        let fail = |reason: String| ObjectError::new(ErrorKind::Relocation, reason);
        if rel.kind != reloc::R64_64 && rel.kind != reloc::R64_ABS64 {
            return Err(fail(format!(
                "relocation type {} ({}) cannot fill an element; R_BPF_64_64 or R_BPF_64_ABS64 can",
                rel.kind,
                reloc::name(rel.kind)
            )));
        }
        let at = self.map_at.range((section, 0)..=(section, rel.offset)).next_back();
        let Some((&(_, start), &map)) = at else {
            return Err(fail("it does not lie in a map".to_owned()));
        };
        let inside = rel.offset - start;
        let data = self.elf.sections[section].data;
        let addend = match rel.addend {
            Some(addend) => addend.cast_unsigned(),
            None => self.u64_at(data, rel.offset),
        };
        let symbol = &self.elf.symbols[rel.symbol];
        let Definition::Section(target) = symbol.definition else {
            return Err(fail("its symbol is not defined in this object".to_owned())
                .map(self.object.maps[map].name.as_str()));
        };
        let place = symbol.value.wrapping_add(addend);
        let function = i64::try_from(place / 8)
            .ok()
            .and_then(|slot| self.function_at(CodeAddress { section: target, slot }))
            .filter(|_| place % 8 == 0);
        let definition = &self.object.maps[map];
        let fail = |reason: String| fail(reason).map(definition.name.as_str());
        if let MapOrigin::StructOps(_) = definition.origin {
            let Some(function) = function else {
                // A pointer to data of the object; the kernel takes only functions and plain values.
                let text = format!(
                    "map {}: its pointer at byte {inside:#x} is not to a function and is left as it is",
                    definition.name
                );
                self.warn(text);
                return Ok(());
            };
            if let MapOrigin::StructOps(ops) = &mut self.object.maps[map].origin {
                ops.members.push((u32::try_from(inside).unwrap_or(u32::MAX), function));
            }
            return Ok(());
        }
        let values = self.values_at.get(&map).copied();
        let Some(values) =
            values.filter(|&values| inside >= values && (inside - values).is_multiple_of(POINTER))
        else {
            return Err(fail("it does not lie on an element of the map's values".to_owned()));
        };
        let index = u32::try_from((inside - values) / POINTER)
            .map_err(|_| fail("the element's index does not fit 32 bits".to_owned()))?;
        let value = match definition.map_type {
            PROG_ARRAY => match function {
                Some(FuncRef::Program(program)) => SlotValue::Program(program),
                Some(FuncRef::Subprogram(function)) => {
                    let name = self.object.subprograms.get(function).map_or("", |f| f.name.as_str());
                    return Err(fail(format!(
                        "element {index} of a prog array must be a program, but {name} is a subprogram"
                    )));
                }
                None => {
                    return Err(fail(format!(
                        "element {index} of a prog array must be a program, but offset {place:#x} of section {} is none",
                        self.elf.sections[target].name
                    )));
                }
            },
            _ => match self.map_at.get(&(target, place)) {
                Some(&inner) if inner != map => SlotValue::Map(inner),
                _ => {
                    return Err(fail(format!(
                        "element {index} must be another map, but offset {place:#x} of section {} is none",
                        self.elf.sections[target].name
                    )));
                }
            },
        };
        self.object.maps[map].slots.push(MapSlot { index, value });
        Ok(())
    }
}

/// Ring buffers have neither keys nor values; some objects say a value's size to tell user space what is in them.
fn drop_ring_buffer_sizes(map: &mut MapDef, warnings: &mut Vec<String>) {
    if matches!(map.map_type, RINGBUF | USER_RINGBUF) && (map.key_size != 0 || map.value_size != 0) {
        if warnings.len() < MAX_WARNINGS {
            warnings.push(format!(
                "map {}: a ring buffer has neither keys nor values; key size {} and value size {} are taken as 0",
                short(&map.name),
                map.key_size,
                map.value_size
            ));
        }
        map.key_size = 0;
        map.value_size = 0;
    }
}

/// Turns a structure into a definition.
struct Definer<'a> {
    btf: &'a Btf,
    warnings: &'a mut Vec<String>,
    values_offset: Option<u32>,
}

impl Definer<'_> {
    fn map(
        &mut self,
        name: &str,
        section: &str,
        offset: u64,
        type_id: u32,
        is_inner: bool,
    ) -> Result<MapDef> {
        let btf = self.btf;
        let fail = |reason: String| ObjectError::new(ErrorKind::Map, reason);
        let ty = btf.resolve(type_id).map_err(|e| fail(e.to_string()))?;
        if ty.kind() != Kind::Struct {
            return Err(fail(format!("its type must be a structure of attributes, but is {}", ty.kind())));
        }
        let mut map = MapDef::new(name, section, offset, MapOrigin::Btf);
        let count = ty.members().len();
        if count > MAX_ATTRIBUTES {
            return Err(fail(format!(
                "its structure has {count} members; a definition has at most {MAX_ATTRIBUTES}"
            )));
        }
        for (position, member) in ty.members().enumerate() {
            let attribute = member.name();
            let fail = |reason: String| fail(format!("attribute {attribute}: {reason}"));
            let number = || number(btf, member.type_id).map_err(fail);
            let number32 = || {
                let value = number()?;
                u32::try_from(value).map_err(|_| fail(format!("{value} does not fit 32 bits")))
            };
            let size_of_pointee = || {
                let target = pointee(btf, member.type_id).map_err(fail)?;
                let size = btf.size_of(target).map_err(|e| fail(e.to_string()))?;
                Ok((target, size))
            };
            match attribute {
                "type" => map.map_type = number32()?,
                "max_entries" => map.max_entries = number32()?,
                "map_flags" => map.map_flags = number32()?,
                "numa_node" => map.numa_node = number32()?,
                "map_extra" => map.map_extra = number()?,
                "key_size" => set_size(&mut map.key_size, number32()?).map_err(fail)?,
                "value_size" => set_size(&mut map.value_size, number32()?).map_err(fail)?,
                "key" => {
                    let (target, size) = size_of_pointee()?;
                    set_size(&mut map.key_size, size).map_err(fail)?;
                    map.key_type_id = target;
                }
                "value" => {
                    let (target, size) = size_of_pointee()?;
                    set_size(&mut map.value_size, size).map_err(fail)?;
                    map.value_type_id = target;
                }
                "pinning" if is_inner => return Err(fail("an inner map cannot be pinned".to_owned())),
                "pinning" => map.pinning = Pinning::from_number(number32()?),
                "values" => {
                    if is_inner {
                        return Err(fail("an inner map cannot have elements".to_owned()));
                    }
                    if position + 1 != count {
                        return Err(fail("it must be the last attribute".to_owned()));
                    }
                    self.values_offset = Some(member.bit_offset / 8);
                    self.values(&mut map, member.type_id).map_err(|e| fail(e.reason))?;
                }
                _ if self.warnings.len() < MAX_WARNINGS => self.warnings.push(format!(
                    "map {}: attribute {} is not known and is passed over",
                    short(name),
                    short(attribute)
                )),
                _ => {}
            }
        }
        Ok(map)
    }

    /// `values`: an array of pointers to the inner map's definition, or to the prototype of a program.
    fn values(&mut self, map: &mut MapDef, type_id: u32) -> Result<()> {
        let btf = self.btf;
        let fail = |reason: String| ObjectError::new(ErrorKind::Map, reason);
        let ty = btf.resolve(type_id).map_err(|e| fail(e.to_string()))?;
        let Some(array) = ty.array() else {
            return Err(fail(format!("it must be an array of pointers, but is {}", ty.kind())));
        };
        let target = pointee(btf, array.element).map_err(fail)?;
        let target_type = btf.resolve(target).map_err(|e| fail(e.to_string()))?;
        match (map.map_type, target_type.kind()) {
            (ARRAY_OF_MAPS | HASH_OF_MAPS, Kind::Struct) => {
                let name = format!("{}.inner", map.name);
                let mut inner = self.map(&name, &map.section, map.section_offset, target, true)?;
                drop_ring_buffer_sizes(&mut inner, self.warnings);
                map.inner = Some(Box::new(inner));
            }
            (PROG_ARRAY, Kind::FuncProto) => {}
            (other, kind) => {
                return Err(fail(format!(
                    "map type {other} cannot have elements that point to {kind}: maps of maps point to a definition, prog arrays \
                     to a function prototype"
                )));
            }
        }
        // Elements are descriptors of 4 bytes.
        set_size(&mut map.value_size, 4).map_err(fail)
    }
}

/// Two attributes may state one size if they agree.
fn set_size(size: &mut u32, new: u32) -> Result<(), String> {
    if *size != 0 && *size != new {
        return Err(format!("{new} bytes contradict the {} that another attribute states", *size));
    }
    *size = new;
    Ok(())
}

fn behind<'a>(btf: &'a Btf, type_id: u32) -> Result<Type<'a>, String> {
    btf.resolve(type_id).map_err(|e| e.to_string())
}

fn pointee(btf: &Btf, type_id: u32) -> Result<u32, String> {
    let ty = behind(btf, type_id)?;
    match ty.target() {
        Some(target) if ty.kind() == Kind::Ptr => Ok(target),
        _ => Err(format!("it must be a pointer to a type (__type), but is {}", ty.kind())),
    }
}

/// A number written as a type.
fn number(btf: &Btf, type_id: u32) -> Result<u64, String> {
    let ty = behind(btf, type_id)?;
    let enumerators = |ty: Type<'_>| {
        let mut all = ty.enumerators();
        match (all.next(), all.next()) {
            (Some(only), None) => Ok(only.value),
            _ => {
                Err(format!("enumeration '{}' must have exactly one value to be a number", ty.name_or_anon()))
            }
        }
    };
    if ty.kind().is_enum() {
        return enumerators(ty);
    }
    let target = if ty.kind() == Kind::Ptr { behind(btf, ty.target().unwrap_or(0))? } else { ty };
    match target.array() {
        Some(array) if ty.kind() == Kind::Ptr => Ok(u64::from(array.len)),
        _ => Err(format!(
            "it must be a number: a pointer to an array (__uint) or an enumeration (__ulong), but is {}",
            ty.kind()
        )),
    }
}
