//! Linking: one program with every subprogram it needs, as one stream of instructions for `BPF_PROG_LOAD`.

use std::collections::HashMap;
use std::fmt::Write as _;

use skep_btf::{Btf, CoreRelo, CoreReloKind, ExtRecord, FuncInfo, LineInfo, kernel_records};
use skep_catalog::{AttachType, ProgramType};
use skep_isa::{Endian, RawInsn};

use crate::code::{CALL, PSEUDO_CALL, PSEUDO_FUNC};
use crate::error::{ErrorKind, ObjectError, Result};
use crate::externs::{ExternKind, ExternValue};
use crate::object::Object;
use crate::program::{Code, FuncRef, Target};
use crate::source::SourceLine;

/// Kinds of `ld_imm64` and `call` that linking writes (RFC 9669 section 5.4, `BPF_PSEUDO_*` of `linux/bpf.h`).
const PSEUDO_BTF_ID: u8 = 3;
const PSEUDO_MAP_IDX: u8 = 5;
const PSEUDO_MAP_IDX_VALUE: u8 = 6;
const PSEUDO_KFUNC_CALL: u8 = 2;

/// Helper number of a call of an absent weak function, plus the extern's index: no kernel has such a helper, so a program that
/// could reach the call is refused and one that cannot is accepted. libbpf uses the same number.
const ABSENT_FUNCTION: i32 = 2_002_000_000;

/// Changes the instruction of a CO-RE relocation: one slot, or the two of an `ld_imm64`. An error says why it cannot.
pub type CoreResolver<'a> = dyn FnMut(&CoreSite<'_>, &mut [RawInsn]) -> Result<(), String> + 'a;

/// What linking does with CO-RE relocations.
pub enum CoreRelocations<'a> {
    /// A program that has any is refused, with a list of what it needs.
    Refuse,
    /// The values that the compiler wrote stay: the local layout of every type is assumed to be the kernel's.
    KeepLocal,
    /// Each is handed to this function with its instruction to change; its first error is what linking fails with.
    Resolve(&'a mut CoreResolver<'a>),
}

/// A CO-RE relocation and where it stands.
#[derive(Clone, Copy, Debug)]
pub struct CoreSite<'a> {
    /// The object.
    pub object: &'a Object,
    /// The function.
    pub function: FuncRef,
    /// The relocation, its `insn_off` in slots of that function.
    pub relo: &'a CoreRelo,
    /// Slot in the linked program.
    pub slot: usize,
}

impl CoreSite<'_> {
    /// The source line, if the object says.
    #[must_use]
    pub fn source(&self) -> Option<SourceLine> {
        self.object.source_at(self.function, self.relo.insn_off as usize)
    }
}

/// A program ready for `BPF_PROG_LOAD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkedProgram {
    /// Name of the program.
    pub name: String,
    /// Program type; None if the section's name does not say and whoever loads it must.
    pub prog_type: Option<ProgramType>,
    /// Expected attach type, where the section's name implies one.
    pub expected_attach_type: Option<AttachType>,
    /// `BPF_F_*` load flags that the section's name implies.
    pub prog_flags: u32,
    /// Instructions: the program, then its subprograms. `ld_imm64` of kinds 5 and 6 hold an index in [`LinkedProgram::maps`].
    pub insns: Vec<RawInsn>,
    /// Maps that the instructions name, as indices in [`Object::maps`].
    pub maps: Vec<usize>,
    /// `struct bpf_func_info` records in the host's byte order, offsets in slots; empty unless every function has one.
    pub func_info: Vec<u8>,
    /// Bytes in one of them.
    pub func_info_rec_size: u32,
    /// `struct bpf_line_info` records in the host's byte order, offsets in slots; empty unless every function begins with one.
    pub line_info: Vec<u8>,
    /// Bytes in one of them.
    pub line_info_rec_size: u32,
    /// The functions that the instructions are made of, in order.
    pub functions: Vec<LinkedFunction>,
    /// Calls of weak functions that the kernel does not have: the program is refused unless they are unreachable.
    pub poisons: Vec<Poison>,
}

/// One function in a linked program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkedFunction {
    /// Its name.
    pub name: String,
    /// The function.
    pub function: FuncRef,
    /// First slot.
    pub start: usize,
    /// One past the last slot.
    pub end: usize,
}

/// A call that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poison {
    /// Slot in the linked program.
    pub slot: usize,
    /// The weak function that is absent.
    pub symbol: String,
}

impl LinkedProgram {
    /// The function that a slot belongs to, and the slot in it.
    #[must_use]
    pub fn function_at(&self, slot: usize) -> Option<(&LinkedFunction, usize)> {
        let after = self.functions.partition_point(|function| function.start <= slot);
        let function = self.functions.get(after.checked_sub(1)?)?;
        (slot < function.end).then(|| (function, slot - function.start))
    }
}

impl Object {
    /// Links the program of this index in [`Object::programs`]: its own instructions first, then each subprogram that it needs,
    /// directly or through others, once, in the order in which a depth-first walk meets them (libbpf's order). Calls, function
    /// addresses, maps, variables and externs are filled in; function and line information follow the code.
    ///
    /// Elements of prog arrays and inner maps are not part of a program: see [`MapDef::slots`](crate::MapDef::slots).
    ///
    /// # Errors
    /// An object for the other byte order, code with [problems](Code::problems), CO-RE relocations that may not stay, strong
    /// externs without a value. The error names program, instruction, source line and symbol.
    pub fn link_program(&self, program: usize, core: CoreRelocations<'_>) -> Result<LinkedProgram> {
        let entry = self.programs.get(program).ok_or_else(|| {
            self.error(
                ErrorKind::Value,
                format!("there is no program {program}; the object has {}", self.programs.len()),
            )
        })?;
        if self.endian != Endian::HOST {
            return Err(self
                .error(
                    ErrorKind::Unsupported,
                    format!(
                        "the object is for {} machines and this one is not; compile with -target {}",
                        if self.endian == Endian::Big { "big-endian" } else { "little-endian" },
                        if Endian::HOST == Endian::Big { "bpfeb" } else { "bpfel" }
                    ),
                )
                .program(entry.name.as_str()));
        }
        let functions = self.needed_functions(program)?;
        let mut linker = Linker {
            object: self,
            program: &entry.name,
            starts: functions.iter().map(|f| (f.function, f.start)).collect(),
            insns: Vec::with_capacity(functions.last().map_or(0, |f| f.end)),
            maps: Vec::new(),
            map_index: HashMap::new(),
            poisons: Vec::new(),
        };
        for function in &functions {
            let code = self.code(function.function)?;
            linker.insns.extend_from_slice(&code.insns);
        }
        linker.apply_core(&functions, core)?;
        for function in &functions {
            linker.apply_relocations(function)?;
        }
        let (func_info, line_info) = self.linked_info(&functions)?;
        Ok(LinkedProgram {
            name: entry.name.clone(),
            prog_type: entry.kind.prog_type,
            expected_attach_type: entry.kind.attach_type,
            prog_flags: entry.kind.prog_flags,
            insns: linker.insns,
            maps: linker.maps,
            func_info: kernel_records(&func_info, Endian::HOST),
            func_info_rec_size: FuncInfo::SIZE,
            line_info: kernel_records(&line_info, Endian::HOST),
            line_info_rec_size: LineInfo::SIZE,
            poisons: linker.poisons,
            functions,
        })
    }

    fn code(&self, function: FuncRef) -> Result<&Code> {
        self.function_code(function).ok_or_else(|| {
            self.error(
                ErrorKind::Value,
                format!("a relocation names {function:?}, which the object does not have"),
            )
        })
    }

    /// The program and the subprograms it needs, laid out one after the other.
    fn needed_functions(&self, program: usize) -> Result<Vec<LinkedFunction>> {
        let mut functions: Vec<LinkedFunction> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        let mut end = 0;
        let mut place = |function: FuncRef| -> Result<LinkedFunction> {
            let start = end;
            end += self.code(function)?.insns.len();
            let name = self.function_name(function).unwrap_or_default().to_owned();
            Ok(LinkedFunction { name, function, start, end })
        };
        let entry = FuncRef::Program(program);
        seen.insert(entry);
        functions.push(place(entry)?);
        // The walk's own stack: functions in progress, each with the next of its relocations to look at.
        let mut walk = vec![(entry, 0)];
        while let Some((function, next)) = walk.last_mut() {
            let Some(relocation) = self.code(*function)?.relocations.get(*next) else {
                walk.pop();
                continue;
            };
            *next += 1;
            if let Target::Function(callee) = relocation.target
                && seen.insert(callee)
            {
                functions.push(place(callee)?);
                walk.push((callee, 0));
            }
        }
        Ok(functions)
    }

    /// Function and line records of the linked program; none of a kind unless every function has what the kernel wants of it.
    fn linked_info(&self, functions: &[LinkedFunction]) -> Result<(Vec<FuncInfo>, Vec<LineInfo>)> {
        let mut func_info = Some(Vec::new());
        let mut line_info = Some(Vec::new());
        for function in functions {
            let code = self.code(function.function)?;
            let start = u32::try_from(function.start).unwrap_or(u32::MAX);
            match (code.func_type, &mut func_info) {
                (Some(type_id), Some(list)) => list.push(FuncInfo { insn_off: start, type_id }),
                _ => func_info = None,
            }
            let begins = code.line_info.first().is_some_and(|line| line.insn_off == 0);
            match &mut line_info {
                Some(list) if begins => list.extend(
                    code.line_info
                        .iter()
                        .filter(|line| (line.insn_off as usize) < code.insns.len())
                        .map(|line| LineInfo { insn_off: line.insn_off.saturating_add(start), ..*line }),
                ),
                _ => line_info = None,
            }
        }
        Ok((func_info.unwrap_or_default(), line_info.unwrap_or_default()))
    }
}

struct Linker<'a> {
    object: &'a Object,
    program: &'a str,
    starts: HashMap<FuncRef, usize>,
    insns: Vec<RawInsn>,
    maps: Vec<usize>,
    map_index: HashMap<usize, i32>,
    poisons: Vec<Poison>,
}

impl Linker<'_> {
    fn error(&self, function: &LinkedFunction, slot: usize, kind: ErrorKind, reason: String) -> ObjectError {
        let name = if function.start == 0 {
            self.program.to_owned()
        } else {
            format!("{} (in {})", self.program, function.name)
        };
        self.object
            .error(kind, reason)
            .program(name)
            .insn(slot)
            .source(self.object.source_at(function.function, slot))
    }

    fn apply_core(&mut self, functions: &[LinkedFunction], core: CoreRelocations<'_>) -> Result<()> {
        match core {
            CoreRelocations::KeepLocal => Ok(()),
            CoreRelocations::Refuse => self.refuse_core(functions),
            CoreRelocations::Resolve(resolve) => {
                for function in functions {
                    for relo in &self.object.code(function.function)?.core_relos {
                        let slot = relo.insn_off as usize;
                        let site = CoreSite {
                            object: self.object,
                            function: function.function,
                            relo,
                            slot: function.start + slot,
                        };
                        let insns = self.insns.get_mut(site.slot..function.end).unwrap_or_default();
                        let len = if insns.first().is_some_and(|insn| insn.is_wide()) { 2 } else { 1 };
                        let insns = insns.get_mut(..len).unwrap_or_default();
                        let result = if insns.is_empty() {
                            Err("the relocation does not name an instruction".to_owned())
                        } else {
                            resolve(&site, insns)
                        };
                        result.map_err(|reason| {
                            self.error(function, slot, ErrorKind::CoreRelocation, reason)
                        })?;
                    }
                }
                Ok(())
            }
        }
    }

    fn refuse_core(&self, functions: &[LinkedFunction]) -> Result<()> {
        const SHOWN: usize = 10;
        let mut count = 0;
        let mut first = None;
        let mut list = String::new();
        for function in functions {
            for relo in &self.object.code(function.function)?.core_relos {
                count += 1;
                let slot = relo.insn_off as usize;
                first = first.or(Some((function, slot)));
                if count > SHOWN {
                    continue;
                }
                let source = self.object.source_at(function.function, slot);
                let source = source.map_or(String::new(), |source| format!(" ({source})"));
                let what = self.object.btf.as_ref().map_or(String::new(), |btf| describe(relo, btf));
                let separator = if list.is_empty() { "" } else { "; " };
                let _ = write!(list, "{separator}instruction {slot} of {}{source}: {what}", function.name);
            }
        }
        let Some((function, slot)) = first else { return Ok(()) };
        if count > SHOWN {
            let _ = write!(list, "; and {} more", count - SHOWN);
        }
        let reason = format!("{count} CO-RE relocation{} need the kernel's types: {list}", plural(count));
        Err(self.error(function, slot, ErrorKind::CoreRelocation, reason))
    }

    fn apply_relocations(&mut self, function: &LinkedFunction) -> Result<()> {
        let object = self.object;
        let code = object.code(function.function)?;
        if let Some(problem) = code.problems.first() {
            let error = self.error(function, problem.slot, problem.kind, problem.reason.clone());
            return Err(if problem.symbol.is_empty() {
                error
            } else {
                error.symbol(problem.symbol.as_str())
            });
        }
        for relocation in &code.relocations {
            let slot = function.start + relocation.slot;
            let fail = |this: &Self, kind, reason: &str| {
                this.error(function, relocation.slot, kind, reason.to_owned())
            };
            let insn = match self.insns.get(slot) {
                Some(&insn) if insn.opcode == CALL => insn,
                Some(&insn) if insn.is_wide() && slot + 1 < function.end => insn,
                _ => {
                    return Err(fail(
                        self,
                        ErrorKind::Relocation,
                        "the relocation does not name a call or a whole ld_imm64",
                    ));
                }
            };
            let is_call = insn.opcode == CALL;
            match relocation.target {
                Target::Function(callee) => {
                    let Some(&start) = self.starts.get(&callee) else {
                        return Err(fail(
                            self,
                            ErrorKind::Relocation,
                            "the relocation names a function that is not there",
                        ));
                    };
                    let distance = start as i64 - slot as i64 - 1;
                    let Ok(distance) = i32::try_from(distance) else {
                        return Err(fail(self, ErrorKind::Relocation, "the function is too far away"));
                    };
                    let insn = &mut self.insns[slot];
                    insn.imm = distance;
                    insn.src = if is_call { PSEUDO_CALL } else { PSEUDO_FUNC };
                    if !is_call {
                        self.insns[slot + 1].imm = 0;
                    }
                }
                Target::Map(_) | Target::MapValue { .. } if is_call => {
                    return Err(fail(self, ErrorKind::Relocation, "a call cannot name a map"));
                }
                Target::Map(map) => {
                    self.map_reference(slot, map, None)
                        .map_err(|reason| fail(self, ErrorKind::Relocation, &reason))?;
                }
                Target::MapValue { map, offset } => {
                    self.map_reference(slot, map, Some(offset))
                        .map_err(|reason| fail(self, ErrorKind::Relocation, &reason))?;
                }
                Target::Extern(index) => {
                    self.extern_reference(slot, index, insn)
                        .map_err(|(kind, symbol, reason)| fail(self, kind, &reason).symbol(symbol))?;
                }
            }
        }
        Ok(())
    }

    /// Fills in a map, or with an offset the address of its value.
    fn map_reference(&mut self, slot: usize, map: usize, offset: Option<u32>) -> Result<(), String> {
        if map >= self.object.maps.len() {
            return Err(format!("it names map {map}, but the object has {}", self.object.maps.len()));
        }
        let next = i32::try_from(self.maps.len()).unwrap_or(i32::MAX);
        let index = *self.map_index.entry(map).or_insert_with(|| {
            self.maps.push(map);
            next
        });
        let insn = &mut self.insns[slot];
        insn.imm = index;
        insn.src = if offset.is_some() { PSEUDO_MAP_IDX_VALUE } else { PSEUDO_MAP_IDX };
        self.insns[slot + 1].imm = offset.unwrap_or(0).cast_signed();
        Ok(())
    }

    fn extern_reference(
        &mut self,
        slot: usize,
        index: usize,
        insn: RawInsn,
    ) -> Result<(), (ErrorKind, String, String)> {
        let object = self.object;
        let Some(symbol) = object.externs.get(index) else {
            let reason = format!("it names extern {index}, but the object has {}", object.externs.len());
            return Err((ErrorKind::Relocation, String::new(), reason));
        };
        let is_call = insn.opcode == CALL;
        let fail = |kind, reason: &str| Err((kind, symbol.name.clone(), reason.to_owned()));
        match (symbol.kind, symbol.value) {
            (ExternKind::Kconfig { .. }, _) if is_call => {
                fail(ErrorKind::Relocation, "a call cannot name a kconfig value")
            }
            (ExternKind::Kconfig { map, offset, .. }, value) => {
                if value == ExternValue::Unresolved && !symbol.weak {
                    return fail(
                        ErrorKind::Unresolved,
                        "the kernel's configuration value is not known; declare it __weak to go on with zero",
                    );
                }
                let offset = offset.wrapping_add(insn.imm.cast_unsigned());
                self.map_reference(slot, map, Some(offset))
                    .map_err(|reason| (ErrorKind::Relocation, symbol.name.clone(), reason))
            }
            (_, ExternValue::Address(address)) if !is_call => {
                self.insns[slot].src = 0;
                self.insns[slot].imm = low(address);
                self.insns[slot + 1].imm = low(address >> 32);
                Ok(())
            }
            (_, ExternValue::Btf { id, module }) => {
                let insn = &mut self.insns[slot];
                insn.imm = id.cast_signed();
                if is_call {
                    insn.src = PSEUDO_KFUNC_CALL;
                    insn.off = module.cast_signed();
                } else {
                    insn.src = PSEUDO_BTF_ID;
                    self.insns[slot + 1].imm = i32::from(module);
                }
                Ok(())
            }
            (_, ExternValue::Unresolved) if symbol.weak => {
                let insn = &mut self.insns[slot];
                insn.src = 0;
                if is_call {
                    insn.off = 0;
                    insn.imm = ABSENT_FUNCTION.saturating_add(i32::try_from(index).unwrap_or(i32::MAX));
                    self.poisons.push(Poison { slot, symbol: symbol.name.clone() });
                } else {
                    insn.imm = 0;
                    self.insns[slot + 1].imm = 0;
                }
                Ok(())
            }
            (ExternKind::Undefined, _) => fail(
                ErrorKind::Unresolved,
                "nothing defines it: link the object with the one that does, or declare it __ksym or __kconfig if the kernel does",
            ),
            (ExternKind::Kfunc, ExternValue::Unresolved) => fail(
                ErrorKind::Unresolved,
                "the kernel function (kfunc) is not known; declare it __weak to test for it",
            ),
            (_, ExternValue::Unresolved) => fail(
                ErrorKind::Unresolved,
                "the kernel symbol is not known; declare it __weak to test for it",
            ),
            (_, value) => fail(ErrorKind::Value, &format!("its value {value:?} cannot be used here")),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is what is asked for")]
fn low(value: u64) -> i32 {
    (value as u32).cast_signed()
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// A CO-RE relocation in words: `byte_off of struct task_struct, access 0:35`.
fn describe(relo: &CoreRelo, btf: &Btf) -> String {
    let kind = match relo.relo_kind() {
        Some(CoreReloKind::FieldByteOffset) => "byte_off",
        Some(CoreReloKind::FieldByteSize) => "byte_sz",
        Some(CoreReloKind::FieldExists) => "field_exists",
        Some(CoreReloKind::FieldSigned) => "signed",
        Some(CoreReloKind::FieldLshiftU64) => "lshift_u64",
        Some(CoreReloKind::FieldRshiftU64) => "rshift_u64",
        Some(CoreReloKind::TypeIdLocal) => "local_type_id",
        Some(CoreReloKind::TypeIdTarget) => "target_type_id",
        Some(CoreReloKind::TypeExists) => "type_exists",
        Some(CoreReloKind::TypeSize) => "type_size",
        Some(CoreReloKind::EnumvalExists) => "enumval_exists",
        Some(CoreReloKind::EnumvalValue) => "enumval_value",
        Some(CoreReloKind::TypeMatches) => "type_matches",
        None => "unknown kind",
    };
    let ty = btf
        .get(relo.type_id)
        .map_or(String::new(), |ty| format!("{} {}", ty.kind().name().to_lowercase(), ty.name_or_anon()));
    format!("{kind} of {ty}, access {}", relo.access_str(btf).unwrap_or_default())
}
