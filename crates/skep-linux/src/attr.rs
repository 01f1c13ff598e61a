//! Argument and result structures of `bpf(2)` and `perf_event_open(2)`, as `linux/bpf.h` and `linux/perf_event.h` lay
//! them out. Padding is explicit, so every byte is initialised; sizes and the offsets that matter are asserted.

use std::mem::{offset_of, size_of};

/// Bytes in the name of an object, the final zero included (`BPF_OBJ_NAME_LEN`).
pub(crate) const NAME_LEN: usize = 16;

/// A structure that `bpf(2)` reads or writes.
///
/// # Safety
/// `repr(C)`, every bit pattern is a value, no implicit padding.
pub(crate) unsafe trait Plain: Default {}

macro_rules! plain {
    ($($(#[$doc:meta])* struct $name:ident: $size:literal { $($field:ident @ $offset:literal: $type:ty,)* })*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default)]
        #[repr(C)]
        pub(crate) struct $name { $(pub(crate) $field: $type,)* }
        const _: () = {
            assert!(size_of::<$name>() == $size);
            $(assert!(offset_of!($name, $field) == $offset);)*
            // No padding: the fields fill the structure.
            assert!(0 $(+ size_of::<$type>())* == $size);
        };
        // SAFETY: repr(C), integers and arrays of them only, no padding (asserted).
        unsafe impl Plain for $name {}
    )* };
}

plain! {
    /// `BPF_MAP_CREATE`.
    struct MapCreate: 80 {
        map_type @ 0: u32,
        key_size @ 4: u32,
        value_size @ 8: u32,
        max_entries @ 12: u32,
        map_flags @ 16: u32,
        inner_map_fd @ 20: u32,
        numa_node @ 24: u32,
        map_name @ 28: [u8; NAME_LEN],
        map_ifindex @ 44: u32,
        btf_fd @ 48: u32,
        btf_key_type_id @ 52: u32,
        btf_value_type_id @ 56: u32,
        btf_vmlinux_value_type_id @ 60: u32,
        map_extra @ 64: u64,
        value_type_btf_obj_fd @ 72: i32,
        map_token_fd @ 76: i32,
    }

    /// `BPF_MAP_*_ELEM`, `BPF_MAP_GET_NEXT_KEY`, `BPF_MAP_FREEZE`.
    struct MapElem: 32 {
        map_fd @ 0: u32,
        pad @ 4: u32,
        key @ 8: u64,
        value @ 16: u64,
        flags @ 24: u64,
    }

    /// `BPF_PROG_LOAD`.
    struct ProgLoad: 152 {
        prog_type @ 0: u32,
        insn_cnt @ 4: u32,
        insns @ 8: u64,
        license @ 16: u64,
        log_level @ 24: u32,
        log_size @ 28: u32,
        log_buf @ 32: u64,
        kern_version @ 40: u32,
        prog_flags @ 44: u32,
        prog_name @ 48: [u8; NAME_LEN],
        prog_ifindex @ 64: u32,
        expected_attach_type @ 68: u32,
        prog_btf_fd @ 72: u32,
        func_info_rec_size @ 76: u32,
        func_info @ 80: u64,
        func_info_cnt @ 88: u32,
        line_info_rec_size @ 92: u32,
        line_info @ 96: u64,
        line_info_cnt @ 104: u32,
        attach_btf_id @ 108: u32,
        attach_prog_fd @ 112: u32,
        core_relo_cnt @ 116: u32,
        fd_array @ 120: u64,
        core_relos @ 128: u64,
        core_relo_rec_size @ 136: u32,
        log_true_size @ 140: u32,
        prog_token_fd @ 144: i32,
        fd_array_cnt @ 148: u32,
    }

    /// `BPF_OBJ_PIN`, `BPF_OBJ_GET`.
    struct ObjPath: 16 {
        pathname @ 0: u64,
        bpf_fd @ 8: u32,
        file_flags @ 12: u32,
    }

    /// `BPF_PROG_TEST_RUN`.
    struct TestRun: 80 {
        prog_fd @ 0: u32,
        retval @ 4: u32,
        data_size_in @ 8: u32,
        data_size_out @ 12: u32,
        data_in @ 16: u64,
        data_out @ 24: u64,
        repeat @ 32: u32,
        duration @ 36: u32,
        ctx_size_in @ 40: u32,
        ctx_size_out @ 44: u32,
        ctx_in @ 48: u64,
        ctx_out @ 56: u64,
        flags @ 64: u32,
        cpu @ 68: u32,
        batch_size @ 72: u32,
        pad @ 76: u32,
    }

    /// `BPF_*_GET_NEXT_ID`, `BPF_*_GET_FD_BY_ID`.
    struct Id: 12 {
        id @ 0: u32,
        next_id @ 4: u32,
        open_flags @ 8: u32,
    }

    /// `BPF_OBJ_GET_INFO_BY_FD`.
    struct Info: 16 {
        bpf_fd @ 0: u32,
        info_len @ 4: u32,
        info @ 8: u64,
    }

    /// `BPF_RAW_TRACEPOINT_OPEN`.
    struct RawTracepointOpen: 24 {
        name @ 0: u64,
        prog_fd @ 8: u32,
        pad @ 12: u32,
        cookie @ 16: u64,
    }

    /// `BPF_BTF_LOAD`.
    struct BtfLoad: 40 {
        btf @ 0: u64,
        btf_log_buf @ 8: u64,
        btf_size @ 16: u32,
        btf_log_size @ 20: u32,
        btf_log_level @ 24: u32,
        btf_log_true_size @ 28: u32,
        btf_flags @ 32: u32,
        btf_token_fd @ 36: i32,
    }

    /// `BPF_LINK_CREATE` on a perf event.
    struct LinkCreatePerf: 24 {
        prog_fd @ 0: u32,
        target_fd @ 4: u32,
        attach_type @ 8: u32,
        flags @ 12: u32,
        bpf_cookie @ 16: u64,
    }

    /// `BPF_LINK_UPDATE`, and with the first field alone `BPF_LINK_DETACH`.
    struct LinkUpdate: 16 {
        link_fd @ 0: u32,
        new_prog_fd @ 4: u32,
        flags @ 8: u32,
        old_prog_fd @ 12: u32,
    }

    /// `struct bpf_map_info`.
    struct MapInfo: 88 {
        map_type @ 0: u32,
        id @ 4: u32,
        key_size @ 8: u32,
        value_size @ 12: u32,
        max_entries @ 16: u32,
        map_flags @ 20: u32,
        name @ 24: [u8; NAME_LEN],
        ifindex @ 40: u32,
        btf_vmlinux_value_type_id @ 44: u32,
        netns_dev @ 48: u64,
        netns_ino @ 56: u64,
        btf_id @ 64: u32,
        btf_key_type_id @ 68: u32,
        btf_value_type_id @ 72: u32,
        btf_vmlinux_id @ 76: u32,
        map_extra @ 80: u64,
    }

    /// `struct bpf_prog_info`.
    struct ProgInfo: 232 {
        prog_type @ 0: u32,
        id @ 4: u32,
        tag @ 8: [u8; 8],
        jited_prog_len @ 16: u32,
        xlated_prog_len @ 20: u32,
        jited_prog_insns @ 24: u64,
        xlated_prog_insns @ 32: u64,
        load_time @ 40: u64,
        created_by_uid @ 48: u32,
        nr_map_ids @ 52: u32,
        map_ids @ 56: u64,
        name @ 64: [u8; NAME_LEN],
        ifindex @ 80: u32,
        gpl_compatible @ 84: u32,
        netns_dev @ 88: u64,
        netns_ino @ 96: u64,
        nr_jited_ksyms @ 104: u32,
        nr_jited_func_lens @ 108: u32,
        jited_ksyms @ 112: u64,
        jited_func_lens @ 120: u64,
        btf_id @ 128: u32,
        func_info_rec_size @ 132: u32,
        func_info @ 136: u64,
        nr_func_info @ 144: u32,
        nr_line_info @ 148: u32,
        line_info @ 152: u64,
        jited_line_info @ 160: u64,
        nr_jited_line_info @ 168: u32,
        line_info_rec_size @ 172: u32,
        jited_line_info_rec_size @ 176: u32,
        nr_prog_tags @ 180: u32,
        prog_tags @ 184: u64,
        run_time_ns @ 192: u64,
        run_cnt @ 200: u64,
        recursion_misses @ 208: u64,
        verified_insns @ 216: u32,
        attach_btf_obj_id @ 220: u32,
        attach_btf_id @ 224: u32,
        pad @ 228: u32,
    }

    /// `struct bpf_btf_info`.
    struct BtfInfo: 32 {
        btf @ 0: u64,
        btf_size @ 8: u32,
        id @ 12: u32,
        name @ 16: u64,
        name_len @ 24: u32,
        kernel_btf @ 28: u32,
    }

    /// `struct bpf_link_info` of raw tracepoints; the first three fields are those of every link.
    struct RawTracepointLinkInfo: 64 {
        link_type @ 0: u32,
        id @ 4: u32,
        prog_id @ 8: u32,
        pad @ 12: u32,
        tp_name @ 16: u64,
        tp_name_len @ 24: u32,
        pad2 @ 28: u32,
        cookie @ 32: u64,
        rest @ 40: [u64; 3],
    }

    /// `struct bpf_link_info` of perf events: `kind` tells how `rest` is laid out, beginning with a name.
    struct PerfLinkInfo: 64 {
        link_type @ 0: u32,
        id @ 4: u32,
        prog_id @ 8: u32,
        pad @ 12: u32,
        kind @ 16: u32,
        pad2 @ 20: u32,
        name @ 24: u64,
        name_len @ 32: u32,
        // Kprobes: offset into the function.
        offset @ 36: u32,
        // Kprobes: address; tracepoints: cookie.
        addr_or_cookie @ 40: u64,
        missed @ 48: u64,
        kprobe_cookie @ 56: u64,
    }

    /// `struct perf_event_attr`, version 1.
    struct PerfEventAttr: 72 {
        event_type @ 0: u32,
        size @ 4: u32,
        config @ 8: u64,
        sample_period @ 16: u64,
        sample_type @ 24: u64,
        read_format @ 32: u64,
        flags @ 40: u64,
        wakeup_events @ 48: u32,
        bp_type @ 52: u32,
        // Kprobes: address of the function's name.
        config1 @ 56: u64,
        // Kprobes: offset into the function.
        config2 @ 64: u64,
    }
}
