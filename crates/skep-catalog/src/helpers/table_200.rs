//! Helpers 200 to 211.

use super::types::{
    ALLOC_SIZE_OR_ZERO, ANYTHING, DYNPTR, FUNC, MAP, MAP_VALUE, MEM, Ret, SIZE_OR_ZERO, STACK, btf, fixed,
};
use super::{Arg, Helper, HelperFlags, helpers};
use crate::KernelVersion;

helpers! {
    200 ringbuf_discard_dynptr, 5 19, [], "void": Ret::VOID,
        ["struct bpf_dynptr *" ptr: DYNPTR.ringbuf().released(), "__u64" flags: ANYTHING];
    201 dynptr_read, 5 19, [], "long": Ret::INTEGER,
        ["void *" dst: MEM.uninit(), "__u32" len: SIZE_OR_ZERO,
         "const struct bpf_dynptr *" src: DYNPTR.read_only(), "__u32" offset: ANYTHING, "__u64" flags: ANYTHING];
    202 dynptr_write, 5 19, [], "long": Ret::INTEGER,
        ["const struct bpf_dynptr *" dst: DYNPTR.read_only(), "__u32" offset: ANYTHING,
         "void *" src: MEM.read_only(), "__u32" len: SIZE_OR_ZERO, "__u64" flags: ANYTHING];
    203 dynptr_data, 5 19, [], "void *": Ret::DYNPTR_MEM.or_null(),
        ["const struct bpf_dynptr *" ptr: DYNPTR.read_only(), "__u32" offset: ANYTHING,
         "__u32" len: ALLOC_SIZE_OR_ZERO];
    204 tcp_raw_gen_syncookie_ipv4, 6 0, [GPL_ONLY], "__s64": Ret::INTEGER,
        ["struct iphdr *" iph: fixed(20).read_only(), "struct tcphdr *" th: MEM.read_only(),
         "__u32" th_len: SIZE_OR_ZERO];
    205 tcp_raw_gen_syncookie_ipv6, 6 0, [GPL_ONLY], "__s64": Ret::INTEGER,
        ["struct ipv6hdr *" iph: fixed(40).read_only(), "struct tcphdr *" th: MEM.read_only(),
         "__u32" th_len: SIZE_OR_ZERO];
    206 tcp_raw_check_syncookie_ipv4, 6 0, [GPL_ONLY], "long": Ret::INTEGER,
        ["struct iphdr *" iph: fixed(20).read_only(), "struct tcphdr *" th: fixed(20).read_only()];
    207 tcp_raw_check_syncookie_ipv6, 6 0, [GPL_ONLY], "long": Ret::INTEGER,
        ["struct ipv6hdr *" iph: fixed(40).read_only(), "struct tcphdr *" th: fixed(20).read_only()];
    208 ktime_get_tai_ns, 6 1, [], "__u64": Ret::INTEGER, [];
    209 user_ringbuf_drain, 6 1, [], "long": Ret::INTEGER,
        ["void *" map: MAP, "void *" callback_fn: FUNC, "void *" ctx: STACK.or_null(), "__u64" flags: ANYTHING];
    210 cgrp_storage_get, 6 2, [], "void *": Ret::MAP_VALUE.or_null(),
        ["void *" map: MAP, "struct cgroup *" cgroup: btf("cgroup").or_null(), "void *" value: MAP_VALUE.or_null(),
         "__u64" flags: ANYTHING];
    211 cgrp_storage_delete, 6 2, [], "long": Ret::INTEGER,
        ["void *" map: MAP, "struct cgroup *" cgroup: btf("cgroup").or_null()];
}
