//! What can be wrong with assembly text, and where.

use std::ops::Range;

/// A place in the text that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {kind}")]
pub struct AsmError {
    /// Bytes of the text to underline.
    pub span: Range<usize>,
    /// Line of the first of them, from 1.
    pub line: usize,
    /// Column of the first of them in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub kind: AsmErrorKind,
}

/// What is wrong with assembly text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AsmErrorKind {
    /// Another token should stand here.
    #[error("found {found}, expected {expected}")]
    Unexpected {
        /// The token, quoted; or `the end of the line`.
        found: String,
        /// What should stand here.
        expected: &'static str,
    },
    /// A number does not fit its field.
    #[error("{what} {value} is out of range, {min} to {max}")]
    OutOfRange {
        /// What the number is.
        what: &'static str,
        /// The number.
        value: i128,
        /// The least that fits.
        min: i128,
        /// The greatest that fits.
        max: i128,
    },
    /// A calculation left the range of numbers, divided by zero or shifted too far.
    #[error("this calculation has no result that fits 64 bits")]
    Arithmetic,
    /// Parentheses or signs nested too deeply.
    #[error("this expression is nested more than {0} deep")]
    TooDeep(usize),
    /// The parts of an instruction do not go together.
    #[error("{0}")]
    Constraint(&'static str),
    /// A number is needed and the name is not (yet) one.
    #[error("`{0}` is not a constant defined above (`.set {0}, VALUE`)")]
    NotConstant(String),
    /// A label used but not defined.
    #[error("the label `{0}` is not defined")]
    Undefined(String),
    /// A label defined twice.
    #[error("`{name}` is already defined, on line {line}")]
    Redefined {
        /// The name.
        name: String,
        /// Line of the first definition.
        line: usize,
    },
    /// A jump can only reach its own section.
    #[error("`{name}` is in section {section}; a jump stays in its own section")]
    OtherSection {
        /// The label.
        name: String,
        /// Where it is.
        section: String,
    },
    /// The target is too far for the instruction.
    #[error("`{name}` is {slots} slots away, {form} reaches {min} to {max}{}", if *form == "goto" { "; write `gotol`" } else { "" })]
    TooFar {
        /// The label.
        name: String,
        /// Distance in slots, from the next instruction.
        slots: i64,
        /// The instruction.
        form: &'static str,
        /// The furthest it reaches backward.
        min: i64,
        /// The furthest it reaches forward.
        max: i64,
    },
    /// A target that is not at the start of a slot.
    #[error("`{0}` is not at a multiple of 8 bytes from here")]
    Unaligned(String),
    /// The value of a data directive has no relocation that could express it.
    #[error(
        "this is neither a constant, nor a symbol plus a constant, nor a difference of two labels of one section"
    )]
    NotRelocatable,
    /// The output would be larger than [`super::MAX_OUTPUT`].
    #[error("the output would exceed {0} bytes")]
    TooLarge(u64),
}

impl AsmError {
    /// Builds the error from the place in the text.
    pub(super) fn new(text: &str, span: Range<usize>, kind: AsmErrorKind) -> AsmError {
        let before = text.get(..span.start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        AsmError { span, line, column, kind }
    }

    /// The line of the text that the error is on, without its line end. `text` is what was assembled.
    #[must_use]
    pub fn source_line<'t>(&self, text: &'t str) -> &'t str {
        text.lines().nth(self.line - 1).unwrap_or_default()
    }
}
