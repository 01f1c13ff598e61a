//! `.BTF.ext`: what belongs to instructions. Function, line and CO-RE relocation records.

use std::marker::PhantomData;

use skep_isa::Endian;

use crate::header::{endian_of, push_words, read_u32, to_words};
use crate::{Btf, BtfError};

/// The records of a `.BTF.ext` section, grouped by the ELF section of the instructions they describe.
///
/// Layout: <https://docs.kernel.org/bpf/btf.html#btf-ext-section>. Records longer than this version knows are kept as they
/// are; their known part is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BtfExt {
    endian: Endian,
    /// Whether the header has the two fields of `core_relo` (since LLVM 10).
    has_core_relo: bool,
    func_info: ExtTable<FuncInfo>,
    line_info: ExtTable<LineInfo>,
    core_relo: ExtTable<CoreRelo>,
    /// The bytes as read, where the writer would lay the same contents out differently.
    original: Option<Box<[u8]>>,
}

/// Function record (`struct bpf_func_info`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FuncInfo {
    /// Where the function starts: byte offset in the ELF section; slot index in what `BPF_PROG_LOAD` takes.
    pub insn_off: u32,
    /// Its [`Kind::Func`](crate::Kind::Func).
    pub type_id: u32,
}

/// Line record (`struct bpf_line_info`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LineInfo {
    /// First instruction of the line: byte offset in the ELF section; slot index in what `BPF_PROG_LOAD` takes.
    pub insn_off: u32,
    /// String offset of the file name.
    pub file_name_off: u32,
    /// String offset of the source text of the line.
    pub line_off: u32,
    /// Line number in bits 10 to 31, column in bits 0 to 9.
    pub line_col: u32,
}

/// CO-RE relocation record (`struct bpf_core_relo`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CoreRelo {
    /// The instruction to change: byte offset in the ELF section; slot index in what `BPF_PROG_LOAD` takes.
    pub insn_off: u32,
    /// The type that the access starts from.
    pub type_id: u32,
    /// String offset of the access, such as `0:1:2`.
    pub access_str_off: u32,
    /// Number of the [`CoreReloKind`].
    pub kind: u32,
}

/// What a CO-RE relocation asks for (`enum bpf_core_relo_kind` of uapi `linux/bpf.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum CoreReloKind {
    /// Offset of a field in bytes.
    FieldByteOffset = 0,
    /// Size of a field in bytes.
    FieldByteSize = 1,
    /// Whether a field exists.
    FieldExists = 2,
    /// Whether a field is signed.
    FieldSigned = 3,
    /// Left shift that moves a bitfield to the top of 64 bits.
    FieldLshiftU64 = 4,
    /// Right shift that moves it down again.
    FieldRshiftU64 = 5,
    /// Type id in the program's own BTF.
    TypeIdLocal = 6,
    /// Type id in the kernel's BTF.
    TypeIdTarget = 7,
    /// Whether a type exists.
    TypeExists = 8,
    /// Size of a type in bytes.
    TypeSize = 9,
    /// Whether an enumerator exists.
    EnumvalExists = 10,
    /// Value of an enumerator.
    EnumvalValue = 11,
    /// Whether a type has the same shape.
    TypeMatches = 12,
}

impl CoreReloKind {
    /// Every kind, in the order of the numbers.
    pub const ALL: [CoreReloKind; 13] = [
        CoreReloKind::FieldByteOffset,
        CoreReloKind::FieldByteSize,
        CoreReloKind::FieldExists,
        CoreReloKind::FieldSigned,
        CoreReloKind::FieldLshiftU64,
        CoreReloKind::FieldRshiftU64,
        CoreReloKind::TypeIdLocal,
        CoreReloKind::TypeIdTarget,
        CoreReloKind::TypeExists,
        CoreReloKind::TypeSize,
        CoreReloKind::EnumvalExists,
        CoreReloKind::EnumvalValue,
        CoreReloKind::TypeMatches,
    ];

    /// The kind with this number.
    #[must_use]
    pub fn from_u32(number: u32) -> Option<Self> {
        Self::ALL.get(number as usize).copied()
    }
}

impl LineInfo {
    /// Line number, from 1.
    #[must_use]
    pub const fn line(&self) -> u32 {
        self.line_col >> 10
    }

    /// Column, from 1; 0 where it is not known.
    #[must_use]
    pub const fn column(&self) -> u32 {
        self.line_col & 0x3ff
    }

    /// The file name.
    #[must_use]
    pub fn file_name<'a>(&self, btf: &'a Btf) -> Option<&'a str> {
        btf.str(self.file_name_off)
    }

    /// The source text of the line.
    #[must_use]
    pub fn line_text<'a>(&self, btf: &'a Btf) -> Option<&'a str> {
        btf.str(self.line_off)
    }
}

impl CoreRelo {
    /// What it asks for; `None` for a number that is not known.
    #[must_use]
    pub fn relo_kind(&self) -> Option<CoreReloKind> {
        CoreReloKind::from_u32(self.kind)
    }

    /// The access, such as `0:1:2`.
    #[must_use]
    pub fn access_str<'a>(&self, btf: &'a Btf) -> Option<&'a str> {
        btf.str(self.access_str_off)
    }
}

/// A record of `.BTF.ext`: some 32-bit words.
pub trait ExtRecord: Copy {
    /// Size in bytes of the record that this version knows.
    const SIZE: u32;
    /// Name of its part of the section, for errors.
    const PART: &'static str;
    /// The record from its words; `words` holds at least [`ExtRecord::SIZE`] bytes.
    fn from_words(words: &[u32]) -> Self;
    /// Appends the words of the record.
    fn push_to(&self, words: &mut Vec<u32>);
}

macro_rules! ext_record {
    ($name:ident, $part:literal, $size:literal, $($field:ident),*) => {
        impl ExtRecord for $name {
            const SIZE: u32 = $size;
            const PART: &'static str = $part;

            fn from_words(words: &[u32]) -> Self {
                let mut words = words.iter().copied();
                $(let $field = words.next().unwrap_or(0);)*
                $name { $($field),* }
            }

            fn push_to(&self, words: &mut Vec<u32>) {
                words.extend([$(self.$field),*]);
            }
        }
    };
}

ext_record!(FuncInfo, "func_info", 8, insn_off, type_id);
ext_record!(LineInfo, "line_info", 16, insn_off, file_name_off, line_off, line_col);
ext_record!(CoreRelo, "core_relo", 16, insn_off, type_id, access_str_off, kind);

/// The bytes that `BPF_PROG_LOAD` takes as `func_info`, `line_info` or `core_relos`: the records one after the other, without the
/// headers of ELF. The record size to state is [`ExtRecord::SIZE`].
#[must_use]
pub fn kernel_records<R: ExtRecord>(records: &[R], endian: Endian) -> Vec<u8> {
    let mut words = Vec::with_capacity(records.len() * (R::SIZE / 4) as usize);
    for record in records {
        record.push_to(&mut words);
    }
    let mut out = Vec::new();
    push_words(&mut out, &words, endian);
    out
}

/// One kind of records, by section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtTable<R> {
    /// Size of a record in bytes, at least [`ExtRecord::SIZE`]; 0 where the table is missing.
    record_size: u32,
    sections: Vec<ExtSection<R>>,
}

/// The records of one ELF section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtSection<R> {
    /// String offset of the name of the section, in `.BTF`.
    pub name_off: u32,
    words: Vec<u32>,
    words_per_record: usize,
    record: PhantomData<R>,
}

impl<R: ExtRecord> ExtSection<R> {
    /// The name of the section.
    #[must_use]
    pub fn name<'a>(&self, btf: &'a Btf) -> Option<&'a str> {
        btf.str(self.name_off)
    }

    /// The records.
    pub fn records(&self) -> impl ExactSizeIterator<Item = R> + DoubleEndedIterator + Clone + '_ {
        self.words.chunks_exact(self.words_per_record).map(R::from_words)
    }

    /// Number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.words.len() / self.words_per_record
    }

    /// Whether there are none (never so in a file that was read).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }
}

impl<R: ExtRecord> Default for ExtTable<R> {
    fn default() -> Self {
        ExtTable { record_size: 0, sections: Vec::new() }
    }
}

impl<R: ExtRecord> ExtTable<R> {
    /// Size of a record in bytes as the file has it; 0 where the table is missing.
    #[must_use]
    pub fn record_size(&self) -> u32 {
        self.record_size
    }

    /// The sections, in the order of the file.
    #[must_use]
    pub fn sections(&self) -> &[ExtSection<R>] {
        &self.sections
    }

    /// The records of the section of this name, in the order of the file.
    pub fn of_section<'a>(&'a self, btf: &'a Btf, name: &'a str) -> impl Iterator<Item = R> + 'a {
        self.sections
            .iter()
            .filter(move |s| btf.str_is(s.name_off, name.as_bytes()))
            .flat_map(ExtSection::records)
    }

    /// Appends the records of a section, whose name is at `name_off` in the strings of `.BTF`. Nothing happens without records.
    pub fn push_section(&mut self, name_off: u32, records: &[R]) {
        if records.is_empty() {
            return;
        }
        if self.record_size == 0 {
            self.record_size = R::SIZE;
        }
        let words_per_record = (self.record_size / 4) as usize;
        let mut words = Vec::with_capacity(records.len() * words_per_record);
        for record in records {
            let start = words.len();
            record.push_to(&mut words);
            words.resize(start + words_per_record, 0);
        }
        self.sections.push(ExtSection { name_off, words, words_per_record, record: PhantomData });
    }

    /// Reads the `len` bytes at `start` of the section.
    fn parse(data: &[u8], start: usize, len: usize, endian: Endian) -> Result<Self, BtfError> {
        let fail = |at: usize, reason| {
            Err(BtfError::Ext { part: R::PART, offset: u32::try_from(at).unwrap_or(u32::MAX), reason })
        };
        if len == 0 {
            return Ok(ExtTable::default());
        }
        let end = start + len;
        let Some(record_size) = read_u32(&data[..end], start, endian) else {
            return fail(start, format!("{len} bytes are too few for the record size"));
        };
        if record_size < R::SIZE || !record_size.is_multiple_of(4) {
            return fail(
                start,
                format!("record size {record_size} is not a multiple of 4 from {} upwards", R::SIZE),
            );
        }
        let words_per_record = (record_size / 4) as usize;
        let mut sections = Vec::new();
        let mut at = start + 4;
        if at == end {
            return fail(at, "there is a record size but no records".to_owned());
        }
        while at < end {
            let left = end - at;
            let (Some(name_off), Some(count)) =
                (read_u32(&data[..end], at, endian), read_u32(&data[..end], at + 4, endian))
            else {
                return fail(
                    at,
                    format!("the header of a section is cut off: {left} bytes are left, 8 are needed"),
                );
            };
            if count == 0 {
                return fail(at + 4, "a section states 0 records".to_owned());
            }
            let needed = u64::from(count) * u64::from(record_size);
            if needed > (left - 8) as u64 {
                return fail(
                    at + 4,
                    format!(
                        "a section states {count} records of {record_size} bytes, but only {} bytes are left",
                        left - 8
                    ),
                );
            }
            let records = at + 8..at + 8 + needed as usize;
            at = records.end;
            let words = to_words(&data[records], endian);
            sections.push(ExtSection { name_off, words, words_per_record, record: PhantomData });
        }
        Ok(ExtTable { record_size, sections })
    }

    fn write(&self, out: &mut Vec<u8>, endian: Endian) {
        if self.sections.is_empty() {
            return;
        }
        push_words(out, &[self.record_size], endian);
        for section in &self.sections {
            push_words(out, &[section.name_off, section.len() as u32], endian);
            push_words(out, &section.words, endian);
        }
    }
}

impl BtfExt {
    /// Reads a `.BTF.ext` section of either byte order, with or without the `core_relo` fields in its header.
    ///
    /// String offsets and type ids belong to the `.BTF` section of the same object; [`BtfExt::check`] tells whether they
    /// exist there.
    ///
    /// # Errors
    /// The first broken rule, with its place.
    pub fn parse(data: &[u8]) -> Result<BtfExt, BtfError> {
        let fail = |offset, reason: String| Err(BtfError::Ext { part: "header", offset, reason });
        if u32::try_from(data.len()).is_err() {
            return fail(0, format!("{} bytes are more than the format can address", data.len()));
        }
        let size = data.len();
        if size < 24 {
            return fail(0, format!("the section has {size} bytes, the shortest header needs 24"));
        }
        let Some(endian) = endian_of([data[0], data[1]]) else {
            return fail(
                0,
                format!("magic bytes {:02x} {:02x} are not 0xeb9f in either byte order", data[0], data[1]),
            );
        };
        if data[2] != 1 {
            return fail(2, format!("version {} is not supported, only version 1 is", data[2]));
        }
        if data[3] != 0 {
            return fail(3, format!("flags {:#x} are not supported, none are defined", data[3]));
        }
        let field = |at: usize| read_u32(data, at, endian).unwrap_or(0);
        let hdr_len = field(4) as usize;
        if hdr_len < 24 {
            return fail(4, format!("hdr_len {hdr_len} is less than 24"));
        }
        if hdr_len > size {
            return fail(4, format!("hdr_len {hdr_len} goes beyond the section, which has {size} bytes"));
        }
        let room = size - hdr_len;
        let table = |at: usize, part: &'static str| {
            let (off, len) = (field(at) as usize, field(at + 4) as usize);
            let fail = |reason| Err(BtfError::Ext { part, offset: at as u32, reason });
            if len == 0 {
                return Ok((hdr_len, 0));
            }
            if !off.is_multiple_of(4) {
                return fail(format!("its offset {off} is not a multiple of 4"));
            }
            if off > room || len > room - off {
                return fail(format!(
                    "{len} bytes at offset {off} behind the header go beyond the end: {room} bytes follow the header"
                ));
            }
            Ok((hdr_len + off, len))
        };
        let has_core_relo = hdr_len >= 32;
        let (func_start, func_len) = table(8, FuncInfo::PART)?;
        let (line_start, line_len) = table(16, LineInfo::PART)?;
        let (core_start, core_len) = if has_core_relo { table(24, CoreRelo::PART)? } else { (hdr_len, 0) };
        let mut ext = BtfExt {
            endian,
            has_core_relo,
            func_info: ExtTable::parse(data, func_start, func_len, endian)?,
            line_info: ExtTable::parse(data, line_start, line_len, endian)?,
            core_relo: ExtTable::parse(data, core_start, core_len, endian)?,
            original: None,
        };
        if ext.to_bytes() != data {
            ext.original = Some(data.into());
        }
        Ok(ext)
    }

    /// No records.
    #[must_use]
    pub fn new(endian: Endian) -> BtfExt {
        BtfExt {
            endian,
            has_core_relo: true,
            func_info: ExtTable::default(),
            line_info: ExtTable::default(),
            core_relo: ExtTable::default(),
            original: None,
        }
    }

    /// The bytes of the section: for one that was read and not changed, exactly what was read.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        if let Some(original) = &self.original {
            return original.to_vec();
        }
        let mut tables = [Vec::new(), Vec::new(), Vec::new()];
        self.func_info.write(&mut tables[0], self.endian);
        self.line_info.write(&mut tables[1], self.endian);
        self.core_relo.write(&mut tables[2], self.endian);
        let parts = if self.has_core_relo || !tables[2].is_empty() { 3 } else { 2 };
        let mut out = match self.endian {
            Endian::Little => vec![0x9f, 0xeb, 1, 0],
            Endian::Big => vec![0xeb, 0x9f, 1, 0],
        };
        let mut header = vec![8 + 8 * parts as u32];
        let mut offset = 0;
        for table in &tables[..parts] {
            header.extend([offset, table.len() as u32]);
            offset += table.len() as u32;
        }
        push_words(&mut out, &header, self.endian);
        out.extend(tables.concat());
        out
    }

    /// Byte order of the section.
    #[must_use]
    pub fn endian(&self) -> Endian {
        self.endian
    }

    /// Where functions start.
    #[must_use]
    pub fn func_info(&self) -> &ExtTable<FuncInfo> {
        &self.func_info
    }

    /// Which source line each instruction comes from.
    #[must_use]
    pub fn line_info(&self) -> &ExtTable<LineInfo> {
        &self.line_info
    }

    /// CO-RE relocations.
    #[must_use]
    pub fn core_relo(&self) -> &ExtTable<CoreRelo> {
        &self.core_relo
    }

    /// The function records, to change them.
    pub fn func_info_mut(&mut self) -> &mut ExtTable<FuncInfo> {
        self.original = None;
        &mut self.func_info
    }

    /// The line records, to change them.
    pub fn line_info_mut(&mut self) -> &mut ExtTable<LineInfo> {
        self.original = None;
        &mut self.line_info
    }

    /// The relocation records, to change them.
    pub fn core_relo_mut(&mut self) -> &mut ExtTable<CoreRelo> {
        self.original = None;
        &mut self.core_relo
    }

    /// Checks that the strings and types of all records exist in the object's BTF, and that function records are functions.
    ///
    /// # Errors
    /// The first record that refers to nothing; the message names the section and the instruction.
    pub fn check(&self, btf: &Btf) -> Result<(), BtfError> {
        check_table(
            btf,
            &self.func_info,
            |r| r.insn_off,
            |r| match btf.get(r.type_id).map(crate::Type::kind) {
                None => Some(format!("type id {} does not exist", r.type_id)),
                Some(crate::Kind::Func) => None,
                Some(kind) => Some(format!("type [{}] is {kind}, not FUNC", r.type_id)),
            },
        )?;
        let no_string = |what: &str, offset| {
            (!btf.has_str(offset))
                .then(|| format!("the {what} is at string offset {offset}, beyond the strings"))
        };
        check_table(
            btf,
            &self.line_info,
            |r| r.insn_off,
            |r| no_string("file name", r.file_name_off).or_else(|| no_string("source text", r.line_off)),
        )?;
        check_table(
            btf,
            &self.core_relo,
            |r| r.insn_off,
            |r| {
                let no_type = btf.get(r.type_id).is_none();
                no_type
                    .then(|| format!("type id {} does not exist", r.type_id))
                    .or_else(|| no_string("access string", r.access_str_off))
                    .or_else(|| {
                        r.relo_kind().is_none().then(|| format!("relocation kind {} is not known", r.kind))
                    })
            },
        )
    }
}

fn check_table<R: ExtRecord>(
    btf: &Btf,
    table: &ExtTable<R>,
    insn_off: impl Fn(&R) -> u32,
    problem: impl Fn(&R) -> Option<String>,
) -> Result<(), BtfError> {
    for section in table.sections() {
        let no_name =
            || format!("the name of the section lies beyond the {} bytes of strings", btf.str_end());
        let nameless = !btf.has_str(section.name_off);
        for (index, record) in section.records().enumerate() {
            if let Some(reason) = nameless.then(no_name).or_else(|| problem(&record)) {
                let name = btf.shown_start(section.name_off);
                let section = if nameless { format!("(string offset {})", section.name_off) } else { name };
                let insn_off = insn_off(&record);
                return Err(BtfError::ExtRecord { part: R::PART, section, index, insn_off, reason });
            }
        }
    }
    Ok(())
}
