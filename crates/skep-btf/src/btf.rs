//! The container: types and strings of one BTF blob, alone or on top of a base.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use skep_isa::Endian;

use crate::header::{self, Header};
use crate::index::NameIndex;
use crate::strings::Strings;
use crate::{BtfError, Kind, Type};

/// The types and strings of one `.BTF` section, or of one file of `/sys/kernel/btf`.
///
/// Records stay as they are in the file, as 32-bit words of the host's byte order, with one offset a type; a [`Type`] is a view
/// into them. So the 130,000 types of a kernel take a few milliseconds to open and little more memory than the file.
///
/// Ids start at 1; id 0 is void. In split BTF (a kernel module's, say) ids and string offsets go on where those of the
/// base end, and every lookup sees both.
#[derive(Clone)]
pub struct Btf {
    pub(crate) header: Header,
    pub(crate) endian: Endian,
    pub(crate) base: Option<Arc<Btf>>,
    /// Id of the first own type: 1 without a base.
    pub(crate) first_id: u32,
    /// Offset of the first own string: 0 without a base.
    pub(crate) first_str: u32,
    pub(crate) words: Vec<u32>,
    /// Index in `words` of each own type.
    pub(crate) starts: Vec<u32>,
    pub(crate) strings: Strings,
    /// The bytes as read, where they are not what the writer would make of the same contents (gaps, a longer header).
    pub(crate) original: Option<Box<[u8]>>,
    pub(crate) names: OnceLock<NameIndex>,
}

impl Btf {
    /// Reads a `.BTF` section of either byte order, which the magic number shows.
    ///
    /// Checked here is what makes every later access safe: the header, the bounds of the sections, that the strings start and
    /// end with NUL, that each record has a known kind and lies inside the type section, and that every
    /// type id and every string offset in it points to something that exists. Whether the types make sense is what
    /// [`Btf::validate`] says.
    ///
    /// # Errors
    /// The first broken rule, with its place.
    pub fn parse(data: &[u8]) -> Result<Btf, BtfError> {
        Self::parse_on(data, None)
    }

    /// Reads split BTF: types that refer to those of `base`, and whose ids and string offsets follow those of `base`.
    ///
    /// # Errors
    /// As [`Btf::parse`].
    pub fn parse_split(data: &[u8], base: &Arc<Btf>) -> Result<Btf, BtfError> {
        Self::parse_on(data, Some(Arc::clone(base)))
    }

    fn parse_on(data: &[u8], base: Option<Arc<Btf>>) -> Result<Btf, BtfError> {
        let (header, endian) = Header::parse(data)?;
        let section = |off: u32, len: u32| {
            let start = header.hdr_len as usize + off as usize;
            data.get(start..start + len as usize).unwrap_or_default()
        };
        let types = section(header.type_off, header.type_len);
        let text = section(header.str_off, header.str_len);
        let mut btf = Btf::empty(endian, base);
        btf.check_strings(header, text)?;
        btf.words = header::to_words(types, endian);
        btf.strings = Strings::new(text.to_vec());
        btf.header = header;
        btf.split_records()?;
        btf.check_references()?;
        let canonical = header == Header::canonical(header.type_len, header.str_len)
            && data.len() == header.hdr_len as usize + types.len() + text.len();
        if !canonical {
            btf.original = Some(data.into());
        }
        Ok(btf)
    }

    /// No types and no strings of its own.
    pub(crate) fn empty(endian: Endian, base: Option<Arc<Btf>>) -> Btf {
        let (first_id, first_str) = base.as_deref().map_or((1, 0), |b| (b.last_id() + 1, b.str_end()));
        Btf {
            header: Header::canonical(0, 0),
            endian,
            base,
            first_id,
            first_str,
            words: Vec::new(),
            starts: Vec::new(),
            strings: Strings::default(),
            original: None,
            names: OnceLock::new(),
        }
    }

    /// The rules of the string section: not empty (unless there is a base), NUL at the start (of a base) and at the end.
    fn check_strings(&self, header: Header, text: &[u8]) -> Result<(), BtfError> {
        let offset = header.hdr_len.saturating_add(header.str_off);
        let fail = |offset, reason: &str| Err(BtfError::Strings { offset, reason: reason.to_owned() });
        match (text.first(), text.last()) {
            (None, _) | (_, None) if self.base.is_some() => Ok(()),
            (None, _) | (_, None) => {
                fail(offset, "the section is empty, it must hold at least the empty string")
            }
            (Some(&first), _) if first != 0 && self.base.is_none() => {
                fail(offset, "the section does not start with the empty string (a NUL byte)")
            }
            (_, Some(&last)) if last != 0 => fail(
                offset.saturating_add(header.str_len - 1),
                "the last string does not end with a NUL byte",
            ),
            _ if self.first_str.checked_add(header.str_len).is_none() => {
                fail(offset, "base and split strings together are more than 4 GiB")
            }
            _ => Ok(()),
        }
    }

    /// Finds where each record starts.
    fn split_records(&mut self) -> Result<(), BtfError> {
        let mut at = 0;
        while at < self.words.len() {
            let id = self.first_id + self.starts.len() as u32;
            let left = (self.words.len() - at) * 4;
            let fail = |kind, name_off: u32, reason: String| {
                let name = self.shown_start(name_off);
                Err(BtfError::of_record(id, kind, name, self.byte_of_word(at), reason))
            };
            let &[name_off, info, ..] = &self.words[at..] else {
                return fail(None, 0, format!("the record is cut off: {left} bytes are left, 12 are needed"));
            };
            let number = (info >> 24) & 0x1f;
            let Some(kind) = Kind::from_u32(number) else {
                return fail(None, name_off, format!("kind {number} is not known (1 to 19 are)"));
            };
            let len = 3 + kind.extra_words(info as u16);
            if self.words.len() - at < len {
                return fail(
                    Some(kind),
                    name_off,
                    format!("the record is cut off: {left} bytes are left, {} are needed", len * 4),
                );
            }
            self.starts.push(at as u32);
            at += len;
        }
        if self.first_id.checked_add(self.starts.len() as u32).is_none() {
            return Err(BtfError::Header { offset: 12, reason: "more than 2^32 types".to_owned() });
        }
        Ok(())
    }

    /// Checks every string offset and every type id of every own record.
    pub(crate) fn check_references(&mut self) -> Result<(), BtfError> {
        let (last, str_end) = (self.last_id(), self.str_end());
        let mut splits_character = false;
        for ty in self.own_types() {
            let fail = |reason: String| BtfError::of_type(self, ty.id(), reason);
            let bad_id = |what: &str, id: u32| {
                format!("{what} is type id {id}, which does not exist (the last id is {last})")
            };
            let bad_str = |what: &str, offset: u32| {
                format!("{what} is at string offset {offset}, beyond the {str_end} bytes of strings")
            };
            // A name of the record's items: member 3, parameter 0 and so on.
            let check_name = |what: &'static str, index: usize, offset: u32| {
                if offset >= str_end && offset != 0 {
                    return Err(fail(bad_str(&format!("the name of {what} {index}"), offset)));
                }
                Ok(self.splits_character(offset))
            };
            let check_id = |what: &'static str, index: usize, id: u32| {
                if id > last { Err(fail(bad_id(&format!("the type of {what} {index}"), id))) } else { Ok(()) }
            };
            if ty.name_off() >= str_end && ty.name_off() != 0 {
                return Err(fail(bad_str("its name", ty.name_off())));
            }
            splits_character |= self.splits_character(ty.name_off());
            if let Some(target) = ty.target()
                && target > last
            {
                return Err(fail(bad_id("what it refers to", target)));
            }
            match ty.kind() {
                Kind::Array => {
                    if let Some(array) = ty.array() {
                        if array.element > last {
                            return Err(fail(bad_id("its element", array.element)));
                        }
                        if array.index > last {
                            return Err(fail(bad_id("its index", array.index)));
                        }
                    }
                }
                Kind::Struct | Kind::Union => {
                    for (i, member) in ty.members().enumerate() {
                        splits_character |= check_name("member", i, member.name_off)?;
                        check_id("member", i, member.type_id)?;
                    }
                }
                Kind::Enum | Kind::Enum64 => {
                    for (i, enumerator) in ty.enumerators().enumerate() {
                        splits_character |= check_name("enumerator", i, enumerator.name_off)?;
                    }
                }
                Kind::FuncProto => {
                    for (i, param) in ty.params().enumerate() {
                        splits_character |= check_name("parameter", i, param.name_off)?;
                        check_id("parameter", i, param.type_id)?;
                    }
                }
                Kind::Datasec => {
                    for (i, var) in ty.secinfos().enumerate() {
                        check_id("variable", i, var.type_id)?;
                    }
                }
                _ => {}
            }
        }
        if splits_character {
            self.strings.show_as_ascii();
        }
        Ok(())
    }

    fn splits_character(&self, offset: u32) -> bool {
        offset.checked_sub(self.first_str).is_some_and(|own| self.strings.splits_character(own as usize))
    }

    /// The bytes of the section: for BTF as it was read, exactly what was read.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        if let Some(original) = &self.original {
            return original.to_vec();
        }
        let mut out =
            Vec::with_capacity(header::HEADER_LEN as usize + self.words.len() * 4 + self.strings.len());
        Header::canonical(self.words.len() as u32 * 4, self.strings.len() as u32)
            .write(&mut out, self.endian);
        header::push_words(&mut out, &self.words, self.endian);
        out.extend_from_slice(self.strings.bytes());
        out
    }

    /// Byte order of the section as it was read and as it is written.
    #[must_use]
    pub fn endian(&self) -> Endian {
        self.endian
    }

    /// The base of split BTF.
    #[must_use]
    pub fn base(&self) -> Option<&Arc<Btf>> {
        self.base.as_ref()
    }

    /// The highest type id, 0 where there are no types.
    #[must_use]
    pub fn last_id(&self) -> u32 {
        self.first_id + self.starts.len() as u32 - 1
    }

    /// Ids of the types that this BTF itself holds: without those of the base, and without void.
    #[must_use]
    pub fn own_ids(&self) -> Range<u32> {
        self.first_id..self.first_id + self.starts.len() as u32
    }

    /// The type with this id, in the base too; id 0 is void.
    #[must_use]
    pub fn get(&self, id: u32) -> Option<Type<'_>> {
        if id == 0 {
            return Some(Type { btf: self, id, words: &[0, 0, 0] });
        }
        let holder = self.holder(|b| id >= b.first_id);
        Some(Type { btf: self, id, words: holder.record(id)? })
    }

    /// The words of an own type.
    fn record(&self, id: u32) -> Option<&[u32]> {
        let index = id.checked_sub(self.first_id)? as usize;
        let start = *self.starts.get(index)? as usize;
        let end = self.starts.get(index + 1).map_or(self.words.len(), |&next| next as usize);
        self.words.get(start..end)
    }

    /// The first of this BTF and its bases that satisfies `owns`; else the lowest base.
    fn holder(&self, owns: impl Fn(&Btf) -> bool) -> &Btf {
        let mut holder = self;
        while !owns(holder)
            && let Some(base) = &holder.base
        {
            holder = base;
        }
        holder
    }

    /// The type with this id, or an error that says which ids exist.
    ///
    /// # Errors
    /// [`BtfError::NoSuchType`].
    pub fn require(&self, id: u32) -> Result<Type<'_>, BtfError> {
        self.get(id).ok_or(BtfError::NoSuchType { id, last: self.last_id() })
    }

    /// Every type in the order of the ids: those of the base first; without void.
    pub fn types(&self) -> impl DoubleEndedIterator<Item = Type<'_>> + Clone {
        (1..self.last_id() + 1).filter_map(|id| self.get(id))
    }

    /// The types that this BTF itself holds, without those of the base.
    pub fn own_types(&self) -> impl DoubleEndedIterator<Item = Type<'_>> + Clone {
        self.own_ids().filter_map(|id| self.get(id))
    }

    /// End of the string offsets: the length of all strings, those of the base included.
    #[must_use]
    pub fn str_end(&self) -> u32 {
        self.first_str + self.strings.len() as u32
    }

    /// The string at an offset, unchanged and without its NUL. `None` past the end.
    #[must_use]
    pub fn str_bytes(&self, offset: u32) -> Option<&[u8]> {
        let holder = self.holder(|b| offset >= b.first_str);
        holder.strings.get(offset.checked_sub(holder.first_str)? as usize)
    }

    /// The string at an offset. `None` past the end, or in the middle of a UTF-8 character.
    ///
    /// In a section that is not UTF-8 (which no compiler makes) every byte above 127 shows as `?`;
    /// [`Btf::str_bytes`] has it unchanged.
    #[must_use]
    pub fn str(&self, offset: u32) -> Option<&str> {
        let holder = self.holder(|b| offset >= b.first_str);
        holder.strings.show(offset.checked_sub(holder.first_str)? as usize)
    }

    /// Whether a string starts at this offset.
    pub(crate) fn has_str(&self, offset: u32) -> bool {
        offset < self.str_end()
    }

    /// The start of a string, at most `max` bytes; empty past the end.
    pub(crate) fn str_start(&self, offset: u32, max: usize) -> &[u8] {
        let holder = self.holder(|b| offset >= b.first_str);
        let own = offset.checked_sub(holder.first_str);
        own.map_or(&[], |own| holder.strings.start(own as usize, max))
    }

    /// Whether the string at this offset is `text`. Names may be as long as the file, so that looking at the whole of
    /// each would take quadratic time.
    pub(crate) fn str_is(&self, offset: u32, text: &[u8]) -> bool {
        let holder = self.holder(|b| offset >= b.first_str);
        offset.checked_sub(holder.first_str).is_some_and(|own| holder.strings.is(own as usize, text))
    }

    /// As much of a string as an error message should show.
    pub(crate) fn shown_start(&self, offset: u32) -> String {
        const SHOWN: usize = 128;
        let text = self.str_start(offset, SHOWN + 1);
        let (text, rest) = text.split_at(text.len().min(SHOWN));
        let dots = if rest.is_empty() { "" } else { "..." };
        String::from_utf8_lossy(text).into_owned() + dots
    }

    /// Every own string with its offset, in order.
    pub fn own_strings(&self) -> impl Iterator<Item = (u32, &[u8])> {
        self.strings.iter().map(|(offset, text)| (self.first_str + offset as u32, text))
    }

    /// Offset in the file of a word of the type section.
    pub(crate) fn byte_of_word(&self, word: usize) -> usize {
        self.header.hdr_len as usize + self.header.type_off as usize + word * 4
    }

    /// Offset in the file of an own type, 0 for others.
    pub(crate) fn file_offset(&self, id: u32) -> u32 {
        let holder = self.holder(|b| id >= b.first_id);
        id.checked_sub(holder.first_id)
            .and_then(|index| holder.starts.get(index as usize))
            .map_or(0, |&word| holder.byte_of_word(word as usize) as u32)
    }
}

impl fmt::Debug for Btf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Btf")
            .field("endian", &self.endian)
            .field("ids", &self.own_ids())
            .field("strings", &self.strings.len())
            .field("base", &self.base)
            .finish()
    }
}
