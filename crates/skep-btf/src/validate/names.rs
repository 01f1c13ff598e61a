//! The rules for names.

/// Longest name of an identifier or a section, in bytes (`KSYM_NAME_LEN`).
pub(super) const MAX_LEN: usize = 512;

/// Why a name is not an identifier; `None` if it is one. Letters (of ISO 8859-1, as the kernel has it), digits, `_` and
/// `.`, no digit first, at most 512 bytes.
pub(super) fn identifier_problem(name: &[u8]) -> Option<String> {
    let odd =
        |(i, &b): (usize, &u8)| !(is_letter(b) || matches!(b, b'_' | b'.') || i > 0 && b.is_ascii_digit());
    if name.is_empty() {
        Some("a name is required".to_owned())
    } else if let Some((i, b)) = name.iter().enumerate().find(|&x| odd(x)) {
        Some(format!("the name is not an identifier because of {} at position {i}", shown(*b)))
    } else {
        too_long(name)
    }
}

/// Why a name cannot be that of a section; `None` if it can. Any printable bytes (of ISO 8859-1, as the kernel has it), at
/// most 512.
pub(super) fn section_problem(name: &[u8]) -> Option<String> {
    if name.is_empty() {
        Some("a name is required".to_owned())
    } else if let Some(i) = name.iter().position(|&b| !(0x20..0x7f).contains(&b) && b < 0xa0) {
        Some(format!("the name has {} at position {i}, which is not printable", shown(name[i])))
    } else {
        too_long(name)
    }
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte >= 0xc0 && !matches!(byte, 0xd7 | 0xf7)
}

fn too_long(name: &[u8]) -> Option<String> {
    (name.len() > MAX_LEN).then(|| format!("the name has more than {MAX_LEN} bytes"))
}

fn shown(byte: u8) -> String {
    if byte.is_ascii_graphic() { format!("'{}'", byte as char) } else { format!("byte {byte:#04x}") }
}
