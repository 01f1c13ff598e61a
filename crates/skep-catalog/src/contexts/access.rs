//! What each program type may read and write of its context.
//!
//! Measured on Linux 6.18 (x86-64): for every offset and size a program that reads or writes there was loaded, and the
//! verifier said whether it may, and what the register then holds. `lirc_mode2` follows the kernel's documentation.
//! Types whose context is an array of BTF-typed arguments (tracing, LSM, `struct_ops`) have no table.

use super::{ContextAccess, ContextRead, ContextRegister as Kind, ContextWrite};
use crate::{AttachType as A, ProgramType as P};

const fn read(first: u32, last: u32, size: u32, register: Kind) -> ContextRead {
    ContextRead { first, last, size, register }
}

const fn scalar(first: u32, last: u32, size: u32) -> ContextRead {
    read(first, last, size, Kind::Scalar)
}

const fn write(first: u32, last: u32, size: u32) -> ContextWrite {
    ContextWrite { first, last, size }
}

/// Types without attach types in their row have the same rules for all that no other row names.
#[rustfmt::skip]
pub(super) static ACCESS: &[ContextAccess] = &[
    ContextAccess {
        users: &[
            (P::SocketFilter, &[]),
        ],
        reads: &[
            scalar(0, 71, 1), scalar(0, 70, 2), scalar(0, 68, 4), scalar(48, 56, 8), scalar(84, 87, 1),
            scalar(84, 86, 2), scalar(84, 84, 4), scalar(164, 167, 1), scalar(164, 166, 2),
            scalar(164, 164, 4), read(168, 168, 8, Kind::SockCommonOrNull), scalar(176, 179, 1),
            scalar(176, 178, 2), scalar(176, 176, 4),
        ],
        writes: &[
            write(48, 67, 1), write(48, 66, 2), write(48, 64, 4), write(48, 56, 8),
        ],
    },
    ContextAccess {
        users: &[
            (P::Kprobe, &[]),
        ],
        reads: &[
            scalar(0, 167, 1), scalar(0, 166, 2), scalar(0, 164, 4), scalar(0, 160, 8),
        ],
        writes: &[],
    },
    ContextAccess {
        users: &[
            (P::SchedCls, &[]),
            (P::SchedAct, &[]),
        ],
        reads: &[
            scalar(0, 75, 1), scalar(0, 74, 2), scalar(0, 72, 4), scalar(48, 56, 8),
            read(76, 76, 4, Kind::Packet), read(80, 80, 4, Kind::PacketEnd), scalar(84, 87, 1),
            scalar(84, 86, 2), scalar(84, 84, 4), read(140, 140, 4, Kind::PacketMeta), scalar(152, 152, 8),
            scalar(160, 167, 1), scalar(160, 166, 2), scalar(160, 164, 4),
            read(168, 168, 8, Kind::SockCommonOrNull), scalar(176, 180, 1), scalar(176, 178, 2),
            scalar(176, 176, 4), scalar(184, 184, 8),
        ],
        writes: &[
            write(8, 12, 4), write(32, 32, 4), write(44, 64, 4), write(48, 67, 1), write(48, 66, 2),
            write(48, 56, 8), write(72, 72, 4), write(152, 152, 8),
        ],
    },
    ContextAccess {
        users: &[
            (P::Tracepoint, &[]),
        ],
        reads: &[
            scalar(8, 8191, 1), scalar(8, 8190, 2), scalar(8, 8188, 4), scalar(8, 8184, 8),
        ],
        writes: &[],
    },
    ContextAccess {
        users: &[
            (P::Xdp, &[]),
        ],
        reads: &[
            read(0, 0, 4, Kind::Packet), read(4, 4, 4, Kind::PacketEnd), read(8, 8, 4, Kind::PacketMeta),
            scalar(12, 16, 4),
        ],
        writes: &[],
    },
    ContextAccess {
        users: &[
            (P::Xdp, &[A::XdpDevmap]),
        ],
        reads: &[
            read(0, 0, 4, Kind::Packet), read(4, 4, 4, Kind::PacketEnd), read(8, 8, 4, Kind::PacketMeta),
            scalar(12, 20, 4),
        ],
        writes: &[],
    },
    ContextAccess {
        users: &[
            (P::PerfEvent, &[]),
        ],
        reads: &[
            scalar(0, 176, 8), scalar(168, 183, 1), scalar(168, 182, 2), scalar(168, 180, 4),
        ],
        writes: &[],
    },
    ContextAccess {
        users: &[
            (P::CgroupSkb, &[]),
        ],
        reads: &[
            scalar(0, 71, 1), scalar(0, 70, 2), scalar(0, 68, 4), scalar(48, 56, 8),
            read(76, 76, 4, Kind::Packet), read(80, 80, 4, Kind::PacketEnd), scalar(84, 91, 1),
            scalar(84, 90, 2), scalar(84, 136, 4), scalar(132, 139, 1), scalar(132, 138, 2),
            scalar(152, 152, 8), scalar(164, 167, 1), scalar(164, 166, 2), scalar(164, 164, 4),
            read(168, 168, 8, Kind::SockCommonOrNull), scalar(176, 179, 1), scalar(176, 178, 2),
            scalar(176, 176, 4), scalar(184, 184, 8),
        ],
        writes: &[
            write(8, 8, 4), write(32, 32, 4), write(48, 67, 1), write(48, 66, 2), write(48, 64, 4),
            write(48, 56, 8), write(152, 152, 8),
        ],
    },
    ContextAccess {
        users: &[
            (P::CgroupSock, &[]),
        ],
        reads: &[
            scalar(0, 20, 4), scalar(4, 4, 1), scalar(4, 4, 2), scalar(8, 8, 1), scalar(8, 8, 2),
            scalar(12, 12, 1), scalar(12, 12, 2), scalar(48, 49, 1), scalar(48, 48, 2), scalar(48, 76, 4),
            scalar(52, 72, 1), scalar(52, 72, 2), scalar(76, 76, 1), scalar(76, 76, 2),
        ],
        writes: &[
            write(0, 0, 4), write(16, 20, 4),
        ],
    },
    ContextAccess {
        users: &[
            (P::CgroupSock, &[A::CgroupInet4PostBind]),
        ],
        reads: &[
            scalar(4, 4, 1), scalar(4, 4, 2), scalar(4, 12, 4), scalar(8, 8, 1), scalar(8, 8, 2),
            scalar(12, 12, 1), scalar(12, 12, 2), scalar(24, 27, 1), scalar(24, 26, 2), scalar(24, 24, 4),
            scalar(44, 44, 1), scalar(44, 44, 2), scalar(44, 76, 4), scalar(48, 49, 1), scalar(48, 48, 2),
            scalar(52, 72, 1), scalar(52, 72, 2), scalar(76, 76, 1), scalar(76, 76, 2),
        ],
        writes: &[],
    },
    ContextAccess {
        users: &[
            (P::CgroupSock, &[A::CgroupInet6PostBind]),
        ],
        reads: &[
            scalar(4, 4, 1), scalar(4, 4, 2), scalar(4, 12, 4), scalar(8, 8, 1), scalar(8, 8, 2),
            scalar(12, 12, 1), scalar(12, 12, 2), scalar(28, 44, 1), scalar(28, 44, 2), scalar(28, 76, 4),
            scalar(48, 49, 1), scalar(48, 48, 2), scalar(52, 72, 1), scalar(52, 72, 2), scalar(76, 76, 1),
            scalar(76, 76, 2),
        ],
        writes: &[],
    },
    ContextAccess {
        users: &[
            (P::LwtIn, &[]),
            (P::LwtOut, &[]),
            (P::LwtXmit, &[]),
            (P::LwtSeg6local, &[]),
        ],
        reads: &[
            scalar(0, 71, 1), scalar(0, 70, 2), scalar(0, 68, 4), scalar(48, 56, 8),
            read(76, 76, 4, Kind::Packet), read(80, 80, 4, Kind::PacketEnd), scalar(84, 87, 1),
            scalar(84, 86, 2), scalar(84, 84, 4), scalar(164, 167, 1), scalar(164, 166, 2),
            scalar(164, 164, 4), read(168, 168, 8, Kind::SockCommonOrNull), scalar(176, 179, 1),
            scalar(176, 178, 2), scalar(176, 176, 4),
        ],
        writes: &[
            write(8, 8, 4), write(32, 32, 4), write(48, 67, 1), write(48, 66, 2), write(48, 64, 4),
            write(48, 56, 8),
        ],
    },
    ContextAccess {
        users: &[
            (P::SockOps, &[]),
        ],
        reads: &[
            scalar(0, 164, 4), scalar(168, 176, 8), read(184, 184, 8, Kind::SocketOrNull),
            read(192, 192, 8, Kind::Packet), read(200, 200, 8, Kind::PacketEnd), scalar(208, 212, 4),
            scalar(212, 212, 1), scalar(212, 212, 2), scalar(216, 216, 8),
        ],
        writes: &[
            write(4, 4, 4), write(164, 164, 4),
        ],
    },
    ContextAccess {
        users: &[
            (P::SkSkb, &[]),
        ],
        reads: &[
            scalar(0, 7, 1), scalar(0, 6, 2), scalar(0, 4, 4), scalar(12, 71, 1), scalar(12, 70, 2),
            scalar(12, 68, 4), scalar(48, 56, 8), read(76, 76, 4, Kind::Packet),
            read(80, 80, 4, Kind::PacketEnd), scalar(84, 91, 1), scalar(84, 90, 2), scalar(84, 136, 4),
            scalar(132, 139, 1), scalar(132, 138, 2), scalar(164, 167, 1), scalar(164, 166, 2),
            scalar(164, 164, 4), read(168, 168, 8, Kind::SockCommonOrNull), scalar(176, 179, 1),
            scalar(176, 178, 2), scalar(176, 176, 4),
        ],
        writes: &[
            write(32, 32, 4), write(44, 44, 4),
        ],
    },
    ContextAccess {
        users: &[
            (P::CgroupDevice, &[]),
        ],
        reads: &[
            scalar(0, 3, 1), scalar(0, 2, 2), scalar(0, 8, 4),
        ],
        writes: &[],
    },
    ContextAccess {
        users: &[
            (P::SkMsg, &[]),
        ],
        reads: &[
            read(0, 0, 8, Kind::Packet), read(8, 8, 8, Kind::PacketEnd), scalar(16, 68, 4),
            read(72, 72, 8, Kind::Socket),
        ],
        writes: &[],
    },
    ContextAccess {
        users: &[
            (P::RawTracepoint, &[]),
        ],
        reads: &[
            scalar(0, 95, 1), scalar(0, 94, 2), scalar(0, 92, 4), scalar(0, 88, 8),
        ],
        writes: &[],
    },
    ContextAccess {
        users: &[
            (P::CgroupSockAddr, &[
                A::CgroupInet4Bind, A::CgroupInet4Connect, A::CgroupUdp4Recvmsg, A::CgroupInet4Getpeername,
                A::CgroupInet4Getsockname,
            ]),
        ],
        reads: &[
            scalar(0, 4, 4), scalar(4, 7, 1), scalar(4, 6, 2), scalar(24, 27, 1), scalar(24, 26, 2),
            scalar(24, 36, 4), read(64, 64, 8, Kind::Socket),
        ],
        writes: &[
            write(4, 4, 4), write(24, 24, 4),
        ],
    },
    ContextAccess {
        users: &[
            (P::CgroupSockAddr, &[
                A::CgroupInet6Bind, A::CgroupInet6Connect, A::CgroupUdp6Recvmsg, A::CgroupInet6Getpeername,
                A::CgroupInet6Getsockname,
            ]),
        ],
        reads: &[
            scalar(0, 0, 4), scalar(8, 27, 1), scalar(8, 26, 2), scalar(8, 36, 4), scalar(8, 16, 8),
            read(64, 64, 8, Kind::Socket),
        ],
        writes: &[
            write(8, 24, 4), write(8, 16, 8),
        ],
    },
    ContextAccess {
        users: &[
            (P::CgroupSockAddr, &[A::CgroupUdp4Sendmsg]),
        ],
        reads: &[
            scalar(0, 4, 4), scalar(4, 7, 1), scalar(4, 6, 2), scalar(24, 27, 1), scalar(24, 26, 2),
            scalar(24, 40, 4), scalar(40, 43, 1), scalar(40, 42, 2), read(64, 64, 8, Kind::Socket),
        ],
        writes: &[
            write(4, 4, 4), write(24, 24, 4), write(40, 40, 4),
        ],
    },
    ContextAccess {
        users: &[
            (P::CgroupSockAddr, &[A::CgroupUdp6Sendmsg]),
        ],
        reads: &[
            scalar(0, 0, 4), scalar(8, 27, 1), scalar(8, 26, 2), scalar(8, 36, 4), scalar(8, 16, 8),
            scalar(44, 59, 1), scalar(44, 58, 2), scalar(44, 56, 4), scalar(48, 48, 8),
            read(64, 64, 8, Kind::Socket),
        ],
        writes: &[
            write(8, 24, 4), write(8, 16, 8), write(44, 56, 4), write(48, 48, 8),
        ],
    },
    ContextAccess {
        users: &[
            (P::CgroupSockAddr, &[
                A::CgroupUnixConnect, A::CgroupUnixSendmsg, A::CgroupUnixRecvmsg, A::CgroupUnixGetpeername,
                A::CgroupUnixGetsockname,
            ]),
        ],
        reads: &[
            scalar(0, 0, 4), scalar(24, 27, 1), scalar(24, 26, 2), scalar(24, 36, 4),
            read(64, 64, 8, Kind::Socket),
        ],
        writes: &[
            write(24, 24, 4),
        ],
    },
    ContextAccess {
        users: &[
            (P::SkReuseport, &[]),
        ],
        reads: &[
            read(0, 0, 8, Kind::Packet), read(8, 8, 8, Kind::PacketEnd), scalar(16, 19, 1),
            scalar(16, 30, 2), scalar(16, 32, 4), scalar(24, 31, 1), read(40, 40, 8, Kind::Socket),
            read(48, 48, 8, Kind::SockCommonOrNull),
        ],
        writes: &[],
    },
    ContextAccess {
        users: &[
            (P::FlowDissector, &[]),
        ],
        reads: &[
            read(76, 76, 4, Kind::Packet), read(80, 80, 4, Kind::PacketEnd),
            read(144, 144, 8, Kind::FlowKeys),
        ],
        writes: &[],
    },
    ContextAccess {
        users: &[
            (P::CgroupSysctl, &[]),
        ],
        reads: &[
            scalar(0, 7, 1), scalar(0, 6, 2), scalar(0, 4, 4),
        ],
        writes: &[
            write(4, 4, 4),
        ],
    },
    ContextAccess {
        users: &[
            (P::RawTracepointWritable, &[]),
        ],
        reads: &[
            read(0, 0, 8, Kind::TracepointBuffer), scalar(1, 95, 1), scalar(2, 94, 2), scalar(4, 92, 4),
            scalar(8, 88, 8),
        ],
        writes: &[],
    },
    ContextAccess {
        users: &[
            (P::CgroupSockopt, &[A::CgroupGetsockopt]),
        ],
        reads: &[
            read(0, 0, 8, Kind::Socket), read(8, 8, 8, Kind::Packet), read(16, 16, 8, Kind::PacketEnd),
            scalar(24, 36, 4),
        ],
        writes: &[
            write(32, 36, 4),
        ],
    },
    ContextAccess {
        users: &[
            (P::CgroupSockopt, &[A::CgroupSetsockopt]),
        ],
        reads: &[
            read(0, 0, 8, Kind::Socket), read(8, 8, 8, Kind::Packet), read(16, 16, 8, Kind::PacketEnd),
            scalar(24, 32, 4),
        ],
        writes: &[
            write(24, 32, 4),
        ],
    },
    ContextAccess {
        users: &[
            (P::SkLookup, &[]),
        ],
        reads: &[
            read(0, 0, 8, Kind::SocketOrNull), scalar(8, 67, 1), scalar(8, 66, 2), scalar(8, 64, 4),
        ],
        writes: &[],
    },
    ContextAccess {
        users: &[
            (P::Syscall, &[]),
        ],
        reads: &[
            scalar(0, 32767, 1), scalar(0, 32766, 2), scalar(0, 32764, 4), scalar(0, 32760, 8),
        ],
        writes: &[
            write(0, 32767, 1), write(0, 32766, 2), write(0, 32764, 4), write(0, 32760, 8),
        ],
    },
    ContextAccess {
        users: &[
            (P::Netfilter, &[]),
        ],
        reads: &[
            read(0, 0, 8, Kind::TrustedBtf("nf_hook_state")), read(8, 8, 8, Kind::TrustedBtf("sk_buff")),
        ],
        writes: &[],
    },
    ContextAccess {
        users: &[
            (P::LircMode2, &[]),
        ],
        reads: &[
            scalar(0, 0, 4),
        ],
        writes: &[],
    },
];
