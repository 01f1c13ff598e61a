// SPDX-License-Identifier: MIT OR Apache-2.0
// Which system calls a command makes, how often, how often they fail, and how long they take.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "syscalls.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct count {
	__u64 calls;
	__u64 errors;
	__u64 total_ns;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 512);
	__type(key, enum syscall);
	__type(value, struct count);
} counts SEC(".maps");

struct entry {
	__u64 ts;
	enum syscall nr;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32); // thread id
	__type(value, struct entry);
} entries SEC(".maps");

// args[0] is the address of the registers, args[1] the system call number (at exit: its return value).
SEC("raw_tp/sys_enter")
int enter(struct bpf_raw_tracepoint_args *ctx)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	struct entry entry = { .ts = bpf_ktime_get_ns(), .nr = ctx->args[1] };
	bpf_map_update_elem(&entries, &tid, &entry, BPF_ANY);
	return 0;
}

SEC("raw_tp/sys_exit")
int leave(struct bpf_raw_tracepoint_args *ctx)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	struct entry *entry = bpf_map_lookup_elem(&entries, &tid);
	if (!entry)
		return 0;

	long ret = ctx->args[1];
	__u64 spent = bpf_ktime_get_ns() - entry->ts;
	enum syscall nr = entry->nr;
	struct count *count = bpf_map_lookup_elem(&counts, &nr);
	if (!count) {
		struct count none = {};
		bpf_map_update_elem(&counts, &nr, &none, BPF_NOEXIST);
		count = bpf_map_lookup_elem(&counts, &nr);
		if (!count)
			return 0;
	}
	__sync_fetch_and_add(&count->calls, 1);
	__sync_fetch_and_add(&count->total_ns, spent);
	if (ret < 0 && ret >= -4095)
		__sync_fetch_and_add(&count->errors, 1);
	bpf_map_delete_elem(&entries, &tid);
	return 0;
}
