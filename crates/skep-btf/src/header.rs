//! `struct btf_header`: where the types and the strings lie.

use skep_isa::Endian;

use crate::BtfError;

/// The magic number in the first two bytes of `.BTF` and `.BTF.ext`.
pub(crate) const MAGIC: u16 = 0xeb9f;

/// Length of the header that this version of the format defines.
pub(crate) const HEADER_LEN: u32 = 24;

/// The fields of `struct btf_header`; offsets and lengths in bytes, offsets from the end of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) hdr_len: u32,
    pub(crate) type_off: u32,
    pub(crate) type_len: u32,
    pub(crate) str_off: u32,
    pub(crate) str_len: u32,
}

/// The byte order that the magic number shows.
pub(crate) fn endian_of(magic: [u8; 2]) -> Option<Endian> {
    if u16::from_le_bytes(magic) == MAGIC {
        Some(Endian::Little)
    } else if u16::from_be_bytes(magic) == MAGIC {
        Some(Endian::Big)
    } else {
        None
    }
}

/// The 4 bytes at `at`; `None` past the end.
pub(crate) fn read_u32(data: &[u8], at: usize, endian: Endian) -> Option<u32> {
    let bytes = data.get(at..at.checked_add(4)?)?.try_into().ok()?;
    Some(match endian {
        Endian::Little => u32::from_le_bytes(bytes),
        Endian::Big => u32::from_be_bytes(bytes),
    })
}

/// Words of 4 bytes in host order; a remainder of 1 to 3 bytes is left out.
pub(crate) fn to_words(data: &[u8], endian: Endian) -> Vec<u32> {
    let words = data.as_chunks::<4>().0.iter();
    match endian {
        Endian::Little => words.map(|&w| u32::from_le_bytes(w)).collect(),
        Endian::Big => words.map(|&w| u32::from_be_bytes(w)).collect(),
    }
}

/// Appends words in the given byte order.
pub(crate) fn push_words(out: &mut Vec<u8>, words: &[u32], endian: Endian) {
    out.reserve(words.len() * 4);
    match endian {
        Endian::Little => out.extend(words.iter().flat_map(|w| w.to_le_bytes())),
        Endian::Big => out.extend(words.iter().flat_map(|w| w.to_be_bytes())),
    }
}

impl Header {
    /// Reads the header and checks that both sections lie behind it and inside `data` and do not overlap.
    pub(crate) fn parse(data: &[u8]) -> Result<(Header, Endian), BtfError> {
        let fail = |offset, reason: String| Err(BtfError::Header { offset, reason });
        let Ok(size) = u32::try_from(data.len()) else {
            return fail(0, format!("{} bytes are more than the format can address", data.len()));
        };
        if size < HEADER_LEN {
            return fail(0, format!("the section has {size} bytes, the header alone needs {HEADER_LEN}"));
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
        let field = |at| read_u32(data, at, endian).unwrap_or(0);
        let header = Header {
            hdr_len: field(4),
            type_off: field(8),
            type_len: field(12),
            str_off: field(16),
            str_len: field(20),
        };
        if header.hdr_len < HEADER_LEN {
            return fail(4, format!("hdr_len {} is less than {HEADER_LEN}", header.hdr_len));
        }
        if header.hdr_len > size {
            return fail(
                4,
                format!("hdr_len {} goes beyond the section, which has {size} bytes", header.hdr_len),
            );
        }
        let room = u64::from(size - header.hdr_len);
        for (at, what, off, len) in [
            (8, "type section", header.type_off, header.type_len),
            (16, "string section", header.str_off, header.str_len),
        ] {
            if u64::from(off) + u64::from(len) > room {
                return fail(
                    at,
                    format!(
                        "the {what} ({len} bytes at offset {off} behind the header) goes beyond the end: \
                         {room} bytes follow the header"
                    ),
                );
            }
        }
        if !header.type_off.is_multiple_of(4) {
            return fail(8, format!("type_off {} is not a multiple of 4", header.type_off));
        }
        if !header.type_len.is_multiple_of(4) {
            return fail(12, format!("type_len {} is not a multiple of 4", header.type_len));
        }
        let (type_end, str_end) =
            (header.type_off + header.type_len, u64::from(header.str_off) + u64::from(header.str_len));
        if u64::from(header.type_off) < str_end
            && header.str_off < type_end
            && header.type_len != 0
            && header.str_len != 0
        {
            return fail(
                16,
                format!(
                    "the string section ({}..{str_end} behind the header) overlaps the type section ({}..{type_end})",
                    header.str_off, header.type_off
                ),
            );
        }
        Ok((header, endian))
    }

    /// The header of sections that follow one another without gaps, as `Header::write` lays them out.
    pub(crate) fn canonical(type_len: u32, str_len: u32) -> Header {
        Header { hdr_len: HEADER_LEN, type_off: 0, type_len, str_off: type_len, str_len }
    }

    pub(crate) fn write(self, out: &mut Vec<u8>, endian: Endian) {
        out.extend(match endian {
            Endian::Little => MAGIC.to_le_bytes(),
            Endian::Big => MAGIC.to_be_bytes(),
        });
        out.extend([1, 0]);
        let fields = [self.hdr_len, self.type_off, self.type_len, self.str_off, self.str_len];
        push_words(out, &fields, endian);
    }
}
