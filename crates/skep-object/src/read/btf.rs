//! `.BTF`: read, and completed with what only the sections of the file know.
//!
//! Compilers leave the size of each DATASEC and the offsets of global variables at zero; the linker would fill them in.
//! Here they are filled in from the ELF sections and symbols, as the kernel wants to see them.

use std::collections::HashMap;

use skep_btf::{Btf, Kind, Secinfo, Type, VarLinkage};

use super::Reader;
use crate::btf_bytes::{record_offsets, write_datasec};
use crate::elf::Definition;
use crate::error::{ErrorKind, ObjectError, Result};
use crate::externs::{Extern, ExternKind};
use crate::section::Role;

const SECTION: &str = ".BTF";

impl Reader<'_> {
    pub(super) fn read_btf(&mut self) -> Result<()> {
        let error = |reason: String| ObjectError::new(ErrorKind::Btf, reason).section(SECTION);
        let Some(&section) = self.sections(|role| role == Role::Btf).first() else {
            return self.read_externs(None);
        };
        let data = self.elf.sections[section].data;
        let btf = Btf::parse(data).map_err(|e| error(e.to_string()))?;
        if btf.endian() != self.elf.endian {
            return Err(error(format!(
                "its byte order ({:?}) is not that of the file ({:?})",
                btf.endian(),
                self.elf.endian
            )));
        }
        self.read_externs(Some(&btf))?;
        let mut bytes = data.to_vec();
        let changed = self.complete_datasecs(&btf, &mut bytes)?;
        self.btf = Some(if changed { Btf::parse(&bytes).map_err(|e| error(e.to_string()))? } else { btf });
        Ok(())
    }

    /// Fills in sizes and offsets in `bytes`; true if anything changed.
    fn complete_datasecs(&self, btf: &Btf, bytes: &mut [u8]) -> Result<bool> {
        let mut globals: HashMap<(usize, &str), u64> = HashMap::new();
        for symbol in self.elf.symbols.iter().filter(|symbol| !symbol.is_local()) {
            if let Definition::Section(section) = symbol.definition {
                globals.insert((section, symbol.name), symbol.value);
            }
        }
        let mut by_name: HashMap<&str, usize> = HashMap::new();
        for (index, section) in self.elf.sections.iter().enumerate().rev() {
            if index > 0 && !section.is_executable() {
                by_name.insert(section.name, index);
            }
        }
        let mut changed = false;
        for (ty, record) in btf.own_types().zip(record_offsets(btf, bytes)) {
            if ty.kind() != Kind::Datasec || ty.size() != Some(0) {
                continue;
            }
            let mut infos: Vec<Secinfo> = ty.secinfos().collect();
            let size = if ty.name() == ".kconfig" {
                complete_kconfig(btf, &self.object.externs, &mut infos)
            } else if let Some(&section) = by_name.get(ty.name()) {
                for info in &mut infos {
                    let Some(var) = btf.get(info.type_id) else { continue };
                    if var.var_linkage() != Some(VarLinkage::Global) {
                        continue;
                    }
                    let Some(&value) = globals.get(&(section, var.name())) else {
                        return Err(ObjectError::new(
                            ErrorKind::Btf,
                            format!("variable {} of section {} has no symbol in it", var.name(), ty.name()),
                        )
                        .section(SECTION));
                    };
                    info.offset = u32::try_from(value).unwrap_or(u32::MAX);
                }
                u32::try_from(self.elf.sections[section].size).unwrap_or(u32::MAX)
            } else {
                continue;
            };
            infos.sort_by_key(|info| info.offset);
            write_datasec(bytes, record, size, &infos, btf.endian());
            changed = true;
        }
        Ok(changed)
    }
}

/// Gives the variables of `.kconfig` the places that the externs have in its map; returns the map's size.
fn complete_kconfig(btf: &Btf, externs: &[Extern], infos: &mut [Secinfo]) -> u32 {
    let places: HashMap<u32, (u32, u32)> = externs
        .iter()
        .filter_map(|symbol| match symbol.kind {
            ExternKind::Kconfig { offset, size, .. } => Some((symbol.type_id, (offset, size))),
            _ => None,
        })
        .collect();
    let mut end = places.values().map(|(offset, size)| offset.saturating_add(*size)).max().unwrap_or(0);
    for info in infos {
        // A declaration that no program uses has no symbol; it goes behind the others.
        let (offset, size) = places.get(&info.type_id).copied().unwrap_or_else(|| {
            let target = btf.get(info.type_id).and_then(Type::target).unwrap_or(0);
            (end, btf.size_of(target).unwrap_or(info.size))
        });
        info.offset = offset;
        info.size = size;
        end = end.max(offset.saturating_add(size));
    }
    end
}
