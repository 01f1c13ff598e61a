// SPDX-License-Identifier: MIT OR Apache-2.0
// Every program that is started: who started what, with which arguments, how it went and how long the start took.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define MAX_ARGS 20
#define ARGS_SIZE 512
#define ARG_SIZE 128

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct event {
	__u32 pid;
	__u32 uid;
	__s32 ret; // 0, or a negative errno
	__u32 args_count;
	__u64 duration_ns; // from the call of execve to its return
	char comm[16]; // after the call: the new program's name if it succeeded
	char args[ARGS_SIZE]; // separated by spaces
};

// Calls that have begun. Until the call returns, duration_ns holds the time at which it began.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32); // process id: a call that one thread begins returns in the thread that leads the process
	__type(value, struct event);
} pending SEC(".maps");

// Events are too large for the stack: they are put together here.
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct event);
} scratch SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} events SEC(".maps");

// Layouts of /sys/kernel/tracing/events/syscalls/sys_{enter,exit}_execve/format.
struct sys_enter_execve {
	__u64 common;
	__s32 nr;
	__u32 pad;
	const char *filename;
	const char *const *argv;
	const char *const *envp;
};

struct sys_exit_execve {
	__u64 common;
	__s32 nr;
	__u32 pad;
	long ret;
};

SEC("tracepoint/syscalls/sys_enter_execve")
int enter_execve(struct sys_enter_execve *ctx)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32, zero = 0, end = 0;
	struct event *e = bpf_map_lookup_elem(&scratch, &zero);
	if (!e)
		return 0;

	__builtin_memset(e, 0, sizeof(*e));
	e->pid = pid;
	e->uid = (__u32)bpf_get_current_uid_gid();
	for (int i = 0; i < MAX_ARGS && end <= ARGS_SIZE - ARG_SIZE; i++) {
		const char *arg = 0;
		if (bpf_probe_read_user(&arg, sizeof(arg), &ctx->argv[i]) || !arg)
			break;
		long n = bpf_probe_read_user_str(&e->args[end], ARG_SIZE, arg);
		if (n <= 0)
			break;
		if (end)
			e->args[end - 1] = ' '; // in place of the zero byte that ended the argument before
		end += n;
		e->args_count++;
	}
	e->duration_ns = bpf_ktime_get_ns();
	bpf_map_update_elem(&pending, &pid, e, BPF_ANY);
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_execve")
int exit_execve(struct sys_exit_execve *ctx)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	struct event *e = bpf_map_lookup_elem(&pending, &pid);
	if (!e)
		return 0;

	e->ret = ctx->ret;
	e->duration_ns = bpf_ktime_get_ns() - e->duration_ns;
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	bpf_ringbuf_output(&events, e, sizeof(*e), 0);
	bpf_map_delete_elem(&pending, &pid);
	return 0;
}
