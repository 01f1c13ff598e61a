//! The string section: NUL-terminated strings addressed by byte offset.

use std::ffi::CStr;

/// The bytes of a string section and, where they are not all UTF-8, a copy that can be shown.
///
/// The copy has the same length and the same offsets with every byte above 127 replaced by `?`, so that a name is always
/// one slice, whatever a hostile or foreign file contains.
#[derive(Clone, Debug, Default)]
pub(crate) struct Strings {
    bytes: Vec<u8>,
    /// Whether there is a byte above 127, so that characters and bytes are not the same.
    beyond_ascii: bool,
    shown: Option<Vec<u8>>,
}

impl Strings {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        let beyond_ascii = !bytes.is_ascii();
        let mut strings = Strings { bytes, beyond_ascii, shown: None };
        if beyond_ascii && std::str::from_utf8(&strings.bytes).is_err() {
            strings.show_as_ascii();
        }
        strings
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// From now on shows `?` in place of every byte above 127.
    pub(crate) fn show_as_ascii(&mut self) {
        if self.shown.is_none() {
            self.shown = Some(self.bytes.iter().map(|&b| if b.is_ascii() { b } else { b'?' }).collect());
        }
    }

    /// Whether the string at `offset` starts in the middle of a UTF-8 character.
    pub(crate) fn splits_character(&self, offset: usize) -> bool {
        self.beyond_ascii && self.shown.is_none() && self.bytes.get(offset).is_some_and(|b| b & 0xc0 == 0x80)
    }

    /// The string at `offset` without its NUL; `None` past the end.
    pub(crate) fn get(&self, offset: usize) -> Option<&[u8]> {
        until_nul(self.bytes.get(offset..)?)
    }

    /// The start of the string at `offset`, at most `max` bytes; empty past the end. Takes no longer than `max`, however long
    /// the string is.
    pub(crate) fn start(&self, offset: usize, max: usize) -> &[u8] {
        let rest = self.bytes.get(offset..).unwrap_or_default();
        until_nul(&rest[..rest.len().min(max)]).unwrap_or_default()
    }

    /// Whether the string at `offset` is `text`; takes no longer than `text` is.
    pub(crate) fn is(&self, offset: usize, text: &[u8]) -> bool {
        let rest = self.bytes.get(offset..).unwrap_or_default();
        rest.starts_with(text) && rest.get(text.len()) == Some(&0)
    }

    /// The string at `offset` in a form that can be shown; `None` past the end or in the middle of a character.
    pub(crate) fn show(&self, offset: usize) -> Option<&str> {
        let bytes = self.shown.as_ref().unwrap_or(&self.bytes);
        std::str::from_utf8(until_nul(bytes.get(offset..)?)?).ok()
    }

    /// Appends a string and its NUL; gives its offset.
    pub(crate) fn push(&mut self, text: &[u8]) -> usize {
        let offset = self.bytes.len();
        self.beyond_ascii |= !text.is_ascii();
        self.bytes.extend_from_slice(text);
        self.bytes.push(0);
        if let Some(shown) = &mut self.shown {
            shown.extend(text.iter().map(|&b| if b.is_ascii() { b } else { b'?' }));
            shown.push(0);
        } else if std::str::from_utf8(text).is_err() {
            self.show_as_ascii();
        }
        offset
    }

    /// Every string with its offset, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let mut offset = 0;
        std::iter::from_fn(move || {
            let text = self.get(offset)?;
            let start = offset;
            offset += text.len() + 1;
            Some((start, text))
        })
    }
}

/// Up to the first NUL; `None` for an empty slice (an offset at the very end is no string).
fn until_nul(bytes: &[u8]) -> Option<&[u8]> {
    match CStr::from_bytes_until_nul(bytes) {
        Ok(text) => Some(text.to_bytes()),
        Err(_) if bytes.is_empty() => None,
        Err(_) => Some(bytes),
    }
}
