//! Which map types a helper takes, measured on Linux 6.18: each map type was passed to each helper.

use super::{ArgKind, Helper, id};
use crate::MapType;

impl Helper {
    /// The map types it takes; `None` if it has no map argument, or takes any map that holds the object in another argument
    /// (`timer_init`).
    ///
    /// ```
    /// use skep_catalog::{Helper, MapType};
    ///
    /// let tail_call = Helper::by_name("tail_call").unwrap();
    /// assert_eq!(tail_call.map_types(), Some(&[MapType::ProgArray][..]));
    /// ```
    #[must_use]
    pub fn map_types(&self) -> Option<&'static [MapType]> {
        use MapType as M;
        if self.id == id::timer_init || !self.args.iter().any(|arg| arg.ty.kind == ArgKind::ConstMapPtr) {
            return None;
        }
        Some(match self.id {
            id::map_lookup_elem => &[
                M::Hash,
                M::Array,
                M::PercpuHash,
                M::PercpuArray,
                M::LruHash,
                M::LruPercpuHash,
                M::LpmTrie,
                M::ArrayOfMaps,
                M::HashOfMaps,
                M::Devmap,
                M::Sockmap,
                M::Xskmap,
                M::Sockhash,
                M::DevmapHash,
            ],
            id::map_update_elem | id::map_delete_elem => &[
                M::Hash,
                M::Array,
                M::PercpuHash,
                M::PercpuArray,
                M::LruHash,
                M::LruPercpuHash,
                M::LpmTrie,
                M::Sockmap,
                M::Sockhash,
            ],
            id::tail_call => &[M::ProgArray],
            id::perf_event_read | id::perf_event_read_value => &[M::PerfEventArray],
            id::perf_event_output | id::skb_output | id::xdp_output => &[M::PerfEventArray],
            id::get_stackid => &[M::StackTrace],
            id::skb_under_cgroup | id::current_task_under_cgroup => &[M::CgroupArray],
            id::redirect_map => &[M::Devmap, M::Cpumap, M::Xskmap, M::DevmapHash],
            id::sk_redirect_map | id::msg_redirect_map | id::sock_map_update => &[M::Sockmap],
            id::sk_redirect_hash | id::msg_redirect_hash | id::sock_hash_update => &[M::Sockhash],
            id::get_local_storage => &[M::CgroupStorage, M::PercpuCgroupStorage],
            id::sk_select_reuseport => &[M::Sockmap, M::Sockhash, M::ReuseportSockarray],
            id::map_push_elem | id::map_peek_elem => &[M::Queue, M::Stack, M::BloomFilter],
            id::map_pop_elem => &[M::Queue, M::Stack],
            id::sk_storage_get | id::sk_storage_delete => &[M::SkStorage],
            id::inode_storage_get | id::inode_storage_delete => &[M::InodeStorage],
            id::task_storage_get | id::task_storage_delete => &[M::TaskStorage],
            id::cgrp_storage_get | id::cgrp_storage_delete => &[M::CgrpStorage],
            id::ringbuf_output | id::ringbuf_reserve | id::ringbuf_query => &[M::Ringbuf],
            id::ringbuf_reserve_dynptr => &[M::Ringbuf],
            id::user_ringbuf_drain => &[M::UserRingbuf],
            id::for_each_map_elem => {
                &[M::Hash, M::Array, M::PercpuHash, M::PercpuArray, M::LruHash, M::LruPercpuHash]
            }
            id::map_lookup_percpu_elem => &[M::PercpuHash, M::PercpuArray, M::LruPercpuHash],
            _ => &[],
        })
    }
}
