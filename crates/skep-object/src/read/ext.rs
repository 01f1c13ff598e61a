//! `.BTF.ext`: function, line and CO-RE records, handed to the functions that they belong to.

use std::collections::HashMap;

use skep_btf::{BtfExt, ExtRecord, ExtTable};

use super::Reader;
use crate::error::{ErrorKind, ObjectError, Result};
use crate::program::{Code, FuncRef};
use crate::section::Role;

const SECTION: &str = ".BTF.ext";

impl Reader<'_> {
    pub(super) fn read_ext(&mut self) -> Result<()> {
        let Some(&section) = self.sections(|role| role == Role::BtfExt).first() else { return Ok(()) };
        let error = |reason: String| ObjectError::new(ErrorKind::Btf, reason).section(SECTION);
        let Some(btf) = &self.btf else {
            self.warn("section .BTF.ext: without .BTF it means nothing, and is passed over");
            return Ok(());
        };
        let ext = BtfExt::parse(self.elf.sections[section].data).map_err(|e| error(e.to_string()))?;
        if ext.endian() != self.elf.endian {
            return Err(error(format!("its byte order ({:?}) is not that of the file", ext.endian())));
        }
        ext.check(btf).map_err(|e| error(e.to_string()))?;
        self.hand_out(
            ext.func_info(),
            |info| info.insn_off,
            |code, slot, info| {
                if slot == 0 {
                    code.func_type = Some(info.type_id);
                }
            },
        )?;
        self.hand_out(
            ext.line_info(),
            |info| info.insn_off,
            |code, slot, mut info| {
                info.insn_off = slot;
                code.line_info.push(info);
            },
        )?;
        self.hand_out(
            ext.core_relo(),
            |relo| relo.insn_off,
            |code, slot, mut relo| {
                relo.insn_off = slot;
                code.core_relos.push(relo);
            },
        )?;
        for function in self.functions.iter().flatten().copied().collect::<Vec<_>>() {
            let code = self.code(function);
            // The kernel wants lines in order, one an instruction.
            code.line_info.sort_by_key(|line| line.insn_off);
            code.line_info.dedup_by_key(|line| line.insn_off);
            code.core_relos.sort_by_key(|relo| relo.insn_off);
        }
        Ok(())
    }

    fn code(&mut self, function: FuncRef) -> &mut Code {
        match function {
            FuncRef::Program(index) => &mut self.object.programs[index].code,
            FuncRef::Subprogram(index) => &mut self.object.subprograms[index].code,
        }
    }

    /// Gives each record to every function that has its instruction, with the slot in that function.
    fn hand_out<R: ExtRecord>(
        &mut self,
        table: &ExtTable<R>,
        offset: impl Fn(&R) -> u32,
        mut give: impl FnMut(&mut Code, u32, R),
    ) -> Result<()> {
        let positions: HashMap<&str, usize> = self
            .code
            .iter()
            .enumerate()
            .rev()
            .map(|(position, section)| (self.elf.sections[section.index].name, position))
            .collect();
        for section in table.sections() {
            let Some(btf) = &self.btf else { return Ok(()) };
            let name = section.name(btf).unwrap_or_default();
            // Code that was discarded, or that this library does not read.
            let Some(&position) = positions.get(name) else { continue };
            let name = self.elf.sections[self.code[position].index].name;
            let total = self.code[position].insns.len();
            for record in section.records() {
                let byte = offset(&record);
                let slot = (byte / 8) as usize;
                if !byte.is_multiple_of(8) || slot >= total {
                    return Err(ObjectError::new(
                        ErrorKind::Btf,
                        format!(
                            "{}: a record names byte {byte:#x} of section {name}, which is not one of its {total} instructions",
                            R::PART
                        ),
                    )
                    .section(SECTION));
                }
                let code = &self.code[position];
                let Some(first) = code.covering(slot) else { continue };
                let (start, end) = (code.functions[first].start, code.functions[first].end);
                let aliases = code.functions[first..]
                    .iter()
                    .take_while(|span| span.start == start && span.end == end)
                    .count();
                for number in first..first + aliases {
                    let function = self.functions[position][number];
                    #[expect(clippy::cast_possible_truncation, reason = "byte / 8 is below 2^29")]
                    give(self.code(function), (slot - start) as u32, record);
                }
            }
        }
        Ok(())
    }
}
