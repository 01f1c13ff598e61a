//! Assembled text as an object file.

use object::write::{Object as ElfWriter, Relocation, SectionId, Symbol, SymbolId, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SectionFlags, SectionKind, SymbolFlags,
};
use object::{SymbolKind, SymbolScope};
use skep_isa::Endian;
use skep_isa::asm::{Assembly, Binding, SymbolKind as AsmSymbolKind};

use crate::error::{ErrorKind, ObjectError, Result};

const SHF_WRITE: u64 = 1;
const SHF_EXECINSTR: u64 = 4;

/// Writes assembled text as a relocatable ELF file for BPF, which [`Object::parse`](crate::Object::parse) and every other
/// loader reads.
///
/// ```
/// use skep_isa::asm::{Options, assemble};
///
/// let text = r#"
///     .section socket,"ax"
///     .globl accept
///     .type accept,@function
/// accept:
///     r0 = 1
///     exit
/// "#;
/// let file = skep_object::write_assembly(&assemble(text, &Options::default())?)?;
/// let object = skep_object::Object::parse(&file, "accept.o")?;
/// assert_eq!(object.programs[0].name, "accept");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Contents that ELF has no place for, such as a relocation beyond the end of its section.
pub fn write_assembly(assembly: &Assembly) -> Result<Vec<u8>> {
    let endian = match assembly.endian {
        Endian::Little => Endianness::Little,
        Endian::Big => Endianness::Big,
    };
    check_names(assembly)?;
    let mut file = ElfWriter::new(BinaryFormat::Elf, Architecture::Bpf, endian);
    let sections = add_sections(&mut file, assembly);
    let symbols = add_symbols(&mut file, assembly, &sections);
    add_relocations(&mut file, assembly, &sections, &symbols)?;
    file.write().map_err(refused)
}

/// The names of a listing (`0 <name>:`) may have any character in them, and ELF ends a name at its first zero byte.
fn check_names(assembly: &Assembly) -> Result<()> {
    let sections = assembly.sections.iter().map(|section| &section.name);
    let symbols = assembly.symbols.iter().map(|symbol| &symbol.name);
    match sections.chain(symbols).find(|name| name.contains('\0')) {
        Some(name) => Err(refused(format!("the name {name:?} has a zero byte in it"))),
        None => Ok(()),
    }
}

fn add_sections(file: &mut ElfWriter<'_>, assembly: &Assembly) -> Vec<SectionId> {
    let sections = assembly.sections.iter().map(|section| {
        let kind = match section.flags {
            flags if flags & SHF_EXECINSTR != 0 => SectionKind::Text,
            _ if section.nobits => SectionKind::UninitializedData,
            flags if flags & SHF_WRITE != 0 => SectionKind::Data,
            _ => SectionKind::ReadOnlyData,
        };
        let id = file.add_section(Vec::new(), section.name.clone().into_bytes(), kind);
        file.section_mut(id).flags = SectionFlags::Elf {
            sh_type: if section.nobits { object::elf::SHT_NOBITS } else { object::elf::SHT_PROGBITS },
            sh_flags: object::elf::SectionFlags(section.flags),
        };
        if section.nobits {
            file.append_section_bss(id, section.size, section.align.max(1));
        } else {
            file.append_section_data(id, &section.bytes, section.align.max(1));
        }
        id
    });
    sections.collect()
}

fn add_symbols(file: &mut ElfWriter<'_>, assembly: &Assembly, sections: &[SectionId]) -> Vec<SymbolId> {
    let symbols = assembly.symbols.iter().map(|symbol| {
        let section = symbol.section.and_then(|index| sections.get(index));
        file.add_symbol(Symbol {
            name: symbol.name.clone().into_bytes(),
            value: symbol.offset,
            size: symbol.size,
            kind: match symbol.kind {
                AsmSymbolKind::Function => SymbolKind::Text,
                AsmSymbolKind::Object => SymbolKind::Data,
                AsmSymbolKind::NoType if section.is_some() => SymbolKind::Label,
                AsmSymbolKind::NoType => SymbolKind::Unknown,
            },
            scope: match symbol.binding {
                Binding::Local if section.is_some() => SymbolScope::Compilation,
                _ if symbol.hidden => SymbolScope::Linkage,
                _ => SymbolScope::Dynamic,
            },
            weak: symbol.binding == Binding::Weak,
            section: section.map_or(SymbolSection::Undefined, |&id| SymbolSection::Section(id)),
            flags: SymbolFlags::None,
        })
    });
    symbols.collect()
}

fn add_relocations(
    file: &mut ElfWriter<'_>,
    assembly: &Assembly,
    sections: &[SectionId],
    symbols: &[SymbolId],
) -> Result<()> {
    for (section, &id) in assembly.sections.iter().zip(sections) {
        for relocation in &section.relocations {
            let Some(at) = assembly.symbols.iter().position(|symbol| symbol.name == relocation.symbol) else {
                return Err(
                    refused(format!("there is no symbol {}", relocation.symbol)).section(&section.name)
                );
            };
            let entry = Relocation {
                offset: relocation.offset,
                symbol: symbols[at],
                // The addend stands in the instruction already, where these relocations keep it.
                addend: 0,
                flags: RelocationFlags::Elf { r_type: object::elf::RelocationType(relocation.kind as u32) },
            };
            file.add_relocation(id, entry).map_err(|error| refused(error).section(&section.name))?;
        }
    }
    Ok(())
}

fn refused(reason: impl std::fmt::Display) -> ObjectError {
    ObjectError::new(ErrorKind::Elf, format!("cannot be written as ELF: {reason}"))
}

#[cfg(test)]
mod tests {
    use skep_isa::asm::{Options, assemble};

    #[test]
    fn a_name_with_a_zero_byte_is_refused() {
        let assembly = assemble("0 <a\0b>:\nexit\n", &Options::default()).unwrap();
        let error = super::write_assembly(&assembly).unwrap_err();
        assert_eq!(error.reason, "cannot be written as ELF: the name \"a\\0b\" has a zero byte in it");
    }
}
