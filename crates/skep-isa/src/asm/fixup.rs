//! What can only be filled in at the end: labels, calls of functions, addresses.

use std::collections::HashSet;
use std::ops::Range;

use super::error::AsmErrorKind;
use super::parser::{Place, Result, Value};
use super::{Assembler, Assembly, Binding, Relocation, RelocationKind, Symbol};
use crate::RawInsn;

/// A field to be filled in.
#[derive(Clone, Debug)]
pub(super) struct Fixup<'t> {
    pub(super) section: usize,
    /// Byte offset of the instruction or datum.
    pub(super) offset: u64,
    pub(super) kind: FixupKind,
    pub(super) value: Value<'t>,
    pub(super) span: Range<usize>,
}

/// Which field, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FixupKind {
    /// Offset of `goto`.
    Jump,
    /// Immediate of `gotol`.
    LongJump,
    /// Offset of a conditional jump.
    JumpIf,
    /// Offset of `may_goto`.
    MayGoto,
    /// `call name`: a function here, a helper or a relocation.
    Call,
    /// `call local name`: a function here.
    CallLocal,
    /// `subprog[name]`: a function here.
    Subprogram,
    /// `name ll`: a relocation.
    Address,
    /// That many bytes of data.
    Data(usize),
}

impl FixupKind {
    /// Slots that the instruction reaches, backward and forward.
    pub(super) fn reach(self) -> (i64, i64) {
        match self {
            FixupKind::Jump | FixupKind::JumpIf | FixupKind::MayGoto => (i16::MIN.into(), i16::MAX.into()),
            _ => (i32::MIN.into(), i32::MAX.into()),
        }
    }

    const fn form(self) -> &'static str {
        match self {
            FixupKind::Jump => "goto",
            FixupKind::LongJump => "gotol",
            FixupKind::JumpIf => "a conditional jump",
            FixupKind::MayGoto => "may_goto",
            FixupKind::Call | FixupKind::CallLocal => "call",
            _ => "this instruction",
        }
    }
}

fn place_name(place: Place<'_>) -> String {
    match place {
        Place::Symbol(name) => name.to_owned(),
        Place::Local(label, _) => label.to_string(),
        Place::Here(..) => ".".to_owned(),
    }
}

impl<'t> Assembler<'t, '_> {
    /// Resolves what is open and gives the result.
    pub(super) fn finish(mut self) -> Result<Assembly> {
        for fixup in std::mem::take(&mut self.fixups) {
            self.resolve(&fixup)?;
        }
        for (name, value, span) in std::mem::take(&mut self.sizes) {
            let size = self.distance(&value).and_then(|size| u64::try_from(size).ok());
            let Some(size) = size else { return Err(self.error(span, AsmErrorKind::NotRelocatable)) };
            self.defs.symbol(name).size = size;
        }
        let mut sections = self.defs.sections;
        for section in &mut sections {
            section.relocations.sort_by_key(|relocation| relocation.offset);
        }
        let relocated: HashSet<&str> =
            sections.iter().flat_map(|section| &section.relocations).map(|r| r.symbol.as_str()).collect();
        // Private labels (`.L...`) end with the text, except where a relocation needs them.
        let names = self.defs.names.iter().zip(&self.defs.symbols);
        let symbols = names.filter(|(name, _)| !name.starts_with(".L") || relocated.contains(**name));
        let symbols = symbols.map(|(&name, state)| Symbol {
            name: name.to_owned(),
            section: state.defined.map(|(section, ..)| section),
            offset: state.defined.map_or(0, |(_, offset, _)| offset),
            size: state.size,
            // What is not defined here must be elsewhere.
            binding: match state.binding {
                Binding::Local if state.defined.is_none() => Binding::Global,
                binding => binding,
            },
            hidden: state.hidden,
            kind: state.kind,
        });
        Ok(Assembly { endian: self.options.endian, symbols: symbols.collect(), sections })
    }

    /// The value if it is a number after all: a constant, or a difference of two places in one section.
    fn distance(&self, value: &Value<'t>) -> Option<i128> {
        let offset = match (value.plus, value.minus) {
            (None, None) => 0,
            (Some(plus), Some(minus)) => {
                let ((one, plus), (other, minus)) = (self.defs.find(plus)?, self.defs.find(minus)?);
                if one != other {
                    return None;
                }
                i128::from(plus) - i128::from(minus)
            }
            _ => return None,
        };
        Some(value.constant + offset)
    }

    fn resolve(&mut self, fixup: &Fixup<'t>) -> Result<()> {
        match fixup.kind {
            FixupKind::Address => self.resolve_address(fixup),
            FixupKind::Data(size) => self.resolve_data(fixup, size),
            FixupKind::Call => self.resolve_call(fixup),
            _ => {
                let slots = self.slots_to(fixup)?;
                self.patch_slots(fixup, slots);
                Ok(())
            }
        }
    }

    /// Distance in slots from the slot after the instruction to the place.
    fn slots_to(&self, fixup: &Fixup<'t>) -> Result<i64> {
        let fail = |kind| Err(self.error(fixup.span.clone(), kind));
        let (Some(place), None) = (fixup.value.plus, fixup.value.minus) else {
            return fail(AsmErrorKind::NotRelocatable);
        };
        let name = place_name(place);
        let Some((section, at)) = self.defs.find(place) else { return fail(AsmErrorKind::Undefined(name)) };
        if section != fixup.section {
            let section = self.defs.sections.get(section).map(|s| s.name.clone()).unwrap_or_default();
            return fail(AsmErrorKind::OtherSection { name, section });
        }
        let bytes = i128::from(at) + fixup.value.constant - i128::from(fixup.offset) - RawInsn::SIZE as i128;
        if bytes % RawInsn::SIZE as i128 != 0 {
            return fail(AsmErrorKind::Unaligned(name));
        }
        let (min, max) = fixup.kind.reach();
        match i64::try_from(bytes / RawInsn::SIZE as i128) {
            Ok(slots) if (min..=max).contains(&slots) => Ok(slots),
            slots => fail(AsmErrorKind::TooFar {
                name,
                slots: slots.unwrap_or(i64::MAX),
                form: fixup.kind.form(),
                min,
                max,
            }),
        }
    }

    fn resolve_call(&mut self, fixup: &Fixup<'t>) -> Result<()> {
        let here = fixup.value.plus.and_then(|place| self.defs.find(place));
        if here.is_some_and(|(section, _)| section == fixup.section) {
            let slots = self.slots_to(fixup)?;
            self.patch_slots(fixup, slots);
            return Ok(());
        }
        let Some(Place::Symbol(name)) = fixup.value.plus else {
            let name = fixup.value.plus.map(place_name).unwrap_or_default();
            return Err(self.error(fixup.span.clone(), AsmErrorKind::Undefined(name)));
        };
        let number = self.options.helper.filter(|_| here.is_none()).and_then(|helper| helper(name));
        match number {
            Some(number) => self.patch(fixup, |slot| {
                slot.src = 0;
                slot.imm = number;
            }),
            None => self.relocate(fixup, RelocationKind::R_BPF_64_32, name, 0),
        }
        Ok(())
    }

    fn resolve_address(&mut self, fixup: &Fixup<'t>) -> Result<()> {
        let addend = i64::try_from(fixup.value.constant).ok();
        match (fixup.value, addend) {
            (Value { plus: Some(Place::Symbol(name)), minus: None, .. }, Some(addend)) => {
                self.relocate(fixup, RelocationKind::R_BPF_64_64, name, addend);
                Ok(())
            }
            _ => Err(self.error(fixup.span.clone(), AsmErrorKind::NotRelocatable)),
        }
    }

    fn resolve_data(&mut self, fixup: &Fixup<'t>, size: usize) -> Result<()> {
        let fail = |kind| Err(self.error(fixup.span.clone(), kind));
        let section_name = self.defs.sections.get(fixup.section).map_or("", |s| s.name.as_str());
        let (value, relocation) = match (self.distance(&fixup.value), fixup.value) {
            (Some(value), _) => (value, None),
            (None, Value { plus: Some(Place::Symbol(name)), minus: None, constant }) => {
                let kind = match size {
                    8 => RelocationKind::R_BPF_64_ABS64,
                    4 if section_name.starts_with(".BTF") => RelocationKind::R_BPF_64_NODYLD32,
                    4 => RelocationKind::R_BPF_64_ABS32,
                    _ => return fail(AsmErrorKind::NotRelocatable),
                };
                (constant, Some((kind, name)))
            }
            _ => return fail(AsmErrorKind::NotRelocatable),
        };
        let Some(bytes) = super::directive::datum(value, size, self.options.endian) else {
            let (min, max) = super::directive::datum_range(size);
            return fail(AsmErrorKind::OutOfRange { what: "value", value, min, max });
        };
        if let Some(place) = self.bytes_at(fixup.section, fixup.offset, size) {
            place.copy_from_slice(bytes.get(..size).unwrap_or_default());
        }
        if let Some((kind, name)) = relocation {
            self.relocate(fixup, kind, name, value as i64);
        }
        Ok(())
    }

    fn relocate(&mut self, fixup: &Fixup<'t>, kind: RelocationKind, name: &'t str, addend: i64) {
        self.defs.symbol(name);
        if let Some(section) = self.defs.sections.get_mut(fixup.section) {
            section.relocations.push(Relocation {
                offset: fixup.offset,
                kind,
                symbol: name.to_owned(),
                addend,
            });
        }
    }

    /// Fills the distance in: reaches were checked, so nothing is cut off.
    fn patch_slots(&mut self, fixup: &Fixup<'t>, slots: i64) {
        self.patch(fixup, |slot| match fixup.kind {
            FixupKind::Jump | FixupKind::JumpIf | FixupKind::MayGoto => slot.off = slots as i16,
            _ => slot.imm = slots as i32,
        });
    }

    fn patch(&mut self, fixup: &Fixup<'t>, change: impl FnOnce(&mut RawInsn)) {
        let endian = self.options.endian;
        let Some(bytes) = self.bytes_at(fixup.section, fixup.offset, RawInsn::SIZE) else { return };
        if let Ok(chunk) = <&mut [u8; RawInsn::SIZE]>::try_from(bytes) {
            let mut slot = RawInsn::from_bytes(*chunk, endian);
            change(&mut slot);
            *chunk = slot.to_bytes(endian);
        }
    }

    fn bytes_at(&mut self, section: usize, offset: u64, size: usize) -> Option<&mut [u8]> {
        let start = usize::try_from(offset).ok()?;
        self.defs.sections.get_mut(section)?.bytes.get_mut(start..start.checked_add(size)?)
    }
}
