//! A section the way `llvm-objdump -d` lists it.

use std::fmt::{self, Write as _};

use super::Style;
use crate::{Endian, Insn, RawInsn};

/// A name for a place in the section.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Symbol {
    /// Byte offset in the section.
    pub offset: u64,
    /// Its name.
    pub name: String,
}

/// A relocation to be shown under the instruction it applies to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Relocation {
    /// Byte offset in the section.
    pub offset: u64,
    /// What is shown after the offset: the type and the symbol, as in `R_BPF_64_64` tab `counter`.
    pub text: String,
}

/// A section to be listed: plain data, filled in by whoever knows the names; `to_string()` is the listing.
///
/// Without symbols, relocations and notes the text equals the body that `llvm-objdump -d` prints for the section;
/// with them, `-d -r` and, given source lines as notes, `-S`. Anything that is no instruction is `<unknown>`, slot by
/// slot (a last `ld_imm64` cut in half, and bytes after the last whole slot, byte by byte); runs of zero bytes are `...`.
///
/// ```
/// use skep_isa::{Endian, Insn, JumpOp, Reg, disasm::{Listing, Symbol}, encode_slots};
/// let program = Insn::encode_all(&[Insn::jump_if(JumpOp::Eq, Reg::R1, 0, 1), Insn::mov(Reg::R0, 1), Insn::Exit]);
/// let bytes = encode_slots(&program, Endian::Little);
/// let mut listing = Listing::new("xdp", &bytes, Endian::Little);
/// listing.symbols.push(Symbol { offset: 0, name: "drop".into() });
/// listing.raw_insn = false;
/// assert_eq!(listing.to_string(), "\
/// 0000000000000000 <drop>:
///        0:\tif r1 == 0x0 goto +0x1 <drop+0x10>
///        1:\tr0 = 0x1
///        2:\texit
/// ");
/// ```
#[derive(Clone, Debug)]
pub struct Listing<'a> {
    /// The section's name, which stands for places before the first symbol.
    pub section: &'a str,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Byte order of the instructions.
    pub endian: Endian,
    /// How instructions are written; [`Style::OBJDUMP`] at first.
    pub style: Style,
    /// Show the instructions' bytes (without: `--no-show-raw-insn`); true at first.
    pub raw_insn: bool,
    /// Names of places, in any order. Of several at one place the last by name is shown, as `llvm-objdump` does.
    pub symbols: Vec<Symbol>,
    /// Relocations, in any order.
    pub relocations: Vec<Relocation>,
    /// Lines to be shown before the instruction at a byte offset, each after `; `: source lines, say. Notes for one
    /// offset keep their order.
    pub notes: Vec<(u64, String)>,
}

impl<'a> Listing<'a> {
    /// A listing with nothing but the instructions.
    #[must_use]
    pub fn new(section: &'a str, bytes: &'a [u8], endian: Endian) -> Listing<'a> {
        Listing {
            section,
            bytes,
            endian,
            style: Style::OBJDUMP,
            raw_insn: true,
            symbols: Vec::new(),
            relocations: Vec::new(),
            notes: Vec::new(),
        }
    }
}

/// The sorted view of a listing while it is written.
struct Writer<'l, 'a> {
    listing: &'l Listing<'a>,
    symbols: Vec<(u64, &'l str)>,
    relocations: Vec<&'l Relocation>,
    notes: Vec<&'l (u64, String)>,
}

impl fmt::Display for Listing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut symbols: Vec<_> = self.symbols.iter().map(|s| (s.offset, s.name.as_str())).collect();
        symbols.sort_unstable();
        // Of several names at one place the last one is shown, there and in targets.
        symbols.reverse();
        symbols.dedup_by_key(|&mut (offset, _)| offset);
        symbols.reverse();
        if symbols.first().is_none_or(|&(offset, _)| offset != 0) {
            symbols.insert(0, (0, self.section));
        }
        let mut relocations: Vec<_> = self.relocations.iter().collect();
        relocations.sort_by_key(|r| r.offset);
        let mut notes: Vec<_> = self.notes.iter().collect();
        notes.sort_by_key(|n| n.0);
        Writer { listing: self, symbols, relocations, notes }.write(f)
    }
}

impl Writer<'_, '_> {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.listing.bytes;
        let (mut symbols, mut relocations, mut notes) = (
            self.symbols.iter().peekable(),
            self.relocations.iter().peekable(),
            self.notes.iter().peekable(),
        );
        let mut at = 0;
        while at < bytes.len() {
            // A symbol inside of an instruction has no line of its own to stand before.
            let mut header = None;
            while let Some(&symbol) = symbols.next_if(|s| s.0 <= at as u64) {
                header = Some(symbol);
            }
            if let Some((offset, name)) = header.filter(|s| s.0 == at as u64) {
                let gap = if at == 0 { "" } else { "\n" };
                writeln!(f, "{gap}{offset:016x} <{name}>:")?;
            }
            while let Some((_, note)) = notes.next_if(|n| n.0 <= at as u64) {
                writeln!(f, "; {note}")?;
            }
            let next_symbol = symbols.peek().map_or(u64::MAX, |s| s.0);
            let next_relocation = relocations.peek().map_or(u64::MAX, |r| r.offset);
            let limit = next_symbol.min(next_relocation).saturating_sub(at as u64);
            let len = self.item(f, at, usize::try_from(limit).unwrap_or(usize::MAX))?;
            while let Some(relocation) = relocations.next_if(|r| r.offset < (at + len) as u64) {
                writeln!(f, "\t\t{:016x}:  {}", relocation.offset, relocation.text)?;
            }
            at += len;
        }
        Ok(())
    }

    /// Writes what begins at byte `at` and gives its length, at least 1. `limit` bytes may be skipped as zeros.
    fn item(&self, f: &mut fmt::Formatter<'_>, at: usize, limit: usize) -> Result<usize, fmt::Error> {
        let Listing { bytes, endian, style, .. } = *self.listing;
        let rest = bytes.get(at..).unwrap_or_default();

        let zeros = rest.iter().take(limit).take_while(|&&byte| byte == 0).count();
        if zeros >= RawInsn::SIZE {
            writeln!(f, "\t\t...")?;
            return Ok(zeros & !3);
        }

        let mut slots = [RawInsn::default(); 2];
        let (chunks, _) = rest.as_chunks::<{ RawInsn::SIZE }>();
        let count = chunks.len().min(2);
        for (slot, chunk) in slots.iter_mut().zip(chunks) {
            *slot = RawInsn::from_bytes(*chunk, endian);
        }
        let slots = slots.get(..count).unwrap_or_default();
        let Some(first) = slots.first() else { return self.unknown(f, at, 1) };
        match Insn::decode(slots) {
            Ok(insn) => {
                let len = insn.slots() * RawInsn::SIZE;
                self.line_start(f, at, len)?;
                write!(f, "{}", insn.display(style))?;
                self.target(f, at, &insn)?;
                f.write_char('\n')?;
                Ok(len)
            }
            Err(_) if first.is_wide() && count < 2 => self.unknown(f, at, 1),
            // A well-formed first slot takes the second along.
            Err(_) if first.is_wide() && first.off == 0 && first.dst < 12 => {
                self.unknown(f, at, 2 * RawInsn::SIZE)
            }
            Err(_) => self.unknown(f, at, RawInsn::SIZE),
        }
    }

    fn unknown(&self, f: &mut fmt::Formatter<'_>, at: usize, len: usize) -> Result<usize, fmt::Error> {
        self.line_start(f, at, len)?;
        f.write_str("<unknown>\n")?;
        Ok(len)
    }

    /// The slot number and the bytes.
    fn line_start(&self, f: &mut fmt::Formatter<'_>, at: usize, len: usize) -> fmt::Result {
        write!(f, "{:8}:", at / RawInsn::SIZE)?;
        if self.listing.raw_insn {
            let mut separator = '\t';
            for byte in self.listing.bytes.iter().skip(at).take(len) {
                write!(f, "{separator}{byte:02x}")?;
                separator = ' ';
            }
        }
        f.write_char('\t')
    }

    /// ` <name+0x8>` after a jump: the nearest name at or before its target. A target before the section counts as
    /// far behind it, as addresses wrap around.
    fn target(&self, f: &mut fmt::Formatter<'_>, at: usize, insn: &Insn) -> fmt::Result {
        let Some(slot) = insn.jump_target(at / RawInsn::SIZE) else { return Ok(()) };
        let target = slot.wrapping_mul(RawInsn::SIZE as i64).cast_unsigned();
        let after = self.symbols.partition_point(|s| s.0 <= target);
        match after.checked_sub(1).and_then(|i| self.symbols.get(i)) {
            Some(&(offset, name)) if offset == target => write!(f, " <{name}>"),
            Some(&(offset, name)) => write!(f, " <{name}+{:#x}>", target - offset),
            None => Ok(()),
        }
    }
}
