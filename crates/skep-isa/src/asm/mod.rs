//! Assembly text to instructions, in the syntax of LLVM's BPF assembler.
//!
//! [`assemble`] reads what LLVM's assembler reads for BPF (hand-written files, and what `clang -S` writes) and
//! everything that [`crate::disasm`] prints. A line holds labels, then one instruction or directive:
//!
//! ```text
//! drop:                                # a label; numeric labels are referred to as 1f and 1b
//!         r1 = *(u32 *)(r1 + 4)        // an instruction; numbers are decimal, 0x, 0b, octal with 0, 'c'
//!         r1 <<= 1 << 4                /* immediates are expressions of constants */
//!         if r1 s> -1 goto pass; exit  ; several statements in a line
//! ; a line that begins with a semicolon is a comment, as objdump prints source lines
//! pass:   r1 = counter ll              # an address: a relocation R_BPF_64_64
//!         call helper_or_function      # a label here: a local call; else a helper by name (Options::helper);
//!                                      # else a relocation R_BPF_64_32
//! ```
//!
//! Jumps go to labels or, with a number, over that many slots (`goto +2`). What LLVM has no text for is written as the
//! table in [`crate::disasm`] shows, with labels allowed: `call local drop`, `r2 = subprog[drop] ll`.
//!
//! # Differences from LLVM's assembler
//! - An immediate must fit 32 bits, signed or unsigned; LLVM drops the upper bits.
//! - A call of a function in the same section is resolved even if the function is global.
//! - `*(u8 *)(r1)` needs no offset, and `r1 - 8 + 4` may be calculated.
//! - `r1 = w2` is taken, as `clang -S` writes it, for the zero-extending `w1 = w2`.
//! - Registers end at `r10`.
//! - `.debug*` sections are left out: their contents are read and dropped.
//!
//! # Directives
//! `.text`, `.data`, `.bss`, `.section`; `.globl`, `.global`, `.local`, `.weak`, `.hidden`, `.type`, `.size`, `.comm`; `.set`, `.equ`;
//! `.byte`, `.short`, `.long`, `.quad` and their synonyms, `.ascii`, `.asciz`, `.string`, `.zero`, `.skip`, `.space`; `.p2align`,
//! `.balign`, `.align`. Without effect: `.file`, `.ident`, `.loc`, `.cfi_*`, `.addrsig*`.

mod directive;
mod error;
mod fixup;
mod insn;
mod jump;
mod lexer;
mod parser;

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

pub use error::{AsmError, AsmErrorKind};

use crate::{Encoded, Endian, PartialSlot, RawInsn, decode_slots};
use fixup::Fixup;
use lexer::Kind;
use parser::{Parser, Place, Result, Scope};

/// Greatest number of bytes of output, all sections together. Only `.zero` and alignment can get there with a short text.
pub const MAX_OUTPUT: u64 = 64 << 20;

/// Gives the number of the helper of a name, if there is one.
pub type HelperNumber<'a> = &'a dyn Fn(&str) -> Option<i32>;

/// How to assemble.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// Byte order of the output; the host's at first.
    pub endian: Endian,
    /// Gives the number of a helper that is called by name; none at first.
    pub helper: Option<HelperNumber<'a>>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Options { endian: Endian::HOST, helper: None }
    }
}

impl fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("endian", &self.endian)
            .field("helper", &self.helper.is_some())
            .finish()
    }
}

/// What was assembled: the parts of an object file, as plain data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assembly {
    /// Byte order of the sections' contents.
    pub endian: Endian,
    /// The sections in the order they were first named. The first is always `.text`, which may be empty.
    pub sections: Vec<Section>,
    /// Labels and other symbols, in the order they were first named. Numeric labels, constants and private labels
    /// (`.L...`) are not among them, unless a relocation needs one.
    pub symbols: Vec<Symbol>,
}

/// A section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its name.
    pub name: String,
    /// ELF section flags: `SHF_WRITE` 1, `SHF_ALLOC` 2, `SHF_EXECINSTR` 4, `SHF_MERGE` 0x10, `SHF_STRINGS` 0x20.
    pub flags: u64,
    /// Size in bytes. Larger than `bytes` only for a section without contents (`SHT_NOBITS`, as `.bss`).
    pub size: u64,
    /// True for `SHT_NOBITS`.
    pub nobits: bool,
    /// Alignment in bytes, a power of two.
    pub align: u64,
    /// The contents, in the byte order of the assembly.
    pub bytes: Vec<u8>,
    /// Relocations, by offset.
    pub relocations: Vec<Relocation>,
    /// Line of the text (from 1) of the instruction at each byte offset.
    pub lines: Vec<(u64, u32)>,
}

/// A relocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relocation {
    /// Byte offset in the section of what is relocated: for instructions their first byte.
    pub offset: u64,
    /// How.
    pub kind: RelocationKind,
    /// The symbol.
    pub symbol: String,
    /// What is added to the symbol's value; it also stands in the relocated field, as LLVM's BPF objects have it.
    pub addend: i64,
}

/// ELF relocation types of BPF (docs.kernel.org/bpf/llvm_reloc.html).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(non_camel_case_types, reason = "the names of the standard")]
#[repr(u32)]
pub enum RelocationKind {
    /// The address in an `ld_imm64`.
    R_BPF_64_64 = 1,
    /// A 64-bit address in data.
    R_BPF_64_ABS64 = 2,
    /// A 32-bit address in data.
    R_BPF_64_ABS32 = 3,
    /// A 32-bit address in `.BTF.ext` and the like, which linkers leave alone.
    R_BPF_64_NODYLD32 = 4,
    /// The function of a `call`.
    R_BPF_64_32 = 10,
}

/// A symbol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// Its name.
    pub name: String,
    /// Index of its section; none if it is not defined here.
    pub section: Option<usize>,
    /// Byte offset in the section.
    pub offset: u64,
    /// Size in bytes by `.size`; 0 if not told.
    pub size: u64,
    /// `.globl`, `.weak` or neither; what is not defined is not local.
    pub binding: Binding,
    /// `.hidden`.
    pub hidden: bool,
    /// By `.type`.
    pub kind: SymbolKind,
}

/// Who sees a symbol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Binding {
    #[default]
    Local,
    Global,
    Weak,
}

/// What a symbol stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum SymbolKind {
    #[default]
    NoType,
    Object,
    Function,
}

impl Assembly {
    /// The section of this name.
    #[must_use]
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// The slots of the first section that has instructions in it: the program, in a text with a single one.
    ///
    /// # Errors
    /// [`PartialSlot`] when data directives made it something else than whole slots.
    pub fn insns(&self) -> std::result::Result<Vec<RawInsn>, PartialSlot> {
        let code = self.sections.iter().find(|section| !section.lines.is_empty());
        code.map_or(Ok(Vec::new()), |section| decode_slots(&section.bytes, self.endian))
    }
}

/// Assembles a text.
///
/// # Errors
/// The first [`AsmError`], with the place in the text and what was expected there.
///
/// ```
/// use skep_isa::asm::{Options, assemble};
/// let assembly = assemble("r0 = 1\nif r0 == 1 goto out\nr0 = 2\nout: exit", &Options::default())?;
/// assert_eq!(assembly.insns().unwrap().len(), 4);
///
/// let error = assemble("r0 = 1\nr0 += *", &Options::default()).unwrap_err();
/// assert_eq!(error.to_string(), "line 2, column 7: found `*`, expected a register or a number");
/// # Ok::<(), skep_isa::asm::AsmError>(())
/// ```
pub fn assemble(text: &str, options: &Options<'_>) -> Result<Assembly> {
    let mut assembler = Assembler::new(text, *options);
    while assembler.parser.token().kind != Kind::Eof {
        assembler.statement()?;
    }
    assembler.finish()
}

/// Where a symbol of [`Assembler::symbols`] is and how it is seen.
#[derive(Clone, Copy, Debug, Default)]
struct SymbolState {
    /// Section, byte offset, line.
    defined: Option<(usize, u64, u32)>,
    size: u64,
    binding: Binding,
    /// Named by `.local`, which keeps `.comm` from making it global.
    local: bool,
    hidden: bool,
    kind: SymbolKind,
}

/// All that is known while the text is read. `defs` stands apart from the parser, which borrows it for expressions.
struct Assembler<'t, 'o> {
    parser: Parser<'t>,
    options: Options<'o>,
    defs: Definitions<'t>,
    fixups: Vec<Fixup<'t>>,
    section_index: HashMap<&'t str, usize>,
    /// Sum of the sections' sizes.
    output: u64,
    /// `.size` directives, to be calculated at the end.
    sizes: Vec<(&'t str, parser::Value<'t>, Range<usize>)>,
}

/// What was defined so far.
struct Definitions<'t> {
    sections: Vec<Section>,
    current: usize,
    names: Vec<&'t str>,
    symbols: Vec<SymbolState>,
    index: HashMap<&'t str, usize>,
    constants: HashMap<&'t str, i64>,
    /// Section and byte offset of each definition of a numeric label.
    locals: HashMap<u64, Vec<(usize, u64)>>,
}

impl Scope for Definitions<'_> {
    fn constant(&self, name: &str) -> Option<i64> {
        self.constants.get(name).copied()
    }

    fn definitions(&self, label: u64) -> usize {
        self.locals.get(&label).map_or(0, Vec::len)
    }

    fn here(&self) -> (usize, u64) {
        (self.current, self.sections.get(self.current).map_or(0, |section| section.size))
    }
}

impl<'t> Definitions<'t> {
    /// The symbol of that name, made if it was not mentioned before.
    fn symbol(&mut self, name: &'t str) -> &mut SymbolState {
        let next = self.symbols.len();
        let at = *self.index.entry(name).or_insert(next);
        if at == next {
            self.names.push(name);
            self.symbols.push(SymbolState::default());
        }
        &mut self.symbols[at]
    }

    /// Where a place is, if it is anywhere here.
    fn find(&self, place: Place<'t>) -> Option<(usize, u64)> {
        match place {
            Place::Here(section, at) => Some((section, at)),
            Place::Local(label, instance) => self.locals.get(&label)?.get(instance).copied(),
            Place::Symbol(name) => {
                let (section, at, _) = self.symbols.get(*self.index.get(name)?)?.defined?;
                Some((section, at))
            }
        }
    }
}

impl<'t, 'o> Assembler<'t, 'o> {
    fn new(text: &'t str, options: Options<'o>) -> Self {
        let defs = Definitions {
            sections: Vec::new(),
            current: 0,
            names: Vec::new(),
            symbols: Vec::new(),
            index: HashMap::new(),
            constants: HashMap::new(),
            locals: HashMap::new(),
        };
        let mut assembler = Assembler {
            parser: Parser::new(text),
            options,
            defs,
            fixups: Vec::new(),
            section_index: HashMap::new(),
            output: 0,
            sizes: Vec::new(),
        };
        assembler.switch_section(".text", directive::default_kind(".text"));
        assembler
    }

    fn error(&self, span: Range<usize>, kind: AsmErrorKind) -> AsmError {
        self.parser.error(span, kind)
    }

    /// Goes on in this section, made with these flags if it is new.
    fn switch_section(&mut self, name: &'t str, (flags, nobits): (u64, bool)) {
        let next = self.defs.sections.len();
        self.defs.current = *self.section_index.entry(name).or_insert(next);
        if self.defs.current == next {
            self.defs.sections.push(Section {
                name: name.to_owned(),
                flags,
                size: 0,
                nobits,
                align: if flags & directive::SHF_EXECINSTR != 0 { 8 } else { 1 },
                bytes: Vec::new(),
                relocations: Vec::new(),
                lines: Vec::new(),
            });
        }
    }

    fn statement(&mut self) -> Result<()> {
        let token = self.parser.token();
        match token.kind {
            Kind::End => {
                self.parser.bump();
                Ok(())
            }
            Kind::Name(name) if self.parser.second().kind == Kind::Punct(":") => {
                self.parser.bump();
                self.parser.bump();
                self.define(name, token.span(), token.line)
            }
            Kind::Int(label) if self.parser.second().kind == Kind::Punct(":") => {
                self.parser.bump();
                self.parser.bump();
                let here = self.defs.here();
                self.defs.locals.entry(label).or_default().push(here);
                Ok(())
            }
            // The heading of a function in a listing: `0000000000000000 <name>:`.
            Kind::Int(_) if self.parser.second().kind == Kind::Punct("<") => {
                self.parser.bump();
                self.parser.bump();
                let (name, span) = self.parser.raw_until(">");
                self.parser.expect(">", "`>`")?;
                self.parser.expect(":", "`:`")?;
                self.define(name, span, token.line)
            }
            Kind::Name(name) if name.starts_with('.') => self.directive(name),
            _ => {
                self.instruction()?;
                self.parser.expect_end("the end of the instruction")
            }
        }
    }

    fn define(&mut self, name: &'t str, span: Range<usize>, line: u32) -> Result<()> {
        let (section, at) = self.defs.here();
        let symbol = self.defs.symbol(name);
        if let Some((_, _, first)) = symbol.defined {
            let kind = AsmErrorKind::Redefined { name: name.to_owned(), line: first as usize };
            return Err(self.error(span, kind));
        }
        symbol.defined = Some((section, at, line));
        Ok(())
    }

    /// Appends an instruction to the current section and gives its byte offset.
    fn emit(&mut self, insn: &Encoded, start: usize, line: u32) -> Result<u64> {
        let endian = self.options.endian;
        let (_, at) = self.defs.here();
        if at % 8 != 0 {
            let message =
                "an instruction must be at a multiple of 8 bytes; the data before it is not (`.p2align 3`)";
            return Err(self.error(self.parser.span_from(start), AsmErrorKind::Constraint(message)));
        }
        let mut bytes = [0; 16];
        let len = insn.len() * RawInsn::SIZE;
        for (chunk, slot) in bytes.chunks_exact_mut(RawInsn::SIZE).zip(insn.iter()) {
            chunk.copy_from_slice(&slot.to_bytes(endian));
        }
        self.append(bytes.get(..len).unwrap_or_default(), start)?;
        if let Some(section) = self.defs.sections.get_mut(self.defs.current) {
            section.lines.push((at, line));
        }
        Ok(at)
    }

    /// Appends bytes to the current section.
    fn append(&mut self, bytes: &[u8], start: usize) -> Result<()> {
        self.grow(bytes.len() as u64, start)?;
        let Some(section) = self.defs.sections.get_mut(self.defs.current) else { return Ok(()) };
        section.size += bytes.len() as u64;
        if !section.nobits {
            section.bytes.extend_from_slice(bytes);
        } else if bytes.iter().any(|&byte| byte != 0) {
            let message = "this section has no contents (`@nobits`), only zeros can be in it";
            return Err(self.error(self.parser.span_from(start), AsmErrorKind::Constraint(message)));
        }
        Ok(())
    }

    /// Appends zeros to the current section.
    fn append_zeros(&mut self, count: u64, start: usize) -> Result<()> {
        self.grow(count, start)?;
        let Some(section) = self.defs.sections.get_mut(self.defs.current) else { return Ok(()) };
        section.size += count;
        if !section.nobits {
            section.bytes.resize(section.size as usize, 0);
        }
        Ok(())
    }

    /// Counts what is to be appended against [`MAX_OUTPUT`].
    fn grow(&mut self, count: u64, start: usize) -> Result<()> {
        self.output = self.output.saturating_add(count);
        if self.output > MAX_OUTPUT {
            return Err(self.error(self.parser.span_from(start), AsmErrorKind::TooLarge(MAX_OUTPUT)));
        }
        Ok(())
    }
}
