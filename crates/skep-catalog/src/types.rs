//! The numbered types of `bpf(2)`: programs, attach points, maps. Numbers and names are those of `linux/bpf.h`.

/// Declares a numbered uapi enumeration: variant, number, name in `linux/bpf.h`.
macro_rules! uapi_enum {
    (
        $(#[$meta:meta])*
        pub enum $name:ident { $($variant:ident = $number:literal, $uapi:literal;)* }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u32)]
        pub enum $name {
            $(#[doc = concat!("`", $uapi, "`")] $variant = $number,)*
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
        }
    };
}

uapi_enum! {
    /// Program types (`enum bpf_prog_type`).
    pub enum ProgramType {
        Unspec = 0, "BPF_PROG_TYPE_UNSPEC";
        SocketFilter = 1, "BPF_PROG_TYPE_SOCKET_FILTER";
        Kprobe = 2, "BPF_PROG_TYPE_KPROBE";
        SchedCls = 3, "BPF_PROG_TYPE_SCHED_CLS";
        SchedAct = 4, "BPF_PROG_TYPE_SCHED_ACT";
        Tracepoint = 5, "BPF_PROG_TYPE_TRACEPOINT";
        Xdp = 6, "BPF_PROG_TYPE_XDP";
        PerfEvent = 7, "BPF_PROG_TYPE_PERF_EVENT";
        CgroupSkb = 8, "BPF_PROG_TYPE_CGROUP_SKB";
        CgroupSock = 9, "BPF_PROG_TYPE_CGROUP_SOCK";
        LwtIn = 10, "BPF_PROG_TYPE_LWT_IN";
        LwtOut = 11, "BPF_PROG_TYPE_LWT_OUT";
        LwtXmit = 12, "BPF_PROG_TYPE_LWT_XMIT";
        SockOps = 13, "BPF_PROG_TYPE_SOCK_OPS";
        SkSkb = 14, "BPF_PROG_TYPE_SK_SKB";
        CgroupDevice = 15, "BPF_PROG_TYPE_CGROUP_DEVICE";
        SkMsg = 16, "BPF_PROG_TYPE_SK_MSG";
        RawTracepoint = 17, "BPF_PROG_TYPE_RAW_TRACEPOINT";
        CgroupSockAddr = 18, "BPF_PROG_TYPE_CGROUP_SOCK_ADDR";
        LwtSeg6local = 19, "BPF_PROG_TYPE_LWT_SEG6LOCAL";
        LircMode2 = 20, "BPF_PROG_TYPE_LIRC_MODE2";
        SkReuseport = 21, "BPF_PROG_TYPE_SK_REUSEPORT";
        FlowDissector = 22, "BPF_PROG_TYPE_FLOW_DISSECTOR";
        CgroupSysctl = 23, "BPF_PROG_TYPE_CGROUP_SYSCTL";
        RawTracepointWritable = 24, "BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE";
        CgroupSockopt = 25, "BPF_PROG_TYPE_CGROUP_SOCKOPT";
        Tracing = 26, "BPF_PROG_TYPE_TRACING";
        StructOps = 27, "BPF_PROG_TYPE_STRUCT_OPS";
        Ext = 28, "BPF_PROG_TYPE_EXT";
        Lsm = 29, "BPF_PROG_TYPE_LSM";
        SkLookup = 30, "BPF_PROG_TYPE_SK_LOOKUP";
        Syscall = 31, "BPF_PROG_TYPE_SYSCALL";
        Netfilter = 32, "BPF_PROG_TYPE_NETFILTER";
    }
}

uapi_enum! {
    /// Map types (`enum bpf_map_type`).
    pub enum MapType {
        Unspec = 0, "BPF_MAP_TYPE_UNSPEC";
        Hash = 1, "BPF_MAP_TYPE_HASH";
        Array = 2, "BPF_MAP_TYPE_ARRAY";
        ProgArray = 3, "BPF_MAP_TYPE_PROG_ARRAY";
        PerfEventArray = 4, "BPF_MAP_TYPE_PERF_EVENT_ARRAY";
        PercpuHash = 5, "BPF_MAP_TYPE_PERCPU_HASH";
        PercpuArray = 6, "BPF_MAP_TYPE_PERCPU_ARRAY";
        StackTrace = 7, "BPF_MAP_TYPE_STACK_TRACE";
        CgroupArray = 8, "BPF_MAP_TYPE_CGROUP_ARRAY";
        LruHash = 9, "BPF_MAP_TYPE_LRU_HASH";
        LruPercpuHash = 10, "BPF_MAP_TYPE_LRU_PERCPU_HASH";
        LpmTrie = 11, "BPF_MAP_TYPE_LPM_TRIE";
        ArrayOfMaps = 12, "BPF_MAP_TYPE_ARRAY_OF_MAPS";
        HashOfMaps = 13, "BPF_MAP_TYPE_HASH_OF_MAPS";
        Devmap = 14, "BPF_MAP_TYPE_DEVMAP";
        Sockmap = 15, "BPF_MAP_TYPE_SOCKMAP";
        Cpumap = 16, "BPF_MAP_TYPE_CPUMAP";
        Xskmap = 17, "BPF_MAP_TYPE_XSKMAP";
        Sockhash = 18, "BPF_MAP_TYPE_SOCKHASH";
        CgroupStorage = 19, "BPF_MAP_TYPE_CGROUP_STORAGE";
        ReuseportSockarray = 20, "BPF_MAP_TYPE_REUSEPORT_SOCKARRAY";
        PercpuCgroupStorage = 21, "BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE";
        Queue = 22, "BPF_MAP_TYPE_QUEUE";
        Stack = 23, "BPF_MAP_TYPE_STACK";
        SkStorage = 24, "BPF_MAP_TYPE_SK_STORAGE";
        DevmapHash = 25, "BPF_MAP_TYPE_DEVMAP_HASH";
        StructOps = 26, "BPF_MAP_TYPE_STRUCT_OPS";
        Ringbuf = 27, "BPF_MAP_TYPE_RINGBUF";
        InodeStorage = 28, "BPF_MAP_TYPE_INODE_STORAGE";
        TaskStorage = 29, "BPF_MAP_TYPE_TASK_STORAGE";
        BloomFilter = 30, "BPF_MAP_TYPE_BLOOM_FILTER";
        UserRingbuf = 31, "BPF_MAP_TYPE_USER_RINGBUF";
        CgrpStorage = 32, "BPF_MAP_TYPE_CGRP_STORAGE";
        Arena = 33, "BPF_MAP_TYPE_ARENA";
    }
}

uapi_enum! {
    /// Attach types (`enum bpf_attach_type`).
    pub enum AttachType {
        CgroupInetIngress = 0, "BPF_CGROUP_INET_INGRESS";
        CgroupInetEgress = 1, "BPF_CGROUP_INET_EGRESS";
        CgroupInetSockCreate = 2, "BPF_CGROUP_INET_SOCK_CREATE";
        CgroupSockOps = 3, "BPF_CGROUP_SOCK_OPS";
        SkSkbStreamParser = 4, "BPF_SK_SKB_STREAM_PARSER";
        SkSkbStreamVerdict = 5, "BPF_SK_SKB_STREAM_VERDICT";
        CgroupDevice = 6, "BPF_CGROUP_DEVICE";
        SkMsgVerdict = 7, "BPF_SK_MSG_VERDICT";
        CgroupInet4Bind = 8, "BPF_CGROUP_INET4_BIND";
        CgroupInet6Bind = 9, "BPF_CGROUP_INET6_BIND";
        CgroupInet4Connect = 10, "BPF_CGROUP_INET4_CONNECT";
        CgroupInet6Connect = 11, "BPF_CGROUP_INET6_CONNECT";
        CgroupInet4PostBind = 12, "BPF_CGROUP_INET4_POST_BIND";
        CgroupInet6PostBind = 13, "BPF_CGROUP_INET6_POST_BIND";
        CgroupUdp4Sendmsg = 14, "BPF_CGROUP_UDP4_SENDMSG";
        CgroupUdp6Sendmsg = 15, "BPF_CGROUP_UDP6_SENDMSG";
        LircMode2 = 16, "BPF_LIRC_MODE2";
        FlowDissector = 17, "BPF_FLOW_DISSECTOR";
        CgroupSysctl = 18, "BPF_CGROUP_SYSCTL";
        CgroupUdp4Recvmsg = 19, "BPF_CGROUP_UDP4_RECVMSG";
        CgroupUdp6Recvmsg = 20, "BPF_CGROUP_UDP6_RECVMSG";
        CgroupGetsockopt = 21, "BPF_CGROUP_GETSOCKOPT";
        CgroupSetsockopt = 22, "BPF_CGROUP_SETSOCKOPT";
        TraceRawTp = 23, "BPF_TRACE_RAW_TP";
        TraceFentry = 24, "BPF_TRACE_FENTRY";
        TraceFexit = 25, "BPF_TRACE_FEXIT";
        ModifyReturn = 26, "BPF_MODIFY_RETURN";
        LsmMac = 27, "BPF_LSM_MAC";
        TraceIter = 28, "BPF_TRACE_ITER";
        CgroupInet4Getpeername = 29, "BPF_CGROUP_INET4_GETPEERNAME";
        CgroupInet6Getpeername = 30, "BPF_CGROUP_INET6_GETPEERNAME";
        CgroupInet4Getsockname = 31, "BPF_CGROUP_INET4_GETSOCKNAME";
        CgroupInet6Getsockname = 32, "BPF_CGROUP_INET6_GETSOCKNAME";
        XdpDevmap = 33, "BPF_XDP_DEVMAP";
        CgroupInetSockRelease = 34, "BPF_CGROUP_INET_SOCK_RELEASE";
        XdpCpumap = 35, "BPF_XDP_CPUMAP";
        SkLookup = 36, "BPF_SK_LOOKUP";
        Xdp = 37, "BPF_XDP";
        SkSkbVerdict = 38, "BPF_SK_SKB_VERDICT";
        SkReuseportSelect = 39, "BPF_SK_REUSEPORT_SELECT";
        SkReuseportSelectOrMigrate = 40, "BPF_SK_REUSEPORT_SELECT_OR_MIGRATE";
        PerfEvent = 41, "BPF_PERF_EVENT";
        TraceKprobeMulti = 42, "BPF_TRACE_KPROBE_MULTI";
        LsmCgroup = 43, "BPF_LSM_CGROUP";
        StructOps = 44, "BPF_STRUCT_OPS";
        Netfilter = 45, "BPF_NETFILTER";
        TcxIngress = 46, "BPF_TCX_INGRESS";
        TcxEgress = 47, "BPF_TCX_EGRESS";
        TraceUprobeMulti = 48, "BPF_TRACE_UPROBE_MULTI";
        CgroupUnixConnect = 49, "BPF_CGROUP_UNIX_CONNECT";
        CgroupUnixSendmsg = 50, "BPF_CGROUP_UNIX_SENDMSG";
        CgroupUnixRecvmsg = 51, "BPF_CGROUP_UNIX_RECVMSG";
        CgroupUnixGetpeername = 52, "BPF_CGROUP_UNIX_GETPEERNAME";
        CgroupUnixGetsockname = 53, "BPF_CGROUP_UNIX_GETSOCKNAME";
        NetkitPrimary = 54, "BPF_NETKIT_PRIMARY";
        NetkitPeer = 55, "BPF_NETKIT_PEER";
        TraceKprobeSession = 56, "BPF_TRACE_KPROBE_SESSION";
        TraceUprobeSession = 57, "BPF_TRACE_UPROBE_SESSION";
    }
}
