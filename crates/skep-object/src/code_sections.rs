//! The code of an object file as it stands in the file, for listings: sections, symbols, relocations.

use std::collections::HashMap;

use skep_isa::Endian;
use skep_isa::disasm::{Listing, Relocation, Symbol};

use crate::elf::{Definition, Elf, reloc};
use crate::error::Result;

/// A section with instructions, as it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeSection {
    /// Name.
    pub name: String,
    /// Byte order of the instructions.
    pub endian: Endian,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Symbols defined in it: functions and labels.
    pub symbols: Vec<Symbol>,
    /// Relocations, written as `llvm-objdump -r` writes them: type, tab, symbol.
    pub relocations: Vec<Relocation>,
}

impl CodeSection {
    /// Reads the sections with code of an object file, in the order in which they stand in the file.
    ///
    /// # Errors
    /// The file is no ELF file of eBPF, or one whose tables contradict each other.
    pub fn read_all(bytes: &[u8], file: &str) -> Result<Vec<CodeSection>> {
        let elf = Elf::read(bytes).map_err(|error| error.in_file(file))?;
        let mut by_section: HashMap<usize, Vec<Symbol>> = HashMap::new();
        for symbol in &elf.symbols {
            if let Definition::Section(section) = symbol.definition
                && !symbol.is_section()
                && !symbol.name.is_empty()
            {
                let symbol = Symbol { offset: symbol.value, name: symbol.name.to_owned() };
                by_section.entry(section).or_default().push(symbol);
            }
        }
        let sections = elf.sections.iter().enumerate().filter(|(_, section)| section.is_executable());
        Ok(sections
            .map(|(index, section)| {
                let relocations = section.relocations.iter().map(|relocation| Relocation {
                    offset: relocation.offset,
                    text: format!("{}\t{}", reloc::name(relocation.kind), elf.symbol_name(relocation.symbol)),
                });
                CodeSection {
                    name: section.name.to_owned(),
                    endian: elf.endian,
                    bytes: section.data.to_vec(),
                    symbols: by_section.remove(&index).unwrap_or_default(),
                    relocations: relocations.collect(),
                }
            })
            .collect())
    }

    /// Its listing, as `llvm-objdump -d` writes it; leave relocations away for what it writes without `-r`.
    #[must_use]
    pub fn listing(&self) -> Listing<'_> {
        let mut listing = Listing::new(&self.name, &self.bytes, self.endian);
        listing.symbols.clone_from(&self.symbols);
        listing.relocations.clone_from(&self.relocations);
        listing
    }
}
