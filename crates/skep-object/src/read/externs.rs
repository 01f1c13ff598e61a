//! Undefined symbols, told apart by the BTF sections `.kconfig` and `.ksyms` that declare them.

use std::collections::HashMap;

use skep_btf::{Btf, Kind, Type};

use super::Reader;
use crate::elf::{Definition, Symbol};
use crate::error::Result;
use crate::externs::{Extern, ExternKind, ExternValue};
use crate::map::{DataKind, MapDef, MapOrigin};
use crate::read::data::{BPF_F_MMAPABLE, BPF_F_RDONLY_PROG, BPF_MAP_TYPE_ARRAY, data_map_name};

const KCONFIG: &str = ".kconfig";

/// The index that the `.kconfig` map will have is not known yet while externs are read.
const NO_MAP: usize = usize::MAX;

impl Reader<'_> {
    /// Collects the undefined symbols and lays out the kconfig values as libbpf does: greatest alignment first, then by
    /// size and name.
    pub(super) fn read_externs(&mut self, btf: Option<&Btf>) -> Result<()> {
        let mut declared: HashMap<&str, (u32, bool)> = HashMap::new();
        let mut functions: HashMap<&str, u32> = HashMap::new();
        if let Some(btf) = btf {
            for ty in btf.own_types() {
                match ty.kind() {
                    Kind::Datasec if ty.name() == KCONFIG || ty.name() == ".ksyms" => {
                        for info in ty.secinfos() {
                            if let Some(var) = btf.get(info.type_id) {
                                declared.insert(var.name(), (info.type_id, ty.name() == KCONFIG));
                            }
                        }
                    }
                    Kind::Func => {
                        functions.insert(ty.name(), ty.id());
                    }
                    _ => {}
                }
            }
        }
        let mut kconfig = Vec::new();
        let undefined = |symbol: &Symbol<'_>| symbol.definition == Definition::Undefined;
        let copies =
            self.elf.symbols.iter().filter(|symbol| undefined(symbol)).map(|symbol| symbol.name.len());
        let copies = copies.sum();
        self.spend(copies)?;
        for (number, symbol) in self.elf.symbols.iter().enumerate().skip(1) {
            if !undefined(symbol) || symbol.name.is_empty() {
                continue;
            }
            let index = self.object.externs.len();
            let (kind, type_id) = match (btf, declared.get(symbol.name)) {
                (Some(btf), Some(&(type_id, true))) => {
                    let target = btf.get(type_id).and_then(Type::target).unwrap_or(0);
                    let size = btf.size_of(target).unwrap_or(0);
                    let align = align_of(btf, target);
                    kconfig.push((align, size, index));
                    (ExternKind::Kconfig { map: NO_MAP, offset: 0, size }, type_id)
                }
                (Some(btf), Some(&(type_id, false))) => (ksym_kind(btf, type_id), type_id),
                _ => (ExternKind::Undefined, functions.get(symbol.name).copied().unwrap_or(0)),
            };
            self.object.externs.push(Extern {
                name: symbol.name.to_owned(),
                kind,
                weak: symbol.is_weak(),
                type_id,
                value: ExternValue::Unresolved,
            });
            self.extern_of.insert(number, index);
        }
        let externs = &mut self.object.externs;
        kconfig.sort_by(|&(align_a, size_a, a), &(align_b, size_b, b)| {
            align_b
                .cmp(&align_a)
                .then(size_a.cmp(&size_b))
                .then_with(|| externs[a].name.cmp(&externs[b].name))
        });
        let mut end: u32 = 0;
        for (align, _, index) in kconfig {
            if let ExternKind::Kconfig { offset, size, .. } = &mut externs[index].kind {
                *offset = end.checked_next_multiple_of(align).unwrap_or(u32::MAX);
                end = offset.saturating_add(*size);
            }
        }
        Ok(())
    }

    /// The map that holds the kconfig values.
    pub(super) fn read_kconfig_map(&mut self) {
        let index = self.object.maps.len();
        let mut end = 0;
        for symbol in &mut self.object.externs {
            if let ExternKind::Kconfig { map, offset, size } = &mut symbol.kind {
                *map = index;
                end = end.max(offset.saturating_add(*size));
            }
        }
        let datasec = self.btf.as_ref().and_then(|btf| btf.find(KCONFIG, Kind::Datasec));
        let size = datasec.and_then(Type::size).unwrap_or(end);
        if end == 0 {
            return;
        }
        let name = data_map_name(&self.object.name, KCONFIG);
        let mut map = MapDef::new(&name, KCONFIG, 0, MapOrigin::Data(DataKind::Kconfig));
        map.map_type = BPF_MAP_TYPE_ARRAY;
        map.key_size = 4;
        map.value_size = size.max(end);
        map.max_entries = 1;
        map.map_flags = BPF_F_RDONLY_PROG | BPF_F_MMAPABLE;
        map.value_type_id = datasec.map_or(0, Type::id);
        map.frozen = true;
        self.object.maps.push(map);
    }
}

fn ksym_kind(btf: &Btf, type_id: u32) -> ExternKind {
    let Some(ty) = btf.get(type_id) else { return ExternKind::Undefined };
    if ty.kind() == Kind::Func {
        return ExternKind::Kfunc;
    }
    match ty.target().map(|target| btf.resolve(target)) {
        Some(Ok(target)) if target.kind() == Kind::Void => ExternKind::KsymAddress,
        _ => ExternKind::KsymVariable,
    }
}

/// Alignment of a kconfig value, a number or an array of them.
fn align_of(btf: &Btf, mut type_id: u32) -> u32 {
    for _ in 0..32 {
        let Ok(ty) = btf.resolve(type_id) else { break };
        match ty.array() {
            Some(array) => type_id = array.element,
            None if ty.kind() == Kind::Int || ty.kind().is_enum() => {
                return ty.size().filter(|size| size.is_power_of_two()).unwrap_or(8).min(8);
            }
            None => break,
        }
    }
    8
}
