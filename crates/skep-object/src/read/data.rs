//! Sections of global variables: one map each, and the variables in them. Also the variables of `.struct_ops`.

use std::collections::HashSet;

use object::elf as consts;
use skep_btf::{Kind, VarLinkage};

use super::Reader;
use crate::elf::Definition;
use crate::error::{ErrorKind, ObjectError, Result};
use crate::map::{DataKind, MapDef, MapOrigin, StructOps};
use crate::program::Linkage;
use crate::section::Role;
use crate::variable::Variable;

/// `BPF_MAP_TYPE_ARRAY` (`linux/bpf.h`).
pub(super) const BPF_MAP_TYPE_ARRAY: u32 = 2;
/// `BPF_MAP_TYPE_STRUCT_OPS` (`linux/bpf.h`).
const BPF_MAP_TYPE_STRUCT_OPS: u32 = 26;
/// Programs may only read the map (`linux/bpf.h`).
pub(super) const BPF_F_RDONLY_PROG: u32 = 1 << 7;
/// User space may map it into memory (`linux/bpf.h`).
pub(super) const BPF_F_MMAPABLE: u32 = 1 << 10;
/// A `struct_ops` map that is attached by a link (`linux/bpf.h`).
const BPF_F_LINK: u32 = 1 << 13;

/// Bytes in a kernel's name for a map, without the NUL.
const MAX_MAP_NAME: usize = 15;

/// Name of the map of a data section, by libbpf's rule: the object's name and the section, of which the section keeps at
/// least 7 of 15 bytes; a section with a second dot stands alone. Characters that the kernel does not take become `_`.
pub(super) fn data_map_name(object: &str, section: &str) -> String {
    let section: String = section.chars().take(MAX_MAP_NAME).collect();
    let custom = section.get(1..).is_some_and(|rest| rest.contains('.'));
    let prefix = if custom { 0 } else { MAX_MAP_NAME.saturating_sub(section.len().max(7)) };
    let name: String = object.chars().take(prefix).chain(section.chars()).collect();
    name.replace(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.', "_")
}

impl Reader<'_> {
    pub(super) fn read_data_maps(&mut self) -> Result<()> {
        for section in self.sections(|role| matches!(role, Role::Data(_))) {
            let Role::Data(kind) = self.roles[section] else { continue };
            let elf = &self.elf.sections[section];
            if elf.size == 0 {
                continue;
            }
            let Ok(size) = u32::try_from(elf.size) else {
                return Err(ObjectError::new(
                    ErrorKind::Map,
                    format!(
                        "its {} bytes of variables do not fit a map, whose value has less than 4 GiB",
                        elf.size
                    ),
                )
                .section(elf.name));
            };
            let name = data_map_name(&self.object.name, elf.name);
            let mut map = MapDef::new(&name, elf.name, 0, MapOrigin::Data(kind));
            map.map_type = BPF_MAP_TYPE_ARRAY;
            map.key_size = 4;
            map.value_size = size;
            map.max_entries = 1;
            map.data = elf.data.to_vec();
            map.frozen = kind == DataKind::Rodata;
            if map.frozen {
                map.map_flags |= BPF_F_RDONLY_PROG;
            }
            let datasec = self.btf.as_ref().and_then(|btf| btf.find(elf.name, Kind::Datasec));
            let mut warning = None;
            if let (Some(btf), Some(ty)) = (&self.btf, datasec) {
                let is_shared =
                    |id| btf.get(id).is_some_and(|var| var.var_linkage() != Some(VarLinkage::Static));
                if ty.secinfos().any(|info| is_shared(info.type_id)) {
                    map.map_flags |= BPF_F_MMAPABLE;
                }
                if ty.size() == Some(size) {
                    map.value_type_id = ty.id();
                } else {
                    warning = Some(format!(
                        "section {}: BTF says it has {} bytes, but it has {size}; its map goes without BTF",
                        elf.name,
                        ty.size().unwrap_or(0)
                    ));
                }
            }
            self.spend(map.data.len() + 2 * map.section.len())?;
            self.map_of.insert(section, self.object.maps.len());
            self.object.maps.push(map);
            if let Some(warning) = warning {
                self.warn(warning);
            }
        }
        Ok(())
    }

    /// Variables as BTF describes them, then those that only a symbol names.
    pub(super) fn read_variables(&mut self) -> Result<()> {
        let mut known: HashSet<(usize, u32)> = HashSet::new();
        for section in self.sections(|role| matches!(role, Role::Data(_))) {
            let Some(&map) = self.map_of.get(&section) else { continue };
            let elf = &self.elf.sections[section];
            let Some(btf) = &self.btf else { continue };
            let Some(datasec) = btf.find(elf.name, Kind::Datasec) else { continue };
            for info in datasec.secinfos() {
                let Some(var) = btf.get(info.type_id) else { continue };
                if u64::from(info.offset) + u64::from(info.size) > elf.size {
                    return Err(ObjectError::new(
                        ErrorKind::Btf,
                        format!(
                            "variable {} takes bytes {:#x} to {:#x} of section {}, which has only {:#x}",
                            var.name_or_anon(),
                            info.offset,
                            u64::from(info.offset) + u64::from(info.size),
                            elf.name,
                            elf.size
                        ),
                    )
                    .section(".BTF"));
                }
                self.spend(var.name().len() + size_of::<Variable>())?;
                known.insert((map, info.offset));
                let linkage = match var.var_linkage() {
                    Some(VarLinkage::Static) => Linkage::Static,
                    _ => Linkage::Global,
                };
                self.object.variables.push(Variable {
                    name: var.name().to_owned(),
                    map,
                    offset: info.offset,
                    size: info.size,
                    type_id: var.target().unwrap_or(0),
                    linkage,
                });
            }
        }
        for symbol in &self.elf.symbols {
            let Definition::Section(section) = symbol.definition else { continue };
            let Some(&map) = self.map_of.get(&section) else { continue };
            let is_variable =
                symbol.kind == consts::STT_OBJECT.0 || (symbol.is_untyped() && !symbol.is_local());
            if !is_variable || symbol.name.is_empty() || !self.object.maps[map].is_data() {
                continue;
            }
            let total = u64::from(self.object.maps[map].value_size);
            let (Ok(offset), Ok(size)) = (u32::try_from(symbol.value), u32::try_from(symbol.size)) else {
                continue;
            };
            if symbol.value.checked_add(symbol.size).is_none_or(|end| end > total) {
                return Err(ObjectError::new(
                    ErrorKind::Elf,
                    format!("the variable's {size} bytes at {offset:#x} reach past the section's {total:#x}"),
                )
                .section(self.elf.sections[section].name)
                .symbol(symbol.name));
            }
            if !known.insert((map, offset)) {
                continue;
            }
            self.spend(symbol.name.len() + size_of::<Variable>())?;
            let linkage = if symbol.is_local() {
                Linkage::Static
            } else if symbol.hidden {
                Linkage::Hidden
            } else if symbol.is_weak() {
                Linkage::Weak
            } else {
                Linkage::Global
            };
            self.object.variables.push(Variable {
                name: symbol.name.to_owned(),
                map,
                offset,
                size,
                type_id: 0,
                linkage,
            });
        }
        Ok(())
    }

    /// One map for each variable of a `.struct_ops` section; the functions in it come with the relocations.
    pub(super) fn read_struct_ops(&mut self) -> Result<()> {
        for section in self.sections(|role| role == Role::StructOps) {
            let elf = &self.elf.sections[section];
            if elf.size == 0 {
                continue;
            }
            let fail = |reason: String| ObjectError::new(ErrorKind::Map, reason).section(elf.name);
            let Some(btf) = &self.btf else {
                return Err(fail("the object has no BTF to say what structures are in it".to_owned()));
            };
            let Some(datasec) = btf.find(elf.name, Kind::Datasec) else {
                return Err(fail(
                    "BTF has no DATASEC of this name to say what structures are in it".to_owned(),
                ));
            };
            let base = elf.name.strip_prefix('?').unwrap_or(elf.name);
            for info in datasec.secinfos() {
                let Some(var) = btf.get(info.type_id) else { continue };
                let target = var.target().unwrap_or(0);
                let fail = |reason: String| fail(reason).map(var.name()).offset(u64::from(info.offset));
                let ty = btf.resolve(target).map_err(|error| fail(error.to_string()))?;
                if ty.kind() != Kind::Struct {
                    return Err(fail(format!("its type is {}, not a structure", ty.kind())));
                }
                let start = info.offset as usize;
                let Some(data) =
                    start.checked_add(info.size as usize).and_then(|end| elf.data.get(start..end))
                else {
                    return Err(fail(format!(
                        "its {} bytes reach past the section's {}",
                        info.size, elf.size
                    )));
                };
                self.spend(var.name().len() + ty.name().len() + data.len() + size_of::<MapDef>())?;
                let mut map = MapDef::new(
                    var.name(),
                    elf.name,
                    u64::from(info.offset),
                    MapOrigin::StructOps(StructOps {
                        type_name: ty.name().to_owned(),
                        type_id: ty.id(),
                        members: Vec::new(),
                        link: base == ".struct_ops.link",
                        autocreate: !elf.name.starts_with('?'),
                    }),
                );
                map.map_type = BPF_MAP_TYPE_STRUCT_OPS;
                map.key_size = 4;
                map.value_size = info.size;
                map.max_entries = 1;
                map.map_flags = if base == ".struct_ops.link" { BPF_F_LINK } else { 0 };
                map.data = data.to_vec();
                self.map_at.insert((section, u64::from(info.offset)), self.object.maps.len());
                self.object.maps.push(map);
            }
        }
        Ok(())
    }
}
