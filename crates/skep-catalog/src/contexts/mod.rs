//! Contexts: what R1 points to when a program starts, for every program type.
//!
//! ```
//! use skep_catalog::contexts::{self, Context, ContextRegister};
//! use skep_catalog::ProgramType;
//!
//! let Context::Struct(skb) = contexts::of(ProgramType::SchedCls) else { unreachable!() };
//! assert_eq!((skb.name, skb.size), ("__sk_buff", 192));
//! assert_eq!(skb.field("mark").unwrap().offset, 8);
//!
//! let rules = contexts::access(ProgramType::SchedCls, None).unwrap();
//! assert_eq!(rules.read(76, 4), Some(ContextRegister::Packet));
//! assert_eq!(rules.read(76, 2), None, "packet pointers are read whole");
//! assert!(rules.may_write(8, 4) && !rules.may_write(0, 4));
//! ```

mod access;
mod structs;

use crate::{Arch, AttachType, ProgramType};

pub use structs::*;

/// What the context of a program type is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// A structure of `linux/bpf.h`. What the program sees is not what lies in memory: the verifier turns each access into
    /// one to the kernel's own object.
    Struct(&'static ContextStruct),
    /// The registers at the probed instruction; see [`pt_regs`].
    Registers,
    /// The record of a tracepoint; see [`Tracepoint`](crate::Tracepoint).
    Tracepoint,
    /// One `u64` for each argument of the tracepoint, at most twelve; see [`RawTracepoint`](crate::RawTracepoint).
    RawTracepoint,
    /// One 8-byte slot for each argument of the function, hook or tracepoint that the program attaches to, typed by BTF; for
    /// fexit and `fmod_ret` the return value comes after the last.
    BtfArguments,
    /// One `__u32`: the sample of the infrared receiver.
    LircSample,
    /// Memory that the caller of `BPF_PROG_TEST_RUN` gives, readable and writable.
    CallerMemory,
    /// That of the program a function of which is replaced.
    OfReplaced,
    /// There are no programs of this type.
    None,
}

/// A structure that a program sees as its context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContextStruct {
    /// Its name, without `struct`.
    pub name: &'static str,
    /// Bytes in it.
    pub size: u32,
    /// Its fields, by offset.
    pub fields: &'static [ContextField],
}

/// A field of a context structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContextField {
    /// Name.
    pub name: &'static str,
    /// C type, of an element if it is an array.
    pub c_type: &'static str,
    /// Number of elements if it is an array.
    pub array: Option<u32>,
    /// Bytes from the start of the structure.
    pub offset: u32,
    /// Bytes in it.
    pub size: u32,
}

/// The access rules of one context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContextAccess {
    /// Program types with the expected attach types that the rules are for; an empty list stands for all others of the type.
    pub users: &'static [(ProgramType, &'static [AttachType])],
    /// What may be read.
    pub reads: &'static [ContextRead],
    /// What may be written, from a register that holds a number.
    pub writes: &'static [ContextWrite],
}

/// Reads of `size` bytes at `first`, `first + size`, ..., `last` are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContextRead {
    /// The first offset in bytes.
    pub first: u32,
    /// The last offset in bytes.
    pub last: u32,
    /// Bytes read: 1, 2, 4 or 8.
    pub size: u32,
    /// What the register holds then.
    pub register: ContextRegister,
}

/// Writes of `size` bytes at `first`, `first + size`, ..., `last` are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContextWrite {
    /// The first offset in bytes.
    pub first: u32,
    /// The last offset in bytes.
    pub last: u32,
    /// Bytes written: 1, 2, 4 or 8.
    pub size: u32,
}

/// What a register holds after a read from the context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContextRegister {
    /// A number of the size read, zero-extended.
    Scalar,
    /// Start of the packet (`PTR_TO_PACKET`).
    Packet,
    /// End of the packet (`PTR_TO_PACKET_END`).
    PacketEnd,
    /// Start of the metadata before the packet (`PTR_TO_PACKET_META`).
    PacketMeta,
    /// A full socket (`PTR_TO_SOCKET`).
    Socket,
    /// A full socket or null.
    SocketOrNull,
    /// Any socket or null (`PTR_TO_SOCK_COMMON_OR_NULL`).
    SockCommonOrNull,
    /// The `struct bpf_flow_keys` of a flow dissector (`PTR_TO_FLOW_KEYS`).
    FlowKeys,
    /// The buffer of a writable tracepoint (`PTR_TO_TP_BUFFER`).
    TracepointBuffer,
    /// A trusted BTF pointer to this kernel type (`PTR_TO_BTF_ID | PTR_TRUSTED`).
    TrustedBtf(&'static str),
}

/// What the context of a program type is.
#[must_use]
pub fn of(program: ProgramType) -> Context {
    use ProgramType as P;
    match program {
        P::SocketFilter | P::SchedCls | P::SchedAct | P::CgroupSkb | P::SkSkb | P::FlowDissector => {
            Context::Struct(&SK_BUFF)
        }
        P::LwtIn | P::LwtOut | P::LwtXmit | P::LwtSeg6local => Context::Struct(&SK_BUFF),
        P::Kprobe => Context::Registers,
        P::Tracepoint => Context::Tracepoint,
        P::Xdp => Context::Struct(&XDP_MD),
        P::PerfEvent => Context::Struct(&BPF_PERF_EVENT_DATA),
        P::CgroupSock => Context::Struct(&BPF_SOCK),
        P::SockOps => Context::Struct(&BPF_SOCK_OPS),
        P::CgroupDevice => Context::Struct(&BPF_CGROUP_DEV_CTX),
        P::SkMsg => Context::Struct(&SK_MSG_MD),
        P::RawTracepoint | P::RawTracepointWritable => Context::RawTracepoint,
        P::CgroupSockAddr => Context::Struct(&BPF_SOCK_ADDR),
        P::LircMode2 => Context::LircSample,
        P::SkReuseport => Context::Struct(&SK_REUSEPORT_MD),
        P::CgroupSysctl => Context::Struct(&BPF_SYSCTL),
        P::CgroupSockopt => Context::Struct(&BPF_SOCKOPT),
        P::Tracing | P::StructOps | P::Lsm => Context::BtfArguments,
        P::Unspec => Context::None,
        P::Ext => Context::OfReplaced,
        P::SkLookup => Context::Struct(&BPF_SK_LOOKUP),
        P::Syscall => Context::CallerMemory,
        P::Netfilter => Context::Struct(&BPF_NF_CTX),
    }
}

/// The access rules for a program type and expected attach type, if they do not follow from BTF.
///
/// Types whose rules depend on the attach type have none without one, except `xdp` and `cgroup_sock`, which may be loaded
/// without.
#[must_use]
pub fn access(program: ProgramType, attach: Option<AttachType>) -> Option<&'static ContextAccess> {
    let find = |wanted: &dyn Fn(&[AttachType]) -> bool| {
        access::ACCESS
            .iter()
            .find(|rules| rules.users.iter().any(|(user, attaches)| *user == program && wanted(attaches)))
    };
    find(&|attaches| attach.is_some_and(|attach| attaches.contains(&attach)))
        .or_else(|| find(&<[AttachType]>::is_empty))
}

/// The registers as a program of type `kprobe` sees them.
#[must_use]
pub fn pt_regs(arch: Arch) -> &'static ContextStruct {
    match arch {
        Arch::X86_64 => &PT_REGS_X86_64,
        Arch::Arm64 => &USER_PT_REGS_ARM64,
    }
}

impl ContextStruct {
    /// The field with this name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'static ContextField> {
        self.fields.iter().find(|field| field.name == name)
    }
}

impl ContextField {
    /// The field in C, without a semicolon: `__u32 cb[5]`.
    #[must_use]
    pub fn declaration(&self) -> String {
        let Self { c_type, name, .. } = self;
        let space = if c_type.ends_with('*') { "" } else { " " };
        match self.array {
            Some(len) => format!("{c_type}{space}{name}[{len}]"),
            None => format!("{c_type}{space}{name}"),
        }
    }
}

impl ContextAccess {
    /// What a register holds after a read of `size` bytes at `offset`; `None` if the read is not allowed.
    #[must_use]
    pub fn read(&self, offset: u32, size: u32) -> Option<ContextRegister> {
        self.reads
            .iter()
            .find(|read| covers(read.first, read.last, read.size, offset, size))
            .map(|read| read.register)
    }

    /// Whether a number of `size` bytes may be written at `offset`.
    #[must_use]
    pub fn may_write(&self, offset: u32, size: u32) -> bool {
        self.writes.iter().any(|write| covers(write.first, write.last, write.size, offset, size))
    }
}

const fn covers(first: u32, last: u32, step: u32, offset: u32, size: u32) -> bool {
    size == step && first <= offset && offset <= last && (offset - first).is_multiple_of(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every structure of the module.
    const STRUCTS: &[&ContextStruct] = &[
        &SK_BUFF,
        &XDP_MD,
        &BPF_SOCK,
        &BPF_SOCK_ADDR,
        &BPF_SOCK_OPS,
        &SK_MSG_MD,
        &SK_REUSEPORT_MD,
        &BPF_SK_LOOKUP,
        &BPF_CGROUP_DEV_CTX,
        &BPF_SYSCTL,
        &BPF_SOCKOPT,
        &BPF_PERF_EVENT_DATA,
        &BPF_NF_CTX,
        &BPF_FLOW_KEYS,
        &BPF_TCP_SOCK,
        &PT_REGS_X86_64,
        &USER_PT_REGS_ARM64,
    ];

    #[test]
    fn fields_lie_in_order_inside_their_structure() {
        for context in STRUCTS {
            let mut previous = 0;
            for field in context.fields {
                assert!(field.offset + field.size <= context.size, "{}.{}", context.name, field.name);
                assert!(field.size % field.array.unwrap_or(1) == 0, "{}.{}", context.name, field.name);
                // Members of one union may start anew at its beginning.
                assert!(field.offset + 16 >= previous, "{}.{}", context.name, field.name);
                previous = field.offset;
            }
        }
    }

    #[test]
    fn every_program_type_has_access_rules_or_gets_them_from_btf() {
        for &program in ProgramType::ALL {
            let has_rules = AttachType::ALL.iter().any(|&attach| access(program, Some(attach)).is_some());
            let from_elsewhere =
                matches!(of(program), Context::BtfArguments | Context::OfReplaced | Context::None);
            assert_eq!(has_rules, !from_elsewhere, "{program}");
        }
    }

    #[test]
    fn access_stays_inside_the_structure() {
        for rules in access::ACCESS {
            for (program, _) in rules.users {
                let Context::Struct(context) = of(*program) else { continue };
                let ends = rules.reads.iter().map(|read| read.last + read.size);
                let ends = ends.chain(rules.writes.iter().map(|write| write.last + write.size));
                for end in ends {
                    assert!(end <= context.size, "{program}: {end} > {}", context.size);
                }
            }
        }
    }

    #[test]
    fn rules_depend_on_the_attach_type() {
        let egress_ifindex = XDP_MD.field("egress_ifindex").unwrap().offset;
        let may_read = |attach| access(ProgramType::Xdp, attach).unwrap().read(egress_ifindex, 4).is_some();
        assert!(may_read(Some(AttachType::XdpDevmap)));
        assert!(!may_read(Some(AttachType::Xdp)) && !may_read(None));

        let retval = BPF_SOCKOPT.field("retval").unwrap().offset;
        let sockopt = |attach| access(ProgramType::CgroupSockopt, Some(attach)).unwrap();
        assert!(sockopt(AttachType::CgroupGetsockopt).may_write(retval, 4));
        assert!(!sockopt(AttachType::CgroupSetsockopt).may_write(retval, 4));
        assert!(access(ProgramType::CgroupSockopt, None).is_none());
    }

    /// The structures of `linux/bpf.h`, compared field by field where the header is there: names must all be known.
    #[test]
    fn names_agree_with_the_header() {
        let Ok(header) = std::fs::read_to_string("/usr/include/linux/bpf.h") else {
            skep_testing::skip!("no linux/bpf.h");
            return;
        };
        let mut compared = 0;
        for context in STRUCTS {
            let Some((_, rest)) = header.split_once(&format!("\nstruct {} {{\n", context.name)) else {
                continue;
            };
            let (body, _) = rest.split_once("\n}").unwrap();
            for line in body.lines() {
                let code = line.split("/*").next().unwrap().trim().trim_end_matches(';');
                let Some((_, declarator)) = code.rsplit_once([' ', '\t']) else { continue };
                let name = declarator.trim_start_matches('*').split('[').next().unwrap();
                let is_field = code.starts_with("__u") || code.starts_with("__s") || code.starts_with("__be");
                if is_field && !declarator.starts_with(':') && !code.contains(" :") {
                    assert!(context.field(name).is_some(), "{}.{name}", context.name);
                    compared += 1;
                }
            }
        }
        assert!(compared > 100, "the header was not understood: {compared} fields");
    }
}
