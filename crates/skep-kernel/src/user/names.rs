//! Names of maps and programs.

use crate::error::{Errno, KernelError};
use crate::kernel::Result;

/// Bytes in a name at most (`BPF_OBJ_NAME_LEN`, less the zero byte).
const NAME_LEN: usize = 15;

/// A name as the kernel keeps it: cut to 15 bytes. Letters, digits, `_` and `.` are what it may have.
pub(super) fn checked(name: &str) -> Result<String> {
    let kept: Vec<u8> = name.bytes().take(NAME_LEN).collect();
    match kept.iter().find(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))) {
        None => Ok(kept.iter().copied().map(char::from).collect()),
        Some(byte) => Err(KernelError::new(
            Errno::EINVAL,
            format!("name {name:?}: byte {byte:#04x} is not a letter, a digit, '_' or '.'"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let table: [(&str, Option<&str>); 8] = [
            ("", Some("")),
            ("a.b_C9", Some("a.b_C9")),
            ("abcdefghijklmno", Some("abcdefghijklmno")),
            ("abcdefghijklmnop", Some("abcdefghijklmno")),
            ("abcdefghijklmno-", Some("abcdefghijklmno")),
            ("a b", None),
            ("a-b", None),
            ("\u{e9}", None),
        ];
        for (name, kept) in table {
            let result = checked(name);
            assert_eq!(result.as_deref().ok(), kept, "{name:?}");
            assert!(result.is_ok_and(|_| true) || kept.is_none());
        }
    }
}
