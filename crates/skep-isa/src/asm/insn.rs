//! Instructions.

use super::Assembler;
use super::error::AsmErrorKind;
use super::fixup::{Fixup, FixupKind};
use super::lexer::Kind;
use super::parser::{Result, Value, parse_register};
use crate::opcode;
use crate::{AluOp, AtomicOp, Imm64, Insn, Operand, RawInsn, Reg, Size, SwapKind, Width};

/// A register as written: by its 32-bit or its 64-bit name.
type Named = (Width, Reg);

/// What stands between the parentheses of a memory access.
struct Address {
    size: Size,
    signed: bool,
    base: Reg,
    off: i16,
}

const SAME_REGISTER: &str = "source and destination must be the same register";
const R0_ONLY: &str = "the result goes to r0";

impl<'t> Assembler<'t, '_> {
    /// One instruction, up to but without the end of the statement.
    pub(super) fn instruction(&mut self) -> Result<()> {
        let token = self.parser.token();
        let expected = "an instruction, a label or a directive";
        let Kind::Name(name) = token.kind else {
            if self.parser.is("*") {
                return self.store();
            }
            return self.parser.expected(expected);
        };
        if let Some((narrow, reg)) = parse_register(name) {
            self.parser.bump();
            return self.assignment((if narrow { Width::W32 } else { Width::W64 }, reg), token.start);
        }
        // Keywords are short; nothing else needs folding.
        let keyword = if name.len() <= 16 { name.to_ascii_lowercase() } else { String::new() };
        let start = token.start;
        match keyword.as_str() {
            "lock" => self.lock(),
            "if" => self.jump_if(),
            "goto" => {
                self.parser.bump();
                self.jump(start, FixupKind::Jump, |off| Insn::Jump { off, long: false })
            }
            "gotol" => {
                self.parser.bump();
                self.jump(start, FixupKind::LongJump, |off| Insn::Jump { off, long: true })
            }
            "may_goto" => {
                self.parser.bump();
                self.jump(start, FixupKind::MayGoto, |off| Insn::MayGoto { off: off as i16 })
            }
            "call" => self.call(),
            "callx" => {
                self.parser.bump();
                let target = self.wide_register()?;
                self.push(Insn::CallReg { target }, start)
            }
            "exit" => {
                self.parser.bump();
                self.push(Insn::Exit, start)
            }
            "store_release" => self.store_release(),
            "ld_pseudo" => self.ld_pseudo(),
            _ => self.parser.expected(expected),
        }
    }

    pub(super) fn push(&mut self, insn: Insn, start: usize) -> Result<()> {
        self.push_at(insn, start).map(|_| ())
    }

    pub(super) fn push_at(&mut self, insn: Insn, start: usize) -> Result<u64> {
        // The start of the instruction is on the line where the parser saw its first token; only a block comment can
        // be in between.
        let line = self.parser.token().line;
        self.emit(&insn.encode(), start, line)
    }

    fn constraint<T>(&self, start: usize, message: &'static str) -> Result<T> {
        Err(self.error(self.parser.span_from(start), AsmErrorKind::Constraint(message)))
    }

    // Operands.

    fn try_register(&mut self) -> Option<Named> {
        let Kind::Name(name) = self.parser.token().kind else { return None };
        let (narrow, reg) = parse_register(name)?;
        self.parser.bump();
        Some((if narrow { Width::W32 } else { Width::W64 }, reg))
    }

    pub(super) fn register(&mut self, expected: &'static str) -> Result<Named> {
        match self.try_register() {
            Some(named) => Ok(named),
            None => self.parser.expected(expected),
        }
    }

    /// A 64-bit register.
    fn wide_register(&mut self) -> Result<Reg> {
        self.register_of(Width::W64)
    }

    /// A register by its name of this width.
    fn register_of(&mut self, width: Width) -> Result<Reg> {
        let expected = match width {
            Width::W32 => "a 32-bit register, w0 to w10",
            Width::W64 => "a 64-bit register, r0 to r10",
        };
        let Kind::Name(name) = self.parser.token().kind else { return self.parser.expected(expected) };
        match parse_register(name) {
            Some((narrow, reg)) if narrow == (width == Width::W32) => {
                self.parser.bump();
                Ok(reg)
            }
            _ => self.parser.expected(expected),
        }
    }

    pub(super) fn operand(&mut self, width: Width) -> Result<Operand> {
        if let Kind::Name(name) = self.parser.token().kind
            && parse_register(name).is_some()
        {
            return self.register_of(width).map(Operand::Reg);
        }
        self.parser.imm32(&self.defs, "a register or a number").map(Operand::Imm)
    }

    /// `(u32 *)`, from behind the opening parenthesis.
    fn pointer_type(&mut self) -> Result<(Size, bool)> {
        let expected = "a type: u8, u16, u32, u64, s8, s16 or s32";
        let Kind::Name(name) = self.parser.token().kind else { return self.parser.expected(expected) };
        let found = match name.to_ascii_lowercase().as_str() {
            "u8" => (Size::B, false),
            "u16" => (Size::H, false),
            "u32" => (Size::W, false),
            "u64" => (Size::DW, false),
            "s8" => (Size::B, true),
            "s16" => (Size::H, true),
            "s32" => (Size::W, true),
            _ => return self.parser.expected(expected),
        };
        self.parser.bump();
        self.parser.expect("*", "`*`")?;
        self.parser.expect(")", "`)`")?;
        Ok(found)
    }

    /// `r1 + 8)`, from behind the opening parenthesis.
    fn base_offset(&mut self) -> Result<(Reg, i16)> {
        let base = self.wide_register()?;
        let (min, max) = (i16::MIN.into(), i16::MAX.into());
        let off = self.parser.displacement(&self.defs, "offset", min, max)?;
        Ok((base, off as i16))
    }

    /// `(u32 *)(r1 + 8)`
    fn address(&mut self) -> Result<Address> {
        self.parser.expect("(", "`(`")?;
        let (size, signed) = self.pointer_type()?;
        self.parser.expect("(", "`(`")?;
        let (base, off) = self.base_offset()?;
        self.parser.expect(")", "`+`, `-` or `)`")?;
        Ok(Address { size, signed, base, off })
    }

    /// [`Self::address`] of an unsigned type.
    fn unsigned_address(&mut self) -> Result<Address> {
        let start = self.parser.token().start;
        let address = self.address()?;
        if address.signed {
            self.constraint(start, "only loads can be of a signed type")
        } else {
            Ok(address)
        }
    }

    // Assignments to a register.

    fn assignment(&mut self, (width, dst): Named, start: usize) -> Result<()> {
        let token = self.parser.token();
        let signed = self.parser.is_name("s");
        let operator = if signed { self.parser.second().kind } else { token.kind };
        let op = match (signed, operator) {
            (false, Kind::Punct("=")) => {
                self.parser.bump();
                return self.value((width, dst), start);
            }
            (false, Kind::Punct("+=")) => AluOp::Add,
            (false, Kind::Punct("-=")) => AluOp::Sub,
            (false, Kind::Punct("*=")) => AluOp::Mul,
            (false, Kind::Punct("/=")) => AluOp::Div,
            (false, Kind::Punct("%=")) => AluOp::Mod,
            (false, Kind::Punct("|=")) => AluOp::Or,
            (false, Kind::Punct("&=")) => AluOp::And,
            (false, Kind::Punct("^=")) => AluOp::Xor,
            (false, Kind::Punct("<<=")) => AluOp::Lsh,
            (false, Kind::Punct(">>=")) => AluOp::Rsh,
            (true, Kind::Punct("/=")) => AluOp::Sdiv,
            (true, Kind::Punct("%=")) => AluOp::Smod,
            (true, Kind::Punct(">>=")) => AluOp::Arsh,
            _ => {
                return self.parser.expected(
                    "an assignment: =, +=, -=, *=, /=, %=, |=, &=, ^=, <<=, >>=, s/=, s%= or s>>=",
                );
            }
        };
        if signed {
            self.parser.bump();
        }
        self.parser.bump();
        let src = self.operand(width)?;
        self.push(Insn::Alu { width, op, dst, src }, start)
    }

    /// What stands behind `r1 =`.
    fn value(&mut self, dst: Named, start: usize) -> Result<()> {
        let (width, reg) = dst;
        let token = self.parser.token();
        let second = self.parser.second().kind;
        let names_register = |kind| matches!(kind, Kind::Name(name) if parse_register(name).is_some());
        match token.kind {
            Kind::Punct("*") => self.load(dst, start),
            Kind::Punct("-") if names_register(second) => {
                self.parser.bump();
                if self.register_of(width)? == reg {
                    self.push(Insn::Neg { width, dst: reg }, start)
                } else {
                    self.constraint(token.start, SAME_REGISTER)
                }
            }
            Kind::Punct("(") if matches!(second, Kind::Name(name) if signed_type(name).is_some()) => {
                self.parser.bump();
                let Kind::Name(name) = self.parser.bump().kind else { return Ok(()) };
                self.parser.expect(")", "`)`")?;
                let src = self.register_of(width)?;
                let insn = Insn::Movsx { width, from: signed_type(name).unwrap_or(Size::B), dst: reg, src };
                if insn.is_valid() {
                    self.push(insn, start)
                } else {
                    self.constraint(
                        token.start,
                        "a 32-bit register holds no more than 32 bits: plain `w1 = w2` does it",
                    )
                }
            }
            Kind::Name(name) if let Some((narrow, _)) = parse_register(name) => {
                // `r1 = w2`, zero extension as `clang -S` writes it, is the 32-bit move.
                let width = if narrow { Width::W32 } else { width };
                let src = Operand::Reg(self.register_of(width)?);
                self.push(Insn::Alu { width, op: AluOp::Mov, dst: reg, src }, start)
            }
            Kind::Name(name) if name.len() <= 20 => {
                let name = name.to_ascii_lowercase();
                match second {
                    Kind::Punct("(") => self.function(&name, dst, start),
                    Kind::Punct("[") => self.pseudo_imm64(&name, dst, start),
                    _ => match swap_operator(&name) {
                        Some((kind, size)) => {
                            self.parser.bump();
                            if width == Width::W32 || self.wide_register()? != reg {
                                return self.constraint(token.start, SAME_REGISTER);
                            }
                            self.push(Insn::Swap { kind, size, dst: reg }, start)
                        }
                        None => self.immediate(dst, start),
                    },
                }
            }
            _ => self.immediate(dst, start),
        }
    }

    /// `r1 = 5`, `r1 = 5 ll`, `r1 = symbol ll`
    fn immediate(&mut self, (width, dst): Named, start: usize) -> Result<()> {
        let value_start = self.parser.token().start;
        let value = self.parser.expression(&self.defs, "a value to assign")?;
        let span = self.parser.span_from(value_start);
        if !self.parser.eat_name("ll") {
            let (min, max) = (i32::MIN.into(), u32::MAX.into());
            return match value {
                Value { constant, plus: None, minus: None } if (min..=max).contains(&constant) => {
                    let src = Operand::Imm(constant as i32);
                    self.push(Insn::Alu { width, op: AluOp::Mov, dst, src }, start)
                }
                Value { constant: value, plus: None, minus: None } => {
                    let what = "32-bit immediate";
                    Err(self.error(span, AsmErrorKind::OutOfRange { what, value, min, max }))
                }
                _ => self.parser.expected("`ll` behind the address of a symbol"),
            };
        }
        if width == Width::W32 {
            return self.constraint(start, "64 bits go to a 64-bit register, r0 to r10");
        }
        let (min, max) = (i64::MIN.into(), u64::MAX.into());
        if !(min..=max).contains(&value.constant) {
            let what = "64-bit immediate";
            return Err(self.error(span, AsmErrorKind::OutOfRange { what, value: value.constant, min, max }));
        }
        let load = Insn::LoadImm64 { dst, value: Imm64::Value(value.constant as u64) };
        let offset = self.push_at(load, start)?;
        if value.plus.or(value.minus).is_some() {
            self.fixups.push(Fixup {
                section: self.defs.current,
                offset,
                kind: FixupKind::Address,
                value,
                span,
            });
        }
        Ok(())
    }

    /// `*(u32 *)(r1 + 8)` or `*(u32 *)skb[8]`
    fn load(&mut self, (width, dst): Named, start: usize) -> Result<()> {
        self.parser.bump();
        self.parser.expect("(", "`(`")?;
        let (size, signed) = self.pointer_type()?;
        if self.parser.eat_name("skb") {
            return self.packet_load((width, dst), size, signed, start);
        }
        self.parser.expect("(", "`(` or `skb`")?;
        let (base, off) = self.base_offset()?;
        self.parser.expect(")", "`+`, `-` or `)`")?;
        if width == Width::W32 && (signed || size == Size::DW) {
            return self.constraint(start, "this load fills 64 bits: the register is r0 to r10");
        }
        self.push(Insn::Load { size, sign_extend: signed, dst, base, off }, start)
    }

    fn packet_load(&mut self, dst: Named, size: Size, signed: bool, start: usize) -> Result<()> {
        if dst != (Width::W64, Reg::R0) {
            return self.constraint(start, "a packet load goes to r0");
        }
        if signed || size == Size::DW {
            return self.constraint(start, "a packet load is of u8, u16 or u32");
        }
        self.parser.expect("[", "`[`")?;
        let insn = match self.parser.token().kind {
            Kind::Name(name) if parse_register(name).is_some() => {
                let src = self.wide_register()?;
                let (min, max) = (i32::MIN.into(), u32::MAX.into());
                let off = self.parser.displacement(&self.defs, "offset", min, max)? as i32;
                Insn::LoadInd { size, src, off }
            }
            _ => Insn::LoadAbs { size, off: self.parser.imm32(&self.defs, "a register or an offset")? },
        };
        self.parser.expect("]", "`]`")?;
        self.push(insn, start)
    }

    /// `addr_space_cast(...)`, `load_acquire(...)` and the atomic operations that give a value.
    fn function(&mut self, name: &str, (width, dst): Named, start: usize) -> Result<()> {
        let name_start = self.parser.token().start;
        let insn = match name {
            "addr_space_cast" if width == Width::W64 => {
                self.parser.bump();
                self.parser.expect("(", "`(`")?;
                let src = self.wide_register()?;
                self.parser.expect(",", "`,`")?;
                let space = "address space";
                let dst_as = self.parser.number(&self.defs, space, 0, 0xffff)? as u16;
                self.parser.expect(",", "`,`")?;
                let src_as = self.parser.number(&self.defs, space, 0, 0xffff)? as u16;
                self.parser.expect(")", "`)`")?;
                Insn::AddrSpaceCast { dst, src, dst_as, src_as }
            }
            "load_acquire" => {
                self.parser.bump();
                self.parser.expect("(", "`(`")?;
                let Address { size, base, off, .. } = self.unsigned_address()?;
                self.parser.expect(")", "`)`")?;
                self.check_width(width, size, start)?;
                Insn::LoadAcquire { size, dst, base, off }
            }
            "xchg32_32" | "xchg_32" | "xchg_64" | "cmpxchg32_32" | "cmpxchg_32" | "cmpxchg_64" => {
                self.parser.bump();
                let size = if name.ends_with("_64") { Size::DW } else { Size::W };
                self.check_width(width, size, start)?;
                self.parser.expect("(", "`(`")?;
                let (base, off) = self.base_offset()?;
                self.parser.expect(",", "`+`, `-` or `,`")?;
                let argument = self.parser.token().start;
                let second = self.register_of(width)?;
                if second != dst {
                    return self.constraint(argument, SAME_REGISTER);
                }
                let op = if name.starts_with('x') { AtomicOp::Xchg } else { AtomicOp::Cmpxchg };
                let mut src = second;
                if op == AtomicOp::Cmpxchg {
                    if dst != Reg::R0 {
                        return self.constraint(argument, R0_ONLY);
                    }
                    self.parser.expect(",", "`,`")?;
                    src = self.register_of(width)?;
                }
                self.parser.expect(")", "`)`")?;
                Insn::Atomic { op, size, base, off, src }
            }
            "atomic_fetch_add" | "atomic_fetch_or" | "atomic_fetch_and" | "atomic_fetch_xor" => {
                self.parser.bump();
                let op = match name {
                    "atomic_fetch_add" => AtomicOp::Add { fetch: true },
                    "atomic_fetch_or" => AtomicOp::Or { fetch: true },
                    "atomic_fetch_and" => AtomicOp::And { fetch: true },
                    _ => AtomicOp::Xor { fetch: true },
                };
                self.parser.expect("(", "`(`")?;
                let Address { size, base, off, .. } = self.unsigned_address()?;
                self.check_width(width, size, start)?;
                self.parser.expect(",", "`,`")?;
                let argument = self.parser.token().start;
                let src = self.register_of(width)?;
                self.parser.expect(")", "`)`")?;
                if src != dst {
                    return self.constraint(argument, SAME_REGISTER);
                }
                Insn::Atomic { op, size, base, off, src }
            }
            _ => {
                return self.parser.expected(
                    "addr_space_cast, load_acquire, atomic_fetch_{add,or,and,xor}, xchg32_32, xchg_64, cmpxchg32_32 or \
                     cmpxchg_64",
                );
            }
        };
        if insn.is_valid() {
            self.push(insn, start)
        } else {
            self.constraint(name_start, "atomic operations are of u32 or u64")
        }
    }

    /// Up to 4 bytes go with a 32-bit register, 8 bytes with a 64-bit one.
    fn check_width(&self, width: Width, size: Size, start: usize) -> Result<()> {
        match (width, size) {
            (Width::W64, Size::DW) => Ok(()),
            (Width::W32, Size::B | Size::H | Size::W) => Ok(()),
            (Width::W32, Size::DW) => self.constraint(start, "8 bytes go with a 64-bit register, r0 to r10"),
            (Width::W64, _) => self.constraint(start, "up to 4 bytes go with a 32-bit register, w0 to w10"),
        }
    }

    /// `map[fd:5] ll` and the other forms that LLVM does not have; see the table in [`crate::disasm`].
    fn pseudo_imm64(&mut self, name: &str, (width, dst): Named, start: usize) -> Result<()> {
        if width == Width::W32 {
            return self.constraint(start, "an address goes to a 64-bit register, r0 to r10");
        }
        if !matches!(name, "map" | "var" | "subprog") {
            return self.parser.expected("map[...], var[...] or subprog[...]");
        }
        self.parser.bump();
        self.parser.bump();
        let mut target = None;
        let value = match name {
            "map" => {
                let by_fd = self.parser.is_name("fd");
                if !by_fd && !self.parser.is_name("idx") {
                    return self.parser.expected("`fd:` or `idx:`");
                }
                let number = self.labelled_number("`:`")?;
                self.parser.expect("]", "`]`")?;
                if self.parser.eat("[") {
                    if !matches!(self.parser.bump().kind, Kind::Int(0)) {
                        return self
                            .constraint(start, "an address can only be inside of the value of key [0]");
                    }
                    self.parser.expect("]", "`]`")?;
                    let off = self.parser.displacement(&self.defs, "offset", 0, u32::MAX.into())? as u32;
                    match by_fd {
                        true => Imm64::MapValueFd { fd: number, off },
                        false => Imm64::MapValueIdx { idx: number, off },
                    }
                } else {
                    if by_fd { Imm64::MapFd(number) } else { Imm64::MapIdx(number) }
                }
            }
            "var" => {
                if !self.parser.is_name("btf_id") {
                    return self.parser.expected("`btf_id:`");
                }
                let id = self.labelled_number("`:`")?;
                let mut fd = 0;
                if self.parser.eat(",") {
                    if !self.parser.is_name("btf_fd") {
                        return self.parser.expected("`btf_fd:`");
                    }
                    fd = self.labelled_number("`:`")?;
                }
                self.parser.expect("]", "`]`")?;
                Imm64::BtfId { id, fd }
            }
            _ => {
                let (value, span) = self.target("a label or an offset in slots")?;
                self.parser.expect("]", "`]`")?;
                match self.relative(&value, &span, i32::MIN.into(), i32::MAX.into())? {
                    Some(off) => Imm64::Func(off),
                    None => {
                        target = Some((value, span));
                        Imm64::Func(0)
                    }
                }
            }
        };
        if !self.parser.eat_name("ll") {
            return self.parser.expected("`ll`");
        }
        let offset = self.push_at(Insn::LoadImm64 { dst, value }, start)?;
        if let Some((value, span)) = target {
            self.fixups.push(Fixup {
                section: self.defs.current,
                offset,
                kind: FixupKind::Subprogram,
                value,
                span,
            });
        }
        Ok(())
    }

    /// `name:5`, the name already recognised.
    fn labelled_number(&mut self, colon: &'static str) -> Result<i32> {
        self.parser.bump();
        self.parser.expect(":", colon)?;
        self.parser.imm32(&self.defs, "a number")
    }

    // Stores.

    /// `*(u32 *)(r1 + 8) = ...`
    fn store(&mut self) -> Result<()> {
        let start = self.parser.bump().start;
        let Address { size, base, off, .. } = self.unsigned_address()?;
        self.parser.expect("=", "`=`")?;
        let insn = match self.parser.token().kind {
            Kind::Name(name) if let Some((narrow, src)) = parse_register(name) => {
                self.parser.bump();
                if narrow && size == Size::DW {
                    return self.constraint(start, "8 bytes come from a 64-bit register, r0 to r10");
                }
                Insn::StoreReg { size, base, off, src }
            }
            _ => Insn::StoreImm {
                size,
                base,
                off,
                imm: self.parser.imm32(&self.defs, "a register or a number")?,
            },
        };
        self.push(insn, start)
    }

    /// `lock *(u64 *)(r1 + 8) += r2`
    fn lock(&mut self) -> Result<()> {
        let start = self.parser.bump().start;
        self.parser.expect("*", "`*`")?;
        let Address { size, base, off, .. } = self.unsigned_address()?;
        let op = match self.parser.token().kind {
            Kind::Punct("+=") => AtomicOp::Add { fetch: false },
            Kind::Punct("|=") => AtomicOp::Or { fetch: false },
            Kind::Punct("&=") => AtomicOp::And { fetch: false },
            Kind::Punct("^=") => AtomicOp::Xor { fetch: false },
            _ => return self.parser.expected("+=, |=, &= or ^="),
        };
        self.parser.bump();
        let (width, src) = self.register("a register")?;
        let insn = Insn::Atomic { op, size, base, off, src };
        if !insn.is_valid() {
            return self.constraint(start, "atomic operations are of u32 or u64");
        }
        if width == Width::W32 && size == Size::DW {
            return self.constraint(start, "8 bytes come from a 64-bit register, r0 to r10");
        }
        self.push(insn, start)
    }

    /// `store_release((u64 *)(r1 + 8), r2)`
    fn store_release(&mut self) -> Result<()> {
        let start = self.parser.bump().start;
        self.parser.expect("(", "`(`")?;
        let Address { size, base, off, .. } = self.unsigned_address()?;
        self.parser.expect(",", "`,`")?;
        let src = self.register_of(if size == Size::DW { Width::W64 } else { Width::W32 })?;
        self.parser.expect(")", "`)`")?;
        self.push(Insn::StoreRelease { size, base, off, src }, start)
    }

    /// `ld_pseudo r1, 1, 5`: LLVM's form of the source kinds, with one immediate.
    fn ld_pseudo(&mut self) -> Result<()> {
        let token = self.parser.bump();
        let dst = self.wide_register()?;
        self.parser.expect(",", "`,`")?;
        let src = self.parser.number(&self.defs, "source kind", 0, 6)? as u8;
        self.parser.expect(",", "`,`")?;
        let imm = self.parser.imm32(&self.defs, "a number")?;
        let first = RawInsn { opcode: opcode::LD_IMM64, dst: dst.number(), src, off: 0, imm };
        match Insn::decode(&[first, RawInsn::default()]) {
            Ok(insn) => self.push(insn, token.start),
            Err(_) => self.constraint(token.start, "no such source kind"),
        }
    }
}

fn signed_type(name: &str) -> Option<Size> {
    [("s8", Size::B), ("s16", Size::H), ("s32", Size::W)]
        .into_iter()
        .find_map(|(text, size)| name.eq_ignore_ascii_case(text).then_some(size))
}

fn swap_operator(name: &str) -> Option<(SwapKind, Size)> {
    let (kind, bits) = [("bswap", SwapKind::Bswap), ("be", SwapKind::ToBe), ("le", SwapKind::ToLe)]
        .into_iter()
        .find_map(|(text, kind)| Some((kind, name.strip_prefix(text)?)))?;
    let size = match bits {
        "16" => Size::H,
        "32" => Size::W,
        "64" => Size::DW,
        _ => return None,
    };
    Some((kind, size))
}
