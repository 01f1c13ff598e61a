//! Contexts that are not what they seem: `__sk_buff` and `xdp_md`, whose fields the kernel converts on each access.

use skep_catalog::contexts::{self, ContextAccess, ContextRegister};
use skep_catalog::{AttachType, ProgramType};

use super::run::Packet;

/// How a run's context may be accessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContextRule {
    /// Plain memory.
    Plain {
        /// Programs may write it.
        writable: bool,
    },
    /// Fields of a structure; the ends of the packet read as pointers.
    Fields(&'static ContextAccess),
}

/// No field may be accessed.
const NONE: &ContextAccess = &ContextAccess { users: &[], reads: &[], writes: &[] };

impl ContextRule {
    /// The rule for a program type; `packet` says whether the run has one.
    pub(crate) fn of(prog_type: ProgramType, attach: Option<AttachType>, packet: bool) -> ContextRule {
        match prog_type {
            _ if packet => ContextRule::Fields(contexts::access(prog_type, attach).unwrap_or(NONE)),
            ProgramType::Kprobe
            | ProgramType::Tracepoint
            | ProgramType::PerfEvent
            | ProgramType::RawTracepoint
            | ProgramType::Tracing
            | ProgramType::Lsm
            | ProgramType::CgroupDevice
            | ProgramType::LircMode2 => ContextRule::Plain { writable: false },
            _ => ContextRule::Plain { writable: true },
        }
    }

    /// Accesses need no conversion.
    pub(crate) fn is_plain(self) -> bool {
        matches!(self, ContextRule::Plain { .. })
    }

    /// Helpers may write the context as memory.
    pub(crate) fn writable(self) -> bool {
        self == ContextRule::Plain { writable: true }
    }

    /// Loads `size` bytes at `offset`, which lie inside the context.
    pub(crate) fn load(
        self,
        ctx: &[u8],
        packet: Option<&Packet>,
        offset: u64,
        size: u64,
    ) -> Result<u64, String> {
        if let ContextRule::Fields(fields) = self {
            let register = fields.read(offset as u32, size as u32);
            let register = register.ok_or_else(|| no_field("read", offset, size))?;
            match (register, packet) {
                (ContextRegister::Packet, Some(packet)) => return Ok(packet.address(packet.start)),
                (ContextRegister::PacketEnd, Some(packet)) => return Ok(packet.address(packet.end)),
                (ContextRegister::PacketMeta, Some(packet)) => return Ok(packet.address(packet.meta)),
                // There are no sockets: what may be null is.
                (ContextRegister::Scalar, _) => {}
                _ => return Ok(0),
            }
        }
        let from = ctx.get(offset as usize..(offset + size) as usize).unwrap_or_default();
        let fold = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        Ok(if cfg!(target_endian = "big") {
            from.iter().fold(0, fold)
        } else {
            from.iter().rev().fold(0, fold)
        })
    }

    /// Stores `size` bytes at `offset`, which lie inside the context.
    pub(crate) fn store(self, ctx: &mut [u8], offset: u64, size: u64, value: u64) -> Result<(), String> {
        if let ContextRule::Fields(fields) = self
            && !fields.may_write(offset as u32, size as u32)
        {
            return Err(no_field("write", offset, size));
        }
        let place = ctx.get_mut(offset as usize..(offset + size) as usize).unwrap_or_default();
        for (index, byte) in place.iter_mut().enumerate() {
            let shift = if cfg!(target_endian = "big") { size as usize - 1 - index } else { index };
            *byte = (value >> (8 * shift)) as u8;
        }
        Ok(())
    }
}

fn no_field(verb: &str, offset: u64, size: u64) -> String {
    format!("programs of this type may not {verb} {size} bytes at offset {offset} of their context")
}
