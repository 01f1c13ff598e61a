//! Helpers 100 to 199.

use super::types::{
    ALLOC_SIZE_OR_ZERO, ANYTHING, BTF_SOCK_COMMON, CONST_STR, CTX, DONT_CARE, DYNPTR, FUNC, KPTR_XCHG_DEST,
    MAP, MAP_KEY, MAP_VALUE, MEM, PERCPU, RINGBUF_MEM, Ret, SIZE, SIZE_OR_ZERO, SOCK_COMMON, STACK, TIMER,
    btf, fixed,
};
use super::{Arg, Helper, HelperFlags, helpers};
use crate::KernelVersion;

helpers! {
    100 tcp_check_syncookie, 5 2, [GPL_ONLY], "long": Ret::INTEGER,
        ["void *" sk: BTF_SOCK_COMMON, "void *" iph: MEM.read_only(), "__u32" iph_len: SIZE,
         "struct tcphdr *" th: MEM.read_only(), "__u32" th_len: SIZE];
    101 sysctl_get_name, 5 2, [], "long": Ret::INTEGER,
        ["struct bpf_sysctl *" ctx: CTX, "char *" buf: MEM.written(), "unsigned long" buf_len: SIZE,
         "__u64" flags: ANYTHING];
    102 sysctl_get_current_value, 5 2, [], "long": Ret::INTEGER,
        ["struct bpf_sysctl *" ctx: CTX, "char *" buf: MEM.uninit(), "unsigned long" buf_len: SIZE];
    103 sysctl_get_new_value, 5 2, [], "long": Ret::INTEGER,
        ["struct bpf_sysctl *" ctx: CTX, "char *" buf: MEM.uninit(), "unsigned long" buf_len: SIZE];
    104 sysctl_set_new_value, 5 2, [], "long": Ret::INTEGER,
        ["struct bpf_sysctl *" ctx: CTX, "const char *" buf: MEM.read_only(), "unsigned long" buf_len: SIZE];
    105 strtol, 5 2, [], "long": Ret::INTEGER,
        ["const char *" buf: MEM.read_only(), "unsigned long" buf_len: SIZE, "__u64" flags: ANYTHING,
         "long *" res: fixed(8).uninit().aligned()];
    106 strtoul, 5 2, [], "long": Ret::INTEGER,
        ["const char *" buf: MEM.read_only(), "unsigned long" buf_len: SIZE, "__u64" flags: ANYTHING,
         "unsigned long *" res: fixed(8).uninit().aligned()];
    107 sk_storage_get, 5 2, [], "void *": Ret::MAP_VALUE.or_null(),
        ["void *" map: MAP, "void *" sk: BTF_SOCK_COMMON, "void *" value: MAP_VALUE.or_null(),
         "__u64" flags: ANYTHING];
    108 sk_storage_delete, 5 2, [], "long": Ret::INTEGER, ["void *" map: MAP, "void *" sk: BTF_SOCK_COMMON];
    109 send_signal, 5 3, [NEEDS_PERFMON], "long": Ret::INTEGER, ["__u32" sig: ANYTHING];
    110 tcp_gen_syncookie, 5 4, [GPL_ONLY], "__s64": Ret::INTEGER,
        ["void *" sk: BTF_SOCK_COMMON, "void *" iph: MEM.read_only(), "__u32" iph_len: SIZE,
         "struct tcphdr *" th: MEM.read_only(), "__u32" th_len: SIZE];
    111 skb_output, 5 5, [GPL_ONLY], "long": Ret::INTEGER,
        ["void *" ctx: btf("sk_buff"), "void *" map: MAP, "__u64" flags: ANYTHING, "void *" data: MEM.read_only(),
         "__u64" size: SIZE_OR_ZERO];
    112 probe_read_user, 5 5, [GPL_ONLY NEEDS_PERFMON], "long": Ret::INTEGER,
        ["void *" dst: MEM.uninit(), "__u32" size: SIZE_OR_ZERO, "const void *" unsafe_ptr: ANYTHING];
    113 probe_read_kernel, 5 5, [GPL_ONLY NEEDS_PERFMON], "long": Ret::INTEGER,
        ["void *" dst: MEM.uninit(), "__u32" size: SIZE_OR_ZERO, "const void *" unsafe_ptr: ANYTHING];
    114 probe_read_user_str, 5 5, [GPL_ONLY NEEDS_PERFMON], "long": Ret::INTEGER,
        ["void *" dst: MEM.uninit(), "__u32" size: SIZE_OR_ZERO, "const void *" unsafe_ptr: ANYTHING];
    115 probe_read_kernel_str, 5 5, [GPL_ONLY NEEDS_PERFMON], "long": Ret::INTEGER,
        ["void *" dst: MEM.uninit(), "__u32" size: SIZE_OR_ZERO, "const void *" unsafe_ptr: ANYTHING];
    116 tcp_send_ack, 5 6, [], "long": Ret::INTEGER, ["void *" tp: btf("tcp_sock"), "__u32" rcv_nxt: ANYTHING];
    117 send_signal_thread, 5 6, [NEEDS_PERFMON], "long": Ret::INTEGER, ["__u32" sig: ANYTHING];
    118 jiffies64, 5 6, [], "__u64": Ret::INTEGER, [];
    119 read_branch_records, 5 7, [GPL_ONLY], "long": Ret::INTEGER,
        ["struct bpf_perf_event_data *" ctx: CTX, "void *" buf: MEM.uninit().or_null(), "__u32" size: SIZE_OR_ZERO,
         "__u64" flags: ANYTHING];
    120 get_ns_current_pid_tgid, 5 7, [], "long": Ret::INTEGER,
        ["__u64" dev: ANYTHING, "__u64" ino: ANYTHING, "struct bpf_pidns_info *" nsdata: MEM.uninit(),
         "__u32" size: SIZE];
    121 xdp_output, 5 7, [GPL_ONLY], "long": Ret::INTEGER,
        ["void *" ctx: btf("xdp_buff"), "void *" map: MAP, "__u64" flags: ANYTHING, "void *" data: MEM.read_only(),
         "__u64" size: SIZE_OR_ZERO];
    122 get_netns_cookie, 5 7, [], "__u64": Ret::INTEGER, ["void *" ctx: CTX.or_null()];
    123 get_current_ancestor_cgroup_id, 5 7, [], "__u64": Ret::INTEGER, ["int" ancestor_level: ANYTHING];
    124 sk_assign, 5 7, [], "long": Ret::INTEGER,
        ["void *" ctx: CTX, "void *" sk: BTF_SOCK_COMMON, "__u64" flags: ANYTHING];
    125 ktime_get_boot_ns, 5 8, [], "__u64": Ret::INTEGER, [];
    126 seq_printf, 5 8, [GPL_ONLY], "long": Ret::INTEGER,
        ["struct seq_file *" m: btf("seq_file"), "const char *" fmt: MEM.read_only(), "__u32" fmt_size: SIZE,
         "const void *" data: MEM.read_only().or_null(), "__u32" data_len: SIZE_OR_ZERO];
    127 seq_write, 5 8, [GPL_ONLY], "long": Ret::INTEGER,
        ["struct seq_file *" m: btf("seq_file"), "const void *" data: MEM.read_only(), "__u32" len: SIZE_OR_ZERO];
    128 sk_cgroup_id, 5 8, [], "__u64": Ret::INTEGER, ["void *" sk: BTF_SOCK_COMMON];
    129 sk_ancestor_cgroup_id, 5 8, [], "__u64": Ret::INTEGER,
        ["void *" sk: BTF_SOCK_COMMON, "int" ancestor_level: ANYTHING];
    130 ringbuf_output, 5 8, [], "long": Ret::INTEGER,
        ["void *" ringbuf: MAP, "void *" data: MEM.read_only(), "__u64" size: SIZE_OR_ZERO, "__u64" flags: ANYTHING];
    131 ringbuf_reserve, 5 8, [], "void *": Ret::RINGBUF_MEM.or_null(),
        ["void *" ringbuf: MAP, "__u64" size: ALLOC_SIZE_OR_ZERO, "__u64" flags: ANYTHING];
    132 ringbuf_submit, 5 8, [], "void": Ret::VOID, ["void *" data: RINGBUF_MEM.released(), "__u64" flags: ANYTHING];
    133 ringbuf_discard, 5 8, [], "void": Ret::VOID, ["void *" data: RINGBUF_MEM.released(), "__u64" flags: ANYTHING];
    134 ringbuf_query, 5 8, [], "__u64": Ret::INTEGER, ["void *" ringbuf: MAP, "__u64" flags: ANYTHING];
    135 csum_level, 5 8, [], "long": Ret::INTEGER, ["struct __sk_buff *" skb: CTX, "__u64" level: ANYTHING];
    136 skc_to_tcp6_sock, 5 9, [NEEDS_PERFMON], "struct tcp6_sock *": Ret::btf("tcp6_sock").or_null(),
        ["void *" sk: BTF_SOCK_COMMON];
    137 skc_to_tcp_sock, 5 9, [NEEDS_PERFMON], "struct tcp_sock *": Ret::btf("tcp_sock").or_null(),
        ["void *" sk: BTF_SOCK_COMMON];
    138 skc_to_tcp_timewait_sock, 5 9, [NEEDS_PERFMON], "struct tcp_timewait_sock *": Ret::btf("tcp_timewait_sock").or_null(),
        ["void *" sk: BTF_SOCK_COMMON];
    139 skc_to_tcp_request_sock, 5 9, [NEEDS_PERFMON], "struct tcp_request_sock *": Ret::btf("tcp_request_sock").or_null(),
        ["void *" sk: BTF_SOCK_COMMON];
    140 skc_to_udp6_sock, 5 9, [NEEDS_PERFMON], "struct udp6_sock *": Ret::btf("udp6_sock").or_null(),
        ["void *" sk: BTF_SOCK_COMMON];
    141 get_task_stack, 5 9, [NEEDS_PERFMON], "long": Ret::INTEGER,
        ["struct task_struct *" task: btf("task_struct"), "void *" buf: MEM.uninit(), "__u32" size: SIZE_OR_ZERO,
         "__u64" flags: ANYTHING];
    142 load_hdr_opt, 5 10, [], "long": Ret::INTEGER,
        ["struct bpf_sock_ops *" skops: CTX, "void *" searchby_res: MEM.written(), "__u32" len: SIZE,
         "__u64" flags: ANYTHING];
    143 store_hdr_opt, 5 10, [CHANGES_PACKET_DATA], "long": Ret::INTEGER,
        ["struct bpf_sock_ops *" skops: CTX, "const void *" from: MEM.read_only(), "__u32" len: SIZE,
         "__u64" flags: ANYTHING];
    144 reserve_hdr_opt, 5 10, [], "long": Ret::INTEGER,
        ["struct bpf_sock_ops *" skops: CTX, "__u32" len: ANYTHING, "__u64" flags: ANYTHING];
    145 inode_storage_get, 5 10, [], "void *": Ret::MAP_VALUE.or_null(),
        ["void *" map: MAP, "void *" inode: btf("inode").or_null(), "void *" value: MAP_VALUE.or_null(),
         "__u64" flags: ANYTHING];
    146 inode_storage_delete, 5 10, [], "int": Ret::INTEGER,
        ["void *" map: MAP, "void *" inode: btf("inode").or_null()];
    147 d_path, 5 10, [], "long": Ret::INTEGER,
        ["struct path *" path: btf("path"), "char *" buf: MEM.written(), "__u32" sz: SIZE_OR_ZERO];
    148 copy_from_user, 5 10, [NEEDS_PERFMON MAY_SLEEP], "long": Ret::INTEGER,
        ["void *" dst: MEM.uninit(), "__u32" size: SIZE_OR_ZERO, "const void *" user_ptr: ANYTHING];
    149 snprintf_btf, 5 10, [NEEDS_PERFMON], "long": Ret::INTEGER,
        ["char *" str: MEM.written(), "__u32" str_size: SIZE, "struct btf_ptr *" ptr: MEM.read_only(),
         "__u32" btf_ptr_size: SIZE, "__u64" flags: ANYTHING];
    150 seq_printf_btf, 5 10, [GPL_ONLY], "long": Ret::INTEGER,
        ["struct seq_file *" m: btf("seq_file"), "struct btf_ptr *" ptr: MEM.read_only(),
         "__u32" ptr_size: SIZE_OR_ZERO, "__u64" flags: ANYTHING];
    151 skb_cgroup_classid, 5 10, [], "__u64": Ret::INTEGER, ["struct __sk_buff *" skb: CTX];
    152 redirect_neigh, 5 10, [], "long": Ret::INTEGER,
        ["__u32" ifindex: ANYTHING, "struct bpf_redir_neigh *" params: MEM.read_only().or_null(),
         "int" plen: SIZE_OR_ZERO, "__u64" flags: ANYTHING];
    153 per_cpu_ptr, 5 10, [], "void *": Ret::MEM_OR_BTF.or_null(),
        ["const void *" percpu_ptr: PERCPU, "__u32" cpu: ANYTHING];
    154 this_cpu_ptr, 5 10, [], "void *": Ret::MEM_OR_BTF, ["const void *" percpu_ptr: PERCPU];
    155 redirect_peer, 5 10, [], "long": Ret::INTEGER, ["__u32" ifindex: ANYTHING, "__u64" flags: ANYTHING];
    156 task_storage_get, 5 11, [], "void *": Ret::MAP_VALUE.or_null(),
        ["void *" map: MAP, "struct task_struct *" task: btf("task_struct").or_null(),
         "void *" value: MAP_VALUE.or_null(), "__u64" flags: ANYTHING];
    157 task_storage_delete, 5 11, [], "long": Ret::INTEGER,
        ["void *" map: MAP, "struct task_struct *" task: btf("task_struct").or_null()];
    158 get_current_task_btf, 5 11, [GPL_ONLY NEEDS_PERFMON], "struct task_struct *": Ret::btf("task_struct").trusted(), [];
    159 bprm_opts_set, 5 11, [], "long": Ret::INTEGER,
        ["struct linux_binprm *" bprm: btf("linux_binprm"), "__u64" flags: ANYTHING];
    160 ktime_get_coarse_ns, 5 11, [], "__u64": Ret::INTEGER, [];
    161 ima_inode_hash, 5 11, [MAY_SLEEP], "long": Ret::INTEGER,
        ["struct inode *" inode: btf("inode"), "void *" dst: MEM.uninit(), "__u32" size: SIZE];
    162 sock_from_file, 5 11, [], "struct socket *": Ret::btf("socket").or_null(),
        ["struct file *" file: btf("file")];
    163 check_mtu, 5 12, [GPL_ONLY], "long": Ret::INTEGER,
        ["void *" ctx: CTX, "__u32" ifindex: ANYTHING, "__u32 *" mtu_len: fixed(4).written().aligned(),
         "__s32" len_diff: ANYTHING, "__u64" flags: ANYTHING];
    164 for_each_map_elem, 5 13, [], "long": Ret::INTEGER,
        ["void *" map: MAP, "void *" callback_fn: FUNC, "void *" callback_ctx: STACK.or_null(),
         "__u64" flags: ANYTHING];
    165 snprintf, 5 13, [GPL_ONLY NEEDS_PERFMON], "long": Ret::INTEGER,
        ["char *" str: MEM.written().or_null(), "__u32" str_size: SIZE_OR_ZERO, "const char *" fmt: CONST_STR,
         "__u64 *" data: MEM.read_only().or_null(), "__u32" data_len: SIZE_OR_ZERO];
    166 sys_bpf, 5 14, [NEEDS_PERFMON], "long": Ret::INTEGER,
        ["__u32" cmd: ANYTHING, "void *" attr: MEM.read_only(), "__u32" attr_size: SIZE];
    167 btf_find_by_name_kind, 5 14, [], "long": Ret::INTEGER,
        ["char *" name: MEM.read_only(), "int" name_sz: SIZE, "__u32" kind: ANYTHING, "int" flags: ANYTHING];
    168 sys_close, 5 14, [], "long": Ret::INTEGER, ["__u32" fd: ANYTHING];
    169 timer_init, 5 15, [GPL_ONLY], "long": Ret::INTEGER,
        ["struct bpf_timer *" timer: TIMER, "void *" map: MAP, "__u64" flags: ANYTHING];
    170 timer_set_callback, 5 15, [GPL_ONLY], "long": Ret::INTEGER,
        ["struct bpf_timer *" timer: TIMER, "void *" callback_fn: FUNC];
    171 timer_start, 5 15, [GPL_ONLY], "long": Ret::INTEGER,
        ["struct bpf_timer *" timer: TIMER, "__u64" nsecs: ANYTHING, "__u64" flags: ANYTHING];
    172 timer_cancel, 5 15, [GPL_ONLY], "long": Ret::INTEGER, ["struct bpf_timer *" timer: TIMER];
    173 get_func_ip, 5 15, [GPL_ONLY], "__u64": Ret::INTEGER, ["void *" ctx: CTX];
    174 get_attach_cookie, 5 15, [], "__u64": Ret::INTEGER, ["void *" ctx: CTX];
    175 task_pt_regs, 5 15, [GPL_ONLY NEEDS_PERFMON], "long": Ret::btf("pt_regs").trusted(),
        ["struct task_struct *" task: btf("task_struct")];
    176 get_branch_snapshot, 5 16, [GPL_ONLY NEEDS_PERFMON], "long": Ret::INTEGER,
        ["void *" entries: MEM.uninit(), "__u32" size: SIZE_OR_ZERO, "__u64" flags: DONT_CARE];
    177 trace_vprintk, 5 16, [GPL_ONLY NEEDS_PERFMON], "long": Ret::INTEGER,
        ["const char *" fmt: MEM.read_only(), "__u32" fmt_size: SIZE,
         "const void *" data: MEM.read_only().or_null(), "__u32" data_len: SIZE_OR_ZERO];
    178 skc_to_unix_sock, 5 16, [NEEDS_PERFMON], "struct unix_sock *": Ret::btf("unix_sock").or_null(),
        ["void *" sk: BTF_SOCK_COMMON];
    179 kallsyms_lookup_name, 5 16, [], "long": Ret::INTEGER,
        ["const char *" name: MEM.read_only(), "int" name_sz: SIZE_OR_ZERO, "int" flags: ANYTHING,
         "__u64 *" res: fixed(8).uninit().aligned()];
    180 find_vma, 5 17, [NEEDS_PERFMON], "long": Ret::INTEGER,
        ["struct task_struct *" task: btf("task_struct"), "__u64" addr: ANYTHING, "void *" callback_fn: FUNC,
         "void *" callback_ctx: STACK.or_null(), "__u64" flags: ANYTHING];
    181 r#loop, 5 17, [], "long": Ret::INTEGER,
        ["__u32" nr_loops: ANYTHING, "void *" callback_fn: FUNC, "void *" callback_ctx: STACK.or_null(),
         "__u64" flags: ANYTHING];
    182 strncmp, 5 17, [], "long": Ret::INTEGER,
        ["const char *" s1: MEM.read_only(), "__u32" s1_sz: SIZE, "const char *" s2: CONST_STR];
    183 get_func_arg, 5 17, [], "long": Ret::INTEGER,
        ["void *" ctx: CTX, "__u32" n: ANYTHING, "__u64 *" value: fixed(8).uninit().aligned()];
    184 get_func_ret, 5 17, [], "long": Ret::INTEGER,
        ["void *" ctx: CTX, "__u64 *" value: fixed(8).uninit().aligned()];
    185 get_func_arg_cnt, 5 17, [], "long": Ret::INTEGER, ["void *" ctx: CTX];
    186 get_retval, 5 18, [], "int": Ret::INTEGER, [];
    187 set_retval, 5 18, [], "int": Ret::INTEGER, ["int" retval: ANYTHING];
    188 xdp_get_buff_len, 5 18, [], "__u64": Ret::INTEGER, ["struct xdp_md *" xdp_md: CTX];
    189 xdp_load_bytes, 5 18, [], "long": Ret::INTEGER,
        ["struct xdp_md *" xdp_md: CTX, "__u32" offset: ANYTHING, "void *" buf: MEM.uninit(), "__u32" len: SIZE];
    190 xdp_store_bytes, 5 18, [], "long": Ret::INTEGER,
        ["struct xdp_md *" xdp_md: CTX, "__u32" offset: ANYTHING, "void *" buf: MEM.read_only(), "__u32" len: SIZE];
    191 copy_from_user_task, 5 18, [GPL_ONLY NEEDS_PERFMON MAY_SLEEP], "long": Ret::INTEGER,
        ["void *" dst: MEM.uninit(), "__u32" size: SIZE_OR_ZERO, "const void *" user_ptr: ANYTHING,
         "struct task_struct *" tsk: btf("task_struct"), "__u64" flags: ANYTHING];
    192 skb_set_tstamp, 5 18, [], "long": Ret::INTEGER,
        ["struct __sk_buff *" skb: CTX, "__u64" tstamp: ANYTHING, "__u32" tstamp_type: ANYTHING];
    193 ima_file_hash, 5 18, [MAY_SLEEP], "long": Ret::INTEGER,
        ["struct file *" file: btf("file"), "void *" dst: MEM.uninit(), "__u32" size: SIZE];
    194 kptr_xchg, 5 19, [], "void *": Ret::btf("").or_null(),
        ["void *" map_value: KPTR_XCHG_DEST, "void *" ptr: btf("").or_null().released()];
    195 map_lookup_percpu_elem, 5 19, [], "void *": Ret::MAP_VALUE.or_null(),
        ["void *" map: MAP, "const void *" key: MAP_KEY, "__u32" cpu: ANYTHING];
    196 skc_to_mptcp_sock, 5 19, [NEEDS_PERFMON], "struct mptcp_sock *": Ret::btf("mptcp_sock").or_null(),
        ["void *" sk: SOCK_COMMON];
    197 dynptr_from_mem, 5 19, [], "long": Ret::INTEGER,
        ["void *" data: MEM.uninit(), "__u32" size: SIZE_OR_ZERO, "__u64" flags: ANYTHING,
         "struct bpf_dynptr *" ptr: DYNPTR.uninit().local()];
    198 ringbuf_reserve_dynptr, 5 19, [], "long": Ret::INTEGER,
        ["void *" ringbuf: MAP, "__u32" size: ANYTHING, "__u64" flags: ANYTHING,
         "struct bpf_dynptr *" ptr: DYNPTR.uninit().ringbuf()];
    199 ringbuf_submit_dynptr, 5 19, [], "void": Ret::VOID,
        ["struct bpf_dynptr *" ptr: DYNPTR.ringbuf().released(), "__u64" flags: ANYTHING];
}
