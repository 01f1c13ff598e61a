//! What `BPF_PROG_LOAD` asks of each program type: expected attach types, return values, sleeping, capabilities.
//!
//! Measured by loading a small program for every combination: on Linux 6.18, and on Linux 6.1 for fentry, fexit, `fmod_ret`
//! and LSM. freplace and `lirc_mode2` follow the kernel's documentation.
//!
//! ```
//! use skep_catalog::{AttachType, ProgramType};
//!
//! let sock_addr = ProgramType::CgroupSockAddr;
//! assert!(sock_addr.accepts_attach_type(Some(AttachType::CgroupInet4Connect)));
//! assert!(!sock_addr.accepts_attach_type(None));
//! assert_eq!(sock_addr.return_range(Some(AttachType::CgroupInet4Bind)), Some(0..=3));
//! assert_eq!(ProgramType::Xdp.return_range(None), None);
//! ```

use std::ops::RangeInclusive;

use bitflags::bitflags;

use crate::{AttachType, LinkType, ProgramType};

bitflags! {
    /// Capabilities that whoever loads a program needs (`capabilities(7)`). `CAP_SYS_ADMIN` stands for all of them.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Capabilities: u8 {
        /// `CAP_BPF`. Socket filters and cgroup skb programs do without if `kernel.unprivileged_bpf_disabled` is 0.
        const BPF = 1;
        /// `CAP_PERFMON`.
        const PERFMON = 2;
        /// `CAP_NET_ADMIN`.
        const NET_ADMIN = 4;
    }
}

use AttachType as A;
use ProgramType as P;

impl ProgramType {
    /// The expected attach types that mean something to this type; none if it has none.
    #[must_use]
    pub const fn attach_types(self) -> &'static [AttachType] {
        match self {
            P::Kprobe => {
                &[A::TraceKprobeMulti, A::TraceUprobeMulti, A::TraceKprobeSession, A::TraceUprobeSession]
            }
            P::SchedCls => &[A::TcxIngress, A::TcxEgress, A::NetkitPrimary, A::NetkitPeer],
            P::Xdp => &[A::Xdp, A::XdpDevmap, A::XdpCpumap],
            P::PerfEvent => &[A::PerfEvent],
            P::CgroupSkb => &[A::CgroupInetIngress, A::CgroupInetEgress],
            P::CgroupSock => &[
                A::CgroupInetSockCreate,
                A::CgroupInet4PostBind,
                A::CgroupInet6PostBind,
                A::CgroupInetSockRelease,
            ],
            P::SockOps => &[A::CgroupSockOps],
            P::SkSkb => &[A::SkSkbStreamParser, A::SkSkbStreamVerdict, A::SkSkbVerdict],
            P::CgroupDevice => &[A::CgroupDevice],
            P::SkMsg => &[A::SkMsgVerdict],
            P::CgroupSockAddr => &[
                A::CgroupInet4Bind,
                A::CgroupInet6Bind,
                A::CgroupInet4Connect,
                A::CgroupInet6Connect,
                A::CgroupUnixConnect,
                A::CgroupUdp4Sendmsg,
                A::CgroupUdp6Sendmsg,
                A::CgroupUnixSendmsg,
                A::CgroupUdp4Recvmsg,
                A::CgroupUdp6Recvmsg,
                A::CgroupUnixRecvmsg,
                A::CgroupInet4Getpeername,
                A::CgroupInet6Getpeername,
                A::CgroupUnixGetpeername,
                A::CgroupInet4Getsockname,
                A::CgroupInet6Getsockname,
                A::CgroupUnixGetsockname,
            ],
            P::LircMode2 => &[A::LircMode2],
            P::SkReuseport => &[A::SkReuseportSelect, A::SkReuseportSelectOrMigrate],
            P::FlowDissector => &[A::FlowDissector],
            P::CgroupSysctl => &[A::CgroupSysctl],
            P::CgroupSockopt => &[A::CgroupGetsockopt, A::CgroupSetsockopt],
            P::Tracing => &[A::TraceRawTp, A::TraceFentry, A::TraceFexit, A::ModifyReturn, A::TraceIter],
            P::StructOps => &[A::StructOps],
            P::Lsm => &[A::LsmMac, A::LsmCgroup],
            P::SkLookup => &[A::SkLookup],
            P::Netfilter => &[A::Netfilter],
            P::Unspec | P::SocketFilter | P::SchedAct | P::Tracepoint => &[],
            P::LwtIn | P::LwtOut | P::LwtXmit | P::LwtSeg6local => &[],
            P::RawTracepoint | P::RawTracepointWritable | P::Ext | P::Syscall => &[],
        }
    }

    /// Whether it can only be loaded with one of its attach types as `expected_attach_type`.
    #[must_use]
    pub const fn requires_attach_type(self) -> bool {
        matches!(
            self,
            P::CgroupSockAddr | P::CgroupSockopt | P::SkLookup | P::Netfilter | P::Tracing | P::Lsm
        )
    }

    /// Whether `BPF_PROG_LOAD` takes this expected attach type (`None` is 0, which is also
    /// [`AttachType::CgroupInetIngress`]) for it. Types that do not look at it take any.
    ///
    /// For `struct_ops` the number is that of the member of the structure, so all are taken.
    #[must_use]
    pub fn accepts_attach_type(self, attach: Option<AttachType>) -> bool {
        let checks = self.requires_attach_type()
            || matches!(self, P::CgroupSkb | P::CgroupSock | P::SkReuseport | P::Syscall | P::Ext);
        match attach {
            _ if self == P::Unspec => false,
            _ if !checks => true,
            None | Some(A::CgroupInetIngress) => !self.requires_attach_type(),
            Some(attach) => self.attach_types().contains(&attach),
        }
    }

    /// The numbers that R0 may hold at exit, as signed 32-bit values, where the verifier enforces a range.
    ///
    /// LSM hooks and `struct_ops` members have ranges of their own, which follow from the hook.
    #[must_use]
    pub const fn return_range(self, attach: Option<AttachType>) -> Option<RangeInclusive<i32>> {
        match (self, attach) {
            (P::Kprobe, Some(A::TraceKprobeSession | A::TraceUprobeSession)) => Some(0..=1),
            (P::CgroupSkb, Some(A::CgroupInetEgress)) => Some(0..=3),
            (P::CgroupSockAddr, Some(A::CgroupInet4Bind | A::CgroupInet6Bind)) => Some(0..=3),
            (
                P::CgroupSockAddr,
                Some(
                    A::CgroupUdp4Recvmsg
                    | A::CgroupUdp6Recvmsg
                    | A::CgroupUnixRecvmsg
                    | A::CgroupInet4Getpeername
                    | A::CgroupInet6Getpeername
                    | A::CgroupUnixGetpeername
                    | A::CgroupInet4Getsockname
                    | A::CgroupInet6Getsockname
                    | A::CgroupUnixGetsockname,
                ),
            ) => Some(1..=1),
            (
                P::CgroupSkb
                | P::CgroupSock
                | P::CgroupSockAddr
                | P::CgroupDevice
                | P::CgroupSysctl
                | P::CgroupSockopt
                | P::SockOps
                | P::SkLookup
                | P::Netfilter,
                _,
            ) => Some(0..=1),
            (P::Tracing, Some(A::TraceFentry | A::TraceFexit)) => Some(0..=0),
            (P::Tracing, Some(A::TraceIter)) => Some(0..=1),
            _ => None,
        }
    }

    /// Whether it may be loaded with `BPF_F_SLEEPABLE`. Of the types that may, kprobes only sleep as uprobes; iterators and
    /// LSM programs only on hooks that may.
    #[must_use]
    pub fn may_sleep(self, attach: Option<AttachType>) -> bool {
        match self {
            P::Kprobe | P::Syscall | P::StructOps => true,
            P::Tracing => attach != Some(A::TraceRawTp),
            P::Lsm => attach != Some(A::LsmCgroup),
            _ => false,
        }
    }

    /// The type of the link that attaches a program of this type; `None` where there is no link and programs are attached with
    /// `BPF_PROG_ATTACH`, netlink or a socket option, or through a map.
    #[must_use]
    pub const fn link_type(self, attach: Option<AttachType>) -> Option<LinkType> {
        Some(match (self, attach) {
            (P::Kprobe, Some(A::TraceKprobeMulti | A::TraceKprobeSession)) => LinkType::KprobeMulti,
            (P::Kprobe, Some(A::TraceUprobeMulti | A::TraceUprobeSession)) => LinkType::UprobeMulti,
            (P::Kprobe | P::Tracepoint | P::PerfEvent, _) => LinkType::PerfEvent,
            (P::RawTracepoint | P::RawTracepointWritable, _) => LinkType::RawTracepoint,
            (P::Tracing, Some(A::TraceRawTp)) => LinkType::RawTracepoint,
            (P::Tracing, Some(A::TraceIter)) => LinkType::Iter,
            (P::Lsm, Some(A::LsmCgroup)) => LinkType::Cgroup,
            (P::Tracing | P::Lsm | P::Ext, _) => LinkType::Tracing,
            (P::Xdp, None | Some(A::Xdp)) => LinkType::Xdp,
            (P::SchedCls, Some(A::NetkitPrimary | A::NetkitPeer)) => LinkType::Netkit,
            (P::SchedCls, Some(A::TcxIngress | A::TcxEgress)) => LinkType::Tcx,
            (
                P::CgroupSkb
                | P::CgroupSock
                | P::CgroupSockAddr
                | P::CgroupSockopt
                | P::CgroupSysctl
                | P::CgroupDevice
                | P::SockOps,
                _,
            ) => LinkType::Cgroup,
            (P::FlowDissector | P::SkLookup, _) => LinkType::Netns,
            (P::SkMsg | P::SkSkb, _) => LinkType::Sockmap,
            (P::StructOps, _) => LinkType::StructOps,
            (P::Netfilter, _) => LinkType::Netfilter,
            _ => return None,
        })
    }

    /// The capabilities that it takes to load it.
    #[must_use]
    pub const fn capabilities(self) -> Capabilities {
        let more = match self {
            P::Kprobe | P::Tracepoint | P::PerfEvent | P::RawTracepoint | P::RawTracepointWritable => {
                Capabilities::PERFMON
            }
            P::Tracing | P::StructOps | P::Lsm => Capabilities::PERFMON,
            P::Ext => Capabilities::PERFMON.union(Capabilities::NET_ADMIN),
            P::SchedCls | P::SchedAct | P::Xdp | P::LwtIn | P::LwtOut | P::LwtXmit | P::LwtSeg6local => {
                Capabilities::NET_ADMIN
            }
            P::SockOps | P::SkSkb | P::SkMsg | P::FlowDissector | P::LircMode2 | P::Netfilter => {
                Capabilities::NET_ADMIN
            }
            P::CgroupSock | P::CgroupSockAddr | P::CgroupSockopt | P::CgroupSysctl | P::CgroupDevice => {
                Capabilities::NET_ADMIN
            }
            P::Unspec | P::SocketFilter | P::CgroupSkb | P::SkReuseport | P::SkLookup | P::Syscall => {
                Capabilities::empty()
            }
        };
        Capabilities::BPF.union(more)
    }
}

impl AttachType {
    /// The attach type that bpftool means by a name: its [`name`](Self::name), or the short forms that `bpftool cgroup`
    /// (`ingress`, `connect4`, `sock_ops`, ...) and `bpftool prog attach` (`stream_parser`, `msg_verdict`, ...) take as well.
    #[must_use]
    pub fn from_bpftool_name(name: &str) -> Option<Self> {
        let short = match name {
            "ingress" => A::CgroupInetIngress,
            "egress" => A::CgroupInetEgress,
            "sock_create" => A::CgroupInetSockCreate,
            "sock_release" => A::CgroupInetSockRelease,
            "sock_ops" => A::CgroupSockOps,
            "device" => A::CgroupDevice,
            "bind4" => A::CgroupInet4Bind,
            "bind6" => A::CgroupInet6Bind,
            "connect4" => A::CgroupInet4Connect,
            "connect6" => A::CgroupInet6Connect,
            "post_bind4" => A::CgroupInet4PostBind,
            "post_bind6" => A::CgroupInet6PostBind,
            "getpeername4" => A::CgroupInet4Getpeername,
            "getpeername6" => A::CgroupInet6Getpeername,
            "getsockname4" => A::CgroupInet4Getsockname,
            "getsockname6" => A::CgroupInet6Getsockname,
            "sendmsg4" => A::CgroupUdp4Sendmsg,
            "sendmsg6" => A::CgroupUdp6Sendmsg,
            "recvmsg4" => A::CgroupUdp4Recvmsg,
            "recvmsg6" => A::CgroupUdp6Recvmsg,
            "sysctl" => A::CgroupSysctl,
            "getsockopt" => A::CgroupGetsockopt,
            "setsockopt" => A::CgroupSetsockopt,
            "stream_parser" => A::SkSkbStreamParser,
            "stream_verdict" => A::SkSkbStreamVerdict,
            "skb_verdict" => A::SkSkbVerdict,
            "msg_verdict" => A::SkMsgVerdict,
            _ => return Self::from_name(name),
        };
        Some(short)
    }

    /// The program type that attaches with it.
    #[must_use]
    pub fn program_type(self) -> Option<ProgramType> {
        ProgramType::ALL.iter().copied().find(|program| program.attach_types().contains(&self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sections::SECTIONS;

    #[test]
    fn every_attach_type_belongs_to_one_program_type() {
        for &attach in AttachType::ALL {
            let owners = ProgramType::ALL.iter().filter(|program| program.attach_types().contains(&attach));
            assert_eq!(owners.count(), 1, "{attach}");
            assert!(
                attach.program_type().is_some_and(|program| program.since() <= attach.since()),
                "{attach}"
            );
        }
    }

    #[test]
    fn programs_of_every_section_can_be_loaded_as_the_section_says() {
        for section in SECTIONS {
            assert!(section.prog_type.accepts_attach_type(section.attach_type), "{}", section.name);
            let owner = section.attach_type.map(AttachType::program_type);
            assert!(owner.is_none_or(|owner| owner == Some(section.prog_type)), "{}", section.name);
            if section.flags.contains(crate::sections::SectionFlags::SLEEPABLE) {
                assert!(section.prog_type.may_sleep(section.attach_type), "{}", section.name);
            }
        }
    }

    #[test]
    fn types_that_look_at_the_attach_type_refuse_those_of_others() {
        assert!(P::Xdp.accepts_attach_type(Some(A::TcxIngress)), "it does not look");
        assert!(!P::SkLookup.accepts_attach_type(Some(A::Xdp)));
        assert!(!P::CgroupSkb.accepts_attach_type(Some(A::Xdp)));
        assert!(P::CgroupSock.accepts_attach_type(None), "0 once meant sock_create");
        assert!(P::CgroupSock.accepts_attach_type(Some(A::CgroupInetIngress)), "which is that 0");
        assert!(!P::Syscall.accepts_attach_type(Some(A::Xdp)));
        assert!(!P::Tracing.accepts_attach_type(None));
    }

    #[test]
    fn every_link_type_attaches_some_program() {
        let kinds = || {
            let attach_types = || std::iter::once(None).chain(AttachType::ALL.iter().copied().map(Some));
            ProgramType::ALL
                .iter()
                .flat_map(move |program| attach_types().map(|attach| program.link_type(attach)))
        };
        for &link in LinkType::ALL.iter().filter(|link| **link != LinkType::Unspec) {
            assert!(kinds().any(|found| found == Some(link)), "{link}");
        }
        assert_eq!(P::SocketFilter.link_type(None), None);
    }

    #[test]
    fn short_names_are_those_of_bpftool() {
        assert_eq!(A::from_bpftool_name("connect4"), Some(A::CgroupInet4Connect));
        assert_eq!(A::from_bpftool_name("cgroup_inet4_connect"), Some(A::CgroupInet4Connect));
        assert_eq!(A::from_bpftool_name("msg_verdict"), Some(A::SkMsgVerdict));
        assert_eq!(A::from_bpftool_name("cgroup_skb"), None);
    }
}
