/* What the test objects need of the BPF machine, written for these tests. */
#define SEC(name) __attribute__((section(name), used))
#define __noinline __attribute__((noinline))
#define __weak __attribute__((weak))
#define __hidden __attribute__((visibility("hidden")))
#define __uint(name, val) int(*name)[val]
#define __type(name, val) typeof(val) *name
#define __array(name, val) typeof(val) *name[]
#define __ulong(name, val) enum { __ulong_##name = val } name
#define __kconfig __attribute__((section(".kconfig")))
#define __ksym __attribute__((section(".ksyms")))

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int s32;
typedef long long s64;
typedef _Bool bool;

static void *(*map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*map_update_elem)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static long (*trace_printk)(const char *fmt, u32 size, ...) = (void *)6;
static long (*tail_call)(void *ctx, void *map, u32 index) = (void *)12;
static long (*for_each_map_elem)(void *map, void *callback, void *ctx, u64 flags) = (void *)164;
static long (*loop)(u32 count, void *callback, void *ctx, u64 flags) = (void *)181;
