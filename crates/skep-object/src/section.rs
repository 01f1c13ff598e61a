//! Which part an ELF section plays, by its name and type.

use object::elf as consts;

use crate::elf::Section;
use crate::map::DataKind;

/// The part a section plays in an eBPF object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// `.text`: functions that programs call.
    Text,
    /// Any other executable section.
    Programs,
    /// `maps` or `maps/NAME`.
    LegacyMaps,
    /// `.maps`.
    BtfMaps,
    /// `.rodata*`, `.data*`, `.bss*`.
    Data(DataKind),
    /// `.struct_ops*`.
    StructOps,
    /// `.addr_space.1`: variables in the arena.
    Arena,
    License,
    Version,
    Btf,
    BtfExt,
    /// Debug information, tables of ELF itself, and whatever else programs do not see.
    Other,
}

impl Role {
    pub(crate) fn of(section: &Section<'_>) -> Role {
        if section.is_executable() {
            return if section.name == ".text" || section.name.starts_with(".text.") {
                Role::Text
            } else {
                Role::Programs
            };
        }
        if section.kind != consts::SHT_PROGBITS.0 && !section.is_nobits() {
            return Role::Other;
        }
        let is = |name: &str| {
            section.name.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        match section.name {
            "license" => Role::License,
            "version" => Role::Version,
            ".BTF" => Role::Btf,
            ".BTF.ext" => Role::BtfExt,
            ".maps" => Role::BtfMaps,
            "maps" => Role::LegacyMaps,
            ".addr_space.1" => Role::Arena,
            name if name.starts_with("maps/") => Role::LegacyMaps,
            name if name.strip_prefix('?').unwrap_or(name).starts_with(".struct_ops") => Role::StructOps,
            _ if is(".rodata") => Role::Data(DataKind::Rodata),
            _ if is(".data") && section.is_nobits() => Role::Data(DataKind::Bss),
            _ if is(".data") => Role::Data(DataKind::Data),
            _ if is(".bss") => Role::Data(DataKind::Bss),
            _ => Role::Other,
        }
    }
}
