//! The cursor over the tokens, and expressions.

use std::ops::Range;

use super::error::{AsmError, AsmErrorKind};
use super::lexer::{Kind, Lexer, Token};
use crate::Reg;

/// How deep parentheses and unary operators may nest.
const MAX_DEPTH: usize = 64;

pub(super) type Result<T> = std::result::Result<T, AsmError>;

/// Something with a place in a section, not known until the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place<'t> {
    /// A symbol or label.
    Symbol(&'t str),
    /// The n-th definition of a numeric label.
    Local(u64, usize),
    /// `.`: a byte of a section.
    Here(usize, u64),
}

/// What an expression comes to: `constant + plus - minus`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value<'t> {
    pub(super) constant: i128,
    pub(super) plus: Option<Place<'t>>,
    pub(super) minus: Option<Place<'t>>,
}

impl Value<'_> {
    fn constant(constant: i128) -> Self {
        Value { constant, plus: None, minus: None }
    }
}

/// What expressions may refer to: constants defined so far, definitions of numeric labels, the current place.
pub(super) trait Scope {
    /// The value of a constant defined by `.set`.
    fn constant(&self, name: &str) -> Option<i64>;
    /// How often a numeric label was defined so far.
    fn definitions(&self, label: u64) -> usize;
    /// Section and byte offset.
    fn here(&self) -> (usize, u64);
}

/// Reads statements token by token.
pub(super) struct Parser<'t> {
    pub(super) text: &'t str,
    lexer: Lexer<'t>,
    token: Token<'t>,
    /// End of the token before the current one.
    last_end: usize,
}

/// Binding strength of binary operators; like LLVM's assembler and C.
fn binary_precedence(punct: &str) -> Option<u8> {
    Some(match punct {
        "|" => 1,
        "^" => 2,
        "&" => 3,
        "<<" | ">>" => 4,
        "+" | "-" => 5,
        "*" | "/" | "%" => 6,
        _ => return None,
    })
}

impl<'t> Parser<'t> {
    pub(super) fn new(text: &'t str) -> Parser<'t> {
        let mut lexer = Lexer::new(text);
        let token = lexer.next();
        Parser { text, lexer, token, last_end: 0 }
    }

    pub(super) fn token(&self) -> Token<'t> {
        self.token
    }

    /// The token after the current one.
    pub(super) fn second(&self) -> Token<'t> {
        let mut ahead = self.lexer;
        ahead.next()
    }

    /// Takes the current token.
    pub(super) fn bump(&mut self) -> Token<'t> {
        let token = self.token;
        self.last_end = token.end;
        if token.kind != Kind::Eof {
            self.token = self.lexer.next();
        }
        token
    }

    /// From a start to the end of the last token taken.
    pub(super) fn span_from(&self, start: usize) -> Range<usize> {
        start..self.last_end.max(start)
    }

    pub(super) fn error(&self, span: Range<usize>, kind: AsmErrorKind) -> AsmError {
        AsmError::new(self.text, span, kind)
    }

    /// The error that something else should stand here.
    pub(super) fn expected<T>(&self, expected: &'static str) -> Result<T> {
        Err(self.error(self.token.span(), self.token.unexpected(self.text, expected)))
    }

    pub(super) fn is(&self, punct: &str) -> bool {
        matches!(self.token.kind, Kind::Punct(found) if found == punct)
    }

    pub(super) fn is_end(&self) -> bool {
        matches!(self.token.kind, Kind::End | Kind::Eof)
    }

    /// Takes this punctuation if it is here.
    pub(super) fn eat(&mut self, punct: &str) -> bool {
        let found = self.is(punct);
        if found {
            self.bump();
        }
        found
    }

    /// Takes this punctuation; `quoted` is how an error names it.
    pub(super) fn expect(&mut self, punct: &str, quoted: &'static str) -> Result<()> {
        if self.eat(punct) { Ok(()) } else { self.expected(quoted) }
    }

    /// True when the current token is this keyword, in whatever case.
    pub(super) fn is_name(&self, keyword: &str) -> bool {
        matches!(self.token.kind, Kind::Name(name) if name.eq_ignore_ascii_case(keyword))
    }

    pub(super) fn eat_name(&mut self, keyword: &str) -> bool {
        let found = self.is_name(keyword);
        if found {
            self.bump();
        }
        found
    }

    pub(super) fn expect_end(&mut self, expected: &'static str) -> Result<()> {
        if self.is_end() {
            self.bump();
            Ok(())
        } else {
            self.expected(expected)
        }
    }

    /// Takes everything up to the next token of that punctuation, or the end of the statement: raw text, trimmed.
    pub(super) fn raw_until(&mut self, stop: &str) -> (&'t str, Range<usize>) {
        let start = self.token.start;
        let mut end = start;
        while !self.is_end() && !self.is(stop) {
            end = self.bump().end;
        }
        (self.text.get(start..end).unwrap_or_default(), start..end)
    }

    /// A constant expression within a range.
    pub(super) fn number(
        &mut self,
        scope: &dyn Scope,
        what: &'static str,
        min: i128,
        max: i128,
    ) -> Result<i128> {
        let start = self.token.start;
        let value = self.expression(scope, what)?;
        self.ranged(start, value, what, min, max)
    }

    fn ranged(
        &self,
        start: usize,
        value: Value<'_>,
        what: &'static str,
        min: i128,
        max: i128,
    ) -> Result<i128> {
        let span = self.span_from(start);
        if let Some(place) = value.plus.or(value.minus) {
            let name = match place {
                Place::Symbol(name) => name.to_owned(),
                Place::Local(label, _) => label.to_string(),
                Place::Here(..) => ".".to_owned(),
            };
            return Err(self.error(span, AsmErrorKind::NotConstant(name)));
        }
        if (min..=max).contains(&value.constant) {
            Ok(value.constant)
        } else {
            Err(self.error(span, AsmErrorKind::OutOfRange { what, value: value.constant, min, max }))
        }
    }

    /// A 32-bit immediate: as a signed number, or as the unsigned one of the same bits.
    pub(super) fn imm32(&mut self, scope: &dyn Scope, expected: &'static str) -> Result<i32> {
        let start = self.token.start;
        let value = self.expression(scope, expected)?;
        let (min, max) = (i32::MIN.into(), u32::MAX.into());
        Ok(self.ranged(start, value, "32-bit immediate", min, max)? as i32)
    }

    /// What may follow a base register: nothing, or a signed 16- or 32-bit offset.
    pub(super) fn displacement(
        &mut self,
        scope: &dyn Scope,
        what: &'static str,
        min: i128,
        max: i128,
    ) -> Result<i128> {
        if !self.is("+") && !self.is("-") {
            return Ok(0);
        }
        let start = self.token.start;
        let value = self.binary(scope, Value::constant(0), 0, 0, what)?;
        self.ranged(start, value, what, min, max)
    }

    pub(super) fn expression(&mut self, scope: &dyn Scope, expected: &'static str) -> Result<Value<'t>> {
        self.nested(scope, 0, 0, expected)
    }

    /// An expression whose operators bind at least as strongly as `least`.
    fn nested(
        &mut self,
        scope: &dyn Scope,
        least: u8,
        depth: usize,
        expected: &'static str,
    ) -> Result<Value<'t>> {
        if depth > MAX_DEPTH {
            return Err(self.error(self.token.span(), AsmErrorKind::TooDeep(MAX_DEPTH)));
        }
        let left = self.operand(scope, depth, expected)?;
        self.binary(scope, left, least, depth, expected)
    }

    fn binary(
        &mut self,
        scope: &dyn Scope,
        mut left: Value<'t>,
        least: u8,
        depth: usize,
        expected: &'static str,
    ) -> Result<Value<'t>> {
        while let Kind::Punct(operator) = self.token.kind
            && let Some(precedence) = binary_precedence(operator)
            && precedence >= least
        {
            let start = self.bump().start;
            let right = self.nested(scope, precedence + 1, depth + 1, expected)?;
            left = self.combine(operator, left, right, start)?;
        }
        Ok(left)
    }

    fn combine(&self, operator: &str, a: Value<'t>, b: Value<'t>, start: usize) -> Result<Value<'t>> {
        let fail = |kind| self.error(self.span_from(start), kind);
        let merge = |one: Option<Place<'t>>, other: Option<Place<'t>>| match (one, other) {
            (Some(_), Some(_)) => Err(fail(AsmErrorKind::NotRelocatable)),
            (one, other) => Ok(one.or(other)),
        };
        let (x, y) = (a.constant, b.constant);
        let (plus, minus) = match operator {
            "+" => (merge(a.plus, b.plus)?, merge(a.minus, b.minus)?),
            "-" => (merge(a.plus, b.minus)?, merge(a.minus, b.plus)?),
            _ if a.plus.or(a.minus).or(b.plus).or(b.minus).is_some() => {
                return Err(fail(AsmErrorKind::NotRelocatable));
            }
            _ => (None, None),
        };
        let shift = u32::try_from(y).ok().filter(|&count| count < 64);
        let constant = match operator {
            "+" => x.checked_add(y),
            "-" => x.checked_sub(y),
            "*" => x.checked_mul(y),
            "/" => x.checked_div(y),
            "%" => x.checked_rem(y),
            "&" => Some(x & y),
            "|" => Some(x | y),
            "^" => Some(x ^ y),
            "<<" => shift.and_then(|count| x.checked_mul(1 << count)),
            _ => shift.map(|count| x >> count),
        };
        // Intermediate results stay far inside of what i128 can hold.
        match constant.filter(|value| (-(1 << 100)..=1 << 100).contains(value)) {
            Some(constant) => Ok(Value { constant, plus, minus }),
            None => Err(fail(AsmErrorKind::Arithmetic)),
        }
    }

    fn operand(&mut self, scope: &dyn Scope, depth: usize, expected: &'static str) -> Result<Value<'t>> {
        let token = self.token;
        let value = match token.kind {
            Kind::Int(value) => Value::constant(value.into()),
            Kind::LocalRef { label, forward } => {
                let definitions = scope.definitions(label);
                let instance = if forward { Some(definitions) } else { definitions.checked_sub(1) };
                let Some(instance) = instance else {
                    return Err(self.error(token.span(), AsmErrorKind::Undefined(format!("{label}b"))));
                };
                Value { plus: Some(Place::Local(label, instance)), ..Value::constant(0) }
            }
            Kind::Name(".") => {
                let (section, at) = scope.here();
                Value { plus: Some(Place::Here(section, at)), ..Value::constant(0) }
            }
            Kind::Name(name) => match scope.constant(name) {
                Some(value) => Value::constant(value.into()),
                None if parse_register(name).is_some() => return self.expected(expected),
                None => Value { plus: Some(Place::Symbol(name)), ..Value::constant(0) },
            },
            Kind::Punct("(") => {
                self.bump();
                let value = self.nested(scope, 0, depth + 1, expected)?;
                if !self.is(")") {
                    return self.expected("`)`");
                }
                value
            }
            Kind::Punct(operator @ ("-" | "+" | "~")) => {
                self.bump();
                let value = self.nested(scope, 7, depth + 1, expected)?;
                let place = value.plus.or(value.minus);
                return match operator {
                    "+" => Ok(value),
                    "-" => Ok(Value { constant: -value.constant, plus: value.minus, minus: value.plus }),
                    _ if place.is_none() => Ok(Value::constant(!value.constant)),
                    _ => Err(self.error(self.span_from(token.start), AsmErrorKind::NotRelocatable)),
                };
            }
            _ => return self.expected(expected),
        };
        self.bump();
        Ok(value)
    }
}

/// `r0` to `r10`, `w0` to `w10`, in either case; true for `w`.
pub(super) fn parse_register(name: &str) -> Option<(bool, Reg)> {
    let (letter, digits) = name.split_at_checked(1)?;
    let narrow = match letter {
        "r" | "R" => false,
        "w" | "W" => true,
        _ => return None,
    };
    // No leading zeros, so that every register has one name.
    let number = match digits.as_bytes() {
        [digit @ b'0'..=b'9'] => digit - b'0',
        b"10" => 10,
        _ => return None,
    };
    Some((narrow, Reg::new(number)?))
}
