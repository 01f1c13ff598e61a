//! The 8-byte instruction slot as it stands in memory and in ELF sections.

/// Byte order of an encoded program (RFC 9669 section 3: the order of the host it is meant for).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endian {
    /// Least significant byte first; the destination register is the low nibble of byte 1.
    Little,
    /// Most significant byte first; the destination register is the high nibble of byte 1.
    Big,
}

impl Endian {
    /// The byte order of the machine this code runs on.
    pub const HOST: Endian = if cfg!(target_endian = "big") { Endian::Big } else { Endian::Little };
}

/// One 8-byte slot, fields separated but not interpreted (RFC 9669 section 3, `struct bpf_insn`).
///
/// A basic instruction is one slot; `ld_imm64` is two. Any value of the fields can be represented, valid or not:
/// [`Insn::decode`](crate::Insn::decode) says what a slot means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RawInsn {
    /// Operation code: class in the low three bits.
    pub opcode: u8,
    /// Destination register, 0 to 15 as encoded (0 to 10 are valid).
    pub dst: u8,
    /// Source register, 0 to 15 as encoded (0 to 10 are valid; some instructions use it as a kind).
    pub src: u8,
    /// Signed offset.
    pub off: i16,
    /// Signed immediate.
    pub imm: i32,
}

impl RawInsn {
    /// Bytes in a slot.
    pub const SIZE: usize = 8;

    /// Reads a slot.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 8], endian: Endian) -> Self {
        let [opcode, regs, o0, o1, i0, i1, i2, i3] = bytes;
        match endian {
            Endian::Little => RawInsn {
                opcode,
                dst: regs & 0xf,
                src: regs >> 4,
                off: i16::from_le_bytes([o0, o1]),
                imm: i32::from_le_bytes([i0, i1, i2, i3]),
            },
            Endian::Big => RawInsn {
                opcode,
                dst: regs >> 4,
                src: regs & 0xf,
                off: i16::from_be_bytes([o0, o1]),
                imm: i32::from_be_bytes([i0, i1, i2, i3]),
            },
        }
    }

    /// Writes a slot. Register numbers above 15 lose their upper bits.
    #[must_use]
    pub const fn to_bytes(self, endian: Endian) -> [u8; 8] {
        let (regs, [o0, o1], [i0, i1, i2, i3]) = match endian {
            Endian::Little => {
                ((self.src << 4) | (self.dst & 0xf), self.off.to_le_bytes(), self.imm.to_le_bytes())
            }
            Endian::Big => {
                ((self.dst << 4) | (self.src & 0xf), self.off.to_be_bytes(), self.imm.to_be_bytes())
            }
        };
        [self.opcode, regs, o0, o1, i0, i1, i2, i3]
    }

    /// True for the first slot of a two-slot `ld_imm64`.
    #[must_use]
    pub const fn is_wide(self) -> bool {
        self.opcode == crate::opcode::LD_IMM64
    }
}

/// Bytes that are not whole slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{len} bytes are not a whole number of 8-byte instruction slots: {} left over at byte {}", len % 8, len - len % 8)]
pub struct PartialSlot {
    /// Number of bytes given.
    pub len: usize,
}

/// Reads slots from bytes, as they stand in an ELF section of that byte order.
///
/// # Errors
/// [`PartialSlot`] when the length is not a multiple of 8.
pub fn decode_slots(bytes: &[u8], endian: Endian) -> Result<Vec<RawInsn>, PartialSlot> {
    let (slots, rest) = bytes.as_chunks::<{ RawInsn::SIZE }>();
    if rest.is_empty() {
        Ok(slots.iter().map(|&slot| RawInsn::from_bytes(slot, endian)).collect())
    } else {
        Err(PartialSlot { len: bytes.len() })
    }
}

/// Writes slots to bytes.
#[must_use]
pub fn encode_slots(slots: &[RawInsn], endian: Endian) -> Vec<u8> {
    slots.iter().flat_map(|slot| slot.to_bytes(endian)).collect()
}
