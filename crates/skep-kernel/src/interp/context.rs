//! Contexts that are not what they seem: `__sk_buff` and `xdp_md`, whose fields the kernel converts on each access.

use skep_catalog::ProgramType;

use super::run::Packet;

/// How a run's context may be accessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContextRule {
    /// Plain memory.
    Plain {
        /// Programs may write it.
        writable: bool,
    },
    /// `struct __sk_buff`, for this program type.
    SkBuff(ProgramType),
    /// `struct xdp_md`.
    XdpMd,
}

/// Offsets in `struct __sk_buff` of `linux/bpf.h`.
pub(crate) mod sk_buff {
    pub(crate) const SIZE: usize = 192;
    pub(crate) const LEN: usize = 0;
    pub(crate) const PKT_TYPE: usize = 4;
    pub(crate) const MARK: usize = 8;
    pub(crate) const QUEUE_MAPPING: usize = 12;
    pub(crate) const PROTOCOL: usize = 16;
    pub(crate) const PRIORITY: usize = 32;
    pub(crate) const INGRESS_IFINDEX: usize = 36;
    pub(crate) const IFINDEX: usize = 40;
    pub(crate) const TC_INDEX: usize = 44;
    pub(crate) const CB: usize = 48;
    pub(crate) const CB_END: usize = 68;
    pub(crate) const TC_CLASSID: usize = 72;
    pub(crate) const DATA: usize = 76;
    pub(crate) const DATA_END: usize = 80;
    pub(crate) const FAMILY: usize = 88;
    pub(crate) const REMOTE_IP4: usize = 92;
    pub(crate) const LOCAL_IP4: usize = 96;
    pub(crate) const REMOTE_IP6: usize = 100;
    pub(crate) const LOCAL_IP6: usize = 116;
    pub(crate) const LOCAL_PORT_END: usize = 140;
    pub(crate) const DATA_META: usize = 140;
    pub(crate) const FLOW_KEYS: usize = 144;
    pub(crate) const TSTAMP: usize = 152;
    pub(crate) const WIRE_LEN: usize = 160;
    pub(crate) const GSO_SEGS: usize = 164;
    pub(crate) const SK: usize = 168;
    pub(crate) const GSO_SIZE: usize = 176;
    pub(crate) const TSTAMP_TYPE: usize = 180;
    pub(crate) const HWTSTAMP: usize = 184;
}

/// Offsets in `struct xdp_md` of `linux/bpf.h`.
pub(crate) mod xdp_md {
    pub(crate) const SIZE: usize = 24;
    pub(crate) const DATA: usize = 0;
    pub(crate) const DATA_END: usize = 4;
    pub(crate) const DATA_META: usize = 8;
    pub(crate) const INGRESS_IFINDEX: usize = 12;
    pub(crate) const RX_QUEUE_INDEX: usize = 16;
    pub(crate) const EGRESS_IFINDEX: usize = 20;
}

/// Which end of a packet a field stands for.
enum PacketField {
    Data,
    End,
    Meta,
}

impl ContextRule {
    /// The rule for a program type; `packet` says whether the run has one.
    pub(crate) fn of(prog_type: ProgramType, packet: bool) -> ContextRule {
        use ProgramType::{
            CgroupSkb, FlowDissector, LwtIn, LwtOut, LwtSeg6local, LwtXmit, SchedAct, SchedCls, SkSkb,
            SocketFilter,
        };
        match prog_type {
            ProgramType::Xdp if packet => ContextRule::XdpMd,
            SocketFilter | SchedCls | SchedAct | CgroupSkb | SkSkb | LwtIn | LwtOut | LwtXmit
            | LwtSeg6local | FlowDissector
                if packet =>
            {
                ContextRule::SkBuff(prog_type)
            }
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
        let (offset, size) = (offset as usize, size as usize);
        let field = match self {
            ContextRule::Plain { .. } => None,
            ContextRule::SkBuff(prog_type) => {
                sk_buff_readable(prog_type, offset, size)?;
                match offset {
                    sk_buff::DATA => Some(PacketField::Data),
                    sk_buff::DATA_END => Some(PacketField::End),
                    sk_buff::DATA_META => Some(PacketField::Meta),
                    _ => None,
                }
            }
            ContextRule::XdpMd => {
                if offset < xdp_md::INGRESS_IFINDEX && size != 4 || offset % 4 + size > 4 {
                    return Err(format!("xdp_md has no field of {size} bytes at offset {offset}"));
                }
                match offset {
                    xdp_md::DATA => Some(PacketField::Data),
                    xdp_md::DATA_END => Some(PacketField::End),
                    xdp_md::DATA_META => Some(PacketField::Meta),
                    xdp_md::EGRESS_IFINDEX => {
                        return Err(
                            "egress_ifindex is only there for programs attached to a devmap".to_owned()
                        );
                    }
                    _ => None,
                }
            }
        };
        if let (Some(field), Some(packet)) = (field, packet) {
            return Ok(match field {
                PacketField::Data => packet.address(packet.start),
                PacketField::End => packet.address(packet.end),
                PacketField::Meta => packet.address(packet.meta),
            });
        }
        let mut bytes = [0; 8];
        if let (Some(from), Some(to)) = (ctx.get(offset..offset + size), bytes.get_mut(..size)) {
            to.copy_from_slice(from);
        }
        Ok(u64::from_le_bytes(if cfg!(target_endian = "big") { reversed(bytes, size) } else { bytes }))
    }

    /// Stores `size` bytes at `offset`, which lie inside the context.
    pub(crate) fn store(self, ctx: &mut [u8], offset: u64, size: u64, value: u64) -> Result<(), String> {
        let (offset, size) = (offset as usize, size as usize);
        match self {
            ContextRule::Plain { .. } => {}
            ContextRule::SkBuff(prog_type) => sk_buff_writable(prog_type, offset, size)?,
            ContextRule::XdpMd => return Err("fields of xdp_md are read-only".to_owned()),
        }
        let bytes = value.to_le_bytes();
        let bytes = if cfg!(target_endian = "big") { reversed(bytes, size) } else { bytes };
        if let (Some(from), Some(to)) = (bytes.get(..size), ctx.get_mut(offset..offset + size)) {
            to.copy_from_slice(from);
        }
        Ok(())
    }
}

/// The first `size` bytes in the opposite order.
fn reversed(mut bytes: [u8; 8], size: usize) -> [u8; 8] {
    if let Some(used) = bytes.get_mut(..size) {
        used.reverse();
    }
    bytes
}

fn sk_buff_readable(prog_type: ProgramType, offset: usize, size: usize) -> Result<(), String> {
    use ProgramType::{CgroupSkb, FlowDissector, LwtIn, LwtOut, LwtSeg6local, LwtXmit, SkSkb, SocketFilter};
    let lwt = matches!(prog_type, LwtIn | LwtOut | LwtXmit | LwtSeg6local);
    let no_field = || Err(format!("__sk_buff has no field of {size} bytes at offset {offset}"));
    let not_for = |field: &str| {
        Err(format!("programs of type {} cannot access __sk_buff::{field}", prog_type.uapi_name()))
    };
    let refused = match offset {
        sk_buff::DATA | sk_buff::DATA_END if prog_type == SocketFilter => Some("data"),
        sk_buff::DATA_META
            if prog_type == SocketFilter || prog_type == CgroupSkb || prog_type == SkSkb || lwt =>
        {
            Some("data_meta")
        }
        sk_buff::FLOW_KEYS..sk_buff::TSTAMP if prog_type != FlowDissector => Some("flow_keys"),
        sk_buff::TC_CLASSID..sk_buff::DATA
            if prog_type == SocketFilter || prog_type == CgroupSkb || prog_type == SkSkb || lwt =>
        {
            Some("tc_classid")
        }
        sk_buff::FAMILY..sk_buff::LOCAL_PORT_END if prog_type == SocketFilter || lwt => {
            Some("family and addresses")
        }
        sk_buff::TSTAMP..sk_buff::WIRE_LEN if prog_type == SocketFilter || prog_type == SkSkb || lwt => {
            Some("tstamp")
        }
        sk_buff::WIRE_LEN..sk_buff::GSO_SEGS
            if prog_type == SocketFilter || prog_type == CgroupSkb || prog_type == SkSkb || lwt =>
        {
            Some("wire_len")
        }
        sk_buff::HWTSTAMP.. if prog_type == SocketFilter => Some("hwtstamp"),
        _ => None,
    };
    if let Some(field) = refused {
        return not_for(field);
    }
    let good = match offset {
        sk_buff::DATA | sk_buff::DATA_END | sk_buff::DATA_META => size == 4,
        sk_buff::CB..sk_buff::CB_END => offset + size <= sk_buff::CB_END && offset.is_multiple_of(size),
        sk_buff::TSTAMP | sk_buff::SK | sk_buff::FLOW_KEYS | sk_buff::HWTSTAMP => size == 8,
        sk_buff::TSTAMP_TYPE => size == 1,
        _ => offset % 4 + size <= 4 && offset.is_multiple_of(size),
    };
    if good { Ok(()) } else { no_field() }
}

fn sk_buff_writable(prog_type: ProgramType, offset: usize, size: usize) -> Result<(), String> {
    use ProgramType::{CgroupSkb, LwtIn, LwtOut, LwtXmit, SchedAct, SchedCls, SkSkb};
    let tc = matches!(prog_type, SchedCls | SchedAct);
    let lwt = matches!(prog_type, LwtIn | LwtOut | LwtXmit);
    let good = match offset {
        sk_buff::CB..sk_buff::CB_END => offset + size <= sk_buff::CB_END && offset.is_multiple_of(size),
        sk_buff::MARK => size == 4 && (tc || lwt || prog_type == CgroupSkb),
        sk_buff::PRIORITY => size == 4 && (tc || lwt || prog_type == CgroupSkb || prog_type == SkSkb),
        sk_buff::TC_INDEX => size == 4 && (tc || prog_type == SkSkb),
        sk_buff::TC_CLASSID | sk_buff::QUEUE_MAPPING => size == 4 && tc,
        sk_buff::TSTAMP => size == 8 && (tc || prog_type == CgroupSkb),
        _ => false,
    };
    if good {
        Ok(())
    } else {
        Err(format!(
            "programs of type {} cannot write {size} bytes at offset {offset} of __sk_buff",
            prog_type.uapi_name()
        ))
    }
}
