//! The context structures: fields, offsets, sizes. Members of unnamed unions stand side by side at the same offset.

use super::{ContextField, ContextStruct};

const fn field(name: &'static str, c_type: &'static str, offset: u32, size: u32) -> ContextField {
    ContextField { name, c_type, array: None, offset, size }
}

const fn array(name: &'static str, c_type: &'static str, len: u32, offset: u32, size: u32) -> ContextField {
    ContextField { name, c_type, array: Some(len), offset, size }
}

/// `struct __sk_buff`: a packet in the network stack.
pub static SK_BUFF: ContextStruct = ContextStruct {
    name: "__sk_buff",
    size: 192,
    fields: &[
        field("len", "__u32", 0, 4),
        field("pkt_type", "__u32", 4, 4),
        field("mark", "__u32", 8, 4),
        field("queue_mapping", "__u32", 12, 4),
        field("protocol", "__u32", 16, 4),
        field("vlan_present", "__u32", 20, 4),
        field("vlan_tci", "__u32", 24, 4),
        field("vlan_proto", "__u32", 28, 4),
        field("priority", "__u32", 32, 4),
        field("ingress_ifindex", "__u32", 36, 4),
        field("ifindex", "__u32", 40, 4),
        field("tc_index", "__u32", 44, 4),
        array("cb", "__u32", 5, 48, 20),
        field("hash", "__u32", 68, 4),
        field("tc_classid", "__u32", 72, 4),
        field("data", "__u32", 76, 4),
        field("data_end", "__u32", 80, 4),
        field("napi_id", "__u32", 84, 4),
        field("family", "__u32", 88, 4),
        field("remote_ip4", "__u32", 92, 4),
        field("local_ip4", "__u32", 96, 4),
        array("remote_ip6", "__u32", 4, 100, 16),
        array("local_ip6", "__u32", 4, 116, 16),
        field("remote_port", "__u32", 132, 4),
        field("local_port", "__u32", 136, 4),
        field("data_meta", "__u32", 140, 4),
        field("flow_keys", "struct bpf_flow_keys *", 144, 8),
        field("tstamp", "__u64", 152, 8),
        field("wire_len", "__u32", 160, 4),
        field("gso_segs", "__u32", 164, 4),
        field("sk", "struct bpf_sock *", 168, 8),
        field("gso_size", "__u32", 176, 4),
        field("tstamp_type", "__u8", 180, 1),
        field("hwtstamp", "__u64", 184, 8),
    ],
};

/// `struct xdp_md`: a packet at the driver.
pub static XDP_MD: ContextStruct = ContextStruct {
    name: "xdp_md",
    size: 24,
    fields: &[
        field("data", "__u32", 0, 4),
        field("data_end", "__u32", 4, 4),
        field("data_meta", "__u32", 8, 4),
        field("ingress_ifindex", "__u32", 12, 4),
        field("rx_queue_index", "__u32", 16, 4),
        field("egress_ifindex", "__u32", 20, 4),
    ],
};

/// `struct bpf_sock`: a socket.
pub static BPF_SOCK: ContextStruct = ContextStruct {
    name: "bpf_sock",
    size: 80,
    fields: &[
        field("bound_dev_if", "__u32", 0, 4),
        field("family", "__u32", 4, 4),
        field("type", "__u32", 8, 4),
        field("protocol", "__u32", 12, 4),
        field("mark", "__u32", 16, 4),
        field("priority", "__u32", 20, 4),
        field("src_ip4", "__u32", 24, 4),
        array("src_ip6", "__u32", 4, 28, 16),
        field("src_port", "__u32", 44, 4),
        field("dst_port", "__be16", 48, 2),
        field("dst_ip4", "__u32", 52, 4),
        array("dst_ip6", "__u32", 4, 56, 16),
        field("state", "__u32", 72, 4),
        field("rx_queue_mapping", "__s32", 76, 4),
    ],
};

/// `struct bpf_sock_addr`: the address argument of a socket system call.
pub static BPF_SOCK_ADDR: ContextStruct = ContextStruct {
    name: "bpf_sock_addr",
    size: 72,
    fields: &[
        field("user_family", "__u32", 0, 4),
        field("user_ip4", "__u32", 4, 4),
        array("user_ip6", "__u32", 4, 8, 16),
        field("user_port", "__u32", 24, 4),
        field("family", "__u32", 28, 4),
        field("type", "__u32", 32, 4),
        field("protocol", "__u32", 36, 4),
        field("msg_src_ip4", "__u32", 40, 4),
        array("msg_src_ip6", "__u32", 4, 44, 16),
        field("sk", "struct bpf_sock *", 64, 8),
    ],
};

/// `struct bpf_sock_ops`: a TCP connection and what happens to it.
pub static BPF_SOCK_OPS: ContextStruct = ContextStruct {
    name: "bpf_sock_ops",
    size: 224,
    fields: &[
        field("op", "__u32", 0, 4),
        array("args", "__u32", 4, 4, 16),
        field("reply", "__u32", 4, 4),
        array("replylong", "__u32", 4, 4, 16),
        field("family", "__u32", 20, 4),
        field("remote_ip4", "__u32", 24, 4),
        field("local_ip4", "__u32", 28, 4),
        array("remote_ip6", "__u32", 4, 32, 16),
        array("local_ip6", "__u32", 4, 48, 16),
        field("remote_port", "__u32", 64, 4),
        field("local_port", "__u32", 68, 4),
        field("is_fullsock", "__u32", 72, 4),
        field("snd_cwnd", "__u32", 76, 4),
        field("srtt_us", "__u32", 80, 4),
        field("bpf_sock_ops_cb_flags", "__u32", 84, 4),
        field("state", "__u32", 88, 4),
        field("rtt_min", "__u32", 92, 4),
        field("snd_ssthresh", "__u32", 96, 4),
        field("rcv_nxt", "__u32", 100, 4),
        field("snd_nxt", "__u32", 104, 4),
        field("snd_una", "__u32", 108, 4),
        field("mss_cache", "__u32", 112, 4),
        field("ecn_flags", "__u32", 116, 4),
        field("rate_delivered", "__u32", 120, 4),
        field("rate_interval_us", "__u32", 124, 4),
        field("packets_out", "__u32", 128, 4),
        field("retrans_out", "__u32", 132, 4),
        field("total_retrans", "__u32", 136, 4),
        field("segs_in", "__u32", 140, 4),
        field("data_segs_in", "__u32", 144, 4),
        field("segs_out", "__u32", 148, 4),
        field("data_segs_out", "__u32", 152, 4),
        field("lost_out", "__u32", 156, 4),
        field("sacked_out", "__u32", 160, 4),
        field("sk_txhash", "__u32", 164, 4),
        field("bytes_received", "__u64", 168, 8),
        field("bytes_acked", "__u64", 176, 8),
        field("sk", "struct bpf_sock *", 184, 8),
        field("skb_data", "void *", 192, 8),
        field("skb_data_end", "void *", 200, 8),
        field("skb_len", "__u32", 208, 4),
        field("skb_tcp_flags", "__u32", 212, 4),
        field("skb_hwtstamp", "__u64", 216, 8),
    ],
};

/// `struct sk_msg_md`: data that a socket sends.
pub static SK_MSG_MD: ContextStruct = ContextStruct {
    name: "sk_msg_md",
    size: 80,
    fields: &[
        field("data", "void *", 0, 8),
        field("data_end", "void *", 8, 8),
        field("family", "__u32", 16, 4),
        field("remote_ip4", "__u32", 20, 4),
        field("local_ip4", "__u32", 24, 4),
        array("remote_ip6", "__u32", 4, 28, 16),
        array("local_ip6", "__u32", 4, 44, 16),
        field("remote_port", "__u32", 60, 4),
        field("local_port", "__u32", 64, 4),
        field("size", "__u32", 68, 4),
        field("sk", "struct bpf_sock *", 72, 8),
    ],
};

/// `struct sk_reuseport_md`: a packet for which a socket of a reuseport group is chosen.
pub static SK_REUSEPORT_MD: ContextStruct = ContextStruct {
    name: "sk_reuseport_md",
    size: 56,
    fields: &[
        field("data", "void *", 0, 8),
        field("data_end", "void *", 8, 8),
        field("len", "__u32", 16, 4),
        field("eth_protocol", "__u32", 20, 4),
        field("ip_protocol", "__u32", 24, 4),
        field("bind_inany", "__u32", 28, 4),
        field("hash", "__u32", 32, 4),
        field("sk", "struct bpf_sock *", 40, 8),
        field("migrating_sk", "struct bpf_sock *", 48, 8),
    ],
};

/// `struct bpf_sk_lookup`: a packet for which a socket is looked up.
pub static BPF_SK_LOOKUP: ContextStruct = ContextStruct {
    name: "bpf_sk_lookup",
    size: 72,
    fields: &[
        field("sk", "struct bpf_sock *", 0, 8),
        field("cookie", "__u64", 0, 8),
        field("family", "__u32", 8, 4),
        field("protocol", "__u32", 12, 4),
        field("remote_ip4", "__u32", 16, 4),
        array("remote_ip6", "__u32", 4, 20, 16),
        field("remote_port", "__be16", 36, 2),
        field("local_ip4", "__u32", 40, 4),
        array("local_ip6", "__u32", 4, 44, 16),
        field("local_port", "__u32", 60, 4),
        field("ingress_ifindex", "__u32", 64, 4),
    ],
};

/// `struct bpf_cgroup_dev_ctx`: an access to a device.
pub static BPF_CGROUP_DEV_CTX: ContextStruct = ContextStruct {
    name: "bpf_cgroup_dev_ctx",
    size: 12,
    fields: &[
        field("access_type", "__u32", 0, 4),
        field("major", "__u32", 4, 4),
        field("minor", "__u32", 8, 4),
    ],
};

/// `struct bpf_sysctl`: an access to a sysctl.
pub static BPF_SYSCTL: ContextStruct = ContextStruct {
    name: "bpf_sysctl",
    size: 8,
    fields: &[field("write", "__u32", 0, 4), field("file_pos", "__u32", 4, 4)],
};

/// `struct bpf_sockopt`: an access to a socket option.
pub static BPF_SOCKOPT: ContextStruct = ContextStruct {
    name: "bpf_sockopt",
    size: 40,
    fields: &[
        field("sk", "struct bpf_sock *", 0, 8),
        field("optval", "void *", 8, 8),
        field("optval_end", "void *", 16, 8),
        field("level", "__s32", 24, 4),
        field("optname", "__s32", 28, 4),
        field("optlen", "__s32", 32, 4),
        field("retval", "__s32", 36, 4),
    ],
};

/// `struct bpf_perf_event_data`: a sample of a perf event (x86-64).
pub static BPF_PERF_EVENT_DATA: ContextStruct = ContextStruct {
    name: "bpf_perf_event_data",
    size: 184,
    fields: &[
        field("regs", "bpf_user_pt_regs_t", 0, 168),
        field("sample_period", "__u64", 168, 8),
        field("addr", "__u64", 176, 8),
    ],
};

/// `struct bpf_nf_ctx`: a packet at a netfilter hook.
pub static BPF_NF_CTX: ContextStruct = ContextStruct {
    name: "bpf_nf_ctx",
    size: 16,
    fields: &[field("state", "const struct nf_hook_state *", 0, 8), field("skb", "struct sk_buff *", 8, 8)],
};

/// `struct bpf_flow_keys`: what a flow dissector program fills in.
pub static BPF_FLOW_KEYS: ContextStruct = ContextStruct {
    name: "bpf_flow_keys",
    size: 56,
    fields: &[
        field("nhoff", "__u16", 0, 2),
        field("thoff", "__u16", 2, 2),
        field("addr_proto", "__u16", 4, 2),
        field("is_frag", "__u8", 6, 1),
        field("is_first_frag", "__u8", 7, 1),
        field("is_encap", "__u8", 8, 1),
        field("ip_proto", "__u8", 9, 1),
        field("n_proto", "__be16", 10, 2),
        field("sport", "__be16", 12, 2),
        field("dport", "__be16", 14, 2),
        field("ipv4_src", "__be32", 16, 4),
        field("ipv4_dst", "__be32", 20, 4),
        array("ipv6_src", "__u32", 4, 16, 16),
        array("ipv6_dst", "__u32", 4, 32, 16),
        field("flags", "__u32", 48, 4),
        field("flow_label", "__be32", 52, 4),
    ],
};

/// `struct bpf_tcp_sock`: a TCP socket, as `tcp_sock` gives it.
pub static BPF_TCP_SOCK: ContextStruct = ContextStruct {
    name: "bpf_tcp_sock",
    size: 112,
    fields: &[
        field("snd_cwnd", "__u32", 0, 4),
        field("srtt_us", "__u32", 4, 4),
        field("rtt_min", "__u32", 8, 4),
        field("snd_ssthresh", "__u32", 12, 4),
        field("rcv_nxt", "__u32", 16, 4),
        field("snd_nxt", "__u32", 20, 4),
        field("snd_una", "__u32", 24, 4),
        field("mss_cache", "__u32", 28, 4),
        field("ecn_flags", "__u32", 32, 4),
        field("rate_delivered", "__u32", 36, 4),
        field("rate_interval_us", "__u32", 40, 4),
        field("packets_out", "__u32", 44, 4),
        field("retrans_out", "__u32", 48, 4),
        field("total_retrans", "__u32", 52, 4),
        field("segs_in", "__u32", 56, 4),
        field("data_segs_in", "__u32", 60, 4),
        field("segs_out", "__u32", 64, 4),
        field("data_segs_out", "__u32", 68, 4),
        field("lost_out", "__u32", 72, 4),
        field("sacked_out", "__u32", 76, 4),
        field("bytes_received", "__u64", 80, 8),
        field("bytes_acked", "__u64", 88, 8),
        field("dsack_dups", "__u32", 96, 4),
        field("delivered", "__u32", 100, 4),
        field("delivered_ce", "__u32", 104, 4),
        field("icsk_retransmits", "__u32", 108, 4),
    ],
};

/// `struct pt_regs` of x86-64, by the kernel's own field names (`di` where `asm/ptrace.h` says `rdi`).
pub static PT_REGS_X86_64: ContextStruct = ContextStruct {
    name: "pt_regs",
    size: 168,
    fields: &[
        field("r15", "unsigned long", 0, 8),
        field("r14", "unsigned long", 8, 8),
        field("r13", "unsigned long", 16, 8),
        field("r12", "unsigned long", 24, 8),
        field("bp", "unsigned long", 32, 8),
        field("bx", "unsigned long", 40, 8),
        field("r11", "unsigned long", 48, 8),
        field("r10", "unsigned long", 56, 8),
        field("r9", "unsigned long", 64, 8),
        field("r8", "unsigned long", 72, 8),
        field("ax", "unsigned long", 80, 8),
        field("cx", "unsigned long", 88, 8),
        field("dx", "unsigned long", 96, 8),
        field("si", "unsigned long", 104, 8),
        field("di", "unsigned long", 112, 8),
        field("orig_ax", "unsigned long", 120, 8),
        field("ip", "unsigned long", 128, 8),
        field("cs", "unsigned long", 136, 8),
        field("flags", "unsigned long", 144, 8),
        field("sp", "unsigned long", 152, 8),
        field("ss", "unsigned long", 160, 8),
    ],
};

/// `struct user_pt_regs` of arm64, which the kernel's `struct pt_regs` starts with.
pub static USER_PT_REGS_ARM64: ContextStruct = ContextStruct {
    name: "user_pt_regs",
    size: 272,
    fields: &[
        array("regs", "__u64", 31, 0, 248),
        field("sp", "__u64", 248, 8),
        field("pc", "__u64", 256, 8),
        field("pstate", "__u64", 264, 8),
    ],
};
