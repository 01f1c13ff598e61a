//! The helper functions of the user-space kernel.
//!
//! Arguments that the verifier would have refused are faults; what Linux answers with a negative number is answered so here.

mod format;
mod map;
mod net;
mod probe;
mod ring;
mod task;
mod text;

use skep_catalog::{AttachType, Helper, ProgramType, id};

use crate::error::Errno;
use crate::interp::{Run, Step};

pub(crate) use map::release_lock;
pub(crate) use net::packet_load;
pub(crate) use ring::discard_record;

/// A helper: gets R1 to R5, gives R0.
pub(crate) type HelperFn = fn(&mut Run<'_, '_>, [u64; 5]) -> Step<u64>;

/// How the interpreter carries a helper out.
#[derive(Clone, Copy)]
pub(crate) enum Action {
    /// By calling it.
    Call(HelperFn),
    /// By itself: control moves.
    Special(Special),
}

/// Helpers that move control.
#[derive(Clone, Copy)]
pub(crate) enum Special {
    /// `bpf_tail_call`.
    TailCall,
    /// `bpf_loop`.
    Loop,
    /// `bpf_for_each_map_elem`.
    ForEach,
}

/// The helpers that are there, by rising number.
static TABLE: &[(u32, Action)] = &[
    (id::map_lookup_elem, Action::Call(map::map_lookup_elem)),
    (id::map_update_elem, Action::Call(map::map_update_elem)),
    (id::map_delete_elem, Action::Call(map::map_delete_elem)),
    (id::probe_read, Action::Call(probe::probe_read)),
    (id::ktime_get_ns, Action::Call(task::ktime_get_ns)),
    (id::trace_printk, Action::Call(text::trace_printk)),
    (id::get_prandom_u32, Action::Call(task::get_prandom_u32)),
    (id::get_smp_processor_id, Action::Call(task::get_smp_processor_id)),
    (id::skb_store_bytes, Action::Call(net::skb_store_bytes)),
    (id::tail_call, Action::Special(Special::TailCall)),
    (id::get_current_pid_tgid, Action::Call(task::get_current_pid_tgid)),
    (id::get_current_uid_gid, Action::Call(task::get_current_uid_gid)),
    (id::get_current_comm, Action::Call(task::get_current_comm)),
    (id::skb_load_bytes, Action::Call(net::skb_load_bytes)),
    (id::csum_diff, Action::Call(net::csum_diff)),
    (id::get_current_task, Action::Call(task::get_current_task)),
    (id::probe_write_user, Action::Call(probe::probe_write_user)),
    (id::skb_pull_data, Action::Call(net::skb_pull_data)),
    (id::get_numa_node_id, Action::Call(task::get_numa_node_id)),
    (id::xdp_adjust_head, Action::Call(net::xdp_adjust_head)),
    (id::probe_read_str, Action::Call(probe::probe_read_str)),
    (id::xdp_adjust_meta, Action::Call(net::xdp_adjust_meta)),
    (id::xdp_adjust_tail, Action::Call(net::xdp_adjust_tail)),
    (id::get_current_cgroup_id, Action::Call(task::get_current_cgroup_id)),
    (id::spin_lock, Action::Call(map::spin_lock)),
    (id::spin_unlock, Action::Call(map::spin_unlock)),
    (id::strtol, Action::Call(text::strtol)),
    (id::strtoul, Action::Call(text::strtoul)),
    (id::send_signal, Action::Call(task::send_signal)),
    (id::probe_read_user, Action::Call(probe::probe_read_user)),
    (id::probe_read_kernel, Action::Call(probe::probe_read_kernel)),
    (id::probe_read_user_str, Action::Call(probe::probe_read_user_str)),
    (id::probe_read_kernel_str, Action::Call(probe::probe_read_kernel_str)),
    (id::send_signal_thread, Action::Call(task::send_signal_thread)),
    (id::jiffies64, Action::Call(task::jiffies64)),
    (id::get_ns_current_pid_tgid, Action::Call(task::get_ns_current_pid_tgid)),
    (id::get_current_ancestor_cgroup_id, Action::Call(task::get_current_ancestor_cgroup_id)),
    (id::ktime_get_boot_ns, Action::Call(task::ktime_get_boot_ns)),
    (id::ringbuf_output, Action::Call(ring::ringbuf_output)),
    (id::ringbuf_reserve, Action::Call(ring::ringbuf_reserve)),
    (id::ringbuf_submit, Action::Call(ring::ringbuf_submit)),
    (id::ringbuf_discard, Action::Call(ring::ringbuf_discard)),
    (id::ringbuf_query, Action::Call(ring::ringbuf_query)),
    (id::copy_from_user, Action::Call(probe::copy_from_user)),
    (id::ktime_get_coarse_ns, Action::Call(task::ktime_get_coarse_ns)),
    (id::for_each_map_elem, Action::Special(Special::ForEach)),
    (id::snprintf, Action::Call(text::snprintf)),
    (id::get_func_ip, Action::Call(task::get_func_ip)),
    (id::get_attach_cookie, Action::Call(task::get_attach_cookie)),
    (id::trace_vprintk, Action::Call(text::trace_vprintk)),
    (id::r#loop, Action::Special(Special::Loop)),
    (id::strncmp, Action::Call(text::strncmp)),
    (id::map_lookup_percpu_elem, Action::Call(map::map_lookup_percpu_elem)),
    (id::ktime_get_tai_ns, Action::Call(task::ktime_get_tai_ns)),
];

/// The numbers of the helpers that the user-space kernel has, in rising order. Which program types may call them, the
/// catalog says.
pub fn supported_helpers() -> impl Iterator<Item = u32> {
    TABLE.iter().map(|(number, _)| *number)
}

/// Index in the table of the helper that a program calls by number.
///
/// Errors as `bpf(2)` answers them: a number that no helper has and a helper that the program type may not call are
/// `EINVAL`, a GPL-only one is `EINVAL` too; one that this kernel lacks is `EOPNOTSUPP`.
pub(crate) fn resolve(
    number: i32,
    prog_type: ProgramType,
    attach: Option<AttachType>,
    gpl: bool,
) -> Result<usize, (Errno, String)> {
    let helper = u32::try_from(number).ok().and_then(Helper::by_id);
    let Some(helper) = helper else {
        return Err((Errno::EINVAL, format!("there is no helper with number {number}")));
    };
    let name = format!("helper {} (#{number})", helper.c_name());
    if !helper.allowed_for(prog_type, attach) {
        let why = format!("{name} may not be called by programs of type {}", prog_type.uapi_name());
        return Err((Errno::EINVAL, why));
    }
    if helper.gpl_only() && !gpl {
        return Err((
            Errno::EINVAL,
            format!("{name} may only be called by programs with a GPL-compatible license"),
        ));
    }
    TABLE.binary_search_by_key(&helper.id, |(id, _)| *id).map_err(|_| {
        let why = absence(helper.name);
        (Errno::EOPNOTSUPP, format!("{name} is not available on the user target: {why}; use --target linux"))
    })
}

/// Why a helper is not there.
fn absence(name: &str) -> &'static str {
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    match name {
        "get_current_task_btf" | "task_pt_regs" | "find_vma" | "copy_from_user_task" => {
            "the kernel's task_struct cannot be observed from user space"
        }
        "get_stackid" | "get_stack" | "get_task_stack" => "it does not unwind stacks",
        "perf_event_output"
        | "skb_output"
        | "xdp_output"
        | "perf_event_read"
        | "perf_event_read_value"
        | "perf_prog_read_value" => "it has no perf event arrays; ring buffers are there",
        "override_return" => "it cannot change what a function of the Linux kernel returns",
        "map_push_elem" | "map_pop_elem" | "map_peek_elem" => "it has no queue, stack or bloom filter maps",
        "redirect" | "redirect_map" | "redirect_neigh" | "redirect_peer" | "clone_redirect"
        | "fib_lookup" | "check_mtu" => "it has no network devices to send to",
        "kallsyms_lookup_name" | "per_cpu_ptr" | "this_cpu_ptr" => "it has no kernel symbols",
        "current_task_under_cgroup" | "get_cgroup_classid" | "sysctl_get_name" => "it has no cgroups",
        _ if starts(&["timer_", "kptr_xchg"]) => "map values there have no special fields yet",
        _ if starts(&[
            "dynptr_",
            "ringbuf_reserve_dynptr",
            "ringbuf_submit_dynptr",
            "ringbuf_discard_dynptr",
        ]) =>
        {
            "it has no dynptrs yet"
        }
        _ if starts(&[
            "sk_",
            "sock_",
            "skc_",
            "tcp_",
            "msg_",
            "get_socket",
            "setsockopt",
            "getsockopt",
            "bind",
        ]) =>
        {
            "it has no sockets of the kernel's"
        }
        _ if starts(&[
            "skb_",
            "xdp_",
            "l3_",
            "l4_",
            "csum_",
            "lwt_",
            "get_route_realm",
            "get_hash_recalc",
            "set_hash",
        ]) =>
        {
            "packets there are plain bytes of a test run"
        }
        _ => "it is not implemented there",
    }
}

/// How to carry out the helper at this index of the table.
#[inline]
pub(crate) fn entry(index: i64) -> Action {
    TABLE[index as usize].1
}

/// A negative errno as a helper answers it.
pub(crate) fn error(errno: Errno) -> u64 {
    i64::from(-errno.0).cast_unsigned()
}

/// What `bpf_loop` answers without calling back.
pub(crate) fn check_loop(count: u64, flags: u64) -> Option<u64> {
    /// `BPF_MAX_LOOPS`.
    const MAX_LOOPS: u64 = 8 << 20;
    if flags != 0 {
        Some(error(Errno::EINVAL))
    } else if count > MAX_LOOPS {
        Some(error(Errno::E2BIG))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_knows_no_number_twice() {
        assert!(TABLE.is_sorted_by(|(a, _), (b, _)| a < b));
    }

    #[test]
    fn refusals_name_the_helper_and_the_reason() {
        let refused = |name, prog_type, gpl| {
            let number = Helper::by_name(name).unwrap().id as i32;
            resolve(number, prog_type, None, gpl).unwrap_err().1
        };
        assert_eq!(
            refused("get_current_task_btf", ProgramType::Kprobe, true),
            "helper bpf_get_current_task_btf (#158) is not available on the user target: the kernel's task_struct cannot be \
             observed from user space; use --target linux"
        );
        assert_eq!(
            refused("trace_printk", ProgramType::Kprobe, false),
            "helper bpf_trace_printk (#6) may only be called by programs with a GPL-compatible license"
        );
        assert_eq!(
            refused("xdp_adjust_head", ProgramType::SchedCls, true),
            "helper bpf_xdp_adjust_head (#44) may not be called by programs of type BPF_PROG_TYPE_SCHED_CLS"
        );
    }
}
