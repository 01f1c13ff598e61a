//! Kfuncs: functions of the kernel that a program calls by their type id in the kernel's BTF.
//!
//! The set changes with the kernel and its configuration; what is listed is what Linux 6.18 has in a common one, with the
//! prototypes of its BTF. Who may call them was measured. Argument names keep the suffixes that the verifier reads (`__sz`, `__k`,
//! `__ign`, `__nullable`, ...; docs.kernel.org/bpf/kfuncs.html). Only programs with a GPL-compatible license may call kfuncs.
//!
//! ```
//! use skep_catalog::{Kfunc, KfuncFlags, ProgramType};
//!
//! let acquire = Kfunc::by_name("bpf_task_acquire").unwrap();
//! assert_eq!(acquire.prototype(), "struct task_struct *bpf_task_acquire(struct task_struct *p)");
//! assert!(acquire.flags.contains(KfuncFlags::ACQUIRE | KfuncFlags::RET_NULL));
//! assert!(acquire.allowed_for(ProgramType::Xdp) && !acquire.allowed_for(ProgramType::SocketFilter));
//! ```

use bitflags::bitflags;

use crate::{KernelVersion, ProgramType};

/// One kfunc.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kfunc {
    /// Its name, prefix and all.
    pub name: &'static str,
    /// The Linux version it came with, under this name.
    pub since: KernelVersion,
    /// What the verifier must know of it.
    pub flags: KfuncFlags,
    /// The C type it returns.
    pub c_return: &'static str,
    /// C type and name of each argument.
    pub args: &'static [(&'static str, &'static str)],
    /// The program types that may call it; `None` for all. Single functions ask for more: `bpf_session_*` for a session,
    /// `bpf_sock_destroy` for a socket iterator, `bpf_xdp_metadata_*` for a program bound to a device.
    programs: Option<&'static [ProgramType]>,
}

bitflags! {
    /// What the verifier must know of a kfunc (`KF_*`).
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct KfuncFlags: u8 {
        /// Returns a reference that must be released.
        const ACQUIRE = 1;
        /// Releases the reference in its argument.
        const RELEASE = 2;
        /// May return null.
        const RET_NULL = 4;
        /// May sleep.
        const SLEEPABLE = 8;
        /// Makes an iterator.
        const ITER_NEW = 16;
        /// Gives the next element of an iterator, null after the last.
        const ITER_NEXT = 32;
        /// Ends an iterator.
        const ITER_DESTROY = 64;
    }
}

impl Kfunc {
    /// All that the catalog knows, by name.
    #[must_use]
    pub fn all() -> &'static [Self] {
        KFUNCS
    }

    /// The kfunc with this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<&'static Self> {
        KFUNCS.iter().find(|kfunc| kfunc.name == name)
    }

    /// Whether programs of this type may call it. [`ProgramType::Ext`] may call what the replaced program may.
    #[must_use]
    pub fn allowed_for(&self, program: ProgramType) -> bool {
        self.programs.is_none_or(|programs| programs.contains(&program))
    }

    /// Its C prototype.
    #[must_use]
    pub fn prototype(&self) -> String {
        let declare = |c_type: &str, name: &str| match c_type.split_once("(*)") {
            Some((result, parameters)) => format!("{result}(*{name}){parameters}"),
            None if c_type.ends_with('*') => format!("{c_type}{name}"),
            None => format!("{c_type} {name}"),
        };
        let args: Vec<String> = self.args.iter().map(|(c_type, name)| declare(c_type, name)).collect();
        let args = if args.is_empty() { "void".to_owned() } else { args.join(", ") };
        format!("{}({args})", declare(self.c_return, self.name))
    }
}

/// Declares the table. A row is: name, Linux version (major minor), flags, program types, C return type, arguments.
macro_rules! kfuncs {
    ($($name:ident, $major:literal $minor:literal, [$($flag:ident)*], $programs:ident, $c_return:literal,
        [$($c_type:literal $arg:ident),*];)*) => {
        static KFUNCS: &[Kfunc] = &[$(Kfunc {
            name: stringify!($name),
            since: KernelVersion::new($major, $minor),
            flags: KfuncFlags::empty()$(.union(KfuncFlags::$flag))*,
            c_return: $c_return,
            args: &[$(($c_type, stringify!($arg)),)*],
            programs: $programs,
        },)*];
    };
}

use ProgramType as P;

type Programs = Option<&'static [ProgramType]>;

const ALL: Programs = None;
const GENERAL: Programs = Some(&[
    P::SchedCls,
    P::Tracepoint,
    P::Xdp,
    P::PerfEvent,
    P::CgroupSkb,
    P::CgroupSock,
    P::SockOps,
    P::CgroupDevice,
    P::CgroupSockAddr,
    P::CgroupSysctl,
    P::CgroupSockopt,
    P::Tracing,
    P::StructOps,
    P::Lsm,
    P::Syscall,
]);
const TRACING_AND_SYSCALL: Programs =
    Some(&[P::Tracepoint, P::PerfEvent, P::Tracing, P::StructOps, P::Lsm, P::Syscall]);
const SYSCALL: Programs = Some(&[P::Syscall]);
const PACKET: Programs = Some(&[P::SchedCls, P::SchedAct, P::Xdp]);
const TC_AND_XDP: Programs = Some(&[P::SchedCls, P::Xdp]);
const SKB: Programs = Some(&[
    P::SocketFilter,
    P::SchedCls,
    P::SchedAct,
    P::Tracepoint,
    P::PerfEvent,
    P::CgroupSkb,
    P::CgroupSock,
    P::LwtIn,
    P::LwtOut,
    P::LwtXmit,
    P::SockOps,
    P::SkSkb,
    P::CgroupDevice,
    P::CgroupSockAddr,
    P::LwtSeg6local,
    P::CgroupSysctl,
    P::CgroupSockopt,
    P::Tracing,
    P::Lsm,
    P::Netfilter,
]);
const TC: Programs = Some(&[P::SchedCls, P::SchedAct]);
const XDP: Programs = Some(&[P::Xdp]);
const LSM: Programs = Some(&[P::Lsm]);
const KPROBE: Programs = Some(&[P::Kprobe]);
const CLS: Programs = Some(&[P::SchedCls]);
const CGROUP: Programs = Some(&[
    P::CgroupSkb,
    P::CgroupSock,
    P::SockOps,
    P::CgroupDevice,
    P::CgroupSockAddr,
    P::CgroupSysctl,
    P::CgroupSockopt,
]);
const ITER: Programs = Some(&[P::Tracing]);
const TRACING: Programs = Some(&[P::Tracepoint, P::PerfEvent, P::Tracing, P::Lsm]);
const STRUCT_OPS: Programs = Some(&[P::StructOps]);

kfuncs! {
    bpf_arena_alloc_pages, 6 9, [RET_NULL SLEEPABLE], ALL, "void *",
        ["void *" p__map, "void *" addr__ign, "u32" page_cnt, "int" node_id, "u64" flags];
    bpf_arena_free_pages, 6 9, [SLEEPABLE], ALL, "void", ["void *" p__map, "void *" ptr__ign, "u32" page_cnt];
    bpf_arena_reserve_pages, 6 17, [SLEEPABLE], ALL, "int",
        ["void *" p__map, "void *" ptr__ign, "u32" page_cnt];
    bpf_cast_to_kern_ctx, 6 2, [], ALL, "void *", ["void *" obj];
    bpf_cgroup_acquire, 6 2, [ACQUIRE RET_NULL], GENERAL, "struct cgroup *", ["struct cgroup *" cgrp];
    bpf_cgroup_ancestor, 6 2, [ACQUIRE RET_NULL], GENERAL, "struct cgroup *",
        ["struct cgroup *" cgrp, "int" level];
    bpf_cgroup_from_id, 6 4, [ACQUIRE RET_NULL], GENERAL, "struct cgroup *", ["u64" cgid];
    bpf_cgroup_read_xattr, 6 17, [], ALL, "int",
        ["struct cgroup *" cgroup, "const char *" name__str, "struct bpf_dynptr *" value_p];
    bpf_cgroup_release, 6 2, [RELEASE], GENERAL, "void", ["struct cgroup *" cgrp];
    bpf_copy_from_user_dynptr, 6 16, [SLEEPABLE], ALL, "int",
        ["struct bpf_dynptr *" dptr, "u32" off, "u32" size, "const void *" unsafe_ptr__ign];
    bpf_copy_from_user_str, 6 12, [SLEEPABLE], ALL, "int",
        ["void *" dst, "u32" dst__sz, "const void *" unsafe_ptr__ign, "u64" flags];
    bpf_copy_from_user_str_dynptr, 6 16, [SLEEPABLE], ALL, "int",
        ["struct bpf_dynptr *" dptr, "u32" off, "u32" size, "const void *" unsafe_ptr__ign];
    bpf_copy_from_user_task_dynptr, 6 16, [SLEEPABLE], ALL, "int",
        ["struct bpf_dynptr *" dptr, "u32" off, "u32" size, "const void *" unsafe_ptr__ign,
         "struct task_struct *" tsk];
    bpf_copy_from_user_task_str, 6 15, [SLEEPABLE], ALL, "int",
        ["void *" dst, "u32" dst__sz, "const void *" unsafe_ptr__ign, "struct task_struct *" tsk, "u64" flags];
    bpf_copy_from_user_task_str_dynptr, 6 16, [SLEEPABLE], ALL, "int",
        ["struct bpf_dynptr *" dptr, "u32" off, "u32" size, "const void *" unsafe_ptr__ign,
         "struct task_struct *" tsk];
    bpf_cpumask_acquire, 6 3, [ACQUIRE], TRACING_AND_SYSCALL, "struct bpf_cpumask *",
        ["struct bpf_cpumask *" cpumask];
    bpf_cpumask_and, 6 3, [], TRACING_AND_SYSCALL, "bool",
        ["struct bpf_cpumask *" dst, "const struct cpumask *" src1, "const struct cpumask *" src2];
    bpf_cpumask_any_and_distribute, 6 5, [], TRACING_AND_SYSCALL, "u32",
        ["const struct cpumask *" src1, "const struct cpumask *" src2];
    bpf_cpumask_any_distribute, 6 5, [], TRACING_AND_SYSCALL, "u32", ["const struct cpumask *" cpumask];
    bpf_cpumask_clear, 6 3, [], TRACING_AND_SYSCALL, "void", ["struct bpf_cpumask *" cpumask];
    bpf_cpumask_clear_cpu, 6 3, [], TRACING_AND_SYSCALL, "void", ["u32" cpu, "struct bpf_cpumask *" cpumask];
    bpf_cpumask_copy, 6 3, [], TRACING_AND_SYSCALL, "void",
        ["struct bpf_cpumask *" dst, "const struct cpumask *" src];
    bpf_cpumask_create, 6 3, [ACQUIRE RET_NULL], TRACING_AND_SYSCALL, "struct bpf_cpumask *", [];
    bpf_cpumask_empty, 6 3, [], TRACING_AND_SYSCALL, "bool", ["const struct cpumask *" cpumask];
    bpf_cpumask_equal, 6 3, [], TRACING_AND_SYSCALL, "bool",
        ["const struct cpumask *" src1, "const struct cpumask *" src2];
    bpf_cpumask_first, 6 3, [], TRACING_AND_SYSCALL, "u32", ["const struct cpumask *" cpumask];
    bpf_cpumask_first_and, 6 5, [], TRACING_AND_SYSCALL, "u32",
        ["const struct cpumask *" src1, "const struct cpumask *" src2];
    bpf_cpumask_first_zero, 6 3, [], TRACING_AND_SYSCALL, "u32", ["const struct cpumask *" cpumask];
    bpf_cpumask_full, 6 3, [], TRACING_AND_SYSCALL, "bool", ["const struct cpumask *" cpumask];
    bpf_cpumask_intersects, 6 3, [], TRACING_AND_SYSCALL, "bool",
        ["const struct cpumask *" src1, "const struct cpumask *" src2];
    bpf_cpumask_or, 6 3, [], TRACING_AND_SYSCALL, "void",
        ["struct bpf_cpumask *" dst, "const struct cpumask *" src1, "const struct cpumask *" src2];
    bpf_cpumask_populate, 6 15, [], TRACING_AND_SYSCALL, "int",
        ["struct cpumask *" cpumask, "void *" src, "size_t" src__sz];
    bpf_cpumask_release, 6 3, [RELEASE], TRACING_AND_SYSCALL, "void", ["struct bpf_cpumask *" cpumask];
    bpf_cpumask_set_cpu, 6 3, [], TRACING_AND_SYSCALL, "void", ["u32" cpu, "struct bpf_cpumask *" cpumask];
    bpf_cpumask_setall, 6 3, [], TRACING_AND_SYSCALL, "void", ["struct bpf_cpumask *" cpumask];
    bpf_cpumask_subset, 6 3, [], TRACING_AND_SYSCALL, "bool",
        ["const struct cpumask *" src1, "const struct cpumask *" src2];
    bpf_cpumask_test_and_clear_cpu, 6 3, [], TRACING_AND_SYSCALL, "bool",
        ["u32" cpu, "struct bpf_cpumask *" cpumask];
    bpf_cpumask_test_and_set_cpu, 6 3, [], TRACING_AND_SYSCALL, "bool",
        ["u32" cpu, "struct bpf_cpumask *" cpumask];
    bpf_cpumask_test_cpu, 6 3, [], TRACING_AND_SYSCALL, "bool", ["u32" cpu, "const struct cpumask *" cpumask];
    bpf_cpumask_weight, 6 8, [], TRACING_AND_SYSCALL, "u32", ["const struct cpumask *" cpumask];
    bpf_cpumask_xor, 6 3, [], TRACING_AND_SYSCALL, "void",
        ["struct bpf_cpumask *" dst, "const struct cpumask *" src1, "const struct cpumask *" src2];
    bpf_crypto_ctx_acquire, 6 10, [ACQUIRE RET_NULL], SYSCALL, "struct bpf_crypto_ctx *",
        ["struct bpf_crypto_ctx *" ctx];
    bpf_crypto_ctx_create, 6 10, [ACQUIRE RET_NULL], SYSCALL, "struct bpf_crypto_ctx *",
        ["const struct bpf_crypto_params *" params, "u32" params__sz, "int *" err];
    bpf_crypto_ctx_release, 6 10, [RELEASE], SYSCALL, "void", ["struct bpf_crypto_ctx *" ctx];
    bpf_crypto_decrypt, 6 10, [], PACKET, "int",
        ["struct bpf_crypto_ctx *" ctx, "const struct bpf_dynptr *" src, "const struct bpf_dynptr *" dst,
         "const struct bpf_dynptr *" siv__nullable];
    bpf_crypto_encrypt, 6 10, [], PACKET, "int",
        ["struct bpf_crypto_ctx *" ctx, "const struct bpf_dynptr *" src, "const struct bpf_dynptr *" dst,
         "const struct bpf_dynptr *" siv__nullable];
    bpf_ct_change_status, 6 0, [], TC_AND_XDP, "int", ["struct nf_conn *" nfct, "u32" status];
    bpf_ct_change_timeout, 6 0, [], TC_AND_XDP, "int", ["struct nf_conn *" nfct, "u32" timeout];
    bpf_ct_insert_entry, 6 0, [ACQUIRE RELEASE RET_NULL], TC_AND_XDP, "struct nf_conn *",
        ["struct nf_conn___init *" nfct_i];
    bpf_ct_release, 5 18, [RELEASE], TC_AND_XDP, "void", ["struct nf_conn *" nfct];
    bpf_ct_set_nat_info, 6 1, [], TC_AND_XDP, "int",
        ["struct nf_conn___init *" nfct, "union nf_inet_addr *" addr, "int" port, "enum nf_nat_manip_type" manip];
    bpf_ct_set_status, 6 0, [], TC_AND_XDP, "int", ["const struct nf_conn___init *" nfct, "u32" status];
    bpf_ct_set_timeout, 6 0, [], TC_AND_XDP, "void", ["struct nf_conn___init *" nfct, "u32" timeout];
    bpf_dynptr_adjust, 6 5, [], ALL, "int", ["const struct bpf_dynptr *" p, "u32" start, "u32" end];
    bpf_dynptr_clone, 6 5, [], ALL, "int", ["const struct bpf_dynptr *" p, "struct bpf_dynptr *" clone__uninit];
    bpf_dynptr_copy, 6 15, [], ALL, "int",
        ["struct bpf_dynptr *" dst_ptr, "u32" dst_off, "struct bpf_dynptr *" src_ptr, "u32" src_off, "u32" size];
    bpf_dynptr_from_skb, 6 4, [], SKB, "int",
        ["struct __sk_buff *" s, "u64" flags, "struct bpf_dynptr *" ptr__uninit];
    bpf_dynptr_from_skb_meta, 6 18, [], TC, "int",
        ["struct __sk_buff *" skb_, "u64" flags, "struct bpf_dynptr *" ptr__uninit];
    bpf_dynptr_from_xdp, 6 4, [], XDP, "int",
        ["struct xdp_md *" x, "u64" flags, "struct bpf_dynptr *" ptr__uninit];
    bpf_dynptr_is_null, 6 5, [], ALL, "bool", ["const struct bpf_dynptr *" p];
    bpf_dynptr_is_rdonly, 6 5, [], ALL, "bool", ["const struct bpf_dynptr *" p];
    bpf_dynptr_memset, 6 17, [], ALL, "int", ["struct bpf_dynptr *" p, "u32" offset, "u32" size, "u8" val];
    bpf_dynptr_size, 6 5, [], ALL, "__u32", ["const struct bpf_dynptr *" p];
    bpf_dynptr_slice, 6 4, [RET_NULL], ALL, "void *",
        ["const struct bpf_dynptr *" p, "u32" offset, "void *" buffer__opt, "u32" buffer__szk];
    bpf_dynptr_slice_rdwr, 6 4, [RET_NULL], ALL, "void *",
        ["const struct bpf_dynptr *" p, "u32" offset, "void *" buffer__opt, "u32" buffer__szk];
    bpf_get_dentry_xattr, 6 12, [], LSM, "int",
        ["struct dentry *" dentry, "const char *" name__str, "struct bpf_dynptr *" value_p];
    bpf_get_file_xattr, 6 8, [], LSM, "int",
        ["struct file *" file, "const char *" name__str, "struct bpf_dynptr *" value_p];
    bpf_get_kmem_cache, 6 13, [RET_NULL], ALL, "struct kmem_cache *", ["u64" addr];
    bpf_get_task_exe_file, 6 12, [ACQUIRE RET_NULL], LSM, "struct file *", ["struct task_struct *" task];
    bpf_iter_bits_destroy, 6 11, [ITER_DESTROY], ALL, "void", ["struct bpf_iter_bits *" it];
    bpf_iter_bits_new, 6 11, [ITER_NEW], ALL, "int",
        ["struct bpf_iter_bits *" it, "const u64 *" unsafe_ptr__ign, "u32" nr_words];
    bpf_iter_bits_next, 6 11, [RET_NULL ITER_NEXT], ALL, "int *", ["struct bpf_iter_bits *" it];
    bpf_iter_css_destroy, 6 7, [ITER_DESTROY], ALL, "void", ["struct bpf_iter_css *" it];
    bpf_iter_css_new, 6 7, [ITER_NEW], ALL, "int",
        ["struct bpf_iter_css *" it, "struct cgroup_subsys_state *" start, "unsigned int" flags];
    bpf_iter_css_next, 6 7, [RET_NULL ITER_NEXT], ALL, "struct cgroup_subsys_state *",
        ["struct bpf_iter_css *" it];
    bpf_iter_css_task_destroy, 6 7, [ITER_DESTROY], ALL, "void", ["struct bpf_iter_css_task *" it];
    bpf_iter_css_task_new, 6 7, [ITER_NEW], ALL, "int",
        ["struct bpf_iter_css_task *" it, "struct cgroup_subsys_state *" css, "unsigned int" flags];
    bpf_iter_css_task_next, 6 7, [RET_NULL ITER_NEXT], ALL, "struct task_struct *",
        ["struct bpf_iter_css_task *" it];
    bpf_iter_dmabuf_destroy, 6 16, [SLEEPABLE ITER_DESTROY], ALL, "void", ["struct bpf_iter_dmabuf *" it];
    bpf_iter_dmabuf_new, 6 16, [SLEEPABLE ITER_NEW], ALL, "int", ["struct bpf_iter_dmabuf *" it];
    bpf_iter_dmabuf_next, 6 16, [RET_NULL SLEEPABLE ITER_NEXT], ALL, "struct dma_buf *",
        ["struct bpf_iter_dmabuf *" it];
    bpf_iter_kmem_cache_destroy, 6 13, [SLEEPABLE ITER_DESTROY], ALL, "void",
        ["struct bpf_iter_kmem_cache *" it];
    bpf_iter_kmem_cache_new, 6 13, [SLEEPABLE ITER_NEW], ALL, "int", ["struct bpf_iter_kmem_cache *" it];
    bpf_iter_kmem_cache_next, 6 13, [RET_NULL SLEEPABLE ITER_NEXT], ALL, "struct kmem_cache *",
        ["struct bpf_iter_kmem_cache *" it];
    bpf_iter_num_destroy, 6 4, [ITER_DESTROY], ALL, "void", ["struct bpf_iter_num *" it];
    bpf_iter_num_new, 6 4, [ITER_NEW], ALL, "int", ["struct bpf_iter_num *" it, "int" start, "int" end];
    bpf_iter_num_next, 6 4, [RET_NULL ITER_NEXT], ALL, "int *", ["struct bpf_iter_num *" it];
    bpf_iter_task_destroy, 6 7, [ITER_DESTROY], ALL, "void", ["struct bpf_iter_task *" it];
    bpf_iter_task_new, 6 7, [ITER_NEW], ALL, "int",
        ["struct bpf_iter_task *" it, "struct task_struct *" task__nullable, "unsigned int" flags];
    bpf_iter_task_next, 6 7, [RET_NULL ITER_NEXT], ALL, "struct task_struct *", ["struct bpf_iter_task *" it];
    bpf_iter_task_vma_destroy, 6 7, [ITER_DESTROY], ALL, "void", ["struct bpf_iter_task_vma *" it];
    bpf_iter_task_vma_new, 6 7, [ITER_NEW], ALL, "int",
        ["struct bpf_iter_task_vma *" it, "struct task_struct *" task, "u64" addr];
    bpf_iter_task_vma_next, 6 7, [RET_NULL ITER_NEXT], ALL, "struct vm_area_struct *",
        ["struct bpf_iter_task_vma *" it];
    bpf_key_put, 6 1, [RELEASE], GENERAL, "void", ["struct bpf_key *" bkey];
    bpf_list_back, 6 16, [RET_NULL], GENERAL, "struct bpf_list_node *", ["struct bpf_list_head *" head];
    bpf_list_front, 6 16, [RET_NULL], GENERAL, "struct bpf_list_node *", ["struct bpf_list_head *" head];
    bpf_list_pop_back, 6 2, [ACQUIRE RET_NULL], GENERAL, "struct bpf_list_node *",
        ["struct bpf_list_head *" head];
    bpf_list_pop_front, 6 2, [ACQUIRE RET_NULL], GENERAL, "struct bpf_list_node *",
        ["struct bpf_list_head *" head];
    bpf_list_push_back_impl, 6 4, [], GENERAL, "int",
        ["struct bpf_list_head *" head, "struct bpf_list_node *" node, "void *" meta__ign, "u64" off];
    bpf_list_push_front_impl, 6 4, [], GENERAL, "int",
        ["struct bpf_list_head *" head, "struct bpf_list_node *" node, "void *" meta__ign, "u64" off];
    bpf_local_irq_restore, 6 14, [], ALL, "void", ["unsigned long *" flags__irq_flag];
    bpf_local_irq_save, 6 14, [], ALL, "void", ["unsigned long *" flags__irq_flag];
    bpf_lookup_system_key, 6 1, [ACQUIRE RET_NULL], GENERAL, "struct bpf_key *", ["u64" id];
    bpf_lookup_user_key, 6 1, [ACQUIRE RET_NULL SLEEPABLE], GENERAL, "struct bpf_key *",
        ["s32" serial, "u64" flags];
    bpf_map_sum_elem_count, 6 6, [], ALL, "s64", ["const struct bpf_map *" map];
    bpf_obj_drop_impl, 6 2, [RELEASE], GENERAL, "void", ["void *" p__alloc, "void *" meta__ign];
    bpf_obj_new_impl, 6 2, [ACQUIRE RET_NULL], GENERAL, "void *", ["u64" local_type_id__k, "void *" meta__ign];
    bpf_path_d_path, 6 12, [], LSM, "int", ["const struct path *" path, "char *" buf, "size_t" buf__sz];
    bpf_percpu_obj_drop_impl, 6 7, [RELEASE], GENERAL, "void", ["void *" p__alloc, "void *" meta__ign];
    bpf_percpu_obj_new_impl, 6 7, [ACQUIRE RET_NULL], GENERAL, "void *",
        ["u64" local_type_id__k, "void *" meta__ign];
    bpf_preempt_disable, 6 10, [], ALL, "void", [];
    bpf_preempt_enable, 6 10, [], ALL, "void", [];
    bpf_probe_read_kernel_dynptr, 6 16, [], ALL, "int",
        ["struct bpf_dynptr *" dptr, "u32" off, "u32" size, "const void *" unsafe_ptr__ign];
    bpf_probe_read_kernel_str_dynptr, 6 16, [], ALL, "int",
        ["struct bpf_dynptr *" dptr, "u32" off, "u32" size, "const void *" unsafe_ptr__ign];
    bpf_probe_read_user_dynptr, 6 16, [], ALL, "int",
        ["struct bpf_dynptr *" dptr, "u32" off, "u32" size, "const void *" unsafe_ptr__ign];
    bpf_probe_read_user_str_dynptr, 6 16, [], ALL, "int",
        ["struct bpf_dynptr *" dptr, "u32" off, "u32" size, "const void *" unsafe_ptr__ign];
    bpf_put_file, 6 12, [RELEASE], LSM, "void", ["struct file *" file];
    bpf_rbtree_add_impl, 6 4, [], GENERAL, "int",
        ["struct bpf_rb_root *" root, "struct bpf_rb_node *" node,
         "bool (*)(struct bpf_rb_node *, const struct bpf_rb_node *)" less, "void *" meta__ign, "u64" off];
    bpf_rbtree_first, 6 3, [RET_NULL], GENERAL, "struct bpf_rb_node *", ["struct bpf_rb_root *" root];
    bpf_rbtree_left, 6 16, [RET_NULL], GENERAL, "struct bpf_rb_node *",
        ["struct bpf_rb_root *" root, "struct bpf_rb_node *" node];
    bpf_rbtree_remove, 6 3, [ACQUIRE RET_NULL], GENERAL, "struct bpf_rb_node *",
        ["struct bpf_rb_root *" root, "struct bpf_rb_node *" node];
    bpf_rbtree_right, 6 16, [RET_NULL], GENERAL, "struct bpf_rb_node *",
        ["struct bpf_rb_root *" root, "struct bpf_rb_node *" node];
    bpf_rbtree_root, 6 16, [RET_NULL], GENERAL, "struct bpf_rb_node *", ["struct bpf_rb_root *" root];
    bpf_rcu_read_lock, 6 2, [], ALL, "void", [];
    bpf_rcu_read_unlock, 6 2, [], ALL, "void", [];
    bpf_rdonly_cast, 6 2, [], ALL, "void *", ["const void *" obj__ign, "u32" btf_id__k];
    bpf_refcount_acquire_impl, 6 4, [ACQUIRE RET_NULL], GENERAL, "void *",
        ["void *" p__refcounted_kptr, "void *" meta__ign];
    bpf_remove_dentry_xattr, 6 15, [], LSM, "int", ["struct dentry *" dentry, "const char *" name__str];
    bpf_res_spin_lock, 6 15, [], ALL, "int", ["struct bpf_res_spin_lock *" lock];
    bpf_res_spin_lock_irqsave, 6 15, [], ALL, "int",
        ["struct bpf_res_spin_lock *" lock, "unsigned long *" flags__irq_flag];
    bpf_res_spin_unlock, 6 15, [], ALL, "void", ["struct bpf_res_spin_lock *" lock];
    bpf_res_spin_unlock_irqrestore, 6 15, [], ALL, "void",
        ["struct bpf_res_spin_lock *" lock, "unsigned long *" flags__irq_flag];
    bpf_send_signal_task, 6 13, [], GENERAL, "int",
        ["struct task_struct *" task, "int" sig, "enum pid_type" type, "u64" value];
    bpf_session_cookie, 6 10, [], KPROBE, "__u64 *", [];
    bpf_session_is_return, 6 10, [], KPROBE, "bool", [];
    bpf_set_dentry_xattr, 6 15, [], LSM, "int",
        ["struct dentry *" dentry, "const char *" name__str, "const struct bpf_dynptr *" value_p, "int" flags];
    bpf_sk_assign_tcp_reqsk, 6 9, [], CLS, "int",
        ["struct __sk_buff *" s, "struct sock *" sk, "struct bpf_tcp_req_attrs *" attrs, "int" attrs__sz];
    bpf_skb_ct_alloc, 6 0, [ACQUIRE RET_NULL], TC_AND_XDP, "struct nf_conn___init *",
        ["struct __sk_buff *" skb_ctx, "struct bpf_sock_tuple *" bpf_tuple, "u32" tuple__sz,
         "struct bpf_ct_opts *" opts, "u32" opts__sz];
    bpf_skb_ct_lookup, 5 18, [ACQUIRE RET_NULL], TC_AND_XDP, "struct nf_conn *",
        ["struct __sk_buff *" skb_ctx, "struct bpf_sock_tuple *" bpf_tuple, "u32" tuple__sz,
         "struct bpf_ct_opts *" opts, "u32" opts__sz];
    bpf_sock_addr_set_sun_path, 6 7, [], CGROUP, "int",
        ["struct bpf_sock_addr_kern *" sa_kern, "const u8 *" sun_path, "u32" sun_path__sz];
    bpf_sock_destroy, 6 5, [], ITER, "int", ["struct sock_common *" sock];
    bpf_sock_ops_enable_tx_tstamp, 6 15, [], CGROUP, "int", ["struct bpf_sock_ops_kern *" skops, "u64" flags];
    bpf_strcasecmp, 6 18, [], ALL, "int", ["const char *" s1__ign, "const char *" s2__ign];
    bpf_strchr, 6 17, [], ALL, "int", ["const char *" s__ign, "char" c];
    bpf_strchrnul, 6 17, [], ALL, "int", ["const char *" s__ign, "char" c];
    bpf_strcmp, 6 17, [], ALL, "int", ["const char *" s1__ign, "const char *" s2__ign];
    bpf_strcspn, 6 17, [], ALL, "int", ["const char *" s__ign, "const char *" reject__ign];
    bpf_stream_vprintk_impl, 6 18, [], ALL, "int",
        ["int" stream_id, "const char *" fmt__str, "const void *" args, "u32" len__sz, "void *" aux__prog];
    bpf_strlen, 6 17, [], ALL, "int", ["const char *" s__ign];
    bpf_strnchr, 6 17, [], ALL, "int", ["const char *" s__ign, "size_t" count, "char" c];
    bpf_strnlen, 6 17, [], ALL, "int", ["const char *" s__ign, "size_t" count];
    bpf_strnstr, 6 17, [], ALL, "int", ["const char *" s1__ign, "const char *" s2__ign, "size_t" len];
    bpf_strrchr, 6 17, [], ALL, "int", ["const char *" s__ign, "int" c];
    bpf_strspn, 6 17, [], ALL, "int", ["const char *" s__ign, "const char *" accept__ign];
    bpf_strstr, 6 17, [], ALL, "int", ["const char *" s1__ign, "const char *" s2__ign];
    bpf_task_acquire, 6 2, [ACQUIRE RET_NULL], GENERAL, "struct task_struct *", ["struct task_struct *" p];
    bpf_task_from_pid, 6 2, [ACQUIRE RET_NULL], GENERAL, "struct task_struct *", ["s32" pid];
    bpf_task_from_vpid, 6 13, [ACQUIRE RET_NULL], GENERAL, "struct task_struct *", ["s32" vpid];
    bpf_task_get_cgroup1, 6 8, [ACQUIRE RET_NULL], GENERAL, "struct cgroup *",
        ["struct task_struct *" task, "int" hierarchy_id];
    bpf_task_release, 6 2, [RELEASE], GENERAL, "void", ["struct task_struct *" p];
    bpf_task_under_cgroup, 6 5, [], GENERAL, "long", ["struct task_struct *" task, "struct cgroup *" ancestor];
    bpf_task_work_schedule_resume_impl, 6 18, [], ALL, "int",
        ["struct task_struct *" task, "struct bpf_task_work *" tw, "void *" map__map,
         "bpf_task_work_callback_t" callback, "void *" aux__prog];
    bpf_task_work_schedule_signal_impl, 6 18, [], ALL, "int",
        ["struct task_struct *" task, "struct bpf_task_work *" tw, "void *" map__map,
         "bpf_task_work_callback_t" callback, "void *" aux__prog];
    bpf_throw, 6 7, [], GENERAL, "void", ["u64" cookie];
    bpf_wq_init, 6 10, [], ALL, "int", ["struct bpf_wq *" wq, "void *" p__map, "unsigned int" flags];
    bpf_wq_set_callback_impl, 6 10, [], ALL, "int",
        ["struct bpf_wq *" wq, "int (*)(void *, int *, void *)" callback_fn, "unsigned int" flags,
         "void *" aux__prog];
    bpf_wq_start, 6 10, [], ALL, "int", ["struct bpf_wq *" wq, "unsigned int" flags];
    bpf_xdp_ct_alloc, 6 0, [ACQUIRE RET_NULL], TC_AND_XDP, "struct nf_conn___init *",
        ["struct xdp_md *" xdp_ctx, "struct bpf_sock_tuple *" bpf_tuple, "u32" tuple__sz,
         "struct bpf_ct_opts *" opts, "u32" opts__sz];
    bpf_xdp_ct_lookup, 5 18, [ACQUIRE RET_NULL], TC_AND_XDP, "struct nf_conn *",
        ["struct xdp_md *" xdp_ctx, "struct bpf_sock_tuple *" bpf_tuple, "u32" tuple__sz,
         "struct bpf_ct_opts *" opts, "u32" opts__sz];
    bpf_xdp_get_xfrm_state, 6 8, [ACQUIRE RET_NULL], XDP, "struct xfrm_state *",
        ["struct xdp_md *" ctx, "struct bpf_xfrm_state_opts *" opts, "u32" opts__sz];
    bpf_xdp_metadata_rx_hash, 6 3, [], ALL, "int",
        ["const struct xdp_md *" ctx, "u32 *" hash, "enum xdp_rss_hash_type *" rss_type];
    bpf_xdp_metadata_rx_timestamp, 6 3, [], ALL, "int", ["const struct xdp_md *" ctx, "u64 *" timestamp];
    bpf_xdp_metadata_rx_vlan_tag, 6 8, [], ALL, "int",
        ["const struct xdp_md *" ctx, "__be16 *" vlan_proto, "u16 *" vlan_tci];
    bpf_xdp_pull_data, 6 18, [], XDP, "int", ["struct xdp_md *" x, "u32" len];
    bpf_xdp_xfrm_state_release, 6 8, [RELEASE], XDP, "void", ["struct xfrm_state *" x];
    css_rstat_flush, 6 16, [SLEEPABLE], TRACING, "void", ["struct cgroup_subsys_state *" css];
    css_rstat_updated, 6 16, [], TRACING, "void", ["struct cgroup_subsys_state *" css, "int" cpu];
    tcp_cong_avoid_ai, 5 13, [], STRUCT_OPS, "void", ["struct tcp_sock *" tp, "u32" w, "u32" acked];
    tcp_reno_cong_avoid, 5 13, [], STRUCT_OPS, "void", ["struct sock *" sk, "u32" ack, "u32" acked];
    tcp_reno_ssthresh, 5 13, [], STRUCT_OPS, "u32", ["struct sock *" sk];
    tcp_reno_undo_cwnd, 5 13, [], STRUCT_OPS, "u32", ["struct sock *" sk];
    tcp_slow_start, 5 13, [], STRUCT_OPS, "u32", ["struct tcp_sock *" tp, "u32" acked];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_unique() {
        for pair in KFUNCS.windows(2) {
            assert!(pair[0].name < pair[1].name, "{} {}", pair[0].name, pair[1].name);
        }
    }

    #[test]
    fn iterators_come_in_threes() {
        for kfunc in KFUNCS.iter().filter(|kfunc| kfunc.flags.contains(KfuncFlags::ITER_NEW)) {
            let kind = kfunc.name.strip_suffix("_new").unwrap();
            let next = Kfunc::by_name(&format!("{kind}_next")).unwrap();
            assert_eq!(next.flags - KfuncFlags::SLEEPABLE, KfuncFlags::ITER_NEXT | KfuncFlags::RET_NULL);
            let destroy = Kfunc::by_name(&format!("{kind}_destroy")).unwrap();
            assert!(destroy.flags.contains(KfuncFlags::ITER_DESTROY));
            assert_eq!((kfunc.args[0], kfunc.since), (next.args[0], destroy.since));
        }
    }

    #[test]
    fn what_may_be_null_is_a_pointer_and_what_is_released_is_an_argument() {
        for kfunc in KFUNCS {
            let returns_pointer = kfunc.c_return.ends_with('*');
            assert!(returns_pointer || !kfunc.flags.intersects(KfuncFlags::RET_NULL | KfuncFlags::ACQUIRE));
            assert!(
                !kfunc.flags.contains(KfuncFlags::RELEASE) || kfunc.args[0].0.ends_with('*'),
                "{}",
                kfunc.name
            );
            assert!(kfunc.args.len() <= 5 && kfunc.since <= KernelVersion::LATEST, "{}", kfunc.name);
        }
    }

    #[test]
    fn prototypes_with_callbacks_are_c() {
        let add = Kfunc::by_name("bpf_rbtree_add_impl").unwrap().prototype();
        assert!(add.contains("bool (*less)(struct bpf_rb_node *, const struct bpf_rb_node *)"), "{add}");
        let lock = Kfunc::by_name("bpf_rcu_read_lock").unwrap().prototype();
        assert_eq!(lock, "void bpf_rcu_read_lock(void)");
    }
}
