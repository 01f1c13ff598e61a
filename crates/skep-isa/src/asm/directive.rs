//! Directives.

use super::error::AsmErrorKind;
use super::fixup::{Fixup, FixupKind};
use super::lexer::Kind;
use super::parser::{Result, Scope as _};
use super::{Assembler, Binding, SymbolKind};
use crate::{Endian, Insn};

const SHF_WRITE: u64 = 1;
const SHF_ALLOC: u64 = 2;
/// ELF section flag: holds instructions.
pub(super) const SHF_EXECINSTR: u64 = 4;
const SHF_MERGE: u64 = 0x10;
const SHF_STRINGS: u64 = 0x20;

/// Flags of a section named without flags, and whether it has no contents.
pub(super) fn default_kind(name: &str) -> (u64, bool) {
    let is =
        |prefix: &str| name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    match () {
        () if is(".text") => (SHF_ALLOC | SHF_EXECINSTR, false),
        () if is(".bss") => (SHF_ALLOC | SHF_WRITE, true),
        () if is(".data") => (SHF_ALLOC | SHF_WRITE, false),
        () if is(".rodata") => (SHF_ALLOC, false),
        () => (0, false),
    }
}

/// What fits a datum of that many bytes, as a signed or an unsigned number.
pub(super) fn datum_range(size: usize) -> (i128, i128) {
    let bits = 8 * size.min(8);
    (-(1i128 << (bits - 1)), (1i128 << bits) - 1)
}

/// A number as data; the first `size` bytes count.
pub(super) fn datum(value: i128, size: usize, endian: Endian) -> Option<[u8; 8]> {
    let (min, max) = datum_range(size);
    if !(min..=max).contains(&value) {
        return None;
    }
    let value = value as u64;
    Some(match endian {
        Endian::Little => value.to_le_bytes(),
        Endian::Big => (value << (64 - 8 * size.clamp(1, 8))).to_be_bytes(),
    })
}

impl<'t> Assembler<'t, '_> {
    /// One directive with the end of its statement.
    pub(super) fn directive(&mut self, name: &'t str) -> Result<()> {
        let token = self.parser.bump();
        let start = token.start;
        match name {
            ".text" => self.switch_section(".text", default_kind(".text")),
            ".data" => self.switch_section(".data", default_kind(".data")),
            ".bss" => self.switch_section(".bss", default_kind(".bss")),
            ".section" => self.section()?,
            ".globl" | ".global" => self.each_symbol(|symbol| symbol.binding = Binding::Global)?,
            ".local" => self.each_symbol(|symbol| {
                symbol.binding = Binding::Local;
                symbol.local = true;
            })?,
            ".weak" => self.each_symbol(|symbol| symbol.binding = Binding::Weak)?,
            ".hidden" => self.each_symbol(|symbol| symbol.hidden = true)?,
            ".type" => self.symbol_type()?,
            ".size" => self.symbol_size()?,
            ".comm" => self.common(start, Binding::Global)?,
            ".lcomm" => self.common(start, Binding::Local)?,
            ".set" | ".equ" => self.constant()?,
            ".byte" => self.data(1, start)?,
            ".short" | ".hword" | ".2byte" | ".value" => self.data(2, start)?,
            ".long" | ".int" | ".word" | ".4byte" => self.data(4, start)?,
            ".quad" | ".8byte" => self.data(8, start)?,
            ".ascii" => self.strings(false, start)?,
            ".asciz" | ".string" => self.strings(true, start)?,
            ".zero" | ".skip" | ".space" => {
                let count = self.parser.number(&self.defs, "number of bytes", 0, u32::MAX.into())? as u64;
                // A fill value of zero may follow.
                if self.parser.eat(",") {
                    self.parser.number(&self.defs, "fill value", 0, 0)?;
                }
                if !self.in_debug_section() {
                    self.append_zeros(count, start)?;
                }
            }
            ".p2align" => {
                let power = self.parser.number(&self.defs, "power of two", 0, 16)?;
                self.align(1 << power, start)?;
            }
            ".balign" | ".align" => {
                let align_start = self.parser.token().start;
                let align = self.parser.number(&self.defs, "alignment", 1, 1 << 16)? as u64;
                if !align.is_power_of_two() {
                    let message = "an alignment is a power of two";
                    return Err(
                        self.error(self.parser.span_from(align_start), AsmErrorKind::Constraint(message))
                    );
                }
                self.align(align, start)?;
            }
            ".uleb128" | ".sleb128" if self.in_debug_section() => self.skip_statement(),
            ".file" | ".ident" | ".loc" | ".addrsig" | ".addrsig_sym" => self.skip_statement(),
            _ if name.starts_with(".cfi_") => self.skip_statement(),
            _ => {
                let kind =
                    token.unexpected(self.parser.text, "a directive listed in the assembler's documentation");
                return Err(self.error(token.span(), kind));
            }
        }
        self.parser.expect_end("the end of the directive")
    }

    /// DWARF is read and dropped.
    fn in_debug_section(&self) -> bool {
        self.defs.sections.get(self.defs.current).is_some_and(|section| section.name.starts_with(".debug"))
    }

    fn skip_statement(&mut self) {
        while !self.parser.is_end() {
            self.parser.bump();
        }
    }

    /// A symbol's name.
    fn name(&mut self) -> Result<&'t str> {
        match self.parser.token().kind {
            Kind::Name(name) | Kind::Str(name) => {
                self.parser.bump();
                Ok(name)
            }
            _ => self.parser.expected("a symbol"),
        }
    }

    fn each_symbol(&mut self, change: impl Fn(&mut super::SymbolState)) -> Result<()> {
        loop {
            let name = self.name()?;
            change(self.defs.symbol(name));
            if !self.parser.eat(",") {
                return Ok(());
            }
        }
    }

    /// `.section name`, `.section "name","awx",@progbits`
    fn section(&mut self) -> Result<()> {
        let name = match self.parser.token().kind {
            Kind::Str(name) => {
                self.parser.bump();
                name
            }
            _ if self.parser.is_end() => return self.parser.expected("a section's name"),
            _ => self.parser.raw_until(",").0,
        };
        let (mut flags, mut nobits) = default_kind(name);
        if self.parser.eat(",") {
            let Kind::Str(letters) = self.parser.token().kind else {
                return self.parser.expected("the section's flags as a string");
            };
            flags = 0;
            for letter in letters.bytes() {
                flags |= match letter {
                    b'a' => SHF_ALLOC,
                    b'w' => SHF_WRITE,
                    b'x' => SHF_EXECINSTR,
                    b'M' => SHF_MERGE,
                    b'S' => SHF_STRINGS,
                    // Groups, link order, exclusion: nothing that changes the contents.
                    _ => 0,
                };
            }
            self.parser.bump();
        }
        if self.parser.eat(",") {
            if !self.parser.eat("@") && !self.parser.eat("%") {
                return self.parser.expected("a section type: @progbits, @nobits or another");
            }
            nobits = self.parser.is_name("nobits");
            if !matches!(self.parser.token().kind, Kind::Name(_) | Kind::Int(_)) {
                return self.parser.expected("progbits, nobits or another section type");
            }
            // Entry size, group and uniqueness may follow.
            self.skip_statement();
        }
        self.switch_section(name, (flags, nobits));
        Ok(())
    }

    /// `.type name,@function`
    fn symbol_type(&mut self) -> Result<()> {
        let name = self.name()?;
        self.parser.expect(",", "`,`")?;
        if !self.parser.eat("@") {
            self.parser.eat("%");
        }
        let expected = "function, object or notype";
        let (Kind::Name(kind) | Kind::Str(kind)) = self.parser.token().kind else {
            return self.parser.expected(expected);
        };
        let kind = match kind {
            "function" | "STT_FUNC" => SymbolKind::Function,
            "object" | "STT_OBJECT" => SymbolKind::Object,
            "notype" | "STT_NOTYPE" => SymbolKind::NoType,
            _ => return self.parser.expected(expected),
        };
        self.parser.bump();
        self.defs.symbol(name).kind = kind;
        Ok(())
    }

    /// `.size name, .-name`
    fn symbol_size(&mut self) -> Result<()> {
        let name = self.name()?;
        self.parser.expect(",", "`,`")?;
        let start = self.parser.token().start;
        let value = self.parser.expression(&self.defs, "a size")?;
        self.sizes.push((name, value, self.parser.span_from(start)));
        Ok(())
    }

    /// `.comm name, size, align`: a variable in `.bss`, global unless `.local` says otherwise.
    fn common(&mut self, start: usize, binding: Binding) -> Result<()> {
        let token = self.parser.token();
        let name = self.name()?;
        self.parser.expect(",", "`,`")?;
        let size = self.parser.number(&self.defs, "size", 0, u32::MAX.into())? as u64;
        let mut align = 1;
        if self.parser.eat(",") {
            align = self.parser.number(&self.defs, "alignment", 1, 1 << 16)? as u64;
        }
        let current = self.defs.current;
        self.switch_section(".bss", default_kind(".bss"));
        self.align(align.next_power_of_two(), start)?;
        self.define(name, token.span(), token.line)?;
        self.append_zeros(size, start)?;
        let symbol = self.defs.symbol(name);
        symbol.size = size;
        symbol.kind = SymbolKind::Object;
        if !symbol.local && symbol.binding == Binding::Local {
            symbol.binding = binding;
        }
        self.defs.current = current;
        Ok(())
    }

    /// `.set name, value`
    fn constant(&mut self) -> Result<()> {
        let name = self.name()?;
        self.parser.expect(",", "`,`")?;
        let value = self.parser.number(&self.defs, "constant", i64::MIN.into(), u64::MAX.into())?;
        self.defs.constants.insert(name, value as i64);
        Ok(())
    }

    /// `.long 1, name, a - b`
    fn data(&mut self, size: usize, start: usize) -> Result<()> {
        loop {
            let value_start = self.parser.token().start;
            let value = self.parser.expression(&self.defs, "a value")?;
            let span = self.parser.span_from(value_start);
            if !self.in_debug_section() {
                let (section, offset) = self.defs.here();
                let constant = value.plus.is_none() && value.minus.is_none();
                let bytes =
                    if constant { datum(value.constant, size, self.options.endian) } else { Some([0; 8]) };
                let Some(bytes) = bytes else {
                    let (min, max) = datum_range(size);
                    let kind = AsmErrorKind::OutOfRange { what: "value", value: value.constant, min, max };
                    return Err(self.error(span, kind));
                };
                self.append(bytes.get(..size).unwrap_or_default(), start)?;
                if !constant {
                    self.fixups.push(Fixup { section, offset, kind: FixupKind::Data(size), value, span });
                }
            }
            if !self.parser.eat(",") {
                return Ok(());
            }
        }
    }

    /// `.ascii "text", "more"`
    fn strings(&mut self, terminated: bool, start: usize) -> Result<()> {
        loop {
            let Kind::Str(text) = self.parser.token().kind else { return self.parser.expected("a string") };
            self.parser.bump();
            if !self.in_debug_section() {
                let mut bytes = unescape(text);
                if terminated {
                    bytes.push(0);
                }
                self.append(&bytes, start)?;
            }
            if !self.parser.eat(",") {
                return Ok(());
            }
        }
    }

    /// Pads the current section: instructions with jumps to the next one, data with zeros.
    fn align(&mut self, align: u64, start: usize) -> Result<()> {
        // A fill value and a limit may follow; sections are filled as if they were not there.
        if self.parser.is(",") {
            self.skip_statement();
        }
        if self.in_debug_section() {
            return Ok(());
        }
        let (_, at) = self.defs.here();
        let Some(section) = self.defs.sections.get_mut(self.defs.current) else { return Ok(()) };
        section.align = section.align.max(align);
        let gap = at.next_multiple_of(align) - at;
        if section.flags & SHF_EXECINSTR != 0 && at % 8 == 0 && gap % 8 == 0 {
            let nop = Insn::Jump { off: 0, long: false }.encode();
            let bytes = nop.first().map(|slot| slot.to_bytes(self.options.endian)).unwrap_or_default();
            for _ in 0..gap / 8 {
                self.append(&bytes, start)?;
            }
            return Ok(());
        }
        self.append_zeros(gap, start)
    }
}

/// The bytes of a string as written: `\n`, `\t`, `\r`, `\b`, `\f`, `\\`, `\"`, `\x41`, octal `\101`.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        let Some((&escape, tail)) = rest.split_first() else { break };
        rest = tail;
        let radix_run = |rest: &[u8], radix: u32, most: usize| {
            let len = rest.iter().take(most).take_while(|&&b| (b as char).is_digit(radix)).count();
            let value = rest.iter().take(len).fold(0u32, |value, &b| {
                value.wrapping_mul(radix).wrapping_add((b as char).to_digit(radix).unwrap_or(0))
            });
            (value as u8, len)
        };
        let (byte, used) = match escape {
            b'n' => (b'\n', 0),
            b't' => (b'\t', 0),
            b'r' => (b'\r', 0),
            b'b' => (8, 0),
            b'f' => (12, 0),
            b'x' | b'X' => radix_run(rest, 16, 16),
            b'0'..=b'7' => {
                let (tail, used) = radix_run(rest, 8, 2);
                // The first digit counts for the digits after it.
                let high = u32::from(escape - b'0') * 8u32.pow(used as u32);
                ((high + u32::from(tail)) as u8, used)
            }
            other => (other, 0),
        };
        bytes.push(byte);
        rest = rest.get(used..).unwrap_or_default();
    }
    bytes
}
