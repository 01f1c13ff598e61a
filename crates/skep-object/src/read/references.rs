//! What instructions refer to: relocations, and calls that the compiler resolved itself.

use skep_isa::RawInsn;

use super::Reader;
use crate::code::{self, CodeAddress};
use crate::elf::{Definition, Rel, reloc};
use crate::error::{ErrorKind, ObjectError, Result};
use crate::program::{Code, FuncRef, Problem, Relocation, Target};
use crate::section::Role;

/// A reference that cannot be followed; the program that has it cannot be linked.
struct Unfollowed {
    kind: ErrorKind,
    reason: String,
}

impl Reader<'_> {
    pub(super) fn read_references(&mut self) -> Result<()> {
        for position in 0..self.code.len() {
            let section = self.code[position].index;
            let relocations = std::mem::take(&mut self.elf.sections[section].relocations);
            let mut next = relocations.iter().peekable();
            let spans = self.code[position].functions.clone();
            let mut previous: Option<(usize, usize)> = None;
            for (number, span) in spans.iter().enumerate() {
                let mut relocated = Vec::new();
                if previous == Some((span.start, span.end)) {
                    // An alias: the same code again.
                    let original = self.functions[position][number - 1];
                    let (insn_refs, problems) = {
                        let code = self.code_mut(original);
                        (code.relocations.clone(), code.problems.clone())
                    };
                    let code = self.code_mut(self.functions[position][number]);
                    (code.relocations, code.problems) = (insn_refs, problems);
                    continue;
                }
                previous = Some((span.start, span.end));
                while let Some(&rel) = next.peek().filter(|rel| rel.offset < span.end as u64 * 8) {
                    next.next();
                    if rel.kind == reloc::NONE {
                        continue;
                    }
                    let slot = self.relocated_slot(section, rel)?;
                    if slot >= span.start {
                        relocated.push(slot);
                        let insn = self.code[position].insns[slot];
                        let found = self.relocation_target(section, slot, insn, rel);
                        let symbol = self.elf.symbol_name(rel.symbol);
                        self.add(position, number, slot - span.start, symbol, found);
                    }
                }
                self.read_resolved_calls(position, number, &relocated);
                let code = self.code_mut(self.functions[position][number]);
                code.relocations.sort_by_key(|relocation| relocation.slot);
            }
        }
        Ok(())
    }

    fn code_mut(&mut self, function: FuncRef) -> &mut Code {
        match function {
            FuncRef::Program(index) => &mut self.object.programs[index].code,
            FuncRef::Subprogram(index) => &mut self.object.subprograms[index].code,
        }
    }

    fn add(
        &mut self,
        position: usize,
        number: usize,
        slot: usize,
        symbol: &str,
        found: Result<Target, Unfollowed>,
    ) {
        let code = self.code_mut(self.functions[position][number]);
        match found {
            Ok(target) => code.relocations.push(Relocation { slot, target }),
            Err(Unfollowed { kind, reason }) => {
                code.problems.push(Problem { slot, symbol: symbol.to_owned(), kind, reason });
            }
        }
    }

    fn relocated_slot(&self, section: usize, rel: &Rel) -> Result<usize> {
        let slots = self.elf.sections[section].data.len() / RawInsn::SIZE;
        code::slot_of(rel).filter(|&slot| slot < slots).ok_or_else(|| {
            ObjectError::new(
                ErrorKind::Relocation,
                "the relocation does not lie on an instruction of 8 bytes",
            )
            .section(self.elf.sections[section].name)
            .offset(rel.offset)
            .symbol(self.elf.symbol_name(rel.symbol))
        })
    }

    fn relocation_target(
        &self,
        section: usize,
        slot: usize,
        insn: RawInsn,
        rel: &Rel,
    ) -> Result<Target, Unfollowed> {
        let bad = |reason: String| Unfollowed { kind: ErrorKind::Relocation, reason };
        let unsupported = |reason: String| Unfollowed { kind: ErrorKind::Unsupported, reason };
        if !matches!(rel.kind, reloc::R64_64 | reloc::R64_32 | reloc::R64_ABS64 | reloc::R64_ABS32) {
            return Err(unsupported(format!(
                "relocation type {} ({}) is not one for instructions",
                rel.kind,
                reloc::name(rel.kind)
            )));
        }
        let is_call = insn.opcode == code::CALL;
        if !is_call && !insn.is_wide() {
            return Err(bad(format!(
                "the relocation names opcode {:#04x}, but only call (0x85) and ld_imm64 (0x18) refer to symbols",
                insn.opcode
            )));
        }
        if insn.is_wide() && slot + 1 >= self.elf.sections[section].data.len() / RawInsn::SIZE {
            return Err(bad("the section ends inside this ld_imm64".to_owned()));
        }
        let symbol = &self.elf.symbols[rel.symbol];
        let target = match symbol.definition {
            Definition::Undefined => {
                return self
                    .extern_of
                    .get(&rel.symbol)
                    .map(|&index| Target::Extern(index))
                    .ok_or_else(|| bad("the relocation names no symbol".to_owned()));
            }
            Definition::Absolute => {
                return Err(unsupported(
                    "it is an absolute symbol; only symbols in sections can be used".to_owned(),
                ));
            }
            Definition::Common => {
                return Err(unsupported("it is a common symbol; compile with -fno-common".to_owned()));
            }
            Definition::Section(target) => target,
        };
        let name = self.elf.sections[target].name;
        if let Some(address) = code::function_address(&self.elf, rel, insn) {
            return self.function_at(address).map(Target::Function).ok_or_else(|| {
                bad(format!("no function begins at instruction {} of section {name}", address.slot))
            });
        }
        if is_call {
            return Err(bad(format!("a call must name code, but section {name} is not executable")));
        }
        // Wraps as the address arithmetic of the program would; the kernel checks the sum against the value's size.
        let addend = rel.addend.unwrap_or(i64::from(insn.imm)).cast_unsigned();
        let offset = symbol.value.wrapping_add(addend);
        match self.roles[target] {
            Role::Data(_) => match self.map_of.get(&target) {
                #[expect(clippy::cast_possible_truncation, reason = "offsets in a map's value wrap at 32 bits")]
                Some(&map) => Ok(Target::MapValue { map, offset: offset as u32 }),
                None => Err(bad(format!("section {name} is empty"))),
            },
            Role::LegacyMaps | Role::BtfMaps | Role::StructOps => self
                .map_at
                .get(&(target, offset))
                .or_else(|| self.map_of.get(&target))
                .map(|&map| Target::Map(map))
                .ok_or_else(|| bad(format!("no map is defined at offset {offset:#x} of section {name}"))),
            Role::Arena => Err(unsupported(
                "it is a variable in the arena (.addr_space.1); global variables of arenas are not supported yet: use a pointer \
                 that the program allocates"
                    .to_owned(),
            )),
            _ => Err(unsupported(format!(
                "it lies in section {name}, which programs cannot use; variables belong into .data, .rodata, .bss or sections \
                 that begin so"
            ))),
        }
    }

    /// Calls and function addresses without relocation, as far as they leave the function; those inside move with it.
    fn read_resolved_calls(&mut self, position: usize, number: usize, relocated: &[usize]) {
        let section = &self.code[position];
        let span = section.functions[number].clone();
        let mut found = Vec::new();
        let mut slot = span.start;
        while slot < span.end {
            let insn = section.insns[slot];
            if code::is_local_reference(insn) && relocated.binary_search(&slot).is_err() {
                let target = slot as i64 + 1 + i64::from(insn.imm);
                let inside = usize::try_from(target).is_ok_and(|t| (span.start..span.end).contains(&t));
                if !inside {
                    let address = CodeAddress { section: section.index, slot: target };
                    let target = self.function_at(address).map(Target::Function).ok_or_else(|| Unfollowed {
                        kind: ErrorKind::Relocation,
                        reason: format!(
                            "no function begins at instruction {target} of section {}",
                            self.elf.sections[section.index].name
                        ),
                    });
                    found.push((slot - span.start, target));
                }
            }
            slot += if insn.is_wide() { 2 } else { 1 };
        }
        for (slot, target) in found {
            self.add(position, number, slot, "", target);
        }
    }
}
