//! Why a run ended without reaching `exit`.

use std::fmt;

/// A run that was stopped. Programs that the verifier accepted never fault; the checked mode of the interpreter finds
/// at run time what the verifier would have refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Slot of the instruction, counted from the program's first.
    pub insn: usize,
    /// First slot of the subprogram it belongs to, 0 for the main program.
    pub subprogram: usize,
    /// Name of the program whose instruction it is (after a tail call, not the one that was started).
    pub program: Box<str>,
    /// The instruction as text.
    pub text: Box<str>,
    /// Where it comes from, if the program carries line information.
    pub line: Option<Box<SourceLine>>,
    /// What went wrong.
    pub kind: FaultKind,
}

/// A line of the source that an instruction was compiled from (`struct bpf_line_info`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceLine {
    /// Slot of the first instruction that belongs to it.
    pub insn: usize,
    /// File name as the compiler saw it.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1; 0 if not known.
    pub column: u32,
    /// The line's text, empty if not known.
    pub text: String,
}

impl SourceLine {
    /// Reads `struct bpf_line_info` records (host byte order, `rec_size` bytes each, at least 16): slot, file name,
    /// text, and line and column in one word (`line_col`: line in the upper 22 bits, column in the lower 10). `string` gives the string at an
    /// offset of BTF's string section. A record cut short at the end is left out.
    pub fn parse(records: &[u8], rec_size: usize, mut string: impl FnMut(u32) -> String) -> Vec<SourceLine> {
        if rec_size < 16 {
            return Vec::new();
        }
        let word = |record: &[u8], index: usize| {
            record.get(index * 4..index * 4 + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_ne_bytes)
        };
        records
            .chunks_exact(rec_size)
            .map(|record| SourceLine {
                insn: word(record, 0) as usize,
                file: string(word(record, 1)),
                text: string(word(record, 2)).trim().to_owned(),
                line: word(record, 3) >> 10,
                column: word(record, 3) & 0x3ff,
            })
            .collect()
    }
}

impl fmt::Display for SourceLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)?;
        if self.column > 0 {
            write!(f, ":{}", self.column)?;
        }
        if !self.text.is_empty() {
            write!(f, ": {}", self.text)?;
        }
        Ok(())
    }
}

/// What an access wanted to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read.
    Read,
    /// Write.
    Write,
    /// Read, change and write in one step.
    Atomic,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Access::Read => "read",
            Access::Write => "write",
            Access::Atomic => "atomic access",
        })
    }
}

/// The kinds of fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FaultKind {
    /// An access outside everything that the program may touch.
    #[error("invalid {access} of {size} bytes at {addr:#x}: {near}")]
    Memory {
        /// First byte.
        addr: u64,
        /// Number of bytes.
        size: u64,
        /// What it wanted to do.
        access: Access,
        /// The region nearest to the address, in words.
        near: String,
    },
    /// An atomic access at an address that is not a multiple of its size.
    #[error(
        "misaligned {access} of {size} bytes at {addr:#x}: atomic accesses need an address that is a multiple of their size"
    )]
    Misaligned {
        /// First byte.
        addr: u64,
        /// Number of bytes.
        size: u64,
        /// What it wanted to do.
        access: Access,
    },
    /// More instructions than the run may take.
    #[error("instruction budget of {0} used up: the program does not seem to end")]
    Budget(u64),
    /// Stopped from outside.
    #[error("stopped on request")]
    Stopped,
    /// More than 8 nested frames.
    #[error("more than 8 nested calls of subprograms")]
    CallDepth,
    /// `callx` or a callback whose address is not a subprogram of the program.
    #[error("call of {0:#x}, which is not the address of a subprogram")]
    BadFunction(u64),
    /// A helper got an argument that the verifier would have refused.
    #[error("bpf_{helper}: argument {arg}: {why}")]
    Argument {
        /// Name of the helper without `bpf_`.
        helper: &'static str,
        /// Number of the argument, from 1.
        arg: u8,
        /// What is wrong with it.
        why: String,
    },
    /// A lock was taken twice, released without being held, or kept at exit.
    #[error("spin lock at {addr:#x} {why}")]
    Lock {
        /// Address of the lock.
        addr: u64,
        /// What is wrong.
        why: &'static str,
    },
    /// A reference that the program must give back (a ring buffer record) was kept at exit. The records were discarded.
    #[error("{0} ring buffer record(s) reserved and neither submitted nor discarded at exit")]
    Unreleased(usize),
    /// The host has no memory for what a helper works on.
    #[error("no memory for the {0} bytes that the helper works on")]
    OutOfMemory(u64),
    /// An address-space cast, which needs an arena.
    #[error("addr_space_cast needs an arena map, which the program does not have")]
    NoArena,
    /// A legacy packet load in a run without a packet.
    #[error("legacy packet load in a run that has no packet")]
    NoPacket,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault { insn, subprogram, program, text, line, kind } = self;
        write!(f, "{kind}; at instruction {insn}: {text}")?;
        if *subprogram > 0 {
            write!(f, " (subprogram at {subprogram})")?;
        }
        write!(f, " of program {program}")?;
        if let Some(line) = line {
            write!(f, ", {line}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Fault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.kind)
    }
}
