//! The format language of `bpf_trace_printk`, `bpf_trace_vprintk` and `bpf_snprintf`, with the conversions and the refusals
//! of Linux (measured on 6.18).

use std::fmt::Write as _;
use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

use crate::error::Errno;
use crate::interp::Run;

/// Bytes that all arguments of one call may take once fetched (Linux: `MAX_BPRINTF_BIN_ARGS`).
const ARGUMENT_ROOM: usize = 512;

/// Memory that `%s` and its kin read.
pub(crate) trait Memory {
    /// Kernel memory up to and including the first zero byte; None where it cannot be read.
    fn kernel_str(&mut self, addr: u64, room: usize) -> Option<Vec<u8>>;
    /// User memory up to and including the first zero byte; None where it cannot be read.
    fn user_str(&mut self, addr: u64, room: usize) -> Option<Vec<u8>>;
    /// Kernel memory, all or nothing.
    fn kernel(&mut self, addr: u64, out: &mut [u8]) -> bool;
}

impl Memory for Run<'_, '_> {
    fn kernel_str(&mut self, addr: u64, room: usize) -> Option<Vec<u8>> {
        super::probe::kernel_str(self, addr, room)
    }

    fn user_str(&mut self, addr: u64, room: usize) -> Option<Vec<u8>> {
        super::probe::user_str(self, addr, room)
    }

    fn kernel(&mut self, addr: u64, out: &mut [u8]) -> bool {
        self.probe(addr, out)
    }
}

/// Flags and width of a conversion.
#[derive(Clone, Copy, Default)]
struct Spec {
    zero: bool,
    plus: bool,
    minus: bool,
    space: bool,
    width: usize,
}

impl Spec {
    /// Adds `text`, padded with spaces.
    fn pad(self, text: &[u8], out: &mut Vec<u8>) {
        let missing = self.width.saturating_sub(text.len());
        if !self.minus {
            out.resize(out.len() + missing, b' ');
        }
        out.extend_from_slice(text);
        if self.minus {
            out.resize(out.len() + missing, b' ');
        }
    }

    /// Adds a number, padded with zeroes or spaces.
    fn number(self, sign: &str, digits: &str, out: &mut Vec<u8>) {
        if self.zero && !self.minus {
            let missing = self.width.saturating_sub(sign.len() + digits.len());
            out.extend_from_slice(sign.as_bytes());
            out.resize(out.len() + missing, b'0');
            out.extend_from_slice(digits.as_bytes());
        } else {
            self.pad([sign, digits].concat().as_bytes(), out);
        }
    }
}

/// What a conversion's argument is cut to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Length {
    Int,
    Long,
}

/// Formats. More conversions than `args`, a conversion that Linux does not know, and bytes that are neither printable nor
/// space are `EINVAL`; arguments that take more than 512 bytes are `ENOSPC`.
///
/// The whole text is given, though `limit` bytes of it, zero byte included, is what the caller has room for: like Linux,
pub(crate) fn format(
    memory: &mut dyn Memory,
    fmt: &[u8],
    args: &[u64],
    limit: usize,
) -> Result<Vec<u8>, Errno> {
    let mut formatter =
        Formatter { fmt, at: 0, args: args.iter(), room: ARGUMENT_ROOM, limit, out: Vec::new(), memory };
    formatter.run()?;
    Ok(formatter.out)
}

struct Formatter<'a> {
    fmt: &'a [u8],
    at: usize,
    args: std::slice::Iter<'a, u64>,
    room: usize,
    limit: usize,
    out: Vec<u8>,
    memory: &'a mut dyn Memory,
}

impl Formatter<'_> {
    /// The byte `ahead` of the current one, 0 beyond the end.
    fn peek(&self, ahead: usize) -> u8 {
        self.fmt.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn arg(&mut self) -> Result<u64, Errno> {
        self.args.next().copied().ok_or(Errno::EINVAL)
    }

    /// Takes room for an argument of `size` bytes, aligned as in the kernel's buffer.
    fn take_room(&mut self, size: usize) -> Result<(), Errno> {
        let aligned = self.room / size.min(4) * size.min(4);
        self.room = aligned.checked_sub(size).ok_or(Errno::ENOSPC)?;
        Ok(())
    }

    fn run(&mut self) -> Result<(), Errno> {
        while self.at < self.fmt.len() {
            let byte = self.peek(0);
            if byte < 0x80 && !(byte.is_ascii_graphic() || is_space(byte)) {
                return Err(Errno::EINVAL);
            }
            self.at += 1;
            if byte != b'%' {
                self.out.push(byte);
            } else if self.peek(0) == b'%' {
                self.at += 1;
                self.out.push(b'%');
            } else {
                self.conversion()?;
            }
        }
        Ok(())
    }

    fn spec(&mut self) -> Spec {
        let mut spec = Spec::default();
        loop {
            match self.peek(0) {
                b'0' => spec.zero = true,
                b'+' => spec.plus = true,
                b'-' => spec.minus = true,
                b' ' => spec.space = true,
                _ => break,
            }
            self.at += 1;
        }
        while self.peek(0).is_ascii_digit() {
            // Linux keeps 24 bits of width; what it prints is cut to its buffer either way.
            spec.width = (spec.width * 10 + usize::from(self.peek(0) - b'0')).min(4096);
            self.at += 1;
        }
        spec
    }

    fn conversion(&mut self) -> Result<(), Errno> {
        let spec = self.spec();
        match self.peek(0) {
            b'p' if matches!(self.peek(1), b'k' | b'u') && self.peek(2) == b's' => {
                let user = self.peek(1) == b'u';
                self.at += 3;
                self.string(spec, user)
            }
            b'p' => self.pointer(spec),
            b's' => {
                self.at += 1;
                self.string(spec, false)
            }
            b'c' => {
                self.at += 1;
                self.take_room(1)?;
                let byte = self.arg()? as u8;
                spec.pad(&[byte], &mut self.out);
                Ok(())
            }
            b'l' => {
                self.at += if self.peek(1) == b'l' { 2 } else { 1 };
                self.integer(spec, Length::Long)
            }
            _ => self.integer(spec, Length::Int),
        }
    }

    fn integer(&mut self, spec: Spec, length: Length) -> Result<(), Errno> {
        let conversion = self.peek(0);
        if !matches!(conversion, b'd' | b'i' | b'u' | b'x' | b'X') {
            return Err(Errno::EINVAL);
        }
        self.at += 1;
        let arg = self.arg()?;
        self.take_room(if length == Length::Long { 8 } else { 4 })?;
        let unsigned = if length == Length::Long { arg } else { u64::from(arg as u32) };
        match conversion {
            b'd' | b'i' => {
                let signed = if length == Length::Long { arg as i64 } else { i64::from(arg as i32) };
                let sign = match signed {
                    ..0 => "-",
                    _ if spec.plus => "+",
                    _ if spec.space => " ",
                    _ => "",
                };
                spec.number(sign, &signed.unsigned_abs().to_string(), &mut self.out);
            }
            b'u' => spec.number("", &unsigned.to_string(), &mut self.out),
            b'x' => spec.number("", &format!("{unsigned:x}"), &mut self.out),
            _ => spec.number("", &format!("{unsigned:X}"), &mut self.out),
        }
        Ok(())
    }

    /// `%s`, `%pks`, `%pus`. A string that cannot be read is empty.
    fn string(&mut self, spec: Spec, user: bool) -> Result<(), Errno> {
        let next = self.peek(0);
        if next != 0 && !is_space(next) && !is_punct(next) {
            return Err(Errno::EINVAL);
        }
        let addr = self.arg()?;
        if self.room == 0 {
            return Err(Errno::ENOSPC);
        }
        let read = if user {
            self.memory.user_str(addr, self.room)
        } else {
            self.memory.kernel_str(addr, self.room)
        };
        let mut text = read.unwrap_or_default();
        if text.last() == Some(&0) {
            text.pop();
        }
        text.truncate(self.room - 1);
        self.room -= text.len() + 1;
        spec.pad(&text, &mut self.out);
        Ok(())
    }

    fn pointer(&mut self, mut spec: Spec) -> Result<(), Errno> {
        let kind = self.peek(1);
        self.at += 1;
        let plain = kind == 0 || is_space(kind) || is_punct(kind);
        if !plain && !matches!(kind, b'K' | b'x' | b's' | b'S' | b'B' | b'i' | b'I') {
            return Err(Errno::EINVAL);
        }
        if matches!(kind, b'i' | b'I') {
            return self.address(kind);
        }
        // The kernel's printf passes over all letters and digits that follow.
        self.skip_alphanumeric();
        let addr = self.arg()?;
        self.take_room(8)?;
        match kind {
            // There are no symbols here: what the kernel prints for addresses that it has no symbol for.
            b'B' if self.out.len() >= self.limit => {}
            b's' | b'S' | b'B' => spec.pad(format!("{addr:#x}").as_bytes(), &mut self.out),
            _ => {
                if spec.width == 0 {
                    (spec.width, spec.zero) = (16, true);
                }
                let shown = if kind == b'x' || is_null_or_error(addr) { addr } else { hashed(addr) };
                spec.number("", &format!("{shown:x}"), &mut self.out);
            }
        }
        Ok(())
    }

    /// `%pi4`, `%pI4`, `%pi6`, `%pI6`: an address read from memory; zeroes when it cannot be read.
    fn address(&mut self, kind: u8) -> Result<(), Errno> {
        let version = self.peek(1);
        if !matches!(version, b'4' | b'6') {
            return Err(Errno::EINVAL);
        }
        self.skip_alphanumeric();
        let addr = self.arg()?;
        let mut bytes = [0u8; 16];
        let (size, room) = if version == b'4' { (4, 16) } else { (16, 40) };
        self.room = self.room.checked_sub(room).ok_or(Errno::ENOSPC)?;
        if let Some(bytes) = bytes.get_mut(..size)
            && !self.memory.kernel(addr, bytes)
        {
            bytes.fill(0);
        }
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = match (version, kind) {
            (b'4', b'i') => write!(text, "{:03}.{:03}.{:03}.{:03}", bytes[0], bytes[1], bytes[2], bytes[3]),
            (b'4', _) => write!(text, "{}.{}.{}.{}", bytes[0], bytes[1], bytes[2], bytes[3]),
            (_, kind) => bytes.chunks_exact(2).enumerate().try_for_each(|(index, pair)| {
                let colon = if kind == b'I' && index > 0 { ":" } else { "" };
                write!(text, "{colon}{:02x}{:02x}", pair[0], pair[1])
            }),
        };
        if self.out.len() < self.limit {
            self.out.extend_from_slice(text.as_bytes());
        }
        Ok(())
    }

    fn skip_alphanumeric(&mut self) {
        while self.peek(0).is_ascii_alphanumeric() {
            self.at += 1;
        }
    }
}

/// The kernel's `isspace`: its character table is Latin-1.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r' | 0xa0)
}

/// The kernel's `ispunct`, Latin-1 too.
fn is_punct(byte: u8) -> bool {
    byte.is_ascii_punctuation() || matches!(byte, 0xa1..=0xbf | 0xd7 | 0xf7)
}

/// Null and error pointers are shown as they are.
fn is_null_or_error(addr: u64) -> bool {
    addr == 0 || addr > u64::MAX - 4095
}

/// `%p` hides addresses: 32 bits that differ between processes and are the same for the same address.
fn hashed(addr: u64) -> u64 {
    static KEY: OnceLock<RandomState> = OnceLock::new();
    KEY.get_or_init(RandomState::new).hash_one(addr) & 0xffff_ffff
}
