//! The one error type of this crate: which file, where in it, what kind of trouble, and why.

use std::fmt;

use crate::source::SourceLine;

/// What sort of trouble an [`ObjectError`] reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The bytes break the rules of ELF: truncated, overlapping, wrong counts or indices.
    Elf,
    /// A well-formed file of a sort that this crate does not read (another machine, 32-bit, linked), or a feature
    /// that it does not support.
    Unsupported,
    /// BTF or `.BTF.ext` that cannot be read, or that contradicts the rest of the file.
    Btf,
    /// A map definition that makes no sense.
    Map,
    /// A program or subprogram whose code cannot be delimited or decoded.
    Program,
    /// A relocation that cannot be applied.
    Relocation,
    /// A symbol that nothing defines.
    Unresolved,
    /// CO-RE relocations that need a kernel's types.
    CoreRelocation,
    /// A variable, program or extern that the object does not have, or a value that does not fit it.
    Value,
}

/// Where in the object the trouble is; every part is there only if it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// ELF section.
    pub section: Option<String>,
    /// Byte offset in the section, or in the file if no section is given.
    pub offset: Option<u64>,
    /// Symbol.
    pub symbol: Option<String>,
    /// Map.
    pub map: Option<String>,
    /// Program or subprogram.
    pub program: Option<String>,
    /// Slot of the instruction in its program or subprogram.
    pub insn: Option<usize>,
    /// Source line of that instruction.
    pub source: Option<SourceLine>,
}

/// An object file, or a request about one, that cannot be served.
///
/// Displays as `FILE: section S, offset 0xN, symbol S, map M, program P, instruction N (file.c:line): reason`, with
/// the parts that are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectError {
    /// The file's name as given to [`Object::parse`](crate::Object::parse).
    pub file: String,
    /// What sort of trouble.
    pub kind: ErrorKind,
    /// Where.
    pub place: Box<Place>,
    /// What is wrong, why, and what to do if something can be done.
    pub reason: String,
}

impl ObjectError {
    /// An error without a place; the file is filled in by [`ObjectError::in_file`].
    pub(crate) fn new(kind: ErrorKind, reason: impl Into<String>) -> Self {
        ObjectError { file: String::new(), kind, place: Box::default(), reason: reason.into() }
    }

    pub(crate) fn in_file(mut self, file: &str) -> Self {
        file.clone_into(&mut self.file);
        self
    }

    pub(crate) fn section(mut self, section: impl Into<String>) -> Self {
        self.place.section = Some(section.into());
        self
    }

    pub(crate) fn offset(mut self, offset: u64) -> Self {
        self.place.offset = Some(offset);
        self
    }

    pub(crate) fn symbol(mut self, symbol: impl Into<String>) -> Self {
        self.place.symbol = Some(symbol.into());
        self
    }

    pub(crate) fn map(mut self, map: impl Into<String>) -> Self {
        self.place.map = Some(map.into());
        self
    }

    pub(crate) fn program(mut self, program: impl Into<String>) -> Self {
        self.place.program = Some(program.into());
        self
    }

    pub(crate) fn insn(mut self, slot: usize) -> Self {
        self.place.insn = Some(slot);
        self
    }

    pub(crate) fn source(mut self, source: Option<SourceLine>) -> Self {
        self.place.source = source;
        self
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        let mut part = |f: &mut fmt::Formatter<'_>, label: &str, value: &dyn fmt::Display| {
            write!(f, "{separator}{label} {value}")?;
            separator = ", ";
            Ok(())
        };
        if let Some(section) = &self.section {
            part(f, "section", section)?;
        }
        if let Some(offset) = &self.offset {
            part(f, "offset", &format_args!("{offset:#x}"))?;
        }
        if let Some(symbol) = &self.symbol {
            part(f, "symbol", symbol)?;
        }
        if let Some(map) = &self.map {
            part(f, "map", map)?;
        }
        if let Some(program) = &self.program {
            part(f, "program", program)?;
        }
        if let Some(insn) = &self.insn {
            part(f, "instruction", insn)?;
        }
        if let Some(source) = &self.source {
            write!(f, " ({source})")?;
        }
        Ok(())
    }
}

impl fmt::Display for ObjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file)?;
        if *self.place != Place::default() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.reason)
    }
}

impl std::error::Error for ObjectError {}

/// Result with an [`ObjectError`].
pub type Result<T, E = ObjectError> = std::result::Result<T, E>;
