//! From cut code to programs and subprograms.

use std::collections::HashSet;

use super::Reader;
use crate::code::{self, CodeAddress};
use crate::error::Result;
use crate::kind::SectionKind;
use crate::program::{Code, FuncRef, Linkage, Program, Subprogram};
use crate::section::Role;

impl Reader<'_> {
    /// Sorts functions into programs and subprograms.
    ///
    /// Those of `.text` are subprograms, those of other sections programs. A static function in a program's section is a
    /// program too, unless it is called and its address goes nowhere. In an object that has nothing but `.text`, the
    /// functions that nobody calls are the programs.
    pub(super) fn read_functions(&mut self) -> Result<()> {
        let copies = self.code.iter().flat_map(|section| {
            let name = self.elf.sections[section.index].name.len();
            section.functions.iter().map(move |span| span.name.len() + 2 * name + (span.end - span.start) * 8)
        });
        let copies = copies.sum();
        self.spend(copies)?;
        let called = self.called();
        let only_text = !self
            .code
            .iter()
            .any(|section| self.roles[section.index] == Role::Programs && !section.functions.is_empty());
        for section in &self.code {
            let name = self.elf.sections[section.index].name;
            let mut list = Vec::with_capacity(section.functions.len());
            for span in &section.functions {
                let address = CodeAddress { section: section.index, slot: span.start as i64 };
                let is_called = called.contains(&address);
                let is_static = span.linkage == Linkage::Static;
                let is_program = if self.roles[section.index] == Role::Programs {
                    !(is_static && is_called)
                } else {
                    only_text && !is_called
                };
                let code = Code {
                    insns: section.insns[span.start..span.end].to_vec(),
                    section_offset: span.start as u64 * 8,
                    ..Code::default()
                };
                if is_program {
                    list.push(FuncRef::Program(self.object.programs.len()));
                    self.object.programs.push(Program {
                        name: span.name.clone(),
                        section: name.to_owned(),
                        kind: SectionKind::of(name),
                        autoload: !name.starts_with('?'),
                        linkage: span.linkage,
                        code,
                    });
                } else {
                    list.push(FuncRef::Subprogram(self.object.subprograms.len()));
                    self.object.subprograms.push(Subprogram {
                        name: span.name.clone(),
                        section: name.to_owned(),
                        linkage: span.linkage,
                        code,
                    });
                }
            }
            self.functions.push(list);
        }
        Ok(())
    }

    /// Functions that some instruction outside of themselves calls.
    fn called(&self) -> HashSet<CodeAddress> {
        let mut called = HashSet::new();
        for section in &self.code {
            let mut relocated = HashSet::new();
            for rel in &self.elf.sections[section.index].relocations {
                let Some(slot) = code::slot_of(rel) else { continue };
                relocated.insert(slot);
                if let Some(insn) = section.insns.get(slot).filter(|insn| insn.opcode == code::CALL)
                    && let Some(target) = code::function_address(&self.elf, rel, *insn)
                {
                    called.insert(target);
                }
            }
            for (slot, insn) in section.insns.iter().enumerate() {
                let target = slot as i64 + 1 + i64::from(insn.imm);
                if insn.opcode == code::CALL
                    && code::is_local_reference(*insn)
                    && !relocated.contains(&slot)
                    && usize::try_from(target).is_ok_and(|t| section.covering(t) != section.covering(slot))
                {
                    called.insert(CodeAddress { section: section.index, slot: target });
                }
            }
        }
        called
    }
}
