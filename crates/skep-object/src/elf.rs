//! The ELF container: header, sections, symbols and relocations, checked once and then handed on as plain tables.
//!
//! After [`Elf::read`] every section's bytes lie inside the file and overlap no other section, every symbol names a
//! section that exists, and every relocation names a symbol that exists and a place inside its section.

use object::elf::{self as consts, FileHeader64, Rel64, Rela64, SectionHeader64, Sym64};
use object::endian::Endianness;
use object::read::elf::{FileHeader, Rel as _, Rela as _, SectionHeader as _, Sym as _};
use skep_isa::Endian;

use crate::error::{ErrorKind, ObjectError, Result};

/// Longest name of a section or symbol that is read; the kernel's own limit for symbols is 512 bytes.
const MAX_NAME: usize = 4096;

/// The tables of one ELF file. Sections and symbols keep their index in the file; number 0 is the null entry.
pub(crate) struct Elf<'a> {
    pub(crate) endian: Endian,
    pub(crate) sections: Vec<Section<'a>>,
    pub(crate) symbols: Vec<Symbol<'a>>,
}

/// One section.
pub(crate) struct Section<'a> {
    pub(crate) name: &'a str,
    /// `SHT_*`
    pub(crate) kind: u32,
    /// `SHF_*`
    pub(crate) flags: u64,
    /// Bytes in memory; more than `data` has only in a section without bytes in the file (`SHT_NOBITS`).
    pub(crate) size: u64,
    pub(crate) data: &'a [u8],
    /// Relocations of this section, by offset.
    pub(crate) relocations: Vec<Rel>,
}

impl Section<'_> {
    pub(crate) fn is_executable(&self) -> bool {
        self.flags & consts::SHF_EXECINSTR.0 != 0 && self.kind == consts::SHT_PROGBITS.0
    }

    pub(crate) fn is_nobits(&self) -> bool {
        self.kind == consts::SHT_NOBITS.0
    }
}

/// Where a symbol is defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Definition {
    Undefined,
    Section(usize),
    Absolute,
    Common,
}

/// One symbol.
pub(crate) struct Symbol<'a> {
    pub(crate) name: &'a str,
    pub(crate) definition: Definition,
    pub(crate) value: u64,
    pub(crate) size: u64,
    /// `STT_*`
    pub(crate) kind: u8,
    /// `STB_*`
    pub(crate) bind: u8,
    pub(crate) hidden: bool,
}

impl Symbol<'_> {
    pub(crate) fn is_function(&self) -> bool {
        self.kind == consts::STT_FUNC.0
    }

    pub(crate) fn is_section(&self) -> bool {
        self.kind == consts::STT_SECTION.0
    }

    pub(crate) fn is_untyped(&self) -> bool {
        self.kind == consts::STT_NOTYPE.0
    }

    pub(crate) fn is_local(&self) -> bool {
        self.bind == consts::STB_LOCAL.0
    }

    pub(crate) fn is_weak(&self) -> bool {
        self.bind == consts::STB_WEAK.0
    }
}

/// One relocation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rel {
    /// Byte offset in the section it applies to.
    pub(crate) offset: u64,
    /// Index of the symbol.
    pub(crate) symbol: usize,
    /// `R_BPF_*`
    pub(crate) kind: u32,
    /// Explicit addend, in `SHT_RELA` sections only.
    pub(crate) addend: Option<i64>,
}

/// `R_BPF_NONE` and the relocation types of the BPF psABI as LLVM documents them.
pub(crate) mod reloc {
    pub(crate) const NONE: u32 = 0;
    pub(crate) const R64_64: u32 = 1;
    pub(crate) const R64_ABS64: u32 = 2;
    pub(crate) const R64_ABS32: u32 = 3;
    pub(crate) const R64_NODYLD32: u32 = 4;
    pub(crate) const R64_32: u32 = 10;

    pub(crate) const fn name(kind: u32) -> &'static str {
        match kind {
            NONE => "R_BPF_NONE",
            R64_64 => "R_BPF_64_64",
            R64_ABS64 => "R_BPF_64_ABS64",
            R64_ABS32 => "R_BPF_64_ABS32",
            R64_NODYLD32 => "R_BPF_64_NODYLD32",
            R64_32 => "R_BPF_64_32",
            _ => "unknown relocation type",
        }
    }
}

type Header = FileHeader64<Endianness>;

fn malformed(reason: impl Into<String>) -> ObjectError {
    ObjectError::new(ErrorKind::Elf, reason)
}

fn unsupported(reason: impl Into<String>) -> ObjectError {
    ObjectError::new(ErrorKind::Unsupported, reason)
}

impl<'a> Elf<'a> {
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Elf<'a>> {
        let (header, order) = read_header(bytes)?;
        let headers = header.section_headers(order, bytes).map_err(|_| {
            malformed(format!(
                "the section header table ({} entries of {} bytes at offset {:#x}) does not fit into the file of {} bytes",
                header.e_shnum(order),
                header.e_shentsize(order),
                header.e_shoff(order),
                bytes.len()
            ))
        })?;
        if headers.is_empty() {
            return Err(malformed("no section headers: an eBPF object has sections"));
        }
        let mut sections = read_sections(bytes, header, headers, order)?;
        check_overlaps(header, headers, &sections, order)?;
        let symbols = read_symbols(headers, &sections, order)?;
        read_relocations(headers, &mut sections, symbols.len(), order)?;
        let endian = if order == Endianness::Big { Endian::Big } else { Endian::Little };
        Ok(Elf { endian, sections, symbols })
    }

    /// Name for messages: a section symbol is called after its section.
    pub(crate) fn symbol_name(&self, symbol: usize) -> &'a str {
        match self.symbols.get(symbol) {
            Some(Symbol { name: "", definition: Definition::Section(section), .. }) => {
                self.sections.get(*section).map_or("", |section| section.name)
            }
            Some(symbol) => symbol.name,
            None => "",
        }
    }
}

fn read_header(bytes: &[u8]) -> Result<(&Header, Endianness)> {
    const HINT: &str = "expected an object that clang wrote with -target bpf";
    if bytes.len() < 4 || bytes[..4] != *b"\x7fELF" {
        return Err(malformed(format!("not an ELF file (no \\x7fELF at its start); {HINT}")));
    }
    match bytes.get(4) {
        Some(2) => {}
        Some(1) => return Err(unsupported(format!("a 32-bit ELF file; eBPF objects are 64-bit; {HINT}"))),
        Some(class) => {
            return Err(malformed(format!("ELF class {class} is neither 1 (32-bit) nor 2 (64-bit)")));
        }
        None => return Err(malformed("the file ends inside the ELF header")),
    }
    if let Some(data @ (0 | 3..)) = bytes.get(5) {
        return Err(malformed(format!(
            "ELF data encoding {data} is neither 1 (little-endian) nor 2 (big-endian)"
        )));
    }
    if bytes.len() < size_of::<Header>() {
        return Err(malformed(format!(
            "the file of {} bytes ends inside the ELF header of {} bytes",
            bytes.len(),
            size_of::<Header>()
        )));
    }
    let header =
        Header::parse(bytes).map_err(|error| malformed(format!("the ELF header is not valid: {error}")))?;
    let order = header.endian().map_err(|error| malformed(error.to_string()))?;
    let machine = header.e_machine(order).0;
    if machine != consts::EM_BPF.0 && machine != consts::EM_NONE.0 {
        return Err(unsupported(format!("made for ELF machine {machine}, not for BPF (247); {HINT}")));
    }
    let file_type = header.e_type(order).0;
    if file_type != consts::ET_REL.0 {
        return Err(unsupported(format!(
            "ELF type {file_type} is not ET_REL (1): give the relocatable object that the compiler wrote, not a linked file"
        )));
    }
    Ok((header, order))
}

fn read_sections<'a>(
    bytes: &'a [u8],
    header: &Header,
    headers: &[SectionHeader64<Endianness>],
    order: Endianness,
) -> Result<Vec<Section<'a>>> {
    let names = header
        .section_strings_index(order, bytes)
        .map_err(|error| malformed(format!("the section name table is missing: {error}")))?;
    let names = headers.get(names.0).ok_or_else(|| {
        malformed(format!(
            "the section name table is section {}, but there are only {}",
            names.0,
            headers.len()
        ))
    })?;
    let names = section_data(bytes, names, order)
        .map_err(|error| error.section("of the section names (e_shstrndx)"))?;
    let mut sections = Vec::with_capacity(headers.len());
    for (index, header) in headers.iter().enumerate() {
        let name =
            read_name(names, header.sh_name(order)).map_err(|error| error.section(format!("{index}")))?;
        let kind = header.sh_type(order).0;
        let data =
            if index == 0 { &[] } else { section_data(bytes, header, order).map_err(|e| e.section(name))? };
        sections.push(Section {
            name,
            kind,
            flags: header.sh_flags(order).0,
            size: if index == 0 { 0 } else { header.sh_size(order) },
            data,
            relocations: Vec::new(),
        });
    }
    Ok(sections)
}

fn section_data<'a>(
    bytes: &'a [u8],
    header: &SectionHeader64<Endianness>,
    order: Endianness,
) -> Result<&'a [u8]> {
    let kind = header.sh_type(order).0;
    if kind == consts::SHT_NOBITS.0 || kind == consts::SHT_NULL.0 {
        return Ok(&[]);
    }
    let (offset, size) = (header.sh_offset(order), header.sh_size(order));
    offset
        .checked_add(size)
        .and_then(|end| Some(usize::try_from(offset).ok()?..usize::try_from(end).ok()?))
        .and_then(|range| bytes.get(range))
        .ok_or_else(|| {
            malformed(format!(
                "its {size} bytes at file offset {offset:#x} reach past the end of the file of {} bytes",
                bytes.len()
            ))
        })
}

fn read_name(strings: &[u8], offset: u32) -> Result<&str> {
    let tail = strings.get(offset as usize..).unwrap_or_default();
    let head = &tail[..tail.len().min(MAX_NAME + 1)];
    let bad = |why: &str| malformed(format!("its name, at offset {offset:#x} of the string table, {why}"));
    if offset == 0 && tail.is_empty() {
        return Ok("");
    }
    let length = head.iter().position(|&byte| byte == 0).ok_or_else(|| {
        if head.len() > MAX_NAME {
            bad("is longer than 4096 bytes")
        } else {
            bad("reaches past the end of the table")
        }
    })?;
    std::str::from_utf8(&head[..length]).map_err(|_| bad("is not UTF-8"))
}

/// No two sections may share bytes of the file, nor with the header or the section header table.
fn check_overlaps(
    header: &Header,
    headers: &[SectionHeader64<Endianness>],
    sections: &[Section<'_>],
    order: Endianness,
) -> Result<()> {
    let table = headers.len() as u64 * u64::from(header.e_shentsize(order));
    let mut ranges = vec![
        (0, size_of::<Header>() as u64, "the ELF header"),
        (header.e_shoff(order), table, "the section header table"),
    ];
    for (section, header) in sections.iter().zip(headers) {
        if !section.data.is_empty() {
            ranges.push((header.sh_offset(order), section.data.len() as u64, section.name));
        }
    }
    ranges.sort_by_key(|&(start, ..)| start);
    for pair in ranges.windows(2) {
        let [(start, size, first), (next, _, second)] = pair else { continue };
        // Both lie inside the file, so the sum cannot overflow.
        let end = start.saturating_add(*size);
        if end > *next {
            return Err(malformed(format!(
                "overlaps {first}, which takes the file's bytes {start:#x} to {end:#x}"
            ))
            .section(*second)
            .offset(0));
        }
    }
    Ok(())
}

fn read_symbols<'a>(
    headers: &[SectionHeader64<Endianness>],
    sections: &[Section<'a>],
    order: Endianness,
) -> Result<Vec<Symbol<'a>>> {
    let mut tables = (0..headers.len()).filter(|&index| sections[index].kind == consts::SHT_SYMTAB.0);
    let Some(table) = tables.next() else { return Ok(Vec::new()) };
    let section = &sections[table];
    if let Some(second) = tables.next() {
        return Err(malformed(format!("a second symbol table; {} is one already", section.name))
            .section(sections[second].name));
    }
    let records: &[Sym64<Endianness>] = records(section, "symbols")?;
    let link = headers[table].sh_link(order) as usize;
    let strings = match sections.get(link) {
        Some(strings) if strings.kind == consts::SHT_STRTAB.0 => strings.data,
        _ => {
            return Err(malformed(format!(
                "its names should be in section {link}, which is not a string table"
            ))
            .section(section.name));
        }
    };
    let extended: &[object::endian::U32<Endianness>] = match sections
        .iter()
        .zip(headers)
        .find(|(s, h)| s.kind == consts::SHT_SYMTAB_SHNDX.0 && h.sh_link(order) as usize == table)
    {
        Some((section, _)) => self::records(section, "section indices")?,
        None => &[],
    };
    let mut symbols = Vec::with_capacity(records.len());
    for (index, record) in records.iter().enumerate() {
        let offset = (index * size_of::<Sym64<Endianness>>()) as u64;
        let name = read_name(strings, record.st_name(order))
            .map_err(|error| error.section(section.name).offset(offset))?;
        let at = |error: ObjectError| error.section(section.name).offset(offset).symbol(name);
        let number = record.st_shndx(order);
        let definition = if number == consts::SHN_UNDEF {
            Definition::Undefined
        } else if number == consts::SHN_ABS {
            Definition::Absolute
        } else if number == consts::SHN_COMMON {
            Definition::Common
        } else {
            let number = if number == consts::SHN_XINDEX {
                extended.get(index).map(|number| number.get(order)).ok_or_else(|| {
                    at(malformed("its section number is in an extension table that has no entry for it"))
                })?
            } else {
                u32::from(number.0)
            } as usize;
            if number >= sections.len() {
                return Err(at(malformed(format!(
                    "it is defined in section {number}, but there are only {}",
                    sections.len()
                ))));
            }
            Definition::Section(number)
        };
        symbols.push(Symbol {
            name,
            definition,
            value: record.st_value(order),
            size: record.st_size(order),
            kind: record.st_type().0,
            bind: record.st_bind().0,
            hidden: record.st_visibility() == consts::STV_HIDDEN
                || record.st_visibility() == consts::STV_INTERNAL,
        });
    }
    Ok(symbols)
}

fn read_relocations(
    headers: &[SectionHeader64<Endianness>],
    sections: &mut [Section<'_>],
    symbols: usize,
    order: Endianness,
) -> Result<()> {
    for (index, header) in headers.iter().enumerate() {
        let section = &sections[index];
        let (entry, list): (usize, Vec<Rel>) = if section.kind == consts::SHT_REL.0 {
            let records: &[Rel64<Endianness>] = records(section, "relocations")?;
            let read = |r: &Rel64<Endianness>| Rel {
                offset: r.r_offset(order),
                symbol: r.r_sym(order) as usize,
                kind: r.r_type(order).0,
                addend: None,
            };
            (size_of::<Rel64<Endianness>>(), records.iter().map(read).collect())
        } else if section.kind == consts::SHT_RELA.0 {
            let records: &[Rela64<Endianness>] = records(section, "relocations")?;
            let read = |r: &Rela64<Endianness>| Rel {
                offset: r.r_offset(order),
                symbol: r.r_sym(order, false) as usize,
                kind: r.r_type(order, false).0,
                addend: Some(r.r_addend(order)),
            };
            (size_of::<Rela64<Endianness>>(), records.iter().map(read).collect())
        } else {
            continue;
        };
        let name = section.name;
        let target = header.sh_info(order) as usize;
        if target == 0 || target >= sections.len() {
            return Err(malformed(format!(
                "its relocations apply to section {target}, but sections are numbered 1 to {}",
                sections.len() - 1
            ))
            .section(name));
        }
        let size = sections[target].size;
        for (number, rel) in list.iter().enumerate() {
            let at = |reason: String| malformed(reason).section(name).offset((number * entry) as u64);
            if rel.offset >= size {
                return Err(at(format!(
                    "relocation {number} applies to offset {:#x} of section {}, which has only {size:#x} bytes",
                    rel.offset, sections[target].name
                )));
            }
            if rel.symbol >= symbols {
                return Err(at(format!(
                    "relocation {number} names symbol {}, but there are only {symbols}",
                    rel.symbol
                )));
            }
        }
        let relocations = &mut sections[target].relocations;
        relocations.extend(list);
        relocations.sort_by_key(|rel| rel.offset);
    }
    Ok(())
}

/// A section's bytes as an array of fixed-size records, which must fill it exactly.
fn records<'a, T: object::Pod>(section: &Section<'a>, what: &str) -> Result<&'a [T]> {
    object::pod::slice_from_all_bytes(section.data).map_err(|()| {
        malformed(format!(
            "its {} bytes are not a whole number of {what} of {} bytes each",
            section.data.len(),
            size_of::<T>()
        ))
        .section(section.name)
    })
}
