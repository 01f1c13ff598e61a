//! The assembler: `bpf_asm` text as the kernel's `Documentation/networking/filter.rst` describes it.

use std::collections::HashMap;

use super::{Extension, Insn, MAX_INSNS, Op, Source, TextError};
use crate::{AluOp, JumpOp, Size};

/// Assembles `bpf_asm` text, an instruction a line.
///
/// A line may begin with `label:`. Comments are `; ...` and `/* ... */`, and lines that begin with `#`. Numbers are
/// decimal, hexadecimal (`0x`) or octal (`0`), may be negative, and may be sums. Beyond `bpf_asm`:
///
/// - a conditional jump whose target is more than 255 instructions away is assembled with a `ja` of its own;
/// - `.insn code, jt, jf, k` gives any instruction, also those that are not valid;
/// - the names that `tcpdump -d` has for extensions are understood too.
///
/// ```
/// use skep_isa::cbpf;
/// let insns = cbpf::assemble("ld #len\n add x\n ret a")?;
/// assert_eq!(cbpf::to_line(&insns), "3,128 0 0 0,12 0 0 0,22 0 0 0");
/// let error = cbpf::assemble("ret #1\nldh M[3]").unwrap_err();
/// assert_eq!(error.to_string(), "line 2, column 5: ldh takes [k], [x + k] or an extension");
/// # Ok::<(), cbpf::TextError>(())
/// ```
///
/// # Errors
/// Where the text is not an instruction, a label is missing, doubled or behind the jump to it, or there are more than
/// 4096 instructions.
pub fn assemble(text: &str) -> Result<Vec<Insn>, TextError> {
    let text = blank_comments(text)?;
    let mut items = Vec::new();
    let mut labels = HashMap::new();
    for (number, line) in text.lines().enumerate() {
        let mut cursor = Cursor::new(line, number + 1);
        while let Some((name, at)) = cursor.label() {
            if labels.insert(name, items.len()).is_some() {
                return cursor.error_at(at, format!("label `{name}` is defined twice"));
            }
        }
        if cursor.at_end() || cursor.rest().starts_with('#') {
            continue;
        }
        if items.len() == MAX_INSNS {
            return cursor.error(format!("more than {MAX_INSNS} instructions"));
        }
        items.push(statement(&mut cursor)?);
        if !cursor.at_end() {
            return cursor
                .error(format!("expected the end of the line, found `{}`", cursor.rest().trim_end()));
        }
    }
    resolve(&items, &labels)
}

/// An instruction whose jump targets are still names.
struct Item<'a> {
    insn: Insn,
    /// `ja` or `jt`.
    jump_true: Option<Target<'a>>,
    /// `jf`.
    jump_false: Option<Target<'a>>,
}

#[derive(Clone, Copy)]
struct Target<'a> {
    label: &'a str,
    line: usize,
    column: usize,
}

impl Target<'_> {
    fn error<T>(&self, why: String) -> Result<T, TextError> {
        Err(TextError { line: self.line, column: self.column, why })
    }
}

/// Comments become blanks, so that lines and columns stay.
fn blank_comments(text: &str) -> Result<String, TextError> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let (mut line, mut column) = (1, 1);
    // Inside `; ...`; where `/*` was.
    let (mut to_line_end, mut block) = (false, None);
    while let Some(c) = chars.next() {
        let mut blanks = 1;
        if block.is_some() {
            if c == '*' && chars.next_if_eq(&'/').is_some() {
                block = None;
                blanks = 2;
            }
        } else if to_line_end {
            to_line_end = c != '\n';
        } else if c == ';' {
            to_line_end = true;
        } else if c == '/' && chars.next_if_eq(&'*').is_some() {
            block = Some((line, column));
            blanks = 2;
        } else {
            blanks = 0;
        }
        if c == '\n' {
            (line, column) = (line + 1, 1);
            out.push('\n');
        } else {
            column += blanks.max(1);
            match blanks {
                0 => out.push(c),
                _ => out.extend(std::iter::repeat_n(' ', blanks)),
            }
        }
    }
    match block {
        Some((line, column)) => Err(TextError { line, column, why: "comment without an end".into() }),
        None => Ok(out),
    }
}

/// What follows a mnemonic, addressing mode by addressing mode.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    X,
    A,
    Abs(u32),
    Ind(u32),
    Mem(u32),
    Imm(u32),
    Msh(u32),
    Ext(Extension),
    Len,
}

fn statement<'a>(cursor: &mut Cursor<'a>) -> Result<Item<'a>, TextError> {
    let at = cursor.next();
    let name = cursor.word();
    if name == ".insn" {
        return Ok(Item { insn: raw_insn(cursor)?, jump_true: None, jump_false: None });
    }
    if matches!(name, "jmp" | "ja") {
        let target = Some(cursor.target()?);
        return Ok(Item { insn: Op::Ja(0).into(), jump_true: target, jump_false: None });
    }
    if let Some((op, inverted)) = jump_op(name) {
        return jump(cursor, op, inverted);
    }
    match plain(name, cursor)? {
        Some(op) => Ok(Item { insn: op.into(), jump_true: None, jump_false: None }),
        None if name.is_empty() => cursor.error_at(at, "expected an instruction".into()),
        None => cursor.error_at(at, format!("unknown instruction `{name}`")),
    }
}

/// All but jumps; None if there is no such instruction.
pub(super) fn plain(name: &str, cursor: &mut Cursor<'_>) -> Result<Option<Op>, TextError> {
    if let Some(op) = alu_op(name) {
        let at = cursor.next();
        return match cursor.mode()? {
            Some(Mode::X) => Ok(Some(Op::Alu(op, Source::X))),
            Some(Mode::Imm(k)) => Ok(Some(Op::Alu(op, Source::K(k)))),
            _ => cursor.error_at(at, format!("{name} takes x or #k")),
        };
    }
    let size = match name {
        "neg" => return Ok(Some(Op::Neg)),
        "tax" => return Ok(Some(Op::Tax)),
        "txa" => return Ok(Some(Op::Txa)),
        "ldh" => Size::H,
        "ldb" => Size::B,
        _ => Size::W,
    };
    let expected = match name {
        "ld" => "[k], [x + k], M[k], #k or an extension",
        "ldh" | "ldb" => "[k], [x + k] or an extension",
        "ldx" => "M[k], #k, 4*([k]&0xf) or len",
        "ldi" | "ldxi" => "#k",
        "ldxb" => "4*([k]&0xf)",
        "st" | "stx" => "M[k]",
        "ret" => "#k or a",
        _ => return Ok(None),
    };
    let at = cursor.next();
    let mode = cursor.mode()?;
    let op = match (name, mode) {
        ("ld" | "ldh" | "ldb", Some(Mode::Abs(k))) => Op::LdAbs(size, k),
        ("ld" | "ldh" | "ldb", Some(Mode::Ind(k))) => Op::LdInd(size, k),
        ("ld" | "ldh" | "ldb", Some(Mode::Ext(extension))) => Op::LdExt(size, extension),
        ("ld", Some(Mode::Mem(k))) => Op::LdMem(k),
        ("ld" | "ldi", Some(Mode::Imm(k))) => Op::LdImm(k),
        ("ld", Some(Mode::Len)) => Op::LdLen,
        ("ldx", Some(Mode::Mem(k))) => Op::LdxMem(k),
        ("ldx" | "ldxi", Some(Mode::Imm(k))) => Op::LdxImm(k),
        ("ldx" | "ldxb", Some(Mode::Msh(k))) => Op::LdxMsh(k),
        ("ldx", Some(Mode::Len)) => Op::LdxLen,
        ("st", Some(Mode::Mem(k))) => Op::St(k),
        ("stx", Some(Mode::Mem(k))) => Op::Stx(k),
        ("ret", Some(Mode::Imm(k))) => Op::RetK(k),
        ("ret", Some(Mode::A)) => Op::RetA,
        _ => return cursor.error_at(at, format!("{name} takes {expected}")),
    };
    Ok(Some(op))
}

fn alu_op(name: &str) -> Option<AluOp> {
    Some(match name {
        "add" => AluOp::Add,
        "sub" => AluOp::Sub,
        "mul" => AluOp::Mul,
        "div" => AluOp::Div,
        "mod" => AluOp::Mod,
        "and" => AluOp::And,
        "or" => AluOp::Or,
        "xor" => AluOp::Xor,
        "lsh" => AluOp::Lsh,
        "rsh" => AluOp::Rsh,
        _ => return None,
    })
}

/// Condition, and whether the targets change places.
pub(super) fn jump_op(name: &str) -> Option<(JumpOp, bool)> {
    Some(match name {
        "jeq" => (JumpOp::Eq, false),
        "jneq" | "jne" => (JumpOp::Eq, true),
        "jgt" => (JumpOp::Gt, false),
        "jle" => (JumpOp::Gt, true),
        "jge" => (JumpOp::Ge, false),
        "jlt" => (JumpOp::Ge, true),
        "jset" => (JumpOp::Set, false),
        _ => return None,
    })
}

/// What a condition compares A with.
pub(super) fn comparand(cursor: &mut Cursor<'_>) -> Result<Source, TextError> {
    let at = cursor.next();
    match cursor.mode()? {
        Some(Mode::X) => Ok(Source::X),
        Some(Mode::Imm(k)) => Ok(Source::K(k)),
        _ => cursor.error_at(at, "a condition compares A with x or #k".into()),
    }
}

fn jump<'a>(cursor: &mut Cursor<'a>, op: JumpOp, inverted: bool) -> Result<Item<'a>, TextError> {
    let src = comparand(cursor)?;
    cursor.expect(',')?;
    let mut targets = (Some(cursor.target()?), None);
    if cursor.eat(',') {
        targets.1 = Some(cursor.target()?);
    }
    if inverted {
        targets = (targets.1, targets.0);
    }
    let insn = Op::Jump { op, src, jt: 0, jf: 0 }.into();
    Ok(Item { insn, jump_true: targets.0, jump_false: targets.1 })
}

fn raw_insn(cursor: &mut Cursor<'_>) -> Result<Insn, TextError> {
    fn field<T: TryFrom<u32>>(cursor: &mut Cursor<'_>, name: &str) -> Result<T, TextError> {
        let at = cursor.next();
        let number = cursor.number()?;
        T::try_from(number).or_else(|_| cursor.error_at(at, format!("{name} cannot be {number}")))
    }
    let code = field(cursor, "code")?;
    cursor.expect(',')?;
    let jt = field(cursor, "jt")?;
    cursor.expect(',')?;
    let jf = field(cursor, "jf")?;
    cursor.expect(',')?;
    let k = field(cursor, "k")?;
    Ok(Insn { code, jt, jf, k })
}

/// Gives every item its place and every jump its distance. Conditional jumps reach 255 instructions; those that go
/// further jump to a `ja` right behind them, which moves everything else, so places are found by repetition.
fn resolve(items: &[Item<'_>], labels: &HashMap<&str, usize>) -> Result<Vec<Insn>, TextError> {
    let mut goals = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let goal = |target: Option<Target<'_>>| -> Result<Option<usize>, TextError> {
            let Some(target) = target else { return Ok(None) };
            let label = target.label;
            match labels.get(label) {
                None => target.error(format!("label `{label}` is not defined")),
                Some(&at) if at == items.len() => {
                    target.error(format!("no instruction follows label `{label}`"))
                }
                Some(&at) if at <= index => {
                    target.error(format!("label `{label}` is not below: classic BPF only jumps forward"))
                }
                Some(&at) => Ok(Some(at)),
            }
        };
        goals.push((goal(item.jump_true)?, goal(item.jump_false)?));
    }

    let is_condition = |index: usize| {
        goals[index] != (None, None) && matches!(items[index].insn.op(), Some(Op::Jump { .. }))
    };
    let mut long = vec![(false, false); items.len()];
    let mut places = vec![0; items.len() + 1];
    loop {
        for index in 0..items.len() {
            places[index + 1] = places[index] + 1 + usize::from(long[index].0) + usize::from(long[index].1);
        }
        let mut changed = false;
        for (index, (jump_true, jump_false)) in goals.iter().enumerate() {
            if !is_condition(index) {
                continue;
            }
            // A side without a label goes to the next item, behind this one's own `ja`s.
            let far = |goal: &Option<usize>| {
                goal.is_some_and(|goal| places[goal] - places[index] - 1 > usize::from(u8::MAX))
            };
            let new = (long[index].0 || far(jump_true), long[index].1 || far(jump_false));
            changed |= new != long[index];
            long[index] = new;
        }
        if !changed {
            break;
        }
    }

    let mut insns = Vec::with_capacity(places[items.len()]);
    for (index, item) in items.iter().enumerate() {
        let mut insn = item.insn;
        let (jump_true, jump_false) = goals[index];
        if !is_condition(index) {
            if let Some(goal) = jump_true {
                insn.k = (places[goal] - places[index] - 1) as u32;
            }
            insns.push(insn);
            continue;
        }
        let place = |goal: Option<usize>| places[goal.unwrap_or(index + 1)];
        let long = long[index];
        // Both fit 8 bits: what does not is long, and then skips at most one `ja`.
        insn.jt = if long.0 { 0 } else { (place(jump_true) - places[index] - 1) as u8 };
        insn.jf = if long.1 { long.0.into() } else { (place(jump_false) - places[index] - 1) as u8 };
        insns.push(insn);
        for goal in [long.0.then_some(jump_true), long.1.then_some(jump_false)].into_iter().flatten() {
            let from = insns.len();
            insns.push(Op::Ja((place(goal) - from - 1) as u32).into());
        }
    }
    Ok(insns)
}

/// A number: decimal, `0x` hexadecimal or `0` octal, without sign.
pub(super) fn parse_number(word: &str) -> Option<i64> {
    let (digits, radix) = if let Some(hex) = word.strip_prefix("0x").or(word.strip_prefix("0X")) {
        (hex, 16)
    } else if word.len() > 1 && word.starts_with('0') {
        (&word[1..], 8)
    } else {
        (word, 10)
    };
    // from_str_radix would take a sign.
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    i64::from_str_radix(digits, radix).ok()
}

/// A place in a line.
pub(super) struct Cursor<'a> {
    text: &'a str,
    pos: usize,
    line: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str, line: usize) -> Self {
        Cursor { text, pos: 0, line }
    }

    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.pos..]
    }

    /// Where what comes after blanks begins, for [`error_at`](Self::error_at).
    pub(super) fn next(&mut self) -> usize {
        self.skip_blanks();
        self.pos
    }

    /// Counts characters, so only errors and jump targets ask for it.
    fn column(&self, pos: usize) -> usize {
        self.text[..pos].chars().count() + 1
    }

    pub(super) fn error<T>(&self, why: String) -> Result<T, TextError> {
        self.error_at(self.pos, why)
    }

    pub(super) fn error_at<T>(&self, pos: usize, why: String) -> Result<T, TextError> {
        Err(TextError { line: self.line, column: self.column(pos), why })
    }

    pub(super) fn skip_blanks(&mut self) {
        self.pos = self.text.len() - self.rest().trim_start().len();
    }

    pub(super) fn at_end(&mut self) -> bool {
        self.skip_blanks();
        self.rest().is_empty()
    }

    pub(super) fn eat(&mut self, wanted: char) -> bool {
        self.skip_blanks();
        let found = self.rest().starts_with(wanted);
        if found {
            self.pos += wanted.len_utf8();
        }
        found
    }

    pub(super) fn expect(&mut self, wanted: char) -> Result<(), TextError> {
        if self.eat(wanted) {
            return Ok(());
        }
        let found = self.rest().chars().next().map_or("the end of the line".into(), |c| format!("`{c}`"));
        self.error(format!("expected `{wanted}`, found {found}"))
    }

    /// Letters, digits, `_` and `.`; may be empty.
    pub(super) fn word(&mut self) -> &'a str {
        self.skip_blanks();
        let rest = self.rest();
        let len =
            rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.')).unwrap_or(rest.len());
        self.pos += len;
        &rest[..len]
    }

    /// `name:`, if that is what comes; with where it begins.
    fn label(&mut self) -> Option<(&'a str, usize)> {
        let start = self.next();
        let name = self.word();
        if is_label(name) && self.eat(':') {
            return Some((name, start));
        }
        self.pos = start;
        None
    }

    fn target(&mut self) -> Result<Target<'a>, TextError> {
        let at = self.next();
        let label = self.word();
        if !is_label(label) {
            return self.error_at(at, "expected a label to jump to".into());
        }
        Ok(Target { label, line: self.line, column: self.column(at) })
    }

    /// A sum of numbers, in 32 bits: from -0x80000000 to 0xffffffff.
    pub(super) fn number(&mut self) -> Result<u32, TextError> {
        let start = self.next();
        let mut sum = 0_i64;
        let mut negative = self.eat('-');
        loop {
            let at = self.next();
            let word = self.word();
            let Some(number) = parse_number(word) else {
                return self.error_at(at, format!("expected a number, found `{word}`"));
            };
            let number = if negative { -number } else { number };
            sum = sum.saturating_add(number);
            match (self.eat('+'), self.eat('-')) {
                (false, false) => break,
                (_, minus) => negative = minus,
            }
        }
        let signed = i32::try_from(sum).map(i32::cast_unsigned);
        match u32::try_from(sum).or(signed) {
            Ok(number) => Ok(number),
            Err(_) => self.error_at(start, format!("{sum} does not fit 32 bits")),
        }
    }

    /// An addressing mode; None if what comes is not one.
    pub(super) fn mode(&mut self) -> Result<Option<Mode>, TextError> {
        if self.eat('#') {
            let start = self.pos;
            if let Some(mode) = extension(self.word()) {
                return Ok(Some(mode));
            }
            self.pos = start;
            return Ok(Some(Mode::Imm(self.number()?)));
        }
        if self.eat('[') {
            return self.packet_mode().map(Some);
        }
        self.eat('%');
        let start = self.pos;
        let mode = match self.word() {
            "x" => Some(Mode::X),
            "a" => Some(Mode::A),
            "M" => {
                self.expect('[')?;
                let k = self.number()?;
                self.expect(']')?;
                Some(Mode::Mem(k))
            }
            "4" => {
                self.expect('*')?;
                self.expect('(')?;
                self.expect('[')?;
                let k = self.number()?;
                self.expect(']')?;
                self.expect('&')?;
                let at = self.next();
                if self.number()? != 0xf {
                    return self.error_at(at, "the mask can only be 0xf".into());
                }
                self.expect(')')?;
                Some(Mode::Msh(k))
            }
            name => extension(name),
        };
        if mode.is_none() {
            self.pos = start;
        }
        Ok(mode)
    }

    /// What follows `[`.
    fn packet_mode(&mut self) -> Result<Mode, TextError> {
        self.eat('%');
        let start = self.pos;
        let word = self.word();
        let mode = if word == "x" {
            let k = match (self.eat('+'), self.eat('-')) {
                (true, false) => self.number()?,
                (true, true) => self.number()?.wrapping_neg(),
                (false, true) => {
                    // Let the number have its sign, so that sums come out right.
                    self.pos -= 1;
                    self.number()?
                }
                (false, false) => 0,
            };
            Mode::Ind(k)
        } else if let Some(Mode::Ext(extension)) = extension(word) {
            Mode::Ext(extension)
        } else {
            self.pos = start;
            Mode::Abs(self.number()?)
        };
        self.expect(']')?;
        Ok(mode)
    }
}

fn is_label(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

fn extension(name: &str) -> Option<Mode> {
    match name {
        "len" | "pktlen" => Some(Mode::Len),
        _ => Extension::from_name(name).map(Mode::Ext),
    }
}
