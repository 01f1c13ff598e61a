//! The kernel's rules for the file as a whole.

use crate::header::HEADER_LEN;
use crate::{Btf, BtfError};

/// The kernel takes no more than this many bytes (`BTF_MAX_SIZE`).
const MAX_SIZE: usize = 16 << 20;
/// Highest type id (`BTF_MAX_TYPE` of uapi `linux/btf.h`).
const MAX_TYPE: u32 = 0xf_ffff;
/// Highest string offset (`BTF_MAX_NAME_OFFSET`).
const MAX_NAME_OFFSET: u32 = 0xff_ffff;

pub(super) fn check(btf: &Btf) -> Result<(), BtfError> {
    let fail = |offset, reason: String| Err(BtfError::Header { offset, reason });
    let header = btf.header;
    let size = match &btf.original {
        Some(bytes) => {
            let extra = HEADER_LEN as usize..header.hdr_len as usize;
            if let Some(at) = bytes.get(extra).and_then(|extra| extra.iter().position(|&b| b != 0)) {
                let at = HEADER_LEN + at as u32;
                return fail(
                    at,
                    "the header is longer than 24 bytes and what follows is not zero".to_owned(),
                );
            }
            bytes.len()
        }
        None => header.hdr_len as usize + btf.words.len() * 4 + btf.strings.len(),
    };
    if size > MAX_SIZE {
        return fail(0, format!("{size} bytes are more than the kernel takes ({MAX_SIZE})"));
    }
    if btf.base.is_none() && btf.words.is_empty() {
        return fail(12, "there are no types".to_owned());
    }
    if header.type_off != 0 {
        return fail(8, format!("the type section starts {} bytes behind the header", header.type_off));
    }
    if header.str_off != header.type_len {
        return fail(
            16,
            format!(
                "the string section starts at {} behind the header, the type section ends at {}",
                header.str_off, header.type_len
            ),
        );
    }
    let end = header.hdr_len as usize + header.str_off as usize + header.str_len as usize;
    if end != size {
        return fail(20, format!("{} bytes follow the string section", size - end));
    }
    if btf.strings.len() as u32 > MAX_NAME_OFFSET + 1 {
        return Err(BtfError::Strings {
            offset: header.hdr_len + header.str_off,
            reason: format!("{} bytes of strings are more than 16 MiB", btf.strings.len()),
        });
    }
    if btf.last_id() > MAX_TYPE {
        return fail(12, format!("{} types are more than the kernel takes ({MAX_TYPE})", btf.last_id()));
    }
    Ok(())
}
