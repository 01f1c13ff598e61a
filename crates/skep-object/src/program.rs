//! Programs and subprograms: named pieces of code with what they refer to.

use skep_btf::{CoreRelo, LineInfo};
use skep_isa::RawInsn;

use crate::error::ErrorKind;
use crate::kind::SectionKind;

/// An entry program: a function in a section of its own kind, which a kernel can load and attach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Name of its function, such as `handle_exec`.
    pub name: String,
    /// Section as written in the file, `?` included, such as `tp/sched/sched_process_exec`.
    pub section: String,
    /// What the section's name says: type, attach type, target.
    pub kind: SectionKind,
    /// Whether it is loaded without being asked for; false for sections that begin with `?`.
    pub autoload: bool,
    /// Linkage of its function.
    pub linkage: Linkage,
    /// Its own instructions and what they refer to, without subprograms.
    pub code: Code,
}

/// A function that programs call: it is appended to every program that needs it when that is linked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subprogram {
    /// Name.
    pub name: String,
    /// Section, mostly `.text`.
    pub section: String,
    /// Static functions are verified where they are called, global ones on their own.
    pub linkage: Linkage,
    /// Its own instructions and what they refer to.
    pub code: Code,
}

/// Who sees a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Linkage {
    /// This file only (`static`).
    Static,
    /// Every file.
    Global,
    /// Every file, and another definition may replace it (`__weak`).
    Weak,
    /// Global in linking, but verified as a static function is (`__hidden`).
    Hidden,
}

/// The instructions of one function, in the host's form, with everything they refer to as data.
///
/// Slots are counted from the function's first one. An instruction that a [`Relocation`] names still holds what the
/// file has there; linking overwrites it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Code {
    /// Instructions, `ld_imm64` as two slots.
    pub insns: Vec<RawInsn>,
    /// Byte offset of the first instruction in its section.
    pub section_offset: u64,
    /// References to maps, variables, functions and externs, by slot.
    pub relocations: Vec<Relocation>,
    /// CO-RE relocations, by slot: `insn_off` counts slots here.
    pub core_relos: Vec<CoreRelo>,
    /// BTF type id of the function (`struct bpf_func_info`); None without function information.
    pub func_type: Option<u32>,
    /// Source lines, by slot: `insn_off` counts slots here.
    pub line_info: Vec<LineInfo>,
    /// Reasons why this code cannot be linked, such as a reference to something that this library does not support.
    pub problems: Vec<Problem>,
}

/// A reason why code cannot be linked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Slot of the instruction.
    pub slot: usize,
    /// Symbol that it refers to, empty if none.
    pub symbol: String,
    /// What sort of trouble.
    pub kind: ErrorKind,
    /// What is wrong.
    pub reason: String,
}

impl Code {
    /// The line record that covers a slot: the last one at or before it.
    #[must_use]
    pub fn line_at(&self, slot: usize) -> Option<&LineInfo> {
        let after = self.line_info.partition_point(|line| line.insn_off as usize <= slot);
        self.line_info.get(after.checked_sub(1)?)
    }
}

/// One reference from an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Relocation {
    /// Slot of the instruction in its function: a `call`, or the first slot of an `ld_imm64`.
    pub slot: usize,
    /// What it refers to.
    pub target: Target,
}

/// What an instruction refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// `ld_imm64`: a map, by index in [`Object::maps`](crate::Object::maps).
    Map(usize),
    /// `ld_imm64`: an address inside the only value of a map.
    MapValue {
        /// Index in [`Object::maps`](crate::Object::maps).
        map: usize,
        /// Byte offset in the value.
        offset: u32,
    },
    /// `call`: that function. `ld_imm64`: its address, for a callback.
    Function(FuncRef),
    /// An extern, by index in [`Object::externs`](crate::Object::externs).
    Extern(usize),
}

/// A function of the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FuncRef {
    /// Index in [`Object::programs`](crate::Object::programs).
    Program(usize),
    /// Index in [`Object::subprograms`](crate::Object::subprograms).
    Subprogram(usize),
}
