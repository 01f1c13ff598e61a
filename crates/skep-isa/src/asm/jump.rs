//! Jumps and calls.

use std::ops::Range;

use super::Assembler;
use super::error::AsmErrorKind;
use super::fixup::{Fixup, FixupKind};
use super::lexer::Kind;
use super::parser::{Place, Result, Value};
use crate::{CallTarget, Insn, JumpOp};

impl<'t> Assembler<'t, '_> {
    pub(super) fn jump_if(&mut self) -> Result<()> {
        let start = self.parser.bump().start;
        let (width, dst) = self.register("a register")?;
        let signed = self.parser.eat_name("s");
        let op = match (signed, self.parser.token().kind) {
            (false, Kind::Punct("==")) => JumpOp::Eq,
            (false, Kind::Punct("!=")) => JumpOp::Ne,
            (false, Kind::Punct(">")) => JumpOp::Gt,
            (false, Kind::Punct(">=")) => JumpOp::Ge,
            (false, Kind::Punct("<")) => JumpOp::Lt,
            (false, Kind::Punct("<=")) => JumpOp::Le,
            (false, Kind::Punct("&")) => JumpOp::Set,
            (true, Kind::Punct(">")) => JumpOp::Sgt,
            (true, Kind::Punct(">=")) => JumpOp::Sge,
            (true, Kind::Punct("<")) => JumpOp::Slt,
            (true, Kind::Punct("<=")) => JumpOp::Sle,
            _ => return self.parser.expected("a comparison: ==, !=, >, >=, <, <=, s>, s>=, s<, s<= or &"),
        };
        self.parser.bump();
        let src = self.operand(width)?;
        if !self.parser.eat_name("goto") {
            return self.parser.expected("`goto`");
        }
        self.jump(start, FixupKind::JumpIf, |off| Insn::JumpIf { width, op, dst, src, off: off as i16 })
    }

    /// The target of a jump, and the jump: `+2`, `-3`, `label`, `1f`; objdump's ` <name>` behind an offset is skipped.
    pub(super) fn jump(
        &mut self,
        start: usize,
        kind: FixupKind,
        insn: impl FnOnce(i32) -> Insn,
    ) -> Result<()> {
        let (value, span) = self.target("a label or an offset in slots")?;
        let (min, max) = kind.reach();
        match self.relative(&value, &span, min.into(), max.into())? {
            Some(off) => {
                if self.parser.eat("<") {
                    self.parser.raw_until(">");
                    self.parser.expect(">", "`>`")?;
                }
                self.push(insn(off), start)
            }
            None => {
                let offset = self.push_at(insn(0), start)?;
                self.fixups.push(Fixup { section: self.defs.current, offset, kind, value, span });
                Ok(())
            }
        }
    }

    pub(super) fn target(&mut self, expected: &'static str) -> Result<(Value<'t>, Range<usize>)> {
        let start = self.parser.token().start;
        let value = self.parser.expression(&self.defs, expected)?;
        Ok((value, self.parser.span_from(start)))
    }

    /// The offset in slots, if the target is one and not a place.
    pub(super) fn relative(
        &self,
        value: &Value<'_>,
        span: &Range<usize>,
        min: i128,
        max: i128,
    ) -> Result<Option<i32>> {
        if value.plus.or(value.minus).is_some() {
            return Ok(None);
        }
        if (min..=max).contains(&value.constant) {
            return Ok(Some(value.constant as i32));
        }
        let kind = AsmErrorKind::OutOfRange { what: "offset in slots", value: value.constant, min, max };
        Err(self.error(span.clone(), kind))
    }

    pub(super) fn call(&mut self) -> Result<()> {
        let start = self.parser.bump().start;
        let ends_next = matches!(self.parser.second().kind, Kind::End | Kind::Eof);
        if !ends_next && self.parser.eat_name("kfunc") {
            let btf_id = self.parser.imm32(&self.defs, "a BTF type id")?;
            let mut fd_idx = 0;
            if self.parser.eat(",") {
                if !self.parser.eat_name("fd_idx") {
                    return self.parser.expected("`fd_idx`");
                }
                let (min, max) = (i16::MIN.into(), i16::MAX.into());
                fd_idx = self.parser.number(&self.defs, "fd_idx", min, max)? as i16;
            }
            return self.push(Insn::Call(CallTarget::Kfunc { btf_id, fd_idx }), start);
        }
        if !ends_next && self.parser.eat_name("local") {
            let (value, span) = self.target("a label or an offset in slots")?;
            let (min, max) = (i32::MIN.into(), i32::MAX.into());
            return match self.relative(&value, &span, min, max)? {
                Some(off) => self.push(Insn::Call(CallTarget::Local(off)), start),
                None => self.call_place(value, span, FixupKind::CallLocal, start),
            };
        }
        let (value, span) = self.target("a helper's number or a function's name")?;
        match value {
            Value { plus: None, minus: None, constant } => {
                let (min, max) = (i32::MIN.into(), u32::MAX.into());
                if !(min..=max).contains(&constant) {
                    let what = "helper number";
                    return Err(
                        self.error(span, AsmErrorKind::OutOfRange { what, value: constant, min, max })
                    );
                }
                self.push(Insn::call_helper(constant as i32), start)
            }
            Value { plus: Some(Place::Symbol(_) | Place::Local(..)), minus: None, .. } => {
                self.call_place(value, span, FixupKind::Call, start)
            }
            _ => Err(self.error(span, AsmErrorKind::NotRelocatable)),
        }
    }

    fn call_place(
        &mut self,
        value: Value<'t>,
        span: Range<usize>,
        kind: FixupKind,
        start: usize,
    ) -> Result<()> {
        let offset = self.push_at(Insn::Call(CallTarget::Local(-1)), start)?;
        self.fixups.push(Fixup { section: self.defs.current, offset, kind, value, span });
        Ok(())
    }
}
