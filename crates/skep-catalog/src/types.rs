//! The numbered types of `bpf(2)`: programs, maps, attach points, links, commands. Numbers and names are those of
//! `linux/bpf.h` as of Linux 6.18; the versions are those in which Linux first had the feature.

use crate::KernelVersion;

/// Declares a numbered uapi enumeration: variant, number, name in `linux/bpf.h`, name in libbpf and bpftool, and the
/// Linux version it came with.
macro_rules! uapi_enum {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $($variant:ident = $number:literal, $uapi:literal, $short:literal, $major:literal, $minor:literal;)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u32)]
        pub enum $name {
            $(#[doc = concat!("`", $uapi, "`, Linux ", $major, ".", $minor)] $variant = $number,)*
        }

        impl $name {
            /// All of them, by number.
            pub const ALL: &[$name] = &[$($name::$variant,)*];

            /// The one with this number, if it is known.
            #[must_use]
            pub const fn from_number(number: u32) -> Option<Self> {
                match number {
                    $($number => Some($name::$variant),)*
                    _ => None,
                }
            }

            /// Its number in `linux/bpf.h`.
            #[must_use]
            pub const fn number(self) -> u32 {
                self as u32
            }

            /// Its name in `linux/bpf.h`.
            #[must_use]
            pub const fn uapi_name(self) -> &'static str {
                match self {
                    $($name::$variant => $uapi,)*
                }
            }

            /// The one with this name in `linux/bpf.h`.
            #[must_use]
            pub fn from_uapi_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|item| item.uapi_name() == name)
            }

            /// Its name in libbpf and bpftool: the uapi name in lower case, without the prefix common to the enumeration.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $($name::$variant => $short,)*
                }
            }

            /// The one that libbpf and bpftool call by this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|item| item.name() == name)
            }

            /// The Linux version it came with.
            #[must_use]
            pub const fn since(self) -> KernelVersion {
                match self {
                    $($name::$variant => KernelVersion::new($major, $minor),)*
                }
            }
        }

        impl std::fmt::Display for $name {
            /// Prints [`name`](Self::name).
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }
    };
}

uapi_enum! {
    /// Program types (`enum bpf_prog_type`).
    pub enum ProgramType {
        Unspec = 0, "BPF_PROG_TYPE_UNSPEC", "unspec", 3, 18;
        SocketFilter = 1, "BPF_PROG_TYPE_SOCKET_FILTER", "socket_filter", 3, 19;
        Kprobe = 2, "BPF_PROG_TYPE_KPROBE", "kprobe", 4, 1;
        SchedCls = 3, "BPF_PROG_TYPE_SCHED_CLS", "sched_cls", 4, 1;
        SchedAct = 4, "BPF_PROG_TYPE_SCHED_ACT", "sched_act", 4, 1;
        Tracepoint = 5, "BPF_PROG_TYPE_TRACEPOINT", "tracepoint", 4, 7;
        Xdp = 6, "BPF_PROG_TYPE_XDP", "xdp", 4, 8;
        PerfEvent = 7, "BPF_PROG_TYPE_PERF_EVENT", "perf_event", 4, 9;
        CgroupSkb = 8, "BPF_PROG_TYPE_CGROUP_SKB", "cgroup_skb", 4, 10;
        CgroupSock = 9, "BPF_PROG_TYPE_CGROUP_SOCK", "cgroup_sock", 4, 10;
        LwtIn = 10, "BPF_PROG_TYPE_LWT_IN", "lwt_in", 4, 10;
        LwtOut = 11, "BPF_PROG_TYPE_LWT_OUT", "lwt_out", 4, 10;
        LwtXmit = 12, "BPF_PROG_TYPE_LWT_XMIT", "lwt_xmit", 4, 10;
        SockOps = 13, "BPF_PROG_TYPE_SOCK_OPS", "sock_ops", 4, 13;
        SkSkb = 14, "BPF_PROG_TYPE_SK_SKB", "sk_skb", 4, 14;
        CgroupDevice = 15, "BPF_PROG_TYPE_CGROUP_DEVICE", "cgroup_device", 4, 15;
        SkMsg = 16, "BPF_PROG_TYPE_SK_MSG", "sk_msg", 4, 17;
        RawTracepoint = 17, "BPF_PROG_TYPE_RAW_TRACEPOINT", "raw_tracepoint", 4, 17;
        CgroupSockAddr = 18, "BPF_PROG_TYPE_CGROUP_SOCK_ADDR", "cgroup_sock_addr", 4, 17;
        LwtSeg6local = 19, "BPF_PROG_TYPE_LWT_SEG6LOCAL", "lwt_seg6local", 4, 18;
        LircMode2 = 20, "BPF_PROG_TYPE_LIRC_MODE2", "lirc_mode2", 4, 18;
        SkReuseport = 21, "BPF_PROG_TYPE_SK_REUSEPORT", "sk_reuseport", 4, 19;
        FlowDissector = 22, "BPF_PROG_TYPE_FLOW_DISSECTOR", "flow_dissector", 4, 20;
        CgroupSysctl = 23, "BPF_PROG_TYPE_CGROUP_SYSCTL", "cgroup_sysctl", 5, 2;
        RawTracepointWritable = 24, "BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE", "raw_tracepoint_writable", 5, 2;
        CgroupSockopt = 25, "BPF_PROG_TYPE_CGROUP_SOCKOPT", "cgroup_sockopt", 5, 3;
        Tracing = 26, "BPF_PROG_TYPE_TRACING", "tracing", 5, 5;
        StructOps = 27, "BPF_PROG_TYPE_STRUCT_OPS", "struct_ops", 5, 6;
        Ext = 28, "BPF_PROG_TYPE_EXT", "ext", 5, 6;
        Lsm = 29, "BPF_PROG_TYPE_LSM", "lsm", 5, 7;
        SkLookup = 30, "BPF_PROG_TYPE_SK_LOOKUP", "sk_lookup", 5, 9;
        Syscall = 31, "BPF_PROG_TYPE_SYSCALL", "syscall", 5, 14;
        Netfilter = 32, "BPF_PROG_TYPE_NETFILTER", "netfilter", 6, 4;
    }
}

uapi_enum! {
    /// Map types (`enum bpf_map_type`).
    pub enum MapType {
        Unspec = 0, "BPF_MAP_TYPE_UNSPEC", "unspec", 3, 18;
        Hash = 1, "BPF_MAP_TYPE_HASH", "hash", 3, 19;
        Array = 2, "BPF_MAP_TYPE_ARRAY", "array", 3, 19;
        ProgArray = 3, "BPF_MAP_TYPE_PROG_ARRAY", "prog_array", 4, 2;
        PerfEventArray = 4, "BPF_MAP_TYPE_PERF_EVENT_ARRAY", "perf_event_array", 4, 3;
        PercpuHash = 5, "BPF_MAP_TYPE_PERCPU_HASH", "percpu_hash", 4, 6;
        PercpuArray = 6, "BPF_MAP_TYPE_PERCPU_ARRAY", "percpu_array", 4, 6;
        StackTrace = 7, "BPF_MAP_TYPE_STACK_TRACE", "stack_trace", 4, 6;
        CgroupArray = 8, "BPF_MAP_TYPE_CGROUP_ARRAY", "cgroup_array", 4, 8;
        LruHash = 9, "BPF_MAP_TYPE_LRU_HASH", "lru_hash", 4, 10;
        LruPercpuHash = 10, "BPF_MAP_TYPE_LRU_PERCPU_HASH", "lru_percpu_hash", 4, 10;
        LpmTrie = 11, "BPF_MAP_TYPE_LPM_TRIE", "lpm_trie", 4, 11;
        ArrayOfMaps = 12, "BPF_MAP_TYPE_ARRAY_OF_MAPS", "array_of_maps", 4, 12;
        HashOfMaps = 13, "BPF_MAP_TYPE_HASH_OF_MAPS", "hash_of_maps", 4, 12;
        Devmap = 14, "BPF_MAP_TYPE_DEVMAP", "devmap", 4, 14;
        Sockmap = 15, "BPF_MAP_TYPE_SOCKMAP", "sockmap", 4, 14;
        Cpumap = 16, "BPF_MAP_TYPE_CPUMAP", "cpumap", 4, 15;
        Xskmap = 17, "BPF_MAP_TYPE_XSKMAP", "xskmap", 4, 18;
        Sockhash = 18, "BPF_MAP_TYPE_SOCKHASH", "sockhash", 4, 18;
        CgroupStorage = 19, "BPF_MAP_TYPE_CGROUP_STORAGE", "cgroup_storage", 4, 19;
        ReuseportSockarray = 20, "BPF_MAP_TYPE_REUSEPORT_SOCKARRAY", "reuseport_sockarray", 4, 19;
        PercpuCgroupStorage = 21, "BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE", "percpu_cgroup_storage", 4, 20;
        Queue = 22, "BPF_MAP_TYPE_QUEUE", "queue", 4, 20;
        Stack = 23, "BPF_MAP_TYPE_STACK", "stack", 4, 20;
        SkStorage = 24, "BPF_MAP_TYPE_SK_STORAGE", "sk_storage", 5, 2;
        DevmapHash = 25, "BPF_MAP_TYPE_DEVMAP_HASH", "devmap_hash", 5, 4;
        StructOps = 26, "BPF_MAP_TYPE_STRUCT_OPS", "struct_ops", 5, 6;
        Ringbuf = 27, "BPF_MAP_TYPE_RINGBUF", "ringbuf", 5, 8;
        InodeStorage = 28, "BPF_MAP_TYPE_INODE_STORAGE", "inode_storage", 5, 10;
        TaskStorage = 29, "BPF_MAP_TYPE_TASK_STORAGE", "task_storage", 5, 11;
        BloomFilter = 30, "BPF_MAP_TYPE_BLOOM_FILTER", "bloom_filter", 5, 16;
        UserRingbuf = 31, "BPF_MAP_TYPE_USER_RINGBUF", "user_ringbuf", 6, 1;
        CgrpStorage = 32, "BPF_MAP_TYPE_CGRP_STORAGE", "cgrp_storage", 6, 2;
        Arena = 33, "BPF_MAP_TYPE_ARENA", "arena", 6, 9;
    }
}

uapi_enum! {
    /// Attach types (`enum bpf_attach_type`).
    pub enum AttachType {
        CgroupInetIngress = 0, "BPF_CGROUP_INET_INGRESS", "cgroup_inet_ingress", 4, 10;
        CgroupInetEgress = 1, "BPF_CGROUP_INET_EGRESS", "cgroup_inet_egress", 4, 10;
        CgroupInetSockCreate = 2, "BPF_CGROUP_INET_SOCK_CREATE", "cgroup_inet_sock_create", 4, 10;
        CgroupSockOps = 3, "BPF_CGROUP_SOCK_OPS", "cgroup_sock_ops", 4, 13;
        SkSkbStreamParser = 4, "BPF_SK_SKB_STREAM_PARSER", "sk_skb_stream_parser", 4, 14;
        SkSkbStreamVerdict = 5, "BPF_SK_SKB_STREAM_VERDICT", "sk_skb_stream_verdict", 4, 14;
        CgroupDevice = 6, "BPF_CGROUP_DEVICE", "cgroup_device", 4, 15;
        SkMsgVerdict = 7, "BPF_SK_MSG_VERDICT", "sk_msg_verdict", 4, 17;
        CgroupInet4Bind = 8, "BPF_CGROUP_INET4_BIND", "cgroup_inet4_bind", 4, 17;
        CgroupInet6Bind = 9, "BPF_CGROUP_INET6_BIND", "cgroup_inet6_bind", 4, 17;
        CgroupInet4Connect = 10, "BPF_CGROUP_INET4_CONNECT", "cgroup_inet4_connect", 4, 17;
        CgroupInet6Connect = 11, "BPF_CGROUP_INET6_CONNECT", "cgroup_inet6_connect", 4, 17;
        CgroupInet4PostBind = 12, "BPF_CGROUP_INET4_POST_BIND", "cgroup_inet4_post_bind", 4, 17;
        CgroupInet6PostBind = 13, "BPF_CGROUP_INET6_POST_BIND", "cgroup_inet6_post_bind", 4, 17;
        CgroupUdp4Sendmsg = 14, "BPF_CGROUP_UDP4_SENDMSG", "cgroup_udp4_sendmsg", 4, 18;
        CgroupUdp6Sendmsg = 15, "BPF_CGROUP_UDP6_SENDMSG", "cgroup_udp6_sendmsg", 4, 18;
        LircMode2 = 16, "BPF_LIRC_MODE2", "lirc_mode2", 4, 18;
        FlowDissector = 17, "BPF_FLOW_DISSECTOR", "flow_dissector", 4, 20;
        CgroupSysctl = 18, "BPF_CGROUP_SYSCTL", "cgroup_sysctl", 5, 2;
        CgroupUdp4Recvmsg = 19, "BPF_CGROUP_UDP4_RECVMSG", "cgroup_udp4_recvmsg", 5, 2;
        CgroupUdp6Recvmsg = 20, "BPF_CGROUP_UDP6_RECVMSG", "cgroup_udp6_recvmsg", 5, 2;
        CgroupGetsockopt = 21, "BPF_CGROUP_GETSOCKOPT", "cgroup_getsockopt", 5, 3;
        CgroupSetsockopt = 22, "BPF_CGROUP_SETSOCKOPT", "cgroup_setsockopt", 5, 3;
        TraceRawTp = 23, "BPF_TRACE_RAW_TP", "trace_raw_tp", 5, 5;
        TraceFentry = 24, "BPF_TRACE_FENTRY", "trace_fentry", 5, 5;
        TraceFexit = 25, "BPF_TRACE_FEXIT", "trace_fexit", 5, 5;
        ModifyReturn = 26, "BPF_MODIFY_RETURN", "modify_return", 5, 7;
        LsmMac = 27, "BPF_LSM_MAC", "lsm_mac", 5, 7;
        TraceIter = 28, "BPF_TRACE_ITER", "trace_iter", 5, 8;
        CgroupInet4Getpeername = 29, "BPF_CGROUP_INET4_GETPEERNAME", "cgroup_inet4_getpeername", 5, 8;
        CgroupInet6Getpeername = 30, "BPF_CGROUP_INET6_GETPEERNAME", "cgroup_inet6_getpeername", 5, 8;
        CgroupInet4Getsockname = 31, "BPF_CGROUP_INET4_GETSOCKNAME", "cgroup_inet4_getsockname", 5, 8;
        CgroupInet6Getsockname = 32, "BPF_CGROUP_INET6_GETSOCKNAME", "cgroup_inet6_getsockname", 5, 8;
        XdpDevmap = 33, "BPF_XDP_DEVMAP", "xdp_devmap", 5, 8;
        CgroupInetSockRelease = 34, "BPF_CGROUP_INET_SOCK_RELEASE", "cgroup_inet_sock_release", 5, 9;
        XdpCpumap = 35, "BPF_XDP_CPUMAP", "xdp_cpumap", 5, 9;
        SkLookup = 36, "BPF_SK_LOOKUP", "sk_lookup", 5, 9;
        Xdp = 37, "BPF_XDP", "xdp", 5, 9;
        SkSkbVerdict = 38, "BPF_SK_SKB_VERDICT", "sk_skb_verdict", 5, 13;
        SkReuseportSelect = 39, "BPF_SK_REUSEPORT_SELECT", "sk_reuseport_select", 5, 14;
        SkReuseportSelectOrMigrate = 40, "BPF_SK_REUSEPORT_SELECT_OR_MIGRATE", "sk_reuseport_select_or_migrate", 5, 14;
        PerfEvent = 41, "BPF_PERF_EVENT", "perf_event", 5, 15;
        TraceKprobeMulti = 42, "BPF_TRACE_KPROBE_MULTI", "trace_kprobe_multi", 5, 18;
        LsmCgroup = 43, "BPF_LSM_CGROUP", "lsm_cgroup", 6, 0;
        StructOps = 44, "BPF_STRUCT_OPS", "struct_ops", 6, 4;
        Netfilter = 45, "BPF_NETFILTER", "netfilter", 6, 4;
        TcxIngress = 46, "BPF_TCX_INGRESS", "tcx_ingress", 6, 6;
        TcxEgress = 47, "BPF_TCX_EGRESS", "tcx_egress", 6, 6;
        TraceUprobeMulti = 48, "BPF_TRACE_UPROBE_MULTI", "trace_uprobe_multi", 6, 6;
        CgroupUnixConnect = 49, "BPF_CGROUP_UNIX_CONNECT", "cgroup_unix_connect", 6, 7;
        CgroupUnixSendmsg = 50, "BPF_CGROUP_UNIX_SENDMSG", "cgroup_unix_sendmsg", 6, 7;
        CgroupUnixRecvmsg = 51, "BPF_CGROUP_UNIX_RECVMSG", "cgroup_unix_recvmsg", 6, 7;
        CgroupUnixGetpeername = 52, "BPF_CGROUP_UNIX_GETPEERNAME", "cgroup_unix_getpeername", 6, 7;
        CgroupUnixGetsockname = 53, "BPF_CGROUP_UNIX_GETSOCKNAME", "cgroup_unix_getsockname", 6, 7;
        NetkitPrimary = 54, "BPF_NETKIT_PRIMARY", "netkit_primary", 6, 7;
        NetkitPeer = 55, "BPF_NETKIT_PEER", "netkit_peer", 6, 7;
        TraceKprobeSession = 56, "BPF_TRACE_KPROBE_SESSION", "trace_kprobe_session", 6, 10;
        TraceUprobeSession = 57, "BPF_TRACE_UPROBE_SESSION", "trace_uprobe_session", 6, 13;
    }
}

uapi_enum! {
    /// Link types (`enum bpf_link_type`).
    pub enum LinkType {
        Unspec = 0, "BPF_LINK_TYPE_UNSPEC", "unspec", 5, 7;
        RawTracepoint = 1, "BPF_LINK_TYPE_RAW_TRACEPOINT", "raw_tracepoint", 5, 7;
        Tracing = 2, "BPF_LINK_TYPE_TRACING", "tracing", 5, 7;
        Cgroup = 3, "BPF_LINK_TYPE_CGROUP", "cgroup", 5, 7;
        Iter = 4, "BPF_LINK_TYPE_ITER", "iter", 5, 8;
        Netns = 5, "BPF_LINK_TYPE_NETNS", "netns", 5, 8;
        Xdp = 6, "BPF_LINK_TYPE_XDP", "xdp", 5, 9;
        PerfEvent = 7, "BPF_LINK_TYPE_PERF_EVENT", "perf_event", 5, 15;
        KprobeMulti = 8, "BPF_LINK_TYPE_KPROBE_MULTI", "kprobe_multi", 5, 18;
        StructOps = 9, "BPF_LINK_TYPE_STRUCT_OPS", "struct_ops", 6, 4;
        Netfilter = 10, "BPF_LINK_TYPE_NETFILTER", "netfilter", 6, 4;
        Tcx = 11, "BPF_LINK_TYPE_TCX", "tcx", 6, 6;
        UprobeMulti = 12, "BPF_LINK_TYPE_UPROBE_MULTI", "uprobe_multi", 6, 6;
        Netkit = 13, "BPF_LINK_TYPE_NETKIT", "netkit", 6, 7;
        Sockmap = 14, "BPF_LINK_TYPE_SOCKMAP", "sockmap", 6, 10;
    }
}

uapi_enum! {
    /// Commands of `bpf(2)` (`enum bpf_cmd`). `PROG_TEST_RUN` is also called `PROG_RUN`.
    pub enum Command {
        MapCreate = 0, "BPF_MAP_CREATE", "map_create", 3, 18;
        MapLookupElem = 1, "BPF_MAP_LOOKUP_ELEM", "map_lookup_elem", 3, 18;
        MapUpdateElem = 2, "BPF_MAP_UPDATE_ELEM", "map_update_elem", 3, 18;
        MapDeleteElem = 3, "BPF_MAP_DELETE_ELEM", "map_delete_elem", 3, 18;
        MapGetNextKey = 4, "BPF_MAP_GET_NEXT_KEY", "map_get_next_key", 3, 18;
        ProgLoad = 5, "BPF_PROG_LOAD", "prog_load", 3, 18;
        ObjPin = 6, "BPF_OBJ_PIN", "obj_pin", 4, 4;
        ObjGet = 7, "BPF_OBJ_GET", "obj_get", 4, 4;
        ProgAttach = 8, "BPF_PROG_ATTACH", "prog_attach", 4, 10;
        ProgDetach = 9, "BPF_PROG_DETACH", "prog_detach", 4, 10;
        ProgTestRun = 10, "BPF_PROG_TEST_RUN", "prog_test_run", 4, 12;
        ProgGetNextId = 11, "BPF_PROG_GET_NEXT_ID", "prog_get_next_id", 4, 13;
        MapGetNextId = 12, "BPF_MAP_GET_NEXT_ID", "map_get_next_id", 4, 13;
        ProgGetFdById = 13, "BPF_PROG_GET_FD_BY_ID", "prog_get_fd_by_id", 4, 13;
        MapGetFdById = 14, "BPF_MAP_GET_FD_BY_ID", "map_get_fd_by_id", 4, 13;
        ObjGetInfoByFd = 15, "BPF_OBJ_GET_INFO_BY_FD", "obj_get_info_by_fd", 4, 13;
        ProgQuery = 16, "BPF_PROG_QUERY", "prog_query", 4, 15;
        RawTracepointOpen = 17, "BPF_RAW_TRACEPOINT_OPEN", "raw_tracepoint_open", 4, 17;
        BtfLoad = 18, "BPF_BTF_LOAD", "btf_load", 4, 18;
        BtfGetFdById = 19, "BPF_BTF_GET_FD_BY_ID", "btf_get_fd_by_id", 4, 18;
        TaskFdQuery = 20, "BPF_TASK_FD_QUERY", "task_fd_query", 4, 18;
        MapLookupAndDeleteElem = 21, "BPF_MAP_LOOKUP_AND_DELETE_ELEM", "map_lookup_and_delete_elem", 4, 20;
        MapFreeze = 22, "BPF_MAP_FREEZE", "map_freeze", 5, 2;
        BtfGetNextId = 23, "BPF_BTF_GET_NEXT_ID", "btf_get_next_id", 5, 4;
        MapLookupBatch = 24, "BPF_MAP_LOOKUP_BATCH", "map_lookup_batch", 5, 6;
        MapLookupAndDeleteBatch = 25, "BPF_MAP_LOOKUP_AND_DELETE_BATCH", "map_lookup_and_delete_batch", 5, 6;
        MapUpdateBatch = 26, "BPF_MAP_UPDATE_BATCH", "map_update_batch", 5, 6;
        MapDeleteBatch = 27, "BPF_MAP_DELETE_BATCH", "map_delete_batch", 5, 6;
        LinkCreate = 28, "BPF_LINK_CREATE", "link_create", 5, 7;
        LinkUpdate = 29, "BPF_LINK_UPDATE", "link_update", 5, 7;
        LinkGetFdById = 30, "BPF_LINK_GET_FD_BY_ID", "link_get_fd_by_id", 5, 8;
        LinkGetNextId = 31, "BPF_LINK_GET_NEXT_ID", "link_get_next_id", 5, 8;
        EnableStats = 32, "BPF_ENABLE_STATS", "enable_stats", 5, 8;
        IterCreate = 33, "BPF_ITER_CREATE", "iter_create", 5, 8;
        LinkDetach = 34, "BPF_LINK_DETACH", "link_detach", 5, 9;
        ProgBindMap = 35, "BPF_PROG_BIND_MAP", "prog_bind_map", 5, 10;
        TokenCreate = 36, "BPF_TOKEN_CREATE", "token_create", 6, 9;
        ProgStreamReadByFd = 37, "BPF_PROG_STREAM_READ_BY_FD", "prog_stream_read_by_fd", 6, 17;
    }
}
