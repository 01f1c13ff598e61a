//! The error of every operation on BTF.

use thiserror::Error;

use crate::{Btf, Kind};

/// What is wrong with a piece of BTF, where, and why.
///
/// Byte offsets count from the start of the section the message names.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BtfError {
    /// The header (`struct btf_header`) or the layout it describes.
    #[error(".BTF header, byte {offset}: {reason}")]
    Header {
        /// Offset of the field in `.BTF`.
        offset: u32,
        /// What rule is broken.
        reason: String,
    },
    /// The string section.
    #[error(".BTF strings, byte {offset}: {reason}")]
    Strings {
        /// Offset of the string section, or of the string, in `.BTF`.
        offset: u32,
        /// What rule is broken.
        reason: String,
    },
    /// One type record.
    #[error(".BTF types, byte {offset}: [{id}] {kind} '{name}': {reason}")]
    Type {
        /// Id of the type.
        id: u32,
        /// Its kind as bpftool writes it (`STRUCT`), `UNKNOWN` where the number is not a kind.
        kind: &'static str,
        /// Its name; `(anon)` where it has none.
        name: String,
        /// Offset of the record in `.BTF`.
        offset: u32,
        /// What rule is broken.
        reason: String,
    },
    /// An id that no type has.
    #[error("BTF has no type [{id}]: its ids end at [{last}]")]
    NoSuchType {
        /// The id asked for.
        id: u32,
        /// The highest id that exists.
        last: u32,
    },
    /// A type or string that cannot be added because the format has no room for it.
    #[error("cannot build BTF: {what}: {reason}")]
    Build {
        /// The type or string.
        what: String,
        /// What limit of the format it breaks.
        reason: String,
    },
    /// The section `.BTF.ext`.
    #[error(".BTF.ext {part}, byte {offset}: {reason}")]
    Ext {
        /// `header`, `func_info`, `line_info` or `core_relo`.
        part: &'static str,
        /// Offset in `.BTF.ext`.
        offset: u32,
        /// What rule is broken.
        reason: String,
    },
    /// One record of `.BTF.ext`.
    #[error(
        ".BTF.ext {part}, section '{section}', record {index} (instruction at byte {insn_off}): {reason}"
    )]
    ExtRecord {
        /// `func_info`, `line_info` or `core_relo`.
        part: &'static str,
        /// Name of the ELF section of the instructions.
        section: String,
        /// Index among the records of this section.
        index: usize,
        /// Byte offset of the instruction in the ELF section.
        insn_off: u32,
        /// What rule is broken.
        reason: String,
    },
}

impl BtfError {
    /// An error about an existing type of `btf`.
    pub(crate) fn of_type(btf: &Btf, id: u32, reason: impl Into<String>) -> Self {
        match btf.get(id) {
            None => BtfError::NoSuchType { id, last: btf.last_id() },
            Some(ty) => BtfError::Type {
                id,
                kind: ty.kind().name(),
                name: anon_if_empty(btf.shown_start(ty.name_off())),
                offset: btf.file_offset(id),
                reason: reason.into(),
            },
        }
    }

    /// An error about a record that could not be turned into a type.
    pub(crate) fn of_record(
        id: u32,
        kind: Option<Kind>,
        name: String,
        offset: usize,
        reason: impl Into<String>,
    ) -> Self {
        BtfError::Type {
            id,
            kind: kind.map_or("UNKNOWN", Kind::name),
            name: anon_if_empty(name),
            offset: u32::try_from(offset).unwrap_or(u32::MAX),
            reason: reason.into(),
        }
    }
}

fn anon_if_empty(name: String) -> String {
    if name.is_empty() { "(anon)".to_owned() } else { name }
}
