//! Section names: how libbpf tells a program's type from the name of its ELF section.
//!
//! The table is that of libbpf 1.5 to 1.7 for the kernels that the catalog describes (docs.kernel.org, "Program Types and ELF
//! Sections"); libbpf 1.7 answers the same for each name, with and without more after it. A name ending in `+` stands
//! for itself and for itself followed by `/` and more, which names what to attach to; any other stands for itself only.
//! The mark `?` before a section name (do not load by default) is not part of it: strip it before looking up.
//!
//! ```
//! use skep_catalog::sections::{self, AutoAttach, SectionFlags};
//! use skep_catalog::{AttachType, ProgramType};
//!
//! let found = sections::lookup("fentry.s/do_unlinkat").unwrap();
//! assert_eq!(found.section.prog_type, ProgramType::Tracing);
//! assert_eq!(found.section.attach_type, Some(AttachType::TraceFentry));
//! assert_eq!(found.section.auto_attach, Some(AutoAttach::Trace));
//! assert!(found.section.flags.contains(SectionFlags::SLEEPABLE));
//! assert_eq!(found.extra, Some("do_unlinkat"));
//!
//! assert_eq!(sections::lookup("kprobe").unwrap().extra, None);
//! assert!(sections::lookup("kprobes/x").is_none());
//! assert!(sections::lookup("xdp/anything").is_none());
//! ```

use bitflags::bitflags;

use crate::{AttachType, ProgramType};

/// One row: a section name and what a program in it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    /// The name, without the `+` that says that more may follow.
    pub name: &'static str,
    /// Whether `/` and more may follow the name.
    pub takes_extra: bool,
    /// Program type.
    pub prog_type: ProgramType,
    /// Expected attach type, if the name implies one; `bpf(2)` gets 0 otherwise.
    pub attach_type: Option<AttachType>,
    /// Further properties.
    pub flags: SectionFlags,
    /// How the program is attached from its section name alone, if it can be.
    pub auto_attach: Option<AutoAttach>,
}

bitflags! {
    /// Properties of the programs of a section.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct SectionFlags: u8 {
        /// The expected attach type may be left out for a kernel that does not know it (`SEC_EXP_ATTACH_OPT`).
        const ATTACH_TYPE_OPTIONAL = 1;
        /// The attach type is one of `BPF_PROG_ATTACH` (`SEC_ATTACHABLE`).
        const ATTACHABLE = 2;
        /// What it attaches to is named by BTF id at load (`SEC_ATTACH_BTF`).
        const ATTACH_BTF = 4;
        /// Loaded with `BPF_F_SLEEPABLE` (`SEC_SLEEPABLE`).
        const SLEEPABLE = 8;
        /// Loaded with `BPF_F_XDP_HAS_FRAGS` (`SEC_XDP_FRAGS`).
        const XDP_FRAGS = 16;
    }
}

/// How a program is attached from its section name. The forms are those of the whole section name; without the part after
/// `/` there is nothing to attach to, and attaching is left to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AutoAttach {
    /// `kprobe/FUNCTION[+OFFSET]`, `kretprobe/FUNCTION`.
    Kprobe,
    /// `kprobe.multi/PATTERN`, `kretprobe.multi/PATTERN`; in the pattern `*` and `?` are wildcards.
    KprobeMulti,
    /// `kprobe.session/PATTERN`.
    KprobeSession,
    /// `uprobe/PATH:FUNCTION[+OFFSET]`, `uretprobe/PATH:FUNCTION[+OFFSET]`.
    Uprobe,
    /// `uprobe.multi/PATH:PATTERN`, `uretprobe.multi/...`, `uprobe.session/...`.
    UprobeMulti,
    /// `ksyscall/SYSCALL`, `kretsyscall/SYSCALL`, without the architecture's prefix.
    Ksyscall,
    /// `usdt/PATH:PROVIDER:NAME`.
    Usdt,
    /// `tracepoint/CATEGORY/NAME`, `tp/CATEGORY/NAME`.
    Tracepoint,
    /// `raw_tracepoint/NAME`, `raw_tp/NAME`.
    RawTracepoint,
    /// `tp_btf/NAME`, `fentry/FUNCTION`, `fexit/FUNCTION`, `fmod_ret/FUNCTION`, `freplace/FUNCTION`.
    Trace,
    /// `lsm/HOOK`.
    Lsm,
    /// `iter/KIND`.
    Iter,
}

/// A section name found in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SectionMatch<'a> {
    /// The row.
    pub section: &'static Section,
    /// What follows the name and its `/`; `None` if there is no `/`.
    pub extra: Option<&'a str>,
}

/// Finds the row for a section name, in the order of libbpf's table.
#[must_use]
pub fn lookup(name: &str) -> Option<SectionMatch<'_>> {
    SECTIONS.iter().find_map(|section| {
        let rest = name.strip_prefix(section.name)?;
        let extra = match rest.strip_prefix('/') {
            None if rest.is_empty() => None,
            Some(extra) if section.takes_extra => Some(extra),
            _ => return None,
        };
        Some(SectionMatch { section, extra })
    })
}

impl Section {
    /// As libbpf's table writes it: with `+` if more may follow.
    #[must_use]
    pub fn pattern(&self) -> String {
        format!("{}{}", self.name, if self.takes_extra { "+" } else { "" })
    }
}

const NONE: SectionFlags = SectionFlags::empty();
const ATTACHABLE: SectionFlags = SectionFlags::ATTACHABLE;
const ATTACHABLE_OPT: SectionFlags = ATTACHABLE.union(SectionFlags::ATTACH_TYPE_OPTIONAL);
const BTF: SectionFlags = SectionFlags::ATTACH_BTF;
const SLEEPABLE: SectionFlags = SectionFlags::SLEEPABLE;
const BTF_SLEEPABLE: SectionFlags = BTF.union(SLEEPABLE);
const FRAGS: SectionFlags = SectionFlags::XDP_FRAGS;

/// A name that stands for itself.
const fn exact(
    name: &'static str,
    prog_type: ProgramType,
    attach_type: Option<AttachType>,
    flags: SectionFlags,
) -> Section {
    Section { name, takes_extra: false, prog_type, attach_type, flags, auto_attach: None }
}

/// A name that more may follow.
const fn more(
    name: &'static str,
    prog_type: ProgramType,
    attach_type: Option<AttachType>,
    flags: SectionFlags,
    auto_attach: Option<AutoAttach>,
) -> Section {
    Section { name, takes_extra: true, prog_type, attach_type, flags, auto_attach }
}

use AttachType as A;
use AutoAttach as Auto;
use ProgramType as P;

/// The whole table, in libbpf's order.
#[rustfmt::skip]
pub static SECTIONS: &[Section] = &[
    exact("socket", P::SocketFilter, None, NONE),
    exact("sk_reuseport/migrate", P::SkReuseport, Some(A::SkReuseportSelectOrMigrate), ATTACHABLE),
    exact("sk_reuseport", P::SkReuseport, Some(A::SkReuseportSelect), ATTACHABLE),
    more("kprobe", P::Kprobe, None, NONE, Some(Auto::Kprobe)),
    more("uprobe", P::Kprobe, None, NONE, Some(Auto::Uprobe)),
    more("uprobe.s", P::Kprobe, None, SLEEPABLE, Some(Auto::Uprobe)),
    more("kretprobe", P::Kprobe, None, NONE, Some(Auto::Kprobe)),
    more("uretprobe", P::Kprobe, None, NONE, Some(Auto::Uprobe)),
    more("uretprobe.s", P::Kprobe, None, SLEEPABLE, Some(Auto::Uprobe)),
    more("kprobe.multi", P::Kprobe, Some(A::TraceKprobeMulti), NONE, Some(Auto::KprobeMulti)),
    more("kretprobe.multi", P::Kprobe, Some(A::TraceKprobeMulti), NONE, Some(Auto::KprobeMulti)),
    more("kprobe.session", P::Kprobe, Some(A::TraceKprobeSession), NONE, Some(Auto::KprobeSession)),
    more("uprobe.multi", P::Kprobe, Some(A::TraceUprobeMulti), NONE, Some(Auto::UprobeMulti)),
    more("uretprobe.multi", P::Kprobe, Some(A::TraceUprobeMulti), NONE, Some(Auto::UprobeMulti)),
    more("uprobe.session", P::Kprobe, Some(A::TraceUprobeSession), NONE, Some(Auto::UprobeMulti)),
    more("uprobe.multi.s", P::Kprobe, Some(A::TraceUprobeMulti), SLEEPABLE, Some(Auto::UprobeMulti)),
    more("uretprobe.multi.s", P::Kprobe, Some(A::TraceUprobeMulti), SLEEPABLE, Some(Auto::UprobeMulti)),
    more("uprobe.session.s", P::Kprobe, Some(A::TraceUprobeSession), SLEEPABLE, Some(Auto::UprobeMulti)),
    more("ksyscall", P::Kprobe, None, NONE, Some(Auto::Ksyscall)),
    more("kretsyscall", P::Kprobe, None, NONE, Some(Auto::Ksyscall)),
    more("usdt", P::Kprobe, None, NONE, Some(Auto::Usdt)),
    more("usdt.s", P::Kprobe, None, SLEEPABLE, Some(Auto::Usdt)),
    exact("tc/ingress", P::SchedCls, Some(A::TcxIngress), NONE),
    exact("tc/egress", P::SchedCls, Some(A::TcxEgress), NONE),
    exact("tcx/ingress", P::SchedCls, Some(A::TcxIngress), NONE),
    exact("tcx/egress", P::SchedCls, Some(A::TcxEgress), NONE),
    exact("tc", P::SchedCls, None, NONE),
    exact("classifier", P::SchedCls, None, NONE),
    exact("action", P::SchedAct, None, NONE),
    exact("netkit/primary", P::SchedCls, Some(A::NetkitPrimary), NONE),
    exact("netkit/peer", P::SchedCls, Some(A::NetkitPeer), NONE),
    more("tracepoint", P::Tracepoint, None, NONE, Some(Auto::Tracepoint)),
    more("tp", P::Tracepoint, None, NONE, Some(Auto::Tracepoint)),
    more("raw_tracepoint", P::RawTracepoint, None, NONE, Some(Auto::RawTracepoint)),
    more("raw_tp", P::RawTracepoint, None, NONE, Some(Auto::RawTracepoint)),
    more("raw_tracepoint.w", P::RawTracepointWritable, None, NONE, Some(Auto::RawTracepoint)),
    more("raw_tp.w", P::RawTracepointWritable, None, NONE, Some(Auto::RawTracepoint)),
    more("tp_btf", P::Tracing, Some(A::TraceRawTp), BTF, Some(Auto::Trace)),
    more("fentry", P::Tracing, Some(A::TraceFentry), BTF, Some(Auto::Trace)),
    more("fmod_ret", P::Tracing, Some(A::ModifyReturn), BTF, Some(Auto::Trace)),
    more("fexit", P::Tracing, Some(A::TraceFexit), BTF, Some(Auto::Trace)),
    more("fentry.s", P::Tracing, Some(A::TraceFentry), BTF_SLEEPABLE, Some(Auto::Trace)),
    more("fmod_ret.s", P::Tracing, Some(A::ModifyReturn), BTF_SLEEPABLE, Some(Auto::Trace)),
    more("fexit.s", P::Tracing, Some(A::TraceFexit), BTF_SLEEPABLE, Some(Auto::Trace)),
    more("freplace", P::Ext, None, BTF, Some(Auto::Trace)),
    more("lsm", P::Lsm, Some(A::LsmMac), BTF, Some(Auto::Lsm)),
    more("lsm.s", P::Lsm, Some(A::LsmMac), BTF_SLEEPABLE, Some(Auto::Lsm)),
    more("lsm_cgroup", P::Lsm, Some(A::LsmCgroup), BTF, None),
    more("iter", P::Tracing, Some(A::TraceIter), BTF, Some(Auto::Iter)),
    more("iter.s", P::Tracing, Some(A::TraceIter), BTF_SLEEPABLE, Some(Auto::Iter)),
    exact("syscall", P::Syscall, None, SLEEPABLE),
    exact("xdp.frags/devmap", P::Xdp, Some(A::XdpDevmap), FRAGS),
    exact("xdp/devmap", P::Xdp, Some(A::XdpDevmap), ATTACHABLE),
    exact("xdp.frags/cpumap", P::Xdp, Some(A::XdpCpumap), FRAGS),
    exact("xdp/cpumap", P::Xdp, Some(A::XdpCpumap), ATTACHABLE),
    exact("xdp.frags", P::Xdp, Some(A::Xdp), FRAGS),
    exact("xdp", P::Xdp, Some(A::Xdp), ATTACHABLE_OPT),
    exact("perf_event", P::PerfEvent, None, NONE),
    exact("lwt_in", P::LwtIn, None, NONE),
    exact("lwt_out", P::LwtOut, None, NONE),
    exact("lwt_xmit", P::LwtXmit, None, NONE),
    exact("lwt_seg6local", P::LwtSeg6local, None, NONE),
    exact("sockops", P::SockOps, Some(A::CgroupSockOps), ATTACHABLE_OPT),
    exact("sk_skb/stream_parser", P::SkSkb, Some(A::SkSkbStreamParser), ATTACHABLE_OPT),
    exact("sk_skb/stream_verdict", P::SkSkb, Some(A::SkSkbStreamVerdict), ATTACHABLE_OPT),
    exact("sk_skb/verdict", P::SkSkb, Some(A::SkSkbVerdict), ATTACHABLE_OPT),
    exact("sk_skb", P::SkSkb, None, NONE),
    exact("sk_msg", P::SkMsg, Some(A::SkMsgVerdict), ATTACHABLE_OPT),
    exact("lirc_mode2", P::LircMode2, Some(A::LircMode2), ATTACHABLE_OPT),
    exact("flow_dissector", P::FlowDissector, Some(A::FlowDissector), ATTACHABLE_OPT),
    exact("cgroup_skb/ingress", P::CgroupSkb, Some(A::CgroupInetIngress), ATTACHABLE_OPT),
    exact("cgroup_skb/egress", P::CgroupSkb, Some(A::CgroupInetEgress), ATTACHABLE_OPT),
    exact("cgroup/skb", P::CgroupSkb, None, NONE),
    exact("cgroup/sock_create", P::CgroupSock, Some(A::CgroupInetSockCreate), ATTACHABLE),
    exact("cgroup/sock_release", P::CgroupSock, Some(A::CgroupInetSockRelease), ATTACHABLE),
    exact("cgroup/sock", P::CgroupSock, Some(A::CgroupInetSockCreate), ATTACHABLE_OPT),
    exact("cgroup/post_bind4", P::CgroupSock, Some(A::CgroupInet4PostBind), ATTACHABLE),
    exact("cgroup/post_bind6", P::CgroupSock, Some(A::CgroupInet6PostBind), ATTACHABLE),
    exact("cgroup/bind4", P::CgroupSockAddr, Some(A::CgroupInet4Bind), ATTACHABLE),
    exact("cgroup/bind6", P::CgroupSockAddr, Some(A::CgroupInet6Bind), ATTACHABLE),
    exact("cgroup/connect4", P::CgroupSockAddr, Some(A::CgroupInet4Connect), ATTACHABLE),
    exact("cgroup/connect6", P::CgroupSockAddr, Some(A::CgroupInet6Connect), ATTACHABLE),
    exact("cgroup/connect_unix", P::CgroupSockAddr, Some(A::CgroupUnixConnect), ATTACHABLE),
    exact("cgroup/sendmsg4", P::CgroupSockAddr, Some(A::CgroupUdp4Sendmsg), ATTACHABLE),
    exact("cgroup/sendmsg6", P::CgroupSockAddr, Some(A::CgroupUdp6Sendmsg), ATTACHABLE),
    exact("cgroup/sendmsg_unix", P::CgroupSockAddr, Some(A::CgroupUnixSendmsg), ATTACHABLE),
    exact("cgroup/recvmsg4", P::CgroupSockAddr, Some(A::CgroupUdp4Recvmsg), ATTACHABLE),
    exact("cgroup/recvmsg6", P::CgroupSockAddr, Some(A::CgroupUdp6Recvmsg), ATTACHABLE),
    exact("cgroup/recvmsg_unix", P::CgroupSockAddr, Some(A::CgroupUnixRecvmsg), ATTACHABLE),
    exact("cgroup/getpeername4", P::CgroupSockAddr, Some(A::CgroupInet4Getpeername), ATTACHABLE),
    exact("cgroup/getpeername6", P::CgroupSockAddr, Some(A::CgroupInet6Getpeername), ATTACHABLE),
    exact("cgroup/getpeername_unix", P::CgroupSockAddr, Some(A::CgroupUnixGetpeername), ATTACHABLE),
    exact("cgroup/getsockname4", P::CgroupSockAddr, Some(A::CgroupInet4Getsockname), ATTACHABLE),
    exact("cgroup/getsockname6", P::CgroupSockAddr, Some(A::CgroupInet6Getsockname), ATTACHABLE),
    exact("cgroup/getsockname_unix", P::CgroupSockAddr, Some(A::CgroupUnixGetsockname), ATTACHABLE),
    exact("cgroup/sysctl", P::CgroupSysctl, Some(A::CgroupSysctl), ATTACHABLE),
    exact("cgroup/getsockopt", P::CgroupSockopt, Some(A::CgroupGetsockopt), ATTACHABLE),
    exact("cgroup/setsockopt", P::CgroupSockopt, Some(A::CgroupSetsockopt), ATTACHABLE),
    exact("cgroup/dev", P::CgroupDevice, Some(A::CgroupDevice), ATTACHABLE_OPT),
    more("struct_ops", P::StructOps, None, NONE, None),
    more("struct_ops.s", P::StructOps, None, SLEEPABLE, None),
    exact("sk_lookup", P::SkLookup, Some(A::SkLookup), ATTACHABLE),
    exact("netfilter", P::Netfilter, Some(A::Netfilter), NONE),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_find_themselves() {
        for section in SECTIONS {
            let found = lookup(section.name).unwrap();
            assert_eq!((found.section, found.extra), (section, None), "{}", section.name);
            assert_eq!(
                SECTIONS.iter().filter(|other| other.name == section.name).count(),
                1,
                "{}",
                section.name
            );
        }
    }

    #[test]
    fn more_may_follow_only_after_a_slash_and_only_where_the_table_says_so() {
        for section in SECTIONS {
            let with_extra = format!("{}/a/b", section.name);
            let found = lookup(&with_extra).filter(|found| found.section == section);
            assert_eq!(
                found.map(|found| found.extra),
                section.takes_extra.then_some(Some("a/b")),
                "{with_extra}"
            );
            let glued = format!("{}x", section.name);
            assert!(lookup(&glued).is_none(), "{glued}");
        }
        assert_eq!(lookup("kprobe/").unwrap().extra, Some(""));
        assert!(lookup("").is_none());
        assert!(lookup("?kprobe/x").is_none(), "the mark is the caller's to strip");
    }

    #[test]
    fn sleepable_is_what_the_suffix_says() {
        for section in SECTIONS.iter().filter(|section| section.name != "syscall") {
            assert_eq!(section.flags.contains(SLEEPABLE), section.name.ends_with(".s"), "{}", section.name);
        }
    }

    #[test]
    fn an_attachable_section_has_an_attach_type() {
        for section in SECTIONS.iter().filter(|section| section.flags.contains(ATTACHABLE)) {
            assert!(section.attach_type.is_some(), "{}", section.name);
        }
    }
}
