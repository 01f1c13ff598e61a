//! Source lines, as the line information of an object names them.

use std::fmt;

use skep_btf::{Btf, LineInfo};

/// A line of source code. Displays as `file:line:column`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SourceLine {
    /// File as the compiler saw it.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1, 0 if unknown.
    pub column: u32,
    /// The text of the line, empty if the compiler did not keep it.
    pub text: String,
}

impl SourceLine {
    /// A line record with its strings.
    #[must_use]
    pub fn new(line: &LineInfo, btf: &Btf) -> SourceLine {
        SourceLine {
            file: line.file_name(btf).unwrap_or_default().to_owned(),
            line: line.line(),
            column: line.column(),
            text: line.line_text(btf).unwrap_or_default().to_owned(),
        }
    }
}

impl fmt::Display for SourceLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)?;
        if self.column != 0 {
            write!(f, ":{}", self.column)?;
        }
        Ok(())
    }
}
