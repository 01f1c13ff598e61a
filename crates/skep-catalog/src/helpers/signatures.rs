//! Helpers that take other arguments in some program types, measured on Linux 6.18.

use super::types::{ANYTHING, BTF_SOCK_COMMON, CTX, MAP, MAP_VALUE, MEM, SIZE, SOCKET, btf};
use super::{Arg, ArgType, Helper, id};
use crate::ProgramType;

impl Helper {
    /// Its arguments in programs of this type. They differ from [`args`](Self::args) for the few helpers that find their
    /// object through the context in some types and are given it in others.
    ///
    /// ```
    /// use skep_catalog::{ArgKind, Helper, ProgramType};
    ///
    /// let cookie = Helper::by_name("get_socket_cookie").unwrap();
    /// assert_eq!(cookie.args_for(ProgramType::SchedCls)[0].ty.kind, ArgKind::PtrToCtx);
    /// assert_eq!(cookie.args_for(ProgramType::Tracing)[0].ty.kind, ArgKind::PtrToBtfIdSockCommon);
    /// ```
    #[must_use]
    pub fn args_for(&self, program: ProgramType) -> &'static [Arg] {
        use ProgramType as P;
        match (self.id, program) {
            // Skb-based programs ask for the packet's class, all others for the current task's.
            (id::get_cgroup_classid, P::SchedCls | P::SchedAct) => self.args,
            (id::get_cgroup_classid, P::LwtIn | P::LwtOut | P::LwtXmit | P::LwtSeg6local) => self.args,
            (id::get_cgroup_classid, _) => &[],

            (id::get_socket_cookie, P::Syscall | P::SkReuseport | P::Tracing | P::Lsm | P::StructOps) => {
                SOCKET_PTR_COOKIE
            }

            (id::setsockopt, P::CgroupSockopt | P::Tracing | P::Lsm | P::StructOps) => SK_SETSOCKOPT,
            (id::getsockopt, P::CgroupSockopt | P::Tracing | P::Lsm | P::StructOps) => SK_GETSOCKOPT,

            (id::sk_assign, P::SkLookup) => SK_LOOKUP_ASSIGN,
            (id::sk_storage_get, P::CgroupSock) => SK_STORAGE_GET_OF_CTX,
            (id::xdp_get_buff_len, P::Tracing | P::Lsm | P::Syscall) => XDP_GET_BUFF_LEN_OF_BTF,
            _ => self.args,
        }
    }
}

const fn arg(c_type: &'static str, name: &'static str, ty: ArgType) -> Arg {
    Arg { c_type, name, ty }
}

static SOCKET_PTR_COOKIE: &[Arg] = &[arg("struct sock *", "sk", BTF_SOCK_COMMON.or_null())];

static SK_SETSOCKOPT: &[Arg] = &[
    arg("void *", "sk", BTF_SOCK_COMMON),
    arg("int", "level", ANYTHING),
    arg("int", "optname", ANYTHING),
    arg("void *", "optval", MEM.read_only()),
    arg("int", "optlen", SIZE),
];

static SK_GETSOCKOPT: &[Arg] = &[
    arg("void *", "sk", BTF_SOCK_COMMON),
    arg("int", "level", ANYTHING),
    arg("int", "optname", ANYTHING),
    arg("void *", "optval", MEM.uninit()),
    arg("int", "optlen", SIZE),
];

static SK_LOOKUP_ASSIGN: &[Arg] = &[
    arg("struct bpf_sk_lookup *", "ctx", CTX),
    arg("struct bpf_sock *", "sk", SOCKET.or_null()),
    arg("__u64", "flags", ANYTHING),
];

static SK_STORAGE_GET_OF_CTX: &[Arg] = &[
    arg("void *", "map", MAP),
    arg("struct bpf_sock *", "sk", CTX),
    arg("void *", "value", MAP_VALUE.or_null()),
    arg("__u64", "flags", ANYTHING),
];

static XDP_GET_BUFF_LEN_OF_BTF: &[Arg] = &[arg("struct xdp_buff *", "xdp_md", btf("xdp_buff"))];
