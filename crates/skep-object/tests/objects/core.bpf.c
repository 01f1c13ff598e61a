/* CO-RE relocations and a struct_ops variable. */
#include "bpf.h"

struct task_struct {
	int pid;
	char comm[16];
} __attribute__((preserve_access_index));

struct tcp_congestion_ops {
	u32 flags;
	int (*init)(void *sk);
	void (*release)(void *sk);
	char name[16];
};

SEC("struct_ops/start") int start(void *ctx)
{
	return 0;
}

SEC("struct_ops") void stop(void *ctx)
{
}

SEC(".struct_ops") struct tcp_congestion_ops cubic = {
	.flags = 3,
	.init = (void *)start,
	.release = (void *)stop,
	.name = "cubic",
};

SEC("?.struct_ops.link") struct tcp_congestion_ops linked = {
	.init = (void *)start,
};

static __noinline int read_pid(struct task_struct *task)
{
	return task->pid + task->comm[3];
}

SEC("raw_tp/sched_switch") int on_switch(struct task_struct **args)
{
	return read_pid(args[1]) + args[0]->comm[1];
}

char _license[] SEC("license") = "GPL";
