//! Programs as numbers: what `tcpdump -dd` and `-ddd`, `bpf_asm` and the `bytecode` of `xt_bpf` and `tc` print.

use std::fmt::Write as _;

use super::{Insn, TextError, asm, disasm};

/// Reads a program in any of its text forms, told apart by how the text begins:
///
/// | begins with | form |
/// | --- | --- |
/// | `{` | [`parse_c`]: `tcpdump -dd`, `bpf_asm -c` |
/// | `(` | [`parse_tcpdump`]: `tcpdump -d` |
/// | a number, then a comma | [`parse_line`]: `bpf_asm`, `xt_bpf`, `tc` |
/// | a number | [`parse_decimal`]: `tcpdump -ddd` |
/// | anything else | [`assemble`](super::assemble) |
///
/// # Errors
/// Where the text is not in that form.
pub fn parse(text: &str) -> Result<Vec<Insn>, TextError> {
    let begins = text.trim_start();
    let after_digits = begins.trim_start_matches(|c: char| c.is_ascii_digit());
    if begins.starts_with('{') {
        parse_c(text)
    } else if begins.starts_with('(') {
        parse_tcpdump(text)
    } else if after_digits.len() == begins.len() {
        asm::assemble(text)
    } else if after_digits.trim_start().starts_with(',') {
        parse_line(text)
    } else {
        parse_decimal(text)
    }
}

/// Writes as `tcpdump -ddd` does: a line with the count, then `code jt jf k` in decimal, a line each.
#[must_use]
pub fn to_decimal(insns: &[Insn]) -> String {
    let mut text = format!("{}\n", insns.len());
    for Insn { code, jt, jf, k } in insns {
        let _ = writeln!(text, "{code} {jt} {jf} {k}");
    }
    text
}

/// Reads what [`to_decimal`] writes.
///
/// # Errors
/// Where a number is missing, malformed or too large, or the count is not that of the instructions.
pub fn parse_decimal(text: &str) -> Result<Vec<Insn>, TextError> {
    let mut scan = Scanner::new(text);
    let count = scan.number("the number of instructions")?;
    let mut insns = Vec::new();
    while !scan.at_end() {
        insns.push(scan.four_numbers(None)?);
    }
    scan.check_count(count, insns.len())?;
    Ok(insns)
}

/// Writes as `tcpdump -dd` does: initialisers of `struct sock_filter` in C.
#[must_use]
pub fn to_c(insns: &[Insn]) -> String {
    let mut text = String::new();
    for Insn { code, jt, jf, k } in insns {
        let _ = writeln!(text, "{{ 0x{code:x}, {jt}, {jf}, 0x{k:08x} }},");
    }
    text
}

/// Reads what [`to_c`] writes: `{ code, jt, jf, k }` separated by commas, numbers decimal, hexadecimal or octal.
///
/// # Errors
/// Where something else stands.
pub fn parse_c(text: &str) -> Result<Vec<Insn>, TextError> {
    let mut scan = Scanner::new(text);
    let mut insns = Vec::new();
    while !scan.at_end() {
        scan.expect('{')?;
        insns.push(scan.four_numbers(Some(','))?);
        scan.expect('}')?;
        if !scan.at_end() {
            scan.expect(',')?;
        }
    }
    Ok(insns)
}

/// Writes the line that `xt_bpf --bytecode` and `tc ... bytecode` take: the count, then `code jt jf k` in decimal, separated by
/// commas.
#[must_use]
pub fn to_line(insns: &[Insn]) -> String {
    let mut text = insns.len().to_string();
    for Insn { code, jt, jf, k } in insns {
        let _ = write!(text, ",{code} {jt} {jf} {k}");
    }
    text
}

/// Reads what [`to_line`] writes, also with the comma at the end that `bpf_asm` writes.
///
/// # Errors
/// Where a number is missing, malformed or too large, or the count is not that of the instructions.
pub fn parse_line(text: &str) -> Result<Vec<Insn>, TextError> {
    let mut scan = Scanner::new(text);
    let count = scan.number("the number of instructions")?;
    let mut insns = Vec::new();
    while !scan.at_end() {
        scan.expect(',')?;
        if scan.at_end() {
            break;
        }
        insns.push(scan.four_numbers(None)?);
    }
    scan.check_count(count, insns.len())?;
    Ok(insns)
}

/// Reads the listing that `tcpdump -d` prints and [`to_tcpdump`](super::to_tcpdump) writes.
///
/// # Errors
/// Where something else stands, a line has not the number that follows the one before, or a jump goes back or too far.
pub fn parse_tcpdump(text: &str) -> Result<Vec<Insn>, TextError> {
    disasm::parse_tcpdump(text)
}

/// Numbers and punctuation between blanks, over any number of lines.
struct Scanner<'a> {
    rest: &'a str,
    line: usize,
    column: usize,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str) -> Self {
        Scanner { rest: text, line: 1, column: 1 }
    }

    fn error<T>(&self, why: impl Into<String>) -> Result<T, TextError> {
        Err(TextError { line: self.line, column: self.column, why: why.into() })
    }

    fn bump(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next()?;
        self.rest = chars.as_str();
        (self.line, self.column) = if c == '\n' { (self.line + 1, 1) } else { (self.line, self.column + 1) };
        Some(c)
    }

    fn skip_blanks(&mut self) {
        while self.rest.starts_with(char::is_whitespace) {
            self.bump();
        }
    }

    fn at_end(&mut self) -> bool {
        self.skip_blanks();
        self.rest.is_empty()
    }

    fn found(&self) -> String {
        self.rest.chars().next().map_or("the end of the text".into(), |c| format!("`{}`", c.escape_debug()))
    }

    fn expect(&mut self, wanted: char) -> Result<(), TextError> {
        self.skip_blanks();
        if !self.rest.starts_with(wanted) {
            return self.error(format!("expected `{wanted}`, found {}", self.found()));
        }
        self.bump();
        Ok(())
    }

    fn number(&mut self, what: &str) -> Result<u32, TextError> {
        self.skip_blanks();
        let len = self.rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(len);
        if word.is_empty() {
            return self.error(format!("expected {what}, found {}", self.found()));
        }
        match asm::parse_number(word).and_then(|number| u32::try_from(number).ok()) {
            Some(number) => {
                self.rest = rest;
                self.column += len;
                Ok(number)
            }
            None => self.error(format!("`{word}` is not a number of 32 bits")),
        }
    }

    fn field<T: TryFrom<u32>>(&mut self, name: &str, max: u32) -> Result<T, TextError> {
        self.skip_blanks();
        let (line, column) = (self.line, self.column);
        let number = self.number(name)?;
        T::try_from(number).map_err(|_| TextError {
            line,
            column,
            why: format!("{name} is {number}, at most {max} is possible"),
        })
    }

    /// `code jt jf k`, with something between them.
    fn four_numbers(&mut self, between: Option<char>) -> Result<Insn, TextError> {
        let separate = |scan: &mut Self| between.map_or(Ok(()), |c| scan.expect(c));
        let code = self.field("code", u16::MAX.into())?;
        separate(self)?;
        let jt = self.field("jt", u8::MAX.into())?;
        separate(self)?;
        let jf = self.field("jf", u8::MAX.into())?;
        separate(self)?;
        let k = self.field("k", u32::MAX)?;
        Ok(Insn { code, jt, jf, k })
    }

    fn check_count(&self, stated: u32, found: usize) -> Result<(), TextError> {
        if stated as usize == found {
            return Ok(());
        }
        self.error(format!("the count says {stated} instructions, the text has {found}"))
    }
}
