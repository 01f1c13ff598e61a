//! Helpers on strings and on formatted text.

use std::time::Duration;

use rustix::time::ClockId;

use super::{error, format::format, task::now};
use crate::error::Errno;
use crate::interp::{Access, Run, Step};

/// Bytes of text that a trace line takes (Linux: `MAX_BPRINTF_BUF`, the last a zero byte).
const LINE: usize = 1023;
/// Bytes of arguments of `bpf_trace_vprintk` and `bpf_snprintf` (Linux: `MAX_BPRINTF_VARARGS`, twelve).
const MAX_DATA: u64 = 96;

/// Formats and prints a line; answers the length of the text.
fn print(run: &mut Run<'_, '_>, fmt: &[u8], args: &[u64]) -> u64 {
    run.burn(128 + fmt.len() as u64);
    let text = match format(run, fmt, args, LINE + 1) {
        Ok(text) => text,
        Err(errno) => return error(errno),
    };
    let trace = run.program().trace();
    if trace.is_read() {
        let shown = String::from_utf8_lossy(&text[..text.len().min(LINE)]);
        let task = run.context.task;
        let since_boot = Duration::from_nanos(now(ClockId::Monotonic));
        trace.print(&task.comm(), task.pid_tgid() as u32, run.context.cpu, since_boot, &shown);
    }
    text.len() as u64
}

/// A format in memory of `size` bytes, without its zero byte; None when it has none.
fn fmt_of(run: &mut Run<'_, '_>, addr: u64, size: u64) -> Step<Option<Vec<u8>>> {
    let mut fmt = run.read_vec(addr, size)?;
    let end = fmt.iter().position(|byte| *byte == 0);
    if let Some(end) = end {
        fmt.truncate(end);
    }
    Ok(end.map(|_| fmt))
}

/// The arguments in memory; None when there cannot be that many.
fn data_of(run: &mut Run<'_, '_>, addr: u64, len: u64) -> Step<Option<Vec<u64>>> {
    if !len.is_multiple_of(8) || len > MAX_DATA || (len > 0 && addr == 0) {
        return Ok(None);
    }
    let bytes = run.read_vec(addr, len)?;
    let words = bytes.chunks_exact(8).filter_map(|word| word.try_into().ok()).map(u64::from_ne_bytes);
    Ok(Some(words.collect()))
}

pub(super) fn trace_printk(run: &mut Run<'_, '_>, [fmt, size, a, b, c]: [u64; 5]) -> Step<u64> {
    Ok(match fmt_of(run, fmt, size)? {
        Some(fmt) => print(run, &fmt, &[a, b, c]),
        None => error(Errno::EINVAL),
    })
}

pub(super) fn trace_vprintk(run: &mut Run<'_, '_>, [fmt, size, data, len, _]: [u64; 5]) -> Step<u64> {
    let Some(args) = data_of(run, data, len)? else { return Ok(error(Errno::EINVAL)) };
    Ok(match fmt_of(run, fmt, size)? {
        Some(fmt) => print(run, &fmt, &args),
        None => error(Errno::EINVAL),
    })
}

/// Answers the length of the whole text with its zero byte, of which as much as fits is written.
pub(super) fn snprintf(run: &mut Run<'_, '_>, [to, size, fmt, data, len]: [u64; 5]) -> Step<u64> {
    run.check(to, size, Access::Write)?;
    let Some(args) = data_of(run, data, len)? else { return Ok(error(Errno::EINVAL)) };
    let fmt = string_at(run, fmt)?;
    let text = match format(run, &fmt, &args, size as usize) {
        Ok(text) => text,
        Err(errno) => return Ok(error(errno)),
    };
    if let Some(room) = (size as usize).checked_sub(1) {
        let mut shown = text[..text.len().min(room)].to_vec();
        shown.push(0);
        run.write(to, &shown)?;
    }
    Ok(text.len() as u64 + 1)
}

/// A string in memory of the program, without its zero byte.
fn string_at(run: &mut Run<'_, '_>, addr: u64) -> Step<Vec<u8>> {
    let mut text = Vec::new();
    loop {
        let mut byte = [0];
        run.spend(4)?;
        run.read(addr.wrapping_add(text.len() as u64), &mut byte)?;
        match byte {
            [0] => return Ok(text),
            [byte] => text.push(byte),
        }
    }
}

pub(super) fn strncmp(run: &mut Run<'_, '_>, [first, size, second, ..]: [u64; 5]) -> Step<u64> {
    run.check(first, size, Access::Read)?;
    for index in 0..size {
        run.spend(4)?;
        let (mut a, mut b) = ([0], [0]);
        run.read(first.wrapping_add(index), &mut a)?;
        run.read(second.wrapping_add(index), &mut b)?;
        match a.cmp(&b) {
            std::cmp::Ordering::Less => return Ok((-1i64).cast_unsigned()),
            std::cmp::Ordering::Greater => return Ok(1),
            std::cmp::Ordering::Equal if a == [0] => break,
            std::cmp::Ordering::Equal => {}
        }
    }
    Ok(0)
}

pub(super) fn strtol(run: &mut Run<'_, '_>, [text, size, flags, to, _]: [u64; 5]) -> Step<u64> {
    let text = run.read_vec(text, size)?;
    let parsed = parse(&text, flags).and_then(|number| {
        let value = number.magnitude.cast_signed();
        let value = if number.negative { value.wrapping_neg() } else { value };
        let fits = if number.negative { value <= 0 } else { value >= 0 };
        if fits { Ok((value.cast_unsigned(), number.consumed)) } else { Err(Errno::ERANGE) }
    });
    store_parsed(run, to, parsed)
}

pub(super) fn strtoul(run: &mut Run<'_, '_>, [text, size, flags, to, _]: [u64; 5]) -> Step<u64> {
    let text = run.read_vec(text, size)?;
    let parsed = parse(&text, flags).and_then(|number| {
        if number.negative { Err(Errno::EINVAL) } else { Ok((number.magnitude, number.consumed)) }
    });
    store_parsed(run, to, parsed)
}

fn store_parsed(run: &mut Run<'_, '_>, to: u64, parsed: Result<(u64, usize), Errno>) -> Step<u64> {
    let (value, answer) = match parsed {
        Ok((value, consumed)) => (value, consumed as u64),
        Err(errno) => (0, error(errno)),
    };
    run.write(to, &value.to_ne_bytes())?;
    Ok(answer)
}

struct Number {
    negative: bool,
    magnitude: u64,
    consumed: usize,
}

/// Reads a number as `bpf_strtol` does: spaces, a minus sign, and digits in base 8, 10 or 16, or in the base that a prefix
/// says for base 0; only the first 63 characters after the sign count.
fn parse(text: &[u8], flags: u64) -> Result<Number, Errno> {
    let base = flags & 0x1f;
    if text.is_empty() || !matches!(base, 0 | 8 | 10 | 16) || flags & !0x1f != 0 {
        return Err(Errno::EINVAL);
    }
    let is_space = |byte: &&u8| matches!(**byte, b' ' | b'\t'..=b'\r' | 0xa0);
    let mut consumed = text.iter().take_while(is_space).count();
    let negative = text.get(consumed) == Some(&b'-');
    consumed += usize::from(negative);
    let rest = text.get(consumed..).filter(|rest| !rest.is_empty()).ok_or(Errno::EINVAL)?;
    let rest = &rest[..rest.len().min(63)];

    let hex_prefix = matches!(rest, [b'0', b'x' | b'X', ..]);
    let base = match base {
        0 if hex_prefix && rest.get(2).is_some_and(u8::is_ascii_hexdigit) => 16,
        0 if rest.first() == Some(&b'0') => 8,
        0 => 10,
        base => base,
    };
    let prefix = if base == 16 && hex_prefix { 2 } else { 0 };
    let mut magnitude = 0u64;
    let mut overflow = false;
    let mut digits = 0;
    for byte in rest.iter().skip(prefix) {
        let Some(digit) = char::from(*byte).to_digit(base as u32) else { break };
        let next = magnitude.checked_mul(base).and_then(|high| high.checked_add(u64::from(digit)));
        overflow |= next.is_none();
        magnitude = next.unwrap_or(0);
        digits += 1;
    }
    match (overflow, digits) {
        (true, _) => Err(Errno::ERANGE),
        (false, 0) => Err(Errno::EINVAL),
        (false, digits) => Ok(Number { negative, magnitude, consumed: consumed + prefix + digits }),
    }
}
