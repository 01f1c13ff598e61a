/* Every attribute of a BTF-defined map, inner maps and prog arrays with elements. */
#include "bpf.h"

struct key {
	u32 a;
	u16 b;
};

struct value {
	u64 count;
	char comm[16];
};

struct {
	__uint(type, 1); /* hash */
	__type(key, struct key);
	__type(value, struct value);
	__uint(max_entries, 1024);
	__uint(map_flags, 5); /* no prealloc, NUMA node */
	__uint(numa_node, 1);
	__uint(pinning, 1);
} counts SEC(".maps");

struct {
	__uint(type, 30); /* bloom filter */
	__uint(value_size, 8);
	__uint(max_entries, 100);
	__ulong(map_extra, 3);
	__uint(pinning, 16);
} bloom SEC(".maps");

struct {
	__uint(type, 27); /* ring buffer */
	__type(value, struct value);
	__uint(max_entries, 4096);
} events SEC(".maps");

struct inner {
	__uint(type, 2); /* array */
	__uint(key_size, 4);
	__uint(value_size, 16);
	__uint(max_entries, 8);
} inner_a SEC(".maps"), inner_b SEC(".maps");

struct {
	__uint(type, 12); /* array of maps */
	__uint(max_entries, 4);
	__type(key, u32);
	__array(values, struct inner);
} outer SEC(".maps") = {
	.values = { [1] = &inner_a, [3] = &inner_b },
};

struct {
	__uint(type, 13); /* hash of maps */
	__uint(max_entries, 2);
	__type(key, u64);
	__array(values, struct {
		__uint(type, 1);
		__uint(max_entries, 10);
		__type(key, u32);
		__type(value, u64);
	});
} by_hash SEC(".maps");

int first(void *ctx);

SEC("socket") static int hidden_target(void *ctx)
{
	return 2;
}

struct {
	__uint(type, 3); /* prog array */
	__uint(max_entries, 8);
	__uint(key_size, 4);
	__array(values, int(void *));
} jumps SEC(".maps") = {
	.values = { [0] = (void *)&first, [5] = (void *)&hidden_target },
};

static struct {
	__uint(type, 2);
	__type(key, u32);
	__type(value, u64);
	__uint(max_entries, 1);
} local SEC(".maps");

SEC("socket") int first(void *ctx)
{
	u32 zero = 0;
	u64 *seen = map_lookup_elem(&local, &zero);
	if (seen)
		*seen += 1;
	if (!map_lookup_elem(&outer, &zero))
		return 1;
	tail_call(ctx, &jumps, 5);
	return map_lookup_elem(&counts, &zero) != map_lookup_elem(&local, &zero);
}

char _license[] SEC("license") = "GPL";
