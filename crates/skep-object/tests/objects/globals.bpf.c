/* Global data of every sort, kconfig values and kernel symbols. */
#include "bpf.h"

enum mode { MODE_OFF, MODE_ON = 7, MODE_MAX = 200 };
enum libbpf_tristate { TRI_NO, TRI_YES, TRI_MODULE };

const volatile u32 target_pid = 0;
const volatile s64 limit = -5;
const volatile bool verbose = 0;
const volatile enum mode mode = MODE_ON;
const volatile char name[8] = "abc";
u64 total = 17;
s32 deltas[3] = { 1, -2, 3 };
u64 seen;
static u32 calls;
static const char format[] = "pid %d";
u16 tuning SEC(".data.tuning") = 443;
const u64 salt SEC(".rodata.salt") = 0x1122334455667788;
char scratch[4096] SEC(".bss.scratch");

extern int LINUX_KERNEL_VERSION __kconfig;
extern bool LINUX_HAS_BPF_COOKIE __kconfig __weak;
extern unsigned long CONFIG_HZ __kconfig;
extern enum libbpf_tristate CONFIG_MODULES __kconfig __weak;
extern char CONFIG_DEFAULT_HOSTNAME[8] __kconfig __weak;

extern const void some_table __ksym;
extern const int per_thing __ksym __weak;
extern void kernel_function(int x) __ksym;
extern void absent_function(int x) __ksym __weak;

SEC("tp/syscalls/sys_enter_execve") int data(void *ctx)
{
	calls++;
	seen += total + deltas[calls & 1] + tuning + (target_pid ? limit : mode) + name[calls & 7];
	if (verbose)
		trace_printk(format, sizeof(format), (int)salt);
	return scratch[calls & 4095];
}

SEC("tp/syscalls/sys_exit_execve") int config(void *ctx)
{
	if (LINUX_KERNEL_VERSION < 0x60000)
		return LINUX_HAS_BPF_COOKIE;
	return CONFIG_HZ + CONFIG_MODULES + CONFIG_DEFAULT_HOSTNAME[1];
}

SEC("tp_btf/sys_enter") int symbols(void *ctx)
{
	if (absent_function)
		absent_function(1);
	kernel_function(2);
	return (u64)&some_table + (u64)&per_thing;
}

char _license[] SEC("license") = "Dual MIT/GPL";
u32 _version SEC("version") = 0x60c01;
