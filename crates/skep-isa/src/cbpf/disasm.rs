//! The disassembler: `bpf_asm` text, and the listing of `tcpdump -d`.

use std::fmt;
use std::fmt::Write as _;

use super::{Insn, Op, Source, TextError, asm};
use crate::{AluOp, JumpOp, Size};

/// Writes `bpf_asm` text that [`assemble`](super::assemble) reads back to the same instructions, fields apart that their
/// operations do not use (which become zero, as [`Insn::canonical`] has them).
///
/// Jump targets get labels named after their index. What `bpf_asm` has no words for (unknown codes, jumps out of the
/// program) is written as `.insn code, jt, jf, k`.
///
/// ```
/// use skep_isa::cbpf;
/// let insns = cbpf::parse_line("4,40 0 0 12,21 0 1 2054,6 0 0 4294967295,6 0 0 0")?;
/// assert_eq!(
///     cbpf::to_asm(&insns),
///     "        ldh [12]
///         jneq #0x806, L3
///         ret #0xffffffff
/// L3:     ret #0
/// "
/// );
/// # Ok::<(), cbpf::TextError>(())
/// ```
#[must_use]
pub fn to_asm(insns: &[Insn]) -> String {
    let mut labelled = vec![false; insns.len()];
    for (index, insn) in insns.iter().enumerate() {
        match words_for(insn, index, insns.len()) {
            Some(Op::Ja(k)) => labelled[index + 1 + k as usize] = true,
            Some(Op::Jump { op, jt, jf, .. }) => {
                let targets = Targets::of(op, jt, jf);
                labelled[index + 1 + usize::from(targets.first)] = true;
                if let Some(second) = targets.second {
                    labelled[index + 1 + usize::from(second)] = true;
                }
            }
            _ => {}
        }
    }
    let mut text = String::new();
    for (index, insn) in insns.iter().enumerate() {
        let label = if labelled[index] { format!("L{index}:") } else { String::new() };
        let _ = write!(text, "{label:8}");
        let target = |skip: u32| format!("L{}", index + 1 + skip as usize);
        let _ = match words_for(insn, index, insns.len()) {
            Some(op) => write_asm(&mut text, op, target),
            None => write_raw(&mut text, insn),
        };
        text.push('\n');
    }
    text
}

/// The instruction alone, jump targets as `+n`.
pub(super) fn write_relative(f: &mut fmt::Formatter<'_>, insn: &Insn) -> fmt::Result {
    match insn.op() {
        Some(op) => write_asm(f, op, |skip| format!("+{skip}")),
        None => write_raw(f, insn),
    }
}

/// The operation, if there are words for it at its place among so many.
fn words_for(insn: &Insn, index: usize, count: usize) -> Option<Op> {
    let op = insn.op()?;
    let furthest = match op {
        Op::Ja(k) => k as usize,
        Op::Jump { jt, jf, .. } => jt.max(jf).into(),
        _ => return Some(op),
    };
    let target = index.checked_add(1)?.checked_add(furthest)?;
    (target < count).then_some(op)
}

/// How a conditional jump is written: mnemonic and one target, or two.
struct Targets {
    name: &'static str,
    first: u8,
    second: Option<u8>,
}

impl Targets {
    fn of(op: JumpOp, jt: u8, jf: u8) -> Targets {
        let (name, inverted) = match op {
            JumpOp::Gt => ("jgt", Some("jle")),
            JumpOp::Ge => ("jge", Some("jlt")),
            JumpOp::Set => ("jset", None),
            _ => ("jeq", Some("jneq")),
        };
        match inverted {
            _ if jf == 0 => Targets { name, first: jt, second: None },
            Some(inverted) if jt == 0 => Targets { name: inverted, first: jf, second: None },
            _ => Targets { name, first: jt, second: Some(jf) },
        }
    }
}

fn write_raw(f: &mut impl fmt::Write, insn: &Insn) -> fmt::Result {
    let Insn { code, jt, jf, k } = insn;
    write!(f, ".insn {code:#x}, {jt}, {jf}, {k:#x}")
}

/// Hexadecimal, but a plain 0.
struct Hex(u32);

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 { f.write_str("0") } else { write!(f, "{:#x}", self.0) }
    }
}

struct SourceText(Source);

impl fmt::Display for SourceText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Source::K(k) => write!(f, "#{}", Hex(k)),
            Source::X => f.write_str("x"),
        }
    }
}

const fn load_name(size: Size) -> &'static str {
    match size {
        Size::B => "ldb",
        Size::H => "ldh",
        Size::W | Size::DW => "ld",
    }
}

const fn alu_name(op: AluOp) -> &'static str {
    match op {
        AluOp::Sub => "sub",
        AluOp::Mul => "mul",
        AluOp::Div => "div",
        AluOp::Mod => "mod",
        AluOp::Or => "or",
        AluOp::And => "and",
        AluOp::Xor => "xor",
        AluOp::Lsh => "lsh",
        AluOp::Rsh => "rsh",
        _ => "add",
    }
}

fn write_asm(f: &mut impl fmt::Write, op: Op, target: impl Fn(u32) -> String) -> fmt::Result {
    match op {
        Op::LdAbs(size, k) => write!(f, "{} [{}]", load_name(size), k.cast_signed()),
        Op::LdInd(size, k) => write!(f, "{} [x + {}]", load_name(size), k.cast_signed()),
        Op::LdExt(size, extension) => write!(f, "{} {}", load_name(size), extension.name()),
        Op::LdLen => f.write_str("ld len"),
        Op::LdImm(k) => write!(f, "ld #{}", Hex(k)),
        Op::LdMem(k) => write!(f, "ld M[{k}]"),
        Op::LdxLen => f.write_str("ldx len"),
        Op::LdxMsh(k) => write!(f, "ldxb 4*([{}]&0xf)", k.cast_signed()),
        Op::LdxImm(k) => write!(f, "ldx #{}", Hex(k)),
        Op::LdxMem(k) => write!(f, "ldx M[{k}]"),
        Op::St(k) => write!(f, "st M[{k}]"),
        Op::Stx(k) => write!(f, "stx M[{k}]"),
        Op::Alu(op, src) => write!(f, "{} {}", alu_name(op), SourceText(src)),
        Op::Neg => f.write_str("neg"),
        Op::Ja(k) => write!(f, "ja {}", target(k)),
        Op::Jump { op, src, jt, jf } => {
            let Targets { name, first, second } = Targets::of(op, jt, jf);
            write!(f, "{name} {}, {}", SourceText(src), target(first.into()))?;
            second.map_or(Ok(()), |second| write!(f, ", {}", target(second.into())))
        }
        Op::RetK(k) => write!(f, "ret #{}", Hex(k)),
        Op::RetA => f.write_str("ret a"),
        Op::Tax => f.write_str("tax"),
        Op::Txa => f.write_str("txa"),
    }
}

/// Writes the listing that `tcpdump -d` prints: numbered, jump targets as instruction numbers. Fields that an operation
/// does not use are not shown, and unknown codes are `unimp`.
#[must_use]
pub fn to_tcpdump(insns: &[Insn]) -> String {
    let mut text = String::new();
    for (index, insn) in insns.iter().enumerate() {
        let (name, operand) = tcpdump_words(insn, index);
        let _ = match insn.op() {
            Some(Op::Jump { jt, jf, .. }) => {
                let (jt, jf) = (index + 1 + usize::from(jt), index + 1 + usize::from(jf));
                writeln!(text, "({index:03}) {name:8} {operand:16} jt {jt}\tjf {jf}")
            }
            _ => writeln!(text, "({index:03}) {name:8} {operand}"),
        };
    }
    text
}

fn tcpdump_words(insn: &Insn, index: usize) -> (&'static str, String) {
    let signed = |k: u32| format!("#{}", k.cast_signed());
    let hex = |k: u32| format!("#{k:#x}");
    let packet = |k: u32| k.cast_signed();
    let Some(op) = insn.op() else { return ("unimp", format!("{:#x}", insn.code)) };
    match op {
        Op::LdAbs(size, k) => (load_name(size), format!("[{}]", packet(k))),
        Op::LdInd(size, k) => (load_name(size), format!("[x + {}]", packet(k))),
        Op::LdExt(size, extension) => (load_name(size), format!("[{}]", extension.tcpdump_name())),
        Op::LdLen => ("ld", "#pktlen".into()),
        Op::LdImm(k) => ("ld", hex(k)),
        Op::LdMem(k) => ("ld", format!("M[{}]", k.cast_signed())),
        Op::LdxLen => ("ldx", "#pktlen".into()),
        Op::LdxMsh(k) => ("ldxb", format!("4*([{}]&0xf)", packet(k))),
        Op::LdxImm(k) => ("ldx", hex(k)),
        Op::LdxMem(k) => ("ldx", format!("M[{}]", k.cast_signed())),
        Op::St(k) => ("st", format!("M[{}]", k.cast_signed())),
        Op::Stx(k) => ("stx", format!("M[{}]", k.cast_signed())),
        Op::Alu(op, Source::K(k)) => {
            let bitwise = matches!(op, AluOp::And | AluOp::Or | AluOp::Xor);
            (alu_name(op), if bitwise { hex(k) } else { signed(k) })
        }
        Op::Alu(op, Source::X) => (alu_name(op), "x".into()),
        Op::Neg => ("neg", String::new()),
        Op::Ja(k) => ("ja", (index as i64 + 1 + i64::from(k.cast_signed())).to_string()),
        Op::Jump { op, src, .. } => {
            let operand = match src {
                Source::K(k) => hex(k),
                Source::X => "x".into(),
            };
            (Targets::of(op, 0, 0).name, operand)
        }
        Op::RetK(k) => ("ret", signed(k)),
        Op::RetA => ("ret", String::new()),
        Op::Tax => ("tax", String::new()),
        Op::Txa => ("txa", String::new()),
    }
}

/// Reads a listing of `tcpdump -d`.
pub(super) fn parse_tcpdump(text: &str) -> Result<Vec<Insn>, TextError> {
    let mut insns = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let mut cursor = asm::Cursor::new(line, number + 1);
        if cursor.at_end() {
            continue;
        }
        cursor.expect('(')?;
        let at = cursor.next();
        // Three digits, which are no octal number.
        let index = cursor.word();
        if index.parse() != Ok(insns.len()) {
            return cursor.error_at(at, format!("expected instruction {:03}, found `{index}`", insns.len()));
        }
        cursor.expect(')')?;
        insns.push(listed(&mut cursor, insns.len())?);
        if !cursor.at_end() {
            return cursor
                .error(format!("expected the end of the line, found `{}`", cursor.rest().trim_end()));
        }
    }
    Ok(insns)
}

fn listed(cursor: &mut asm::Cursor<'_>, index: usize) -> Result<Insn, TextError> {
    let at = cursor.next();
    let name = cursor.word();
    let target = |cursor: &mut asm::Cursor<'_>, most: usize| {
        let at = cursor.next();
        let target = cursor.number()? as usize;
        match target.checked_sub(index + 1) {
            Some(skip) if skip <= most => Ok(skip),
            Some(_) => cursor.error_at(at, format!("{target} is further than a jump from {index} reaches")),
            None => cursor.error_at(at, format!("{target} is not below {index}: jumps only go forward")),
        }
    };
    if name == "ja" {
        return Ok(Op::Ja(target(cursor, u32::MAX as usize)? as u32).into());
    }
    if name == "ret" && cursor.at_end() {
        return Ok(Op::RetA.into());
    }
    if let Some((op, false)) = asm::jump_op(name) {
        let src = asm::comparand(cursor)?;
        let mut side = |name: &str| {
            let at = cursor.next();
            if cursor.word() != name {
                return cursor.error_at(at, format!("expected `{name}` and an instruction number"));
            }
            target(cursor, u8::MAX.into())
        };
        let (jt, jf) = (side("jt")? as u8, side("jf")? as u8);
        return Ok(Op::Jump { op, src, jt, jf }.into());
    }
    match asm::plain(name, cursor)? {
        Some(op) => Ok(op.into()),
        None => cursor.error_at(at, format!("unknown instruction `{name}`")),
    }
}
