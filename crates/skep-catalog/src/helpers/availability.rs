//! Which helpers each program type may call.
//!
//! Measured: a program that calls the helper was loaded, and the verifier said whether the type may. On Linux 6.18 for the
//! types that need no BTF target and for `tp_btf`, iterators and `tcp_congestion_ops`; on Linux 6.1 for fentry, fexit, `fmod_ret`
//! and LSM, which have what `tp_btf` has and the helpers named here. `lirc_mode2` follows its documentation.
//!
//! A list says what a type *may* call; single hooks may be narrower: `d_path` is for listed functions only, `get_func_ret` fails
//! in fentry, the `ima_*` helpers are for sleepable programs, `setsockopt` and `getsockopt` in iterators and LSM programs are for
//! hooks that hold the socket, `struct_ops` lists are those of `tcp_congestion_ops`, `override_return` needs a function marked for
//! error injection.

use super::{Helper, id};
use crate::{AttachType, ProgramType};

/// A set of helpers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HelperSet([u64; 4]);

impl HelperSet {
    /// No helper.
    pub const EMPTY: Self = Self([0; 4]);

    /// Whether the helper with this number is in it.
    #[must_use]
    pub const fn contains(&self, id: u32) -> bool {
        id < 256 && self.0[(id / 64) as usize] & 1 << (id % 64) != 0
    }

    /// The helpers in either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        Self([a | e, b | f, c | g, d | h])
    }

    /// Its members, by number.
    pub fn iter(self) -> impl Iterator<Item = &'static Helper> {
        Helper::all().filter(move |helper| self.contains(helper.id))
    }
}

/// The helpers that programs of a type may call, with every capability and a GPL-compatible license. What depends on the
/// expected attach type is decided by it; without one (`None`), the answer is what any of them may call.
///
/// The list of [`ProgramType::Ext`] is that of the program it replaces a function of; here it is empty.
///
/// ```
/// use skep_catalog::{AttachType, ProgramType, helpers_of};
///
/// let connect = helpers_of(ProgramType::CgroupSockAddr, Some(AttachType::CgroupInet4Connect));
/// assert!(connect.iter().any(|helper| helper.name == "bind"));
/// ```
#[must_use]
pub fn helpers_of(program: ProgramType, attach: Option<AttachType>) -> HelperSet {
    ROWS.iter()
        .filter(|row| row.program == program)
        .filter(|row| row.attach.is_empty() || attach.is_none_or(|attach| row.attach.contains(&attach)))
        .fold(HelperSet::EMPTY, |set, row| set.union(row.helpers))
}

impl Helper {
    /// Whether programs of this type and expected attach type may call it; see [`helpers_of`].
    #[must_use]
    pub fn allowed_for(&self, program: ProgramType, attach: Option<AttachType>) -> bool {
        helpers_of(program, attach).contains(self.id)
    }

    /// The program types that may call it.
    pub fn program_types(&self) -> impl Iterator<Item = ProgramType> + use<> {
        let id = self.id;
        ProgramType::ALL.iter().copied().filter(move |program| helpers_of(*program, None).contains(id))
    }
}

struct Row {
    program: ProgramType,
    /// The expected attach types it is for; empty for all.
    attach: &'static [AttachType],
    helpers: HelperSet,
}

const fn set(ids: &[u32]) -> HelperSet {
    let mut bits = [0; 4];
    let mut index = 0;
    while index < ids.len() {
        bits[(ids[index] / 64) as usize] |= 1 << (ids[index] % 64);
        index += 1;
    }
    HelperSet(bits)
}

/// The set of the helpers with these names.
macro_rules! helper_set {
    ($($name:ident)*) => { set(&[$(id::$name,)*]) };
}

/// What every type may call, given the capabilities.
const EVERYWHERE: HelperSet = helper_set! {
    map_lookup_elem map_update_elem map_delete_elem ktime_get_ns trace_printk get_prandom_u32
    get_smp_processor_id tail_call get_current_pid_tgid get_current_uid_gid get_current_comm
    get_cgroup_classid perf_event_read get_current_task current_task_under_cgroup get_numa_node_id
    perf_event_read_value get_current_cgroup_id map_push_elem map_pop_elem map_peek_elem spin_lock
    spin_unlock strtol strtoul send_signal probe_read_user probe_read_kernel probe_read_user_str
    probe_read_kernel_str send_signal_thread jiffies64 get_ns_current_pid_tgid
    get_current_ancestor_cgroup_id ktime_get_boot_ns ringbuf_output ringbuf_reserve ringbuf_submit
    ringbuf_discard ringbuf_query get_task_stack copy_from_user snprintf_btf per_cpu_ptr this_cpu_ptr
    task_storage_get task_storage_delete get_current_task_btf for_each_map_elem snprintf timer_init
    timer_set_callback timer_start timer_cancel task_pt_regs get_branch_snapshot trace_vprintk
    find_vma r#loop strncmp copy_from_user_task kptr_xchg map_lookup_percpu_elem dynptr_from_mem
    ringbuf_reserve_dynptr ringbuf_submit_dynptr ringbuf_discard_dynptr dynptr_read dynptr_write
    dynptr_data ktime_get_tai_ns user_ringbuf_drain cgrp_storage_get cgrp_storage_delete
};

/// What every program that attaches by BTF may call.
const TRACING: HelperSet = EVERYWHERE.union(helper_set! {
    probe_read perf_event_output get_stackid probe_write_user probe_read_str get_socket_cookie
    get_stack sk_storage_get sk_storage_delete skb_output xdp_output skc_to_tcp6_sock skc_to_tcp_sock
    skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock sock_from_file get_func_ip
    skc_to_unix_sock xdp_get_buff_len skc_to_mptcp_sock
});

static ROWS: &[Row] = &[
    Row {
        program: ProgramType::SocketFilter,
        attach: &[],
        helpers: EVERYWHERE.union(helper_set! {
            perf_event_output skb_load_bytes get_socket_cookie get_socket_uid
            skb_load_bytes_relative get_netns_cookie skc_to_tcp6_sock skc_to_tcp_sock
            skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock
            ktime_get_coarse_ns skc_to_unix_sock skc_to_mptcp_sock
        }),
    },
    Row {
        program: ProgramType::Kprobe,
        attach: &[],
        helpers: EVERYWHERE.union(helper_set! {
            probe_read perf_event_output get_stackid probe_write_user probe_read_str
            override_return get_stack get_func_ip get_attach_cookie
        }),
    },
    Row {
        program: ProgramType::SchedCls,
        attach: &[],
        helpers: EVERYWHERE.union(helper_set! {
            skb_store_bytes l3_csum_replace l4_csum_replace clone_redirect skb_vlan_push
            skb_vlan_pop skb_get_tunnel_key skb_set_tunnel_key redirect get_route_realm
            perf_event_output skb_load_bytes csum_diff skb_get_tunnel_opt skb_set_tunnel_opt
            skb_change_proto skb_change_type skb_under_cgroup get_hash_recalc skb_change_tail
            skb_pull_data csum_update set_hash_invalid skb_change_head get_socket_cookie
            get_socket_uid set_hash skb_adjust_room skb_get_xfrm_state skb_load_bytes_relative
            fib_lookup skb_cgroup_id skb_ancestor_cgroup_id sk_lookup_tcp sk_lookup_udp
            sk_release sk_fullsock tcp_sock skb_ecn_set_ce get_listener_sock skc_lookup_tcp
            tcp_check_syncookie sk_storage_get sk_storage_delete tcp_gen_syncookie
            get_netns_cookie sk_assign csum_level skc_to_tcp6_sock skc_to_tcp_sock
            skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock
            skb_cgroup_classid redirect_neigh redirect_peer ktime_get_coarse_ns check_mtu
            skc_to_unix_sock skb_set_tstamp skc_to_mptcp_sock tcp_raw_gen_syncookie_ipv4
            tcp_raw_gen_syncookie_ipv6 tcp_raw_check_syncookie_ipv4
            tcp_raw_check_syncookie_ipv6
        }),
    },
    Row {
        program: ProgramType::SchedAct,
        attach: &[],
        helpers: EVERYWHERE.union(helper_set! {
            skb_store_bytes l3_csum_replace l4_csum_replace clone_redirect skb_vlan_push
            skb_vlan_pop skb_get_tunnel_key skb_set_tunnel_key redirect get_route_realm
            perf_event_output skb_load_bytes csum_diff skb_get_tunnel_opt skb_set_tunnel_opt
            skb_change_proto skb_change_type skb_under_cgroup get_hash_recalc skb_change_tail
            skb_pull_data csum_update set_hash_invalid skb_change_head get_socket_cookie
            get_socket_uid set_hash skb_adjust_room skb_get_xfrm_state skb_load_bytes_relative
            fib_lookup skb_cgroup_id skb_ancestor_cgroup_id sk_lookup_tcp sk_lookup_udp
            sk_release sk_fullsock tcp_sock skb_ecn_set_ce get_listener_sock skc_lookup_tcp
            tcp_check_syncookie sk_storage_get sk_storage_delete tcp_gen_syncookie
            get_netns_cookie sk_assign csum_level skc_to_tcp6_sock skc_to_tcp_sock
            skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock
            skb_cgroup_classid redirect_neigh redirect_peer ktime_get_coarse_ns check_mtu
            skc_to_unix_sock skb_set_tstamp skc_to_mptcp_sock tcp_raw_gen_syncookie_ipv4
            tcp_raw_gen_syncookie_ipv6 tcp_raw_check_syncookie_ipv4
            tcp_raw_check_syncookie_ipv6
        }),
    },
    Row {
        program: ProgramType::Tracepoint,
        attach: &[],
        helpers: EVERYWHERE.union(helper_set! {
            probe_read perf_event_output get_stackid probe_write_user probe_read_str get_stack
            get_func_ip get_attach_cookie
        }),
    },
    Row {
        program: ProgramType::Xdp,
        attach: &[],
        helpers: EVERYWHERE.union(helper_set! {
            redirect perf_event_output csum_diff xdp_adjust_head redirect_map xdp_adjust_meta
            xdp_adjust_tail fib_lookup sk_lookup_tcp sk_lookup_udp sk_release skc_lookup_tcp
            tcp_check_syncookie tcp_gen_syncookie skc_to_tcp6_sock skc_to_tcp_sock
            skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock
            ktime_get_coarse_ns check_mtu skc_to_unix_sock xdp_get_buff_len xdp_load_bytes
            xdp_store_bytes skc_to_mptcp_sock tcp_raw_gen_syncookie_ipv4
            tcp_raw_gen_syncookie_ipv6 tcp_raw_check_syncookie_ipv4
            tcp_raw_check_syncookie_ipv6
        }),
    },
    Row {
        program: ProgramType::PerfEvent,
        attach: &[],
        helpers: EVERYWHERE.union(helper_set! {
            probe_read perf_event_output get_stackid probe_write_user probe_read_str
            perf_prog_read_value get_stack read_branch_records get_func_ip get_attach_cookie
        }),
    },
    Row {
        program: ProgramType::CgroupSkb,
        attach: &[],
        helpers: EVERYWHERE.union(helper_set! {
            perf_event_output skb_load_bytes get_socket_cookie get_socket_uid
            skb_load_bytes_relative skb_cgroup_id get_local_storage skb_ancestor_cgroup_id
            sk_lookup_tcp sk_lookup_udp sk_release sk_fullsock tcp_sock skb_ecn_set_ce
            get_listener_sock skc_lookup_tcp sk_storage_get sk_storage_delete get_netns_cookie
            sk_cgroup_id sk_ancestor_cgroup_id skc_to_tcp6_sock skc_to_tcp_sock
            skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock
            ktime_get_coarse_ns skc_to_unix_sock skc_to_mptcp_sock
        }),
    },
    Row {
        program: ProgramType::CgroupSock,
        attach: &[],
        helpers: EVERYWHERE.union(helper_set! {
            perf_event_output get_socket_cookie get_local_storage sk_storage_get
            get_netns_cookie ktime_get_coarse_ns get_retval set_retval
        }),
    },
    Row {
        program: ProgramType::LwtIn,
        attach: &[],
        helpers: EVERYWHERE.union(helper_set! {
            get_route_realm perf_event_output skb_load_bytes csum_diff skb_under_cgroup
            get_hash_recalc skb_pull_data lwt_push_encap skc_to_tcp6_sock skc_to_tcp_sock
            skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock
            ktime_get_coarse_ns skc_to_unix_sock skc_to_mptcp_sock
        }),
    },
    Row {
        program: ProgramType::LwtOut,
        attach: &[],
        helpers: EVERYWHERE.union(helper_set! {
            get_route_realm perf_event_output skb_load_bytes csum_diff skb_under_cgroup
            get_hash_recalc skb_pull_data skc_to_tcp6_sock skc_to_tcp_sock
            skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock
            ktime_get_coarse_ns skc_to_unix_sock skc_to_mptcp_sock
        }),
    },
    Row {
        program: ProgramType::LwtXmit,
        attach: &[],
        helpers: EVERYWHERE.union(helper_set! {
            skb_store_bytes l3_csum_replace l4_csum_replace clone_redirect skb_get_tunnel_key
            skb_set_tunnel_key redirect get_route_realm perf_event_output skb_load_bytes
            csum_diff skb_get_tunnel_opt skb_set_tunnel_opt skb_under_cgroup get_hash_recalc
            skb_change_tail skb_pull_data csum_update set_hash_invalid skb_change_head
            lwt_push_encap csum_level skc_to_tcp6_sock skc_to_tcp_sock
            skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock
            ktime_get_coarse_ns skc_to_unix_sock skc_to_mptcp_sock
        }),
    },
    Row {
        program: ProgramType::SockOps,
        attach: &[],
        helpers: EVERYWHERE.union(helper_set! {
            perf_event_output get_socket_cookie setsockopt sock_map_update getsockopt
            sock_ops_cb_flags_set sock_hash_update get_local_storage tcp_sock sk_storage_get
            sk_storage_delete get_netns_cookie skc_to_tcp6_sock skc_to_tcp_sock
            skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock load_hdr_opt
            store_hdr_opt reserve_hdr_opt ktime_get_coarse_ns skc_to_unix_sock
            skc_to_mptcp_sock
        }),
    },
    Row {
        program: ProgramType::SkSkb,
        attach: &[],
        helpers: EVERYWHERE.union(helper_set! {
            skb_store_bytes perf_event_output skb_load_bytes skb_change_tail skb_pull_data
            skb_change_head get_socket_cookie get_socket_uid skb_adjust_room sk_redirect_map
            sk_redirect_hash sk_lookup_tcp sk_lookup_udp sk_release skc_lookup_tcp
            skc_to_tcp6_sock skc_to_tcp_sock skc_to_tcp_timewait_sock skc_to_tcp_request_sock
            skc_to_udp6_sock ktime_get_coarse_ns skc_to_unix_sock skc_to_mptcp_sock
        }),
    },
    Row {
        program: ProgramType::CgroupDevice,
        attach: &[],
        helpers: EVERYWHERE.union(helper_set! {
            perf_event_output get_local_storage
        }),
    },
    Row {
        program: ProgramType::SkMsg,
        attach: &[],
        helpers: EVERYWHERE.union(helper_set! {
            perf_event_output msg_redirect_map msg_apply_bytes msg_cork_bytes msg_pull_data
            msg_redirect_hash msg_push_data msg_pop_data sk_storage_get sk_storage_delete
            get_netns_cookie skc_to_tcp6_sock skc_to_tcp_sock skc_to_tcp_timewait_sock
            skc_to_tcp_request_sock skc_to_udp6_sock ktime_get_coarse_ns skc_to_unix_sock
            skc_to_mptcp_sock
        }),
    },
    Row {
        program: ProgramType::RawTracepoint,
        attach: &[],
        helpers: EVERYWHERE.union(helper_set! {
            probe_read perf_event_output get_stackid probe_write_user probe_read_str get_stack
            get_func_ip get_attach_cookie
        }),
    },
    Row {
        program: ProgramType::CgroupSockAddr,
        attach: &[
            AttachType::CgroupInet4Bind,
            AttachType::CgroupInet6Bind,
            AttachType::CgroupUdp4Sendmsg,
            AttachType::CgroupUdp6Sendmsg,
            AttachType::CgroupUnixConnect,
            AttachType::CgroupUnixSendmsg,
        ],
        helpers: EVERYWHERE.union(helper_set! {
            perf_event_output get_socket_cookie setsockopt getsockopt get_local_storage
            sk_lookup_tcp sk_lookup_udp sk_release skc_lookup_tcp sk_storage_get
            sk_storage_delete get_netns_cookie skc_to_tcp6_sock skc_to_tcp_sock
            skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock
            ktime_get_coarse_ns skc_to_unix_sock get_retval set_retval skc_to_mptcp_sock
        }),
    },
    Row {
        program: ProgramType::CgroupSockAddr,
        attach: &[AttachType::CgroupInet4Connect, AttachType::CgroupInet6Connect],
        helpers: EVERYWHERE.union(helper_set! {
            perf_event_output get_socket_cookie setsockopt getsockopt bind get_local_storage
            sk_lookup_tcp sk_lookup_udp sk_release skc_lookup_tcp sk_storage_get
            sk_storage_delete get_netns_cookie skc_to_tcp6_sock skc_to_tcp_sock
            skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock
            ktime_get_coarse_ns skc_to_unix_sock get_retval set_retval skc_to_mptcp_sock
        }),
    },
    Row {
        program: ProgramType::CgroupSockAddr,
        attach: &[
            AttachType::CgroupUdp4Recvmsg,
            AttachType::CgroupUdp6Recvmsg,
            AttachType::CgroupInet4Getpeername,
            AttachType::CgroupInet6Getpeername,
            AttachType::CgroupInet4Getsockname,
            AttachType::CgroupInet6Getsockname,
            AttachType::CgroupUnixRecvmsg,
            AttachType::CgroupUnixGetpeername,
            AttachType::CgroupUnixGetsockname,
        ],
        helpers: EVERYWHERE.union(helper_set! {
            perf_event_output get_socket_cookie setsockopt getsockopt get_local_storage
            sk_lookup_tcp sk_lookup_udp sk_release skc_lookup_tcp sk_storage_get
            sk_storage_delete get_netns_cookie skc_to_tcp6_sock skc_to_tcp_sock
            skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock
            ktime_get_coarse_ns skc_to_unix_sock skc_to_mptcp_sock
        }),
    },
    Row {
        program: ProgramType::LwtSeg6local,
        attach: &[],
        helpers: EVERYWHERE.union(helper_set! {
            get_route_realm perf_event_output skb_load_bytes csum_diff skb_under_cgroup
            get_hash_recalc skb_pull_data lwt_seg6_store_bytes lwt_seg6_adjust_srh
            lwt_seg6_action skc_to_tcp6_sock skc_to_tcp_sock skc_to_tcp_timewait_sock
            skc_to_tcp_request_sock skc_to_udp6_sock ktime_get_coarse_ns skc_to_unix_sock
            skc_to_mptcp_sock
        }),
    },
    Row {
        program: ProgramType::LircMode2,
        attach: &[],
        helpers: helper_set! {
            map_lookup_elem map_update_elem map_delete_elem ktime_get_ns trace_printk
            get_prandom_u32 tail_call rc_repeat rc_keydown map_push_elem map_pop_elem
            map_peek_elem rc_pointer_rel ktime_get_boot_ns
        },
    },
    Row {
        program: ProgramType::SkReuseport,
        attach: &[],
        helpers: EVERYWHERE.union(helper_set! {
            skb_load_bytes get_socket_cookie skb_load_bytes_relative sk_select_reuseport
            ktime_get_coarse_ns
        }),
    },
    Row {
        program: ProgramType::FlowDissector,
        attach: &[],
        helpers: EVERYWHERE.union(helper_set! {
            skb_load_bytes skc_to_tcp6_sock skc_to_tcp_sock skc_to_tcp_timewait_sock
            skc_to_tcp_request_sock skc_to_udp6_sock ktime_get_coarse_ns skc_to_unix_sock
            skc_to_mptcp_sock
        }),
    },
    Row {
        program: ProgramType::CgroupSysctl,
        attach: &[],
        helpers: EVERYWHERE.union(helper_set! {
            perf_event_output get_local_storage sysctl_get_name sysctl_get_current_value
            sysctl_get_new_value sysctl_set_new_value ktime_get_coarse_ns get_retval
            set_retval
        }),
    },
    Row {
        program: ProgramType::RawTracepointWritable,
        attach: &[],
        helpers: EVERYWHERE.union(helper_set! {
            probe_read perf_event_output get_stackid probe_write_user probe_read_str get_stack
            get_func_ip get_attach_cookie
        }),
    },
    Row {
        program: ProgramType::CgroupSockopt,
        attach: &[AttachType::CgroupGetsockopt],
        helpers: EVERYWHERE.union(helper_set! {
            perf_event_output get_local_storage tcp_sock sk_storage_get sk_storage_delete
            get_netns_cookie get_retval set_retval
        }),
    },
    Row {
        program: ProgramType::CgroupSockopt,
        attach: &[AttachType::CgroupSetsockopt],
        helpers: EVERYWHERE.union(helper_set! {
            perf_event_output setsockopt getsockopt get_local_storage tcp_sock sk_storage_get
            sk_storage_delete get_netns_cookie get_retval set_retval
        }),
    },
    Row {
        program: ProgramType::Tracing,
        attach: &[AttachType::TraceRawTp],
        helpers: TRACING.union(helper_set! {
            get_attach_cookie
        }),
    },
    Row {
        program: ProgramType::Tracing,
        attach: &[AttachType::TraceFentry, AttachType::TraceFexit, AttachType::ModifyReturn],
        helpers: TRACING.union(helper_set! {
            d_path get_attach_cookie get_func_arg get_func_ret get_func_arg_cnt
        }),
    },
    Row {
        program: ProgramType::Tracing,
        attach: &[AttachType::TraceIter],
        helpers: TRACING.union(helper_set! {
            setsockopt getsockopt seq_printf seq_write d_path seq_printf_btf
        }),
    },
    Row {
        program: ProgramType::StructOps,
        attach: &[],
        helpers: EVERYWHERE.union(helper_set! {
            setsockopt getsockopt sk_storage_get sk_storage_delete tcp_send_ack
            ktime_get_coarse_ns
        }),
    },
    Row {
        program: ProgramType::Lsm,
        attach: &[AttachType::LsmMac],
        helpers: TRACING.union(helper_set! {
            inode_storage_get inode_storage_delete d_path bprm_opts_set ima_inode_hash
            get_attach_cookie get_func_arg get_func_ret get_func_arg_cnt ima_file_hash
        }),
    },
    Row {
        program: ProgramType::Lsm,
        attach: &[AttachType::LsmCgroup],
        helpers: TRACING.union(helper_set! {
            setsockopt getsockopt get_local_storage inode_storage_get inode_storage_delete
            d_path bprm_opts_set get_retval set_retval
        }),
    },
    Row {
        program: ProgramType::SkLookup,
        attach: &[],
        helpers: EVERYWHERE.union(helper_set! {
            perf_event_output sk_release sk_assign skc_to_tcp6_sock skc_to_tcp_sock
            skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock
            ktime_get_coarse_ns skc_to_unix_sock skc_to_mptcp_sock
        }),
    },
    Row {
        program: ProgramType::Syscall,
        attach: &[],
        helpers: EVERYWHERE.union(helper_set! {
            probe_read perf_event_output get_stackid probe_read_str get_socket_cookie
            get_stack skb_output xdp_output skc_to_tcp6_sock skc_to_tcp_sock
            skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock sock_from_file
            sys_bpf btf_find_by_name_kind sys_close get_func_ip skc_to_unix_sock
            kallsyms_lookup_name xdp_get_buff_len skc_to_mptcp_sock
        }),
    },
    Row { program: ProgramType::Netfilter, attach: &[], helpers: EVERYWHERE },
];
