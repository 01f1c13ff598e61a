//! Classic BPF: the filter machine of `SO_ATTACH_FILTER`, `xt_bpf`, `cls_bpf` and seccomp, and its translation to eBPF.
//!
//! The machine has an accumulator A, an index register X (both 32 bits) and 16 words of scratch memory M; programs
//! only jump forward. The source of its rules is the kernel's `Documentation/networking/filter.rst` and the
//! behaviour of Linux where that page is silent.
//!
//! Instructions are plain values ([`Insn`]) that need not make sense; [`SocketFilter`] and [`SeccompFilter`] are
//! programs that passed the kernel's checks, and only those run or translate:
//!
//! ```
//! use skep_isa::cbpf::{self, Packet, SocketFilter};
//!
//! let insns = cbpf::assemble(
//!     "       ldh [12]
//!             jne #0x806, drop    ; ARP only
//!             ret #-1
//!      drop:  ret #0",
//! )?;
//! assert_eq!(cbpf::to_line(&insns), "4,40 0 0 12,21 0 1 2054,6 0 0 4294967295,6 0 0 0");
//!
//! let filter = SocketFilter::new(insns)?;
//! let arp = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 6];
//! assert_eq!(filter.run(&Packet::new(&arp)), u32::MAX);
//! let ebpf = filter.to_ebpf()?; // for BPF_PROG_TYPE_SOCKET_FILTER
//! # assert!(!ebpf.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod asm;
mod disasm;
mod interp;
mod numeric;
mod op;
#[cfg(feature = "proptest")]
pub mod testing;
mod translate;
mod validate;

use std::fmt;

use crate::Endian;

pub use asm::assemble;
pub use disasm::{to_asm, to_tcpdump};
pub use interp::{Device, Packet, Vlan};
pub use numeric::{parse, parse_c, parse_decimal, parse_line, parse_tcpdump, to_c, to_decimal, to_line};
pub use op::{Extension, Op, Source};
pub use translate::TranslateError;
pub use validate::{SeccompFilter, SocketFilter, ValidateError};

/// Most instructions a program may have (`BPF_MAXINSNS`).
pub const MAX_INSNS: usize = 4096;
/// Words of scratch memory (`BPF_MEMWORDS`).
pub const SCRATCH_WORDS: u32 = 16;
/// Packet offsets from here up name an [`Extension`] instead of bytes of the packet (`SKF_AD_OFF`, -0x1000).
pub const SKF_AD_OFF: u32 = 0xffff_f000;
/// Packet offsets from here up count from the network header (`SKF_NET_OFF`, -0x100000).
pub const SKF_NET_OFF: u32 = 0xfff0_0000;
/// Packet offsets from here up count from the link-layer header (`SKF_LL_OFF`, -0x200000).
pub const SKF_LL_OFF: u32 = 0xffe0_0000;
/// Bytes in `struct seccomp_data`, the data of a seccomp filter.
pub const SECCOMP_DATA_SIZE: usize = 64;

/// One instruction as it is encoded (`struct sock_filter`, `linux/filter.h`), fields separated but not interpreted:
/// [`Insn::op`] says what it means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Insn {
    /// Operation: class in the low three bits.
    pub code: u16,
    /// Conditional jumps: instructions to skip when the condition holds.
    pub jt: u8,
    /// Conditional jumps: instructions to skip when it does not.
    pub jf: u8,
    /// Operand: a value, an offset, an index of scratch memory.
    pub k: u32,
}

impl Insn {
    /// Bytes in an encoded instruction.
    pub const SIZE: usize = 8;

    /// An instruction that is not a conditional jump.
    #[must_use]
    pub const fn new(code: u16, k: u32) -> Self {
        Insn { code, jt: 0, jf: 0, k }
    }

    /// The instruction with zero in the fields that its operation does not use (`tcpdump` leaves values in them).
    #[must_use]
    pub fn canonical(self) -> Self {
        self.op().map_or(self, Insn::from)
    }

    /// Reads an encoded instruction.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 8], endian: Endian) -> Self {
        let [c0, c1, jt, jf, k0, k1, k2, k3] = bytes;
        let (code, k) = match endian {
            Endian::Little => (u16::from_le_bytes([c0, c1]), u32::from_le_bytes([k0, k1, k2, k3])),
            Endian::Big => (u16::from_be_bytes([c0, c1]), u32::from_be_bytes([k0, k1, k2, k3])),
        };
        Insn { code, jt, jf, k }
    }

    /// Writes the instruction.
    #[must_use]
    pub const fn to_bytes(self, endian: Endian) -> [u8; 8] {
        let ([c0, c1], [k0, k1, k2, k3]) = match endian {
            Endian::Little => (self.code.to_le_bytes(), self.k.to_le_bytes()),
            Endian::Big => (self.code.to_be_bytes(), self.k.to_be_bytes()),
        };
        [c0, c1, self.jt, self.jf, k0, k1, k2, k3]
    }
}

/// In the words of `bpf_asm`, jump targets as numbers relative to the next instruction.
impl fmt::Display for Insn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        disasm::write_relative(f, self)
    }
}

/// Encoded instructions whose length is not a multiple of [`Insn::SIZE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{len} bytes are not whole instructions of 8 bytes: {} left over after instruction {}", .len % 8, .len / 8)]
pub struct DecodeError {
    /// Bytes there were.
    pub len: usize,
}

/// Reads encoded instructions (an array of `struct sock_filter`).
///
/// # Errors
/// When the length is not a multiple of 8 bytes.
pub fn decode(bytes: &[u8], endian: Endian) -> Result<Vec<Insn>, DecodeError> {
    let (insns, rest) = bytes.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(DecodeError { len: bytes.len() });
    }
    Ok(insns.iter().map(|insn| Insn::from_bytes(*insn, endian)).collect())
}

/// Writes instructions as an array of `struct sock_filter`.
#[must_use]
pub fn encode(insns: &[Insn], endian: Endian) -> Vec<u8> {
    insns.iter().flat_map(|insn| insn.to_bytes(endian)).collect()
}

/// Text that is not a program, and where. Lines and columns count from 1, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {why}")]
pub struct TextError {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// What was wrong there.
    pub why: String,
}
