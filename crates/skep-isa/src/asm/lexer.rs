//! Assembly text to tokens.

use std::ops::Range;

use super::error::AsmErrorKind;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind<'t> {
    /// A name: register, keyword, symbol or directive.
    Name(&'t str),
    /// A number.
    Int(u64),
    /// `1f`, `1b`: the next or the last definition of the numeric label `1`.
    LocalRef { label: u64, forward: bool },
    /// A string, without its quotes, escapes as written.
    Str(&'t str),
    /// An operator or a bracket.
    Punct(&'static str),
    /// End of a statement: a line end, or `;` inside of a line.
    End,
    /// End of the text.
    Eof,
    /// Something that is no token; the parser reports it when it gets there.
    Bad(&'static str),
}

/// A token and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind<'t>,
    pub(super) start: usize,
    pub(super) end: usize,
    /// Line of its start, from 1.
    pub(super) line: u32,
}

impl Token<'_> {
    pub(super) fn span(&self) -> Range<usize> {
        self.start..self.end
    }

    /// The error that this token stands where another one should.
    pub(super) fn unexpected(&self, text: &str, expected: &'static str) -> AsmErrorKind {
        let found = match self.kind {
            Kind::End if text.get(self.span()) == Some(";") => "`;`".to_owned(),
            Kind::End => "the end of the line".to_owned(),
            Kind::Eof => "the end of the text".to_owned(),
            Kind::Bad(what) => what.to_owned(),
            _ => {
                // A token can be as long as the text; an error message should not.
                let token: String = text.get(self.span()).unwrap_or_default().chars().take(40).collect();
                format!("`{token}`")
            }
        };
        AsmErrorKind::Unexpected { found, expected }
    }
}

/// Operators, longer ones before their prefixes.
const PUNCTS: [&str; 36] = [
    "<<=", ">>=", "+=", "-=", "*=", "/=", "%=", "|=", "&=", "^=", "==", "!=", "<=", ">=", "<<", ">>", "<",
    ">", "=", "+", "-", "*", "/", "%", "&", "|", "^", "~", "!", "(", ")", "[", "]", ",", ":", "@",
];

/// Reads tokens one by one. A copy is a bookmark.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lexer<'t> {
    text: &'t str,
    at: usize,
    line: u32,
    /// Nothing but blanks and comments so far on this line.
    line_start: bool,
}

const fn starts_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'.' | b'$')
}

const fn continues_name(byte: u8) -> bool {
    starts_name(byte) || byte.is_ascii_digit() || byte == b'@'
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str) -> Lexer<'t> {
        Lexer { text, at: 0, line: 1, line_start: true }
    }

    fn byte(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Number of bytes from here on that satisfy a condition (ASCII only).
    fn run(&self, condition: impl Fn(u8) -> bool) -> usize {
        self.rest().bytes().take_while(|&byte| condition(byte)).count()
    }

    pub(super) fn next(&mut self) -> Token<'t> {
        if let Some(bad) = self.skip_blanks() {
            return bad;
        }
        let (start, line) = (self.at, self.line);
        let kind = self.token();
        self.line_start = matches!((kind, self.text.as_bytes().get(start)), (Kind::End, Some(b'\n')));
        Token { kind, start, end: self.at, line }
    }

    /// Skips blanks and comments; gives a token when a comment does not end.
    fn skip_blanks(&mut self) -> Option<Token<'t>> {
        loop {
            match (self.byte(0), self.byte(1)) {
                (Some(b' ' | b'\t' | b'\r'), _) => self.at += 1,
                (Some(b'#'), _) | (Some(b'/'), Some(b'/')) => self.at += self.run(|byte| byte != b'\n'),
                // objdump's source lines, and most other assemblers' comments.
                (Some(b';'), _) if self.line_start => self.at += self.run(|byte| byte != b'\n'),
                (Some(b'/'), Some(b'*')) => {
                    let (start, line) = (self.at, self.line);
                    let comment = self.rest();
                    let len = comment.get(2..).and_then(|body| body.find("*/")).map(|at| at + 4);
                    let comment = len.and_then(|len| comment.get(..len)).unwrap_or(comment);
                    self.line =
                        self.line.saturating_add(comment.bytes().filter(|&b| b == b'\n').count() as u32);
                    self.at += comment.len();
                    if len.is_none() {
                        let kind = Kind::Bad("a comment without its end `*/`");
                        return Some(Token { kind, start, end: start + 2, line });
                    }
                }
                _ => return None,
            }
        }
    }

    fn token(&mut self) -> Kind<'t> {
        let Some(first) = self.byte(0) else { return Kind::Eof };
        match first {
            b'\n' => {
                self.at += 1;
                self.line = self.line.saturating_add(1);
                Kind::End
            }
            b';' => {
                self.at += 1;
                Kind::End
            }
            b'"' => self.string(),
            b'\'' => self.character(),
            b'0'..=b'9' => self.number(),
            _ if starts_name(first) => {
                let len = self.run(continues_name);
                let name = self.rest().get(..len).unwrap_or_default();
                self.at += len;
                Kind::Name(name)
            }
            _ => match PUNCTS.iter().find(|punct| self.rest().starts_with(**punct)) {
                Some(punct) => {
                    self.at += punct.len();
                    Kind::Punct(punct)
                }
                None => {
                    self.at += self.rest().chars().next().map_or(1, char::len_utf8);
                    Kind::Bad("a character that has no meaning in assembly text")
                }
            },
        }
    }

    fn string(&mut self) -> Kind<'t> {
        let body = self.rest().get(1..).unwrap_or_default();
        let mut escaped = false;
        for (at, byte) in body.bytes().enumerate() {
            match byte {
                b'\n' => break,
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    self.at += at + 2;
                    return Kind::Str(body.get(..at).unwrap_or_default());
                }
                _ => {}
            }
        }
        self.at += 1;
        Kind::Bad("a string without its closing quote")
    }

    fn character(&mut self) -> Kind<'t> {
        let body = self.rest().as_bytes();
        let (value, len) = match body {
            [_, b'\\', escape, b'\'', ..] => (
                match escape {
                    b'n' => b'\n',
                    b't' => b'\t',
                    b'r' => b'\r',
                    b'0' => 0,
                    other => *other,
                },
                4,
            ),
            [_, byte @ (b' '..=b'~'), b'\'', ..] => (*byte, 3),
            _ => {
                self.at += 1;
                return Kind::Bad("a character constant without its closing quote");
            }
        };
        self.at += len;
        Kind::Int(value.into())
    }

    /// Decimal, `0x`, `0b` or, with a leading zero, octal; `1f` and `1b` refer to numeric labels.
    fn number(&mut self) -> Kind<'t> {
        let len = self.run(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let digits = self.rest().get(..len).unwrap_or_default();
        self.at += len;
        if len == 16 && self.rest().starts_with(" <") {
            // A listing's heading: the address of a function, hexadecimal.
            return u64::from_str_radix(digits, 16).map_or(Kind::Bad("a malformed number"), Kind::Int);
        }
        let (radix, body) = match digits.as_bytes() {
            [b'0', b'x' | b'X', ..] => (16, digits.get(2..)),
            [b'0', b'b' | b'B', _, ..] => (2, digits.get(2..)),
            [label @ .., direction @ (b'f' | b'b')] if label.iter().all(u8::is_ascii_digit) => {
                let label = digits.get(..label.len()).unwrap_or_default();
                return match label.parse() {
                    Ok(label) => Kind::LocalRef { label, forward: *direction == b'f' },
                    Err(_) => Kind::Bad("a label number of more than 64 bits"),
                };
            }
            // "010" is 8, as LLVM and C read it.
            [b'0', _, ..] => (8, digits.get(1..)),
            _ => (10, Some(digits)),
        };
        let body = body.unwrap_or_default();
        match u64::from_str_radix(body, radix) {
            Ok(value) => Kind::Int(value),
            Err(_) if body.bytes().all(|byte| (byte as char).is_digit(radix)) && !body.is_empty() => {
                Kind::Bad("a number of more than 64 bits")
            }
            Err(_) => Kind::Bad("a malformed number"),
        }
    }
}
