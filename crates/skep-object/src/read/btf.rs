//! `.BTF`: read, and completed with what only the sections of the file know.
//!
//! Compilers leave the size of each DATASEC and the offsets of global variables at zero; the linker would fill them in.
//! Here they are filled in from the ELF sections and symbols, as the kernel wants to see them.

use std::collections::HashMap;

use skep_btf::{Btf, Kind, Secinfo, VarLinkage};
use skep_isa::Endian;

use super::Reader;
use crate::elf::Definition;
use crate::error::{ErrorKind, ObjectError, Result};
use crate::externs::{Extern, ExternKind};
use crate::section::Role;

const SECTION: &str = ".BTF";

impl Reader<'_> {
    pub(super) fn read_btf(&mut self) -> Result<()> {
        let error = |reason: String| ObjectError::new(ErrorKind::Btf, reason).section(SECTION);
        let Some(&section) = self.sections(|role| role == Role::Btf).first() else {
            self.read_externs(None);
            return Ok(());
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
        self.read_externs(Some(&btf));
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

/// Offset of each own type's record in the bytes of the section, in order.
pub(crate) fn record_offsets(btf: &Btf, bytes: &[u8]) -> Vec<usize> {
    let word = |at: usize| {
        let bytes = bytes.get(at..at + 4).and_then(|b| <[u8; 4]>::try_from(b).ok()).unwrap_or_default();
        match btf.endian() {
            Endian::Little => u32::from_le_bytes(bytes),
            Endian::Big => u32::from_be_bytes(bytes),
        }
    };
    // struct btf_header: hdr_len at 4, type_off at 8.
    let mut at = word(4) as usize + word(8) as usize;
    btf.own_types()
        .map(|ty| {
            let start = at;
            let vlen = match ty.kind() {
                Kind::Struct | Kind::Union => ty.members().len() * 12,
                Kind::Enum => ty.enumerators().len() * 8,
                Kind::Enum64 => ty.enumerators().len() * 12,
                Kind::FuncProto => ty.params().len() * 8,
                Kind::Datasec => ty.secinfos().len() * 12,
                Kind::Array => 12,
                Kind::Int | Kind::Var | Kind::DeclTag => 4,
                _ => 0,
            };
            at += 12 + vlen;
            start
        })
        .collect()
}

/// Writes one word of the section in its byte order; beyond the end nothing happens.
pub(crate) fn put_word(bytes: &mut [u8], at: usize, value: u32, endian: Endian) {
    let value = match endian {
        Endian::Little => value.to_le_bytes(),
        Endian::Big => value.to_be_bytes(),
    };
    if let Some(target) = bytes.get_mut(at..at + 4) {
        target.copy_from_slice(&value);
    }
}

/// Overwrites size and variables of a DATASEC record.
pub(crate) fn write_datasec(bytes: &mut [u8], record: usize, size: u32, infos: &[Secinfo], endian: Endian) {
    put_word(bytes, record + 8, size, endian);
    for (index, info) in infos.iter().enumerate() {
        let at = record + 12 + index * 12;
        put_word(bytes, at, info.type_id, endian);
        put_word(bytes, at + 4, info.offset, endian);
        put_word(bytes, at + 8, info.size, endian);
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
            let target = btf.get(info.type_id).and_then(|var| var.target()).unwrap_or(0);
            (end, btf.size_of(target).unwrap_or(info.size))
        });
        info.offset = offset;
        info.size = size;
        end = end.max(offset.saturating_add(size));
    }
    end
}
