//! Cutting executable sections into functions.
//!
//! Functions are delimited by symbols: typed ones (`STT_FUNC`), else global untyped ones as older compilers and hand-written
//! assembly have them. A symbol without size reaches to the next function or to the end of its section, and there the
//! target of a call begins a function too.

use std::collections::{HashMap, HashSet};

use skep_isa::{Endian, RawInsn};

use crate::elf::{Definition, Elf, Rel};
use crate::error::{ErrorKind, ObjectError, Result};
use crate::program::Linkage;

/// Symbols that may name the same function (aliases).
const MAX_ALIASES: usize = 16;

pub(crate) const CALL: u8 = 0x85;
pub(crate) const PSEUDO_CALL: u8 = 1;
pub(crate) const PSEUDO_FUNC: u8 = 4;

/// One executable section: its instructions and the functions in it.
pub(crate) struct CodeSection {
    /// Index of the ELF section.
    pub(crate) index: usize,
    pub(crate) insns: Vec<RawInsn>,
    /// By start; several with the same start and end are aliases.
    pub(crate) functions: Vec<Span>,
}

/// One function as a range of slots in its section.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) name: String,
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// The symbol gives its size.
    pub(crate) sized: bool,
    pub(crate) linkage: Linkage,
}

impl CodeSection {
    /// The function that begins at a slot.
    pub(crate) fn starting_at(&self, slot: usize) -> Option<usize> {
        let index = self.functions.partition_point(|span| span.start < slot);
        self.functions.get(index).filter(|span| span.start == slot).map(|_| index)
    }

    /// The first function whose range covers a slot.
    pub(crate) fn covering(&self, slot: usize) -> Option<usize> {
        let after = self.functions.partition_point(|span| span.start <= slot);
        let last = self.functions.get(after.checked_sub(1)?)?;
        if slot >= last.end {
            return None;
        }
        self.starting_at(last.start)
    }
}

/// Where a reference to code points: an ELF section and a slot in it, which may be no function's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CodeAddress {
    pub(crate) section: usize,
    pub(crate) slot: i64,
}

/// Cuts all executable sections.
pub(crate) fn cut(elf: &Elf<'_>) -> Result<Vec<CodeSection>> {
    let mut sections = Vec::new();
    for (index, section) in elf.sections.iter().enumerate() {
        if section.is_executable() && !section.data.is_empty() {
            let insns = decode(section.data, elf.endian).map_err(|error| error.section(section.name))?;
            sections.push(CodeSection { index, insns, functions: Vec::new() });
        }
    }
    let by_index: HashMap<usize, usize> =
        sections.iter().enumerate().map(|(position, section)| (section.index, position)).collect();
    let mut symbols: Vec<Vec<usize>> = vec![Vec::new(); sections.len()];
    for (number, symbol) in elf.symbols.iter().enumerate() {
        if let Definition::Section(section) = symbol.definition
            && let Some(&position) = by_index.get(&section)
        {
            symbols[position].push(number);
        }
    }
    for (section, symbols) in sections.iter_mut().zip(&symbols) {
        section.functions = functions_by_symbol(elf, section, symbols)?;
    }
    let targets = call_targets(elf, &sections);
    for (section, symbols) in sections.iter_mut().zip(&symbols) {
        split_at_targets(elf, section, symbols, &targets);
    }
    Ok(sections)
}

fn decode(data: &[u8], endian: Endian) -> Result<Vec<RawInsn>> {
    let (slots, rest) = data.as_chunks::<{ RawInsn::SIZE }>();
    if !rest.is_empty() {
        return Err(ObjectError::new(
            ErrorKind::Program,
            format!("its {} bytes of code are not a whole number of 8-byte instructions", data.len()),
        ));
    }
    Ok(slots.iter().map(|&slot| RawInsn::from_bytes(slot, endian)).collect())
}

fn functions_by_symbol(elf: &Elf<'_>, section: &CodeSection, symbols: &[usize]) -> Result<Vec<Span>> {
    let section_name = elf.sections[section.index].name;
    let total = section.insns.len();
    let mut spans = Vec::new();
    for &number in symbols {
        let symbol = &elf.symbols[number];
        let untyped = symbol.is_untyped() && !symbol.is_local() && !symbol.name.is_empty();
        if !symbol.is_function() && !untyped {
            continue;
        }
        let at = |reason: String| {
            ObjectError::new(ErrorKind::Program, reason)
                .section(section_name)
                .offset(symbol.value)
                .symbol(symbol.name)
        };
        let start = match usize::try_from(symbol.value / 8) {
            Ok(start) if symbol.value.is_multiple_of(8) && start < total => start,
            _ if untyped => continue,
            _ => {
                return Err(at(format!(
                    "the function does not begin at one of the section's {total} instructions of 8 bytes"
                )));
            }
        };
        let slots = match usize::try_from(symbol.size / 8) {
            Ok(slots) if symbol.size.is_multiple_of(8) && slots <= total - start => slots,
            _ => {
                return Err(at(format!(
                    "the function's {} bytes reach past the section's {} or are not whole instructions",
                    symbol.size,
                    total * 8
                )));
            }
        };
        let linkage = if symbol.is_local() {
            Linkage::Static
        } else if symbol.hidden {
            Linkage::Hidden
        } else if symbol.is_weak() {
            Linkage::Weak
        } else {
            Linkage::Global
        };
        spans.push((
            untyped,
            Span { name: symbol.name.to_owned(), start, end: start + slots, sized: slots > 0, linkage },
        ));
    }
    // Where typed symbols delimit code, an untyped one inside it is only a label.
    spans.sort_by(|(a_untyped, a), (b_untyped, b)| (a.start, a_untyped).cmp(&(b.start, b_untyped)));
    let mut kept: Vec<Span> = Vec::with_capacity(spans.len());
    let mut typed_end = 0;
    for (untyped, span) in spans {
        if untyped && (span.start < typed_end || kept.last().is_some_and(|last| last.start == span.start)) {
            continue;
        }
        if !untyped {
            typed_end = typed_end.max(span.end);
        }
        kept.push(span);
    }
    if kept.is_empty() {
        // Nothing names this code: it is one function, called after its section.
        let name = section_name.strip_prefix('?').unwrap_or(section_name).replace(['/', '.'], "_");
        kept.push(Span { name, start: 0, end: 0, sized: false, linkage: Linkage::Global });
    }
    close_ends(&mut kept, total);
    check_spans(elf, section, &kept)?;
    Ok(kept)
}

/// Functions without size reach to the next function or to the section's end.
fn close_ends(spans: &mut [Span], total: usize) {
    let mut next = total;
    for index in (0..spans.len()).rev() {
        let start = spans[index].start;
        if index + 1 < spans.len() && spans[index + 1].start > start {
            next = spans[index + 1].start;
        }
        if !spans[index].sized {
            spans[index].end = next;
        }
    }
}

/// Functions do not overlap, except that a few may be names of the same one.
fn check_spans(elf: &Elf<'_>, section: &CodeSection, spans: &[Span]) -> Result<()> {
    let mut aliases = 1;
    for pair in spans.windows(2) {
        let [first, second] = pair else { continue };
        let at = |reason: String| {
            ObjectError::new(ErrorKind::Program, reason)
                .section(elf.sections[section.index].name)
                .offset(second.start as u64 * 8)
                .symbol(second.name.as_str())
        };
        if first.start == second.start && first.end == second.end {
            aliases += 1;
            if aliases > MAX_ALIASES {
                return Err(at(format!("more than {MAX_ALIASES} symbols name the same function")));
            }
        } else if first.end > second.start {
            return Err(at(format!("the function begins inside {}", first.name)));
        } else {
            aliases = 1;
        }
    }
    Ok(())
}

/// Every place that some instruction calls, or takes the address of, as a function.
fn call_targets(elf: &Elf<'_>, sections: &[CodeSection]) -> HashSet<CodeAddress> {
    let mut targets = HashSet::new();
    for section in sections {
        let relocations = &elf.sections[section.index].relocations;
        let mut relocated = HashSet::new();
        for rel in relocations {
            let Some(slot) = slot_of(rel) else { continue };
            relocated.insert(slot);
            if let Some(insn) = section.insns.get(slot)
                && let Some(target) = function_address(elf, rel, *insn)
            {
                targets.insert(target);
            }
        }
        for (slot, insn) in section.insns.iter().enumerate() {
            if is_local_reference(*insn) && !relocated.contains(&slot) {
                let target = slot as i64 + 1 + i64::from(insn.imm);
                let own = section.covering(slot);
                if own.is_none() || usize::try_from(target).ok().and_then(|t| section.covering(t)) != own {
                    targets.insert(CodeAddress { section: section.index, slot: target });
                }
            }
        }
    }
    targets
}

/// The slot that a relocation of a code section names.
pub(crate) fn slot_of(rel: &Rel) -> Option<usize> {
    if rel.offset.is_multiple_of(8) { usize::try_from(rel.offset / 8).ok() } else { None }
}

/// A BPF-to-BPF call, or the address of a function, relative to the instruction.
pub(crate) fn is_local_reference(insn: RawInsn) -> bool {
    (insn.opcode == CALL && insn.src == PSEUDO_CALL) || (insn.is_wide() && insn.src == PSEUDO_FUNC)
}

/// The code that a relocated `call` or `ld_imm64` refers to; None if its symbol is not in an executable section.
///
/// In a relocation without addend, a call holds the distance from the symbol in slots, less one, and an `ld_imm64` the
/// distance in bytes (LLVM's BPF relocation rules).
pub(crate) fn function_address(elf: &Elf<'_>, rel: &Rel, insn: RawInsn) -> Option<CodeAddress> {
    let symbol = elf.symbols.get(rel.symbol)?;
    let Definition::Section(section) = symbol.definition else { return None };
    if !elf.sections.get(section)?.is_executable() {
        return None;
    }
    let base = i64::try_from(symbol.value).ok()?;
    let slot = match (insn.opcode, rel.addend) {
        (CALL, None) => (base / 8).checked_add(i64::from(insn.imm) + 1)?,
        (0x18, None) => base.checked_add(i64::from(insn.imm))? / 8,
        (CALL | 0x18, Some(addend)) => base.checked_add(addend)? / 8,
        _ => return None,
    };
    Some(CodeAddress { section, slot })
}

/// Begins a function at each called slot that lies in code without a sized symbol.
fn split_at_targets(
    elf: &Elf<'_>,
    section: &mut CodeSection,
    symbols: &[usize],
    targets: &HashSet<CodeAddress>,
) {
    let mut starts: Vec<usize> = targets
        .iter()
        .filter(|target| target.section == section.index)
        .filter_map(|target| usize::try_from(target.slot).ok())
        .filter(|&slot| slot < section.insns.len() && section.starting_at(slot).is_none())
        .filter(|&slot| section.covering(slot).is_none_or(|span| !section.functions[span].sized))
        .collect();
    if starts.is_empty() {
        return;
    }
    starts.sort_unstable();
    let labels: HashMap<u64, &str> = symbols
        .iter()
        .map(|&number| &elf.symbols[number])
        .filter(|symbol| symbol.is_untyped() && !symbol.name.is_empty())
        .map(|symbol| (symbol.value, symbol.name))
        .collect();
    for start in starts {
        let offset = start as u64 * 8;
        let name = labels.get(&offset).map_or_else(
            || format!("{}+{offset:#x}", elf.sections[section.index].name),
            |&label| label.to_owned(),
        );
        section.functions.push(Span { name, start, end: start, sized: false, linkage: Linkage::Static });
    }
    section.functions.sort_by_key(|span| span.start);
    let total = section.insns.len();
    close_ends(&mut section.functions, total);
}
