/* Subprograms: static, global, weak and hidden; nested, shared, recursive; callbacks. */
#include "bpf.h"

u64 sum;

static __noinline int leaf(int x)
{
	sum += x;
	return x * 3;
}

__noinline int global(int x)
{
	return leaf(x) + 1;
}

__weak __noinline int replaceable(int x)
{
	return global(x) ^ 2;
}

__hidden __noinline int internal(int x)
{
	return x - leaf(x);
}

static __noinline int odd(u32 x);

static __noinline int even(u32 x)
{
	sum++;
	return x == 0 ? 1 : odd(x - 1) + 1;
}

static __noinline int odd(u32 x)
{
	sum--;
	return x == 0 ? 0 : even(x - 1) + 2;
}

static int each(u32 index, void *ctx)
{
	return leaf(index);
}

SEC("xdp") int one(void *ctx)
{
	return replaceable(1) + internal(2);
}

SEC("xdp") int two(void *ctx)
{
	return leaf(5);
}

SEC("?tc") int loops(void *ctx)
{
	loop(10, each, 0, 0);
	return leaf(6);
}

SEC("fentry.s/do_unlinkat") int parity(void *ctx)
{
	return even(7);
}

SEC("my_own_section") int alone(void *ctx)
{
	return 0;
}
