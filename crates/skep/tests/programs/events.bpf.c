// SPDX-License-Identifier: MIT OR Apache-2.0
// What a process and its descendants do, one record an event, with the context's bytes: run by two kernels and compared.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define WORDS 9
#define TEXT 128

char LICENSE[] SEC("license") = "Dual MIT/GPL";

enum kind {
	ENTER_OPENAT = 1,
	EXIT_OPENAT,
	ENTER_GETPPID,
	EXIT_GETPPID,
	ENTER_WRITE,
	EXIT_WRITE,
	ENTER_EXECVE,
	EXIT_EXECVE,
	PROCESS_EXEC,
	PROCESS_FORK,
	PROCESS_EXIT,
	RAW_ENTER,
	RAW_EXIT,
	ANY_ENTER,
	ANY_EXIT,
	RAW_PROCESS_EXEC,
	RAW_PROCESS_EXIT,
};

struct event {
	__u32 kind;
	__s32 text_len; // what reading the text gave: bytes with the final zero, or a negative errno
	__u64 pid_tgid;
	__u64 uid_gid;
	char comm[16];
	__u64 words[WORDS]; // fields of the context, in the order of its format file
	char text[TEXT];
	char second_text[16];
};

// Who opens this path is recorded from then on, with what it starts.
const volatile char begin[32] = {};

long dropped = 0;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32); // process id
	__type(value, __u8);
} recorded SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 * 1024 * 1024);
} events SEC(".maps");

static __always_inline struct event *start(enum kind kind)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 pid = id >> 32;
	if (!bpf_map_lookup_elem(&recorded, &pid))
		return 0;
	struct event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		__sync_fetch_and_add(&dropped, 1);
		return 0;
	}
	__builtin_memset(e, 0, sizeof(*e));
	e->kind = kind;
	e->pid_tgid = id;
	e->uid_gid = bpf_get_current_uid_gid();
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	return e;
}

// The raw tracepoints come first: programs of one event run in the order in which they were attached.

// The registers of the system call, as <asm/ptrace.h> of x86-64 has them.
struct registers {
	__u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};

static __always_inline void registers(struct event *e, __u64 address)
{
	struct registers regs = {};
	e->text_len = bpf_probe_read_kernel(&regs, sizeof(regs), (void *)address);
	e->words[1] = regs.orig_ax;
	e->words[2] = regs.ax;
	e->words[3] = regs.di;
	e->words[4] = regs.si;
	e->words[5] = regs.dx;
	e->words[6] = regs.r10;
	e->words[7] = regs.cs;
	e->words[8] = regs.ss;
}

SEC("raw_tp/sys_enter")
int raw_enter(struct bpf_raw_tracepoint_args *ctx)
{
	struct event *e = start(RAW_ENTER);
	if (!e)
		return 0;
	e->words[0] = ctx->args[1];
	registers(e, ctx->args[0]);
	bpf_ringbuf_submit(e, 0);
	return 0;
}

SEC("raw_tp/sys_exit")
int raw_exit(struct bpf_raw_tracepoint_args *ctx)
{
	struct event *e = start(RAW_EXIT);
	if (!e)
		return 0;
	e->words[0] = ctx->args[1];
	registers(e, ctx->args[0]);
	bpf_ringbuf_submit(e, 0);
	return 0;
}

// Layouts of /sys/kernel/tracing/events/*/format.

struct any_enter {
	__u64 common;
	__s64 id;
	__u64 args[6];
};

struct any_exit {
	__u64 common;
	__s64 id;
	__s64 ret;
};

SEC("tracepoint/raw_syscalls/sys_enter")
int any_enter(struct any_enter *ctx)
{
	struct event *e = start(ANY_ENTER);
	if (!e)
		return 0;
	e->words[0] = ctx->id;
#pragma unroll
	for (int i = 0; i < 6; i++)
		e->words[i + 1] = ctx->args[i];
	bpf_ringbuf_submit(e, 0);
	return 0;
}

SEC("tracepoint/raw_syscalls/sys_exit")
int any_exit(struct any_exit *ctx)
{
	struct event *e = start(ANY_EXIT);
	if (!e)
		return 0;
	e->words[0] = ctx->id;
	e->words[1] = ctx->ret;
	bpf_ringbuf_submit(e, 0);
	return 0;
}

struct sys_enter {
	__u64 common;
	__s32 nr;
	__u32 pad;
	__u64 args[4]; // as many as the call has
};

struct sys_exit {
	__u64 common;
	__s32 nr;
	__u32 pad;
	__s64 ret;
};

static __always_inline int enter(struct event *e, struct sys_enter *ctx, int args, int path)
{
	if (!e)
		return 0;
	e->words[0] = ctx->nr;
#pragma unroll
	for (int i = 0; i < 4; i++)
		if (i < args)
			e->words[i + 1] = ctx->args[i];
	if (path >= 0)
		e->text_len = bpf_probe_read_user_str(e->text, sizeof(e->text), (void *)ctx->args[path]);
	bpf_ringbuf_submit(e, 0);
	return 0;
}

static __always_inline int leave(struct event *e, struct sys_exit *ctx)
{
	if (!e)
		return 0;
	e->words[0] = ctx->nr;
	e->words[1] = ctx->ret;
	bpf_ringbuf_submit(e, 0);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_openat")
int enter_openat(struct sys_enter *ctx)
{
	char path[sizeof(begin)] = {};
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	__u8 yes = 1;
	struct event *e = start(ENTER_OPENAT);
	if (e)
		return enter(e, ctx, 4, 1);
	if (bpf_probe_read_user_str(path, sizeof(path), (void *)ctx->args[1]) < 0)
		return 0;
	for (int i = 0; i < sizeof(begin); i++)
		if (path[i] != begin[i])
			return 0;
	bpf_map_update_elem(&recorded, &pid, &yes, BPF_ANY);
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_openat")
int exit_openat(struct sys_exit *ctx)
{
	return leave(start(EXIT_OPENAT), ctx);
}

SEC("tracepoint/syscalls/sys_enter_getppid")
int enter_getppid(struct sys_enter *ctx)
{
	return enter(start(ENTER_GETPPID), ctx, 0, -1);
}

SEC("tracepoint/syscalls/sys_exit_getppid")
int exit_getppid(struct sys_exit *ctx)
{
	struct event *e = start(EXIT_GETPPID);
	if (e)
		bpf_printk("%s%s returned, nr %d", begin, "getppid", ctx->nr);
	return leave(e, ctx);
}

SEC("tracepoint/syscalls/sys_enter_write")
int enter_write(struct sys_enter *ctx)
{
	return enter(start(ENTER_WRITE), ctx, 3, -1);
}

SEC("tracepoint/syscalls/sys_exit_write")
int exit_write(struct sys_exit *ctx)
{
	return leave(start(EXIT_WRITE), ctx);
}

SEC("tracepoint/syscalls/sys_enter_execve")
int enter_execve(struct sys_enter *ctx)
{
	return enter(start(ENTER_EXECVE), ctx, 3, 0);
}

SEC("tracepoint/syscalls/sys_exit_execve")
int exit_execve(struct sys_exit *ctx)
{
	return leave(start(EXIT_EXECVE), ctx);
}

struct process_exec {
	__u64 common;
	__u32 filename_loc; // where the text is in the record; above 16 bits its length
	__s32 pid;
	__s32 old_pid;
};

SEC("tracepoint/sched/sched_process_exec")
int process_exec(struct process_exec *ctx)
{
	struct event *e = start(PROCESS_EXEC);
	if (!e)
		return 0;
	e->words[0] = ctx->filename_loc;
	e->words[1] = ctx->pid;
	e->words[2] = ctx->old_pid;
	e->text_len = bpf_probe_read_kernel_str(e->text, sizeof(e->text), (void *)ctx + (ctx->filename_loc & 0xffff));
	bpf_ringbuf_submit(e, 0);
	return 0;
}

struct process_fork {
	__u64 common;
	__u32 parent_comm_loc;
	__s32 parent_pid;
	__u32 child_comm_loc;
	__s32 child_pid;
};

SEC("tracepoint/sched/sched_process_fork")
int process_fork(struct process_fork *ctx)
{
	__u32 child = ctx->child_pid;
	__u8 yes = 1;
	struct event *e = start(PROCESS_FORK);
	if (!e)
		return 0;
	// For a thread this is no process id, and nobody's.
	bpf_map_update_elem(&recorded, &child, &yes, BPF_ANY);
	e->words[0] = ctx->parent_comm_loc;
	e->words[1] = ctx->parent_pid;
	e->words[2] = ctx->child_comm_loc;
	e->words[3] = ctx->child_pid;
	e->text_len =
		bpf_probe_read_kernel_str(e->text, sizeof(e->text), (void *)ctx + (ctx->parent_comm_loc & 0xffff));
	bpf_probe_read_kernel_str(e->second_text, sizeof(e->second_text), (void *)ctx + (ctx->child_comm_loc & 0xffff));
	bpf_ringbuf_submit(e, 0);
	return 0;
}

struct process_exit {
	__u64 common;
	char comm[16];
	__s32 pid;
	__s32 prio;
	__u8 group_dead;
};

SEC("tracepoint/sched/sched_process_exit")
int process_exit(struct process_exit *ctx)
{
	struct event *e = start(PROCESS_EXIT);
	if (!e)
		return 0;
	for (int i = 0; i < 16; i++)
		e->text[i] = ctx->comm[i];
	e->words[0] = ctx->pid;
	e->words[1] = ctx->prio;
	e->words[2] = ctx->group_dead;
	bpf_ringbuf_submit(e, 0);
	return 0;
}

// Behind the tracepoints' programs: the user target runs those of processes' raw tracepoints last.

SEC("raw_tp/sched_process_exec")
int raw_process_exec(struct bpf_raw_tracepoint_args *ctx)
{
	struct event *e = start(RAW_PROCESS_EXEC);
	if (!e)
		return 0;
	e->words[0] = ctx->args[1];
	bpf_ringbuf_submit(e, 0);
	return 0;
}

SEC("raw_tp/sched_process_exit")
int raw_process_exit(struct bpf_raw_tracepoint_args *ctx)
{
	struct event *e = start(RAW_PROCESS_EXIT);
	if (!e)
		return 0;
	e->words[0] = ctx->args[1];
	bpf_ringbuf_submit(e, 0);
	return 0;
}
