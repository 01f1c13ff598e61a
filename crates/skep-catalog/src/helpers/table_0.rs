//! Helpers 1 to 99.

use super::types::{
    ANYTHING, BTF_SOCK_COMMON, CTX, MAP, MAP_KEY, MAP_VALUE, MEM, Ret, SIZE, SIZE_OR_ZERO, SOCK_COMMON,
    SPIN_LOCK,
};
use super::{Arg, Helper, HelperFlags, helpers};
use crate::KernelVersion;

helpers! {
    1 map_lookup_elem, 3 19, [], "void *": Ret::MAP_VALUE.or_null(), ["void *" map: MAP, "const void *" key: MAP_KEY];
    2 map_update_elem, 3 19, [], "long": Ret::INTEGER,
        ["void *" map: MAP, "const void *" key: MAP_KEY, "const void *" value: MAP_VALUE.read_only(),
         "__u64" flags: ANYTHING];
    3 map_delete_elem, 3 19, [], "long": Ret::INTEGER, ["void *" map: MAP, "const void *" key: MAP_KEY];
    4 probe_read, 4 1, [GPL_ONLY], "long": Ret::INTEGER,
        ["void *" dst: MEM.uninit(), "__u32" size: SIZE_OR_ZERO, "const void *" unsafe_ptr: ANYTHING];
    5 ktime_get_ns, 4 1, [], "__u64": Ret::INTEGER, [];
    6 trace_printk, 4 1, [GPL_ONLY NEEDS_PERFMON VARIADIC], "long": Ret::INTEGER,
        ["const char *" fmt: MEM.read_only(), "__u32" fmt_size: SIZE];
    7 get_prandom_u32, 4 1, [], "__u32": Ret::INTEGER, [];
    8 get_smp_processor_id, 4 1, [], "__u32": Ret::INTEGER, [];
    9 skb_store_bytes, 4 1, [CHANGES_PACKET_DATA], "long": Ret::INTEGER,
        ["struct __sk_buff *" skb: CTX, "__u32" offset: ANYTHING, "const void *" from: MEM.read_only(),
         "__u32" len: SIZE, "__u64" flags: ANYTHING];
    10 l3_csum_replace, 4 1, [CHANGES_PACKET_DATA], "long": Ret::INTEGER,
        ["struct __sk_buff *" skb: CTX, "__u32" offset: ANYTHING, "__u64" from: ANYTHING, "__u64" to: ANYTHING,
         "__u64" size: ANYTHING];
    11 l4_csum_replace, 4 1, [CHANGES_PACKET_DATA], "long": Ret::INTEGER,
        ["struct __sk_buff *" skb: CTX, "__u32" offset: ANYTHING, "__u64" from: ANYTHING, "__u64" to: ANYTHING,
         "__u64" flags: ANYTHING];
    12 tail_call, 4 2, [CHANGES_PACKET_DATA], "long": Ret::VOID,
        ["void *" ctx: CTX, "void *" prog_array_map: MAP, "__u32" index: ANYTHING];
    13 clone_redirect, 4 2, [CHANGES_PACKET_DATA], "long": Ret::INTEGER,
        ["struct __sk_buff *" skb: CTX, "__u32" ifindex: ANYTHING, "__u64" flags: ANYTHING];
    14 get_current_pid_tgid, 4 2, [], "__u64": Ret::INTEGER, [];
    15 get_current_uid_gid, 4 2, [], "__u64": Ret::INTEGER, [];
    16 get_current_comm, 4 2, [NEEDS_PERFMON], "long": Ret::INTEGER,
        ["void *" buf: MEM.uninit(), "__u32" size_of_buf: SIZE];
    17 get_cgroup_classid, 4 3, [], "__u32": Ret::INTEGER, ["struct __sk_buff *" skb: CTX];
    18 skb_vlan_push, 4 3, [CHANGES_PACKET_DATA], "long": Ret::INTEGER,
        ["struct __sk_buff *" skb: CTX, "__be16" vlan_proto: ANYTHING, "__u16" vlan_tci: ANYTHING];
    19 skb_vlan_pop, 4 3, [CHANGES_PACKET_DATA], "long": Ret::INTEGER, ["struct __sk_buff *" skb: CTX];
    20 skb_get_tunnel_key, 4 3, [], "long": Ret::INTEGER,
        ["struct __sk_buff *" skb: CTX, "struct bpf_tunnel_key *" key: MEM.uninit(), "__u32" size: SIZE,
         "__u64" flags: ANYTHING];
    21 skb_set_tunnel_key, 4 3, [], "long": Ret::INTEGER,
        ["struct __sk_buff *" skb: CTX, "struct bpf_tunnel_key *" key: MEM.read_only(), "__u32" size: SIZE,
         "__u64" flags: ANYTHING];
    22 perf_event_read, 4 3, [GPL_ONLY NEEDS_PERFMON], "__u64": Ret::INTEGER,
        ["void *" map: MAP, "__u64" flags: ANYTHING];
    23 redirect, 4 4, [], "long": Ret::INTEGER, ["__u32" ifindex: ANYTHING, "__u64" flags: ANYTHING];
    24 get_route_realm, 4 4, [], "__u32": Ret::INTEGER, ["struct __sk_buff *" skb: CTX];
    25 perf_event_output, 4 4, [GPL_ONLY], "long": Ret::INTEGER,
        ["void *" ctx: CTX, "void *" map: MAP, "__u64" flags: ANYTHING, "void *" data: MEM.read_only(),
         "__u64" size: SIZE_OR_ZERO];
    26 skb_load_bytes, 4 5, [], "long": Ret::INTEGER,
        ["const void *" skb: CTX, "__u32" offset: ANYTHING, "void *" to: MEM.uninit(), "__u32" len: SIZE];
    27 get_stackid, 4 6, [GPL_ONLY], "long": Ret::INTEGER,
        ["void *" ctx: CTX, "void *" map: MAP, "__u64" flags: ANYTHING];
    28 csum_diff, 4 6, [], "__s64": Ret::INTEGER,
        ["__be32 *" from: MEM.read_only().or_null(), "__u32" from_size: SIZE_OR_ZERO,
         "__be32 *" to: MEM.read_only().or_null(), "__u32" to_size: SIZE_OR_ZERO, "__wsum" seed: ANYTHING];
    29 skb_get_tunnel_opt, 4 6, [], "long": Ret::INTEGER,
        ["struct __sk_buff *" skb: CTX, "void *" opt: MEM.uninit(), "__u32" size: SIZE];
    30 skb_set_tunnel_opt, 4 6, [], "long": Ret::INTEGER,
        ["struct __sk_buff *" skb: CTX, "void *" opt: MEM.read_only(), "__u32" size: SIZE];
    31 skb_change_proto, 4 8, [CHANGES_PACKET_DATA], "long": Ret::INTEGER,
        ["struct __sk_buff *" skb: CTX, "__be16" proto: ANYTHING, "__u64" flags: ANYTHING];
    32 skb_change_type, 4 8, [], "long": Ret::INTEGER, ["struct __sk_buff *" skb: CTX, "__u32" type: ANYTHING];
    33 skb_under_cgroup, 4 8, [], "long": Ret::INTEGER,
        ["struct __sk_buff *" skb: CTX, "void *" map: MAP, "__u32" index: ANYTHING];
    34 get_hash_recalc, 4 8, [], "__u32": Ret::INTEGER, ["struct __sk_buff *" skb: CTX];
    35 get_current_task, 4 8, [GPL_ONLY NEEDS_PERFMON], "__u64": Ret::INTEGER, [];
    36 probe_write_user, 4 8, [GPL_ONLY LOCKED_DOWN], "long": Ret::INTEGER,
        ["void *" dst: ANYTHING, "const void *" src: MEM.read_only(), "__u32" len: SIZE];
    37 current_task_under_cgroup, 4 9, [], "long": Ret::INTEGER, ["void *" map: MAP, "__u32" index: ANYTHING];
    38 skb_change_tail, 4 9, [CHANGES_PACKET_DATA], "long": Ret::INTEGER,
        ["struct __sk_buff *" skb: CTX, "__u32" len: ANYTHING, "__u64" flags: ANYTHING];
    39 skb_pull_data, 4 9, [CHANGES_PACKET_DATA], "long": Ret::INTEGER,
        ["struct __sk_buff *" skb: CTX, "__u32" len: ANYTHING];
    40 csum_update, 4 9, [], "__s64": Ret::INTEGER, ["struct __sk_buff *" skb: CTX, "__wsum" csum: ANYTHING];
    41 set_hash_invalid, 4 9, [], "void": Ret::INTEGER, ["struct __sk_buff *" skb: CTX];
    42 get_numa_node_id, 4 10, [], "long": Ret::INTEGER, [];
    43 skb_change_head, 4 10, [CHANGES_PACKET_DATA], "long": Ret::INTEGER,
        ["struct __sk_buff *" skb: CTX, "__u32" len: ANYTHING, "__u64" flags: ANYTHING];
    44 xdp_adjust_head, 4 10, [CHANGES_PACKET_DATA], "long": Ret::INTEGER,
        ["struct xdp_md *" xdp_md: CTX, "int" delta: ANYTHING];
    45 probe_read_str, 4 11, [GPL_ONLY], "long": Ret::INTEGER,
        ["void *" dst: MEM.uninit(), "__u32" size: SIZE_OR_ZERO, "const void *" unsafe_ptr: ANYTHING];
    46 get_socket_cookie, 4 12, [], "__u64": Ret::INTEGER, ["void *" ctx: CTX];
    47 get_socket_uid, 4 12, [], "__u32": Ret::INTEGER, ["struct __sk_buff *" skb: CTX];
    48 set_hash, 4 13, [], "long": Ret::INTEGER, ["struct __sk_buff *" skb: CTX, "__u32" hash: ANYTHING];
    49 setsockopt, 4 13, [], "long": Ret::INTEGER,
        ["void *" bpf_socket: CTX, "int" level: ANYTHING, "int" optname: ANYTHING,
         "void *" optval: MEM.read_only(), "int" optlen: SIZE];
    50 skb_adjust_room, 4 13, [CHANGES_PACKET_DATA], "long": Ret::INTEGER,
        ["struct __sk_buff *" skb: CTX, "__s32" len_diff: ANYTHING, "__u32" mode: ANYTHING, "__u64" flags: ANYTHING];
    51 redirect_map, 4 14, [], "long": Ret::INTEGER,
        ["void *" map: MAP, "__u64" key: ANYTHING, "__u64" flags: ANYTHING];
    52 sk_redirect_map, 4 14, [], "long": Ret::INTEGER,
        ["struct __sk_buff *" skb: CTX, "void *" map: MAP, "__u32" key: ANYTHING, "__u64" flags: ANYTHING];
    53 sock_map_update, 4 14, [], "long": Ret::INTEGER,
        ["struct bpf_sock_ops *" skops: CTX, "void *" map: MAP, "void *" key: MAP_KEY, "__u64" flags: ANYTHING];
    54 xdp_adjust_meta, 4 15, [CHANGES_PACKET_DATA], "long": Ret::INTEGER,
        ["struct xdp_md *" xdp_md: CTX, "int" delta: ANYTHING];
    55 perf_event_read_value, 4 15, [GPL_ONLY NEEDS_PERFMON], "long": Ret::INTEGER,
        ["void *" map: MAP, "__u64" flags: ANYTHING, "struct bpf_perf_event_value *" buf: MEM.uninit(),
         "__u32" buf_size: SIZE];
    56 perf_prog_read_value, 4 15, [GPL_ONLY], "long": Ret::INTEGER,
        ["struct bpf_perf_event_data *" ctx: CTX, "struct bpf_perf_event_value *" buf: MEM.uninit(),
         "__u32" buf_size: SIZE];
    57 getsockopt, 4 15, [], "long": Ret::INTEGER,
        ["void *" bpf_socket: CTX, "int" level: ANYTHING, "int" optname: ANYTHING, "void *" optval: MEM.uninit(),
         "int" optlen: SIZE];
    58 override_return, 4 16, [GPL_ONLY LOCKED_DOWN], "long": Ret::INTEGER,
        ["struct pt_regs *" regs: CTX, "__u64" rc: ANYTHING];
    59 sock_ops_cb_flags_set, 4 16, [], "long": Ret::INTEGER,
        ["struct bpf_sock_ops *" bpf_sock: CTX, "int" argval: ANYTHING];
    60 msg_redirect_map, 4 17, [], "long": Ret::INTEGER,
        ["struct sk_msg_md *" msg: CTX, "void *" map: MAP, "__u32" key: ANYTHING, "__u64" flags: ANYTHING];
    61 msg_apply_bytes, 4 17, [], "long": Ret::INTEGER, ["struct sk_msg_md *" msg: CTX, "__u32" bytes: ANYTHING];
    62 msg_cork_bytes, 4 17, [], "long": Ret::INTEGER, ["struct sk_msg_md *" msg: CTX, "__u32" bytes: ANYTHING];
    63 msg_pull_data, 4 17, [CHANGES_PACKET_DATA], "long": Ret::INTEGER,
        ["struct sk_msg_md *" msg: CTX, "__u32" start: ANYTHING, "__u32" end: ANYTHING, "__u64" flags: ANYTHING];
    64 bind, 4 17, [], "long": Ret::INTEGER,
        ["struct bpf_sock_addr *" ctx: CTX, "struct sockaddr *" addr: MEM.read_only(), "int" addr_len: SIZE];
    65 xdp_adjust_tail, 4 18, [CHANGES_PACKET_DATA], "long": Ret::INTEGER,
        ["struct xdp_md *" xdp_md: CTX, "int" delta: ANYTHING];
    66 skb_get_xfrm_state, 4 18, [], "long": Ret::INTEGER,
        ["struct __sk_buff *" skb: CTX, "__u32" index: ANYTHING,
         "struct bpf_xfrm_state *" xfrm_state: MEM.uninit(), "__u32" size: SIZE, "__u64" flags: ANYTHING];
    67 get_stack, 4 18, [GPL_ONLY], "long": Ret::INTEGER,
        ["void *" ctx: CTX, "void *" buf: MEM.uninit(), "__u32" size: SIZE_OR_ZERO, "__u64" flags: ANYTHING];
    68 skb_load_bytes_relative, 4 18, [], "long": Ret::INTEGER,
        ["const void *" skb: CTX, "__u32" offset: ANYTHING, "void *" to: MEM.uninit(), "__u32" len: SIZE,
         "__u32" start_header: ANYTHING];
    69 fib_lookup, 4 18, [GPL_ONLY], "long": Ret::INTEGER,
        ["void *" ctx: CTX, "struct bpf_fib_lookup *" params: MEM.written(), "int" plen: SIZE,
         "__u32" flags: ANYTHING];
    70 sock_hash_update, 4 18, [], "long": Ret::INTEGER,
        ["struct bpf_sock_ops *" skops: CTX, "void *" map: MAP, "void *" key: MAP_KEY, "__u64" flags: ANYTHING];
    71 msg_redirect_hash, 4 18, [], "long": Ret::INTEGER,
        ["struct sk_msg_md *" msg: CTX, "void *" map: MAP, "void *" key: MAP_KEY, "__u64" flags: ANYTHING];
    72 sk_redirect_hash, 4 18, [], "long": Ret::INTEGER,
        ["struct __sk_buff *" skb: CTX, "void *" map: MAP, "void *" key: MAP_KEY, "__u64" flags: ANYTHING];
    73 lwt_push_encap, 4 18, [CHANGES_PACKET_DATA], "long": Ret::INTEGER,
        ["struct __sk_buff *" skb: CTX, "__u32" type: ANYTHING, "void *" hdr: MEM.read_only(), "__u32" len: SIZE];
    74 lwt_seg6_store_bytes, 4 18, [CHANGES_PACKET_DATA], "long": Ret::INTEGER,
        ["struct __sk_buff *" skb: CTX, "__u32" offset: ANYTHING, "const void *" from: MEM.read_only(),
         "__u32" len: SIZE];
    75 lwt_seg6_adjust_srh, 4 18, [CHANGES_PACKET_DATA], "long": Ret::INTEGER,
        ["struct __sk_buff *" skb: CTX, "__u32" offset: ANYTHING, "__s32" delta: ANYTHING];
    76 lwt_seg6_action, 4 18, [CHANGES_PACKET_DATA], "long": Ret::INTEGER,
        ["struct __sk_buff *" skb: CTX, "__u32" action: ANYTHING, "void *" param: MEM.read_only(),
         "__u32" param_len: SIZE];
    77 rc_repeat, 4 18, [GPL_ONLY], "long": Ret::INTEGER, ["void *" ctx: CTX];
    78 rc_keydown, 4 18, [GPL_ONLY], "long": Ret::INTEGER,
        ["void *" ctx: CTX, "__u32" protocol: ANYTHING, "__u64" scancode: ANYTHING, "__u32" toggle: ANYTHING];
    79 skb_cgroup_id, 4 18, [], "__u64": Ret::INTEGER, ["struct __sk_buff *" skb: CTX];
    80 get_current_cgroup_id, 4 18, [], "__u64": Ret::INTEGER, [];
    81 get_local_storage, 4 19, [], "void *": Ret::MAP_VALUE, ["void *" map: MAP, "__u64" flags: ANYTHING];
    82 sk_select_reuseport, 4 19, [], "long": Ret::INTEGER,
        ["struct sk_reuseport_md *" reuse: CTX, "void *" map: MAP, "void *" key: MAP_KEY, "__u64" flags: ANYTHING];
    83 skb_ancestor_cgroup_id, 4 19, [], "__u64": Ret::INTEGER,
        ["struct __sk_buff *" skb: CTX, "int" ancestor_level: ANYTHING];
    84 sk_lookup_tcp, 4 20, [], "struct bpf_sock *": Ret::SOCKET.or_null(),
        ["void *" ctx: CTX, "struct bpf_sock_tuple *" tuple: MEM.read_only(), "__u32" tuple_size: SIZE_OR_ZERO,
         "__u64" netns: ANYTHING, "__u64" flags: ANYTHING];
    85 sk_lookup_udp, 4 20, [], "struct bpf_sock *": Ret::SOCKET.or_null(),
        ["void *" ctx: CTX, "struct bpf_sock_tuple *" tuple: MEM.read_only(), "__u32" tuple_size: SIZE_OR_ZERO,
         "__u64" netns: ANYTHING, "__u64" flags: ANYTHING];
    86 sk_release, 4 20, [], "long": Ret::INTEGER, ["void *" sock: BTF_SOCK_COMMON.released()];
    87 map_push_elem, 4 20, [], "long": Ret::INTEGER,
        ["void *" map: MAP, "const void *" value: MAP_VALUE.read_only(), "__u64" flags: ANYTHING];
    88 map_pop_elem, 4 20, [], "long": Ret::INTEGER, ["void *" map: MAP, "void *" value: MAP_VALUE.uninit()];
    89 map_peek_elem, 4 20, [], "long": Ret::INTEGER, ["void *" map: MAP, "void *" value: MAP_VALUE.uninit()];
    90 msg_push_data, 4 20, [CHANGES_PACKET_DATA], "long": Ret::INTEGER,
        ["struct sk_msg_md *" msg: CTX, "__u32" start: ANYTHING, "__u32" len: ANYTHING, "__u64" flags: ANYTHING];
    91 msg_pop_data, 5 0, [CHANGES_PACKET_DATA], "long": Ret::INTEGER,
        ["struct sk_msg_md *" msg: CTX, "__u32" start: ANYTHING, "__u32" len: ANYTHING, "__u64" flags: ANYTHING];
    92 rc_pointer_rel, 5 0, [GPL_ONLY], "long": Ret::INTEGER,
        ["void *" ctx: CTX, "__s32" rel_x: ANYTHING, "__s32" rel_y: ANYTHING];
    93 spin_lock, 5 1, [], "long": Ret::VOID, ["struct bpf_spin_lock *" lock: SPIN_LOCK];
    94 spin_unlock, 5 1, [], "long": Ret::VOID, ["struct bpf_spin_lock *" lock: SPIN_LOCK];
    95 sk_fullsock, 5 1, [], "struct bpf_sock *": Ret::SOCKET.or_null(), ["struct bpf_sock *" sk: SOCK_COMMON];
    96 tcp_sock, 5 1, [], "struct bpf_tcp_sock *": Ret::TCP_SOCK.or_null(), ["struct bpf_sock *" sk: SOCK_COMMON];
    97 skb_ecn_set_ce, 5 1, [], "long": Ret::INTEGER, ["struct __sk_buff *" skb: CTX];
    98 get_listener_sock, 5 1, [], "struct bpf_sock *": Ret::SOCKET.or_null(), ["struct bpf_sock *" sk: SOCK_COMMON];
    99 skc_lookup_tcp, 5 2, [], "struct bpf_sock *": Ret::SOCK_COMMON.or_null(),
        ["void *" ctx: CTX, "struct bpf_sock_tuple *" tuple: MEM.read_only(), "__u32" tuple_size: SIZE_OR_ZERO,
         "__u64" netns: ANYTHING, "__u64" flags: ANYTHING];
}
