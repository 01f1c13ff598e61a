//! The `Kernel` interface: what `bpf(2)` offers, in its own terms, over any kernel that implements it.
//!
//! Two kernels do: [`UserKernel`](crate::UserKernel), inside this process, and the running Linux kernel (crate
//! `skep-linux`). Loader, command line and examples are written once, against this trait.

use std::path::Path;
use std::time::Duration;

use skep_catalog::{AttachType, MapType, ProgramType};
use skep_isa::RawInsn;

use crate::error::{Errno, KernelError, LoadError};

/// Result of a `bpf(2)` command.
pub type Result<T, E = KernelError> = std::result::Result<T, E>;

/// A descriptor of one kernel: a small number that names a map, program, link or BTF object and holds a reference to
/// it until [`Kernel::close`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fd(pub i32);

/// The kinds of object that have ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum ObjectKind {
    Map,
    Program,
    Link,
    Btf,
}

/// `BPF_MAP_CREATE`.
#[derive(Clone, Debug)]
pub struct MapCreate {
    /// Type.
    pub map_type: MapType,
    /// Bytes in a key.
    pub key_size: u32,
    /// Bytes in a value.
    pub value_size: u32,
    /// Number of elements; bytes of data for ring buffers.
    pub max_entries: u32,
    /// `BPF_F_*` creation flags.
    pub flags: u32,
    /// Type-specific (`map_extra`).
    pub extra: u64,
    /// Name, cut to 15 bytes.
    pub name: String,
    /// Template for the inner maps of a map of maps.
    pub inner: Option<Fd>,
    /// BTF object that describes key and value, with their type ids there.
    pub btf: Option<MapBtf>,
}

/// BTF of a map's key and value.
#[derive(Clone, Copy, Debug)]
pub struct MapBtf {
    /// The BTF object.
    pub fd: Fd,
    /// Type id of the key, 0 if none.
    pub key_type_id: u32,
    /// Type id of the value, 0 if none.
    pub value_type_id: u32,
}

/// `BPF_PROG_LOAD`.
#[derive(Clone, Debug)]
pub struct ProgLoad {
    /// Type.
    pub prog_type: ProgramType,
    /// Expected attach type, where the type has one.
    pub expected_attach_type: Option<AttachType>,
    /// Instructions, all subprograms appended; `ld_imm64` names maps by index into [`ProgLoad::maps`] (kinds 5 and 6).
    pub insns: Vec<RawInsn>,
    /// Maps named by the instructions.
    pub maps: Vec<Fd>,
    /// License, decides whether GPL-only helpers may be called.
    pub license: String,
    /// `kern_version`, 0 unless the object states one.
    pub kern_version: u32,
    /// Name, cut to 15 bytes.
    pub name: String,
    /// `BPF_F_*` load flags (`BPF_F_SLEEPABLE`, ...).
    pub flags: u32,
    /// BTF with function and line information.
    pub btf: Option<ProgBtf>,
    /// BTF id of the attach target, 0 if none.
    pub attach_btf_id: u32,
    /// Verifier log level: 0 none, 1 basic, 2 every instruction, bit 2 statistics.
    pub log_level: u32,
}

/// BTF of a program. Records are as in `.BTF.ext`, offsets counting slots of the whole program.
#[derive(Clone, Debug)]
pub struct ProgBtf {
    /// The BTF object.
    pub fd: Fd,
    /// `struct bpf_func_info` records, host byte order.
    pub func_info: Vec<u8>,
    /// Bytes in one of them.
    pub func_info_rec_size: u32,
    /// `struct bpf_line_info` records, host byte order.
    pub line_info: Vec<u8>,
    /// Bytes in one of them.
    pub line_info_rec_size: u32,
}

/// `BPF_PROG_TEST_RUN`.
#[derive(Clone, Debug, Default)]
pub struct TestRun {
    /// Packet data in.
    pub data_in: Vec<u8>,
    /// Room for packet data out, in bytes.
    pub data_out_size: u32,
    /// Context in.
    pub ctx_in: Vec<u8>,
    /// Room for the context out, in bytes.
    pub ctx_out_size: u32,
    /// Times to run, 0 and 1 mean once.
    pub repeat: u32,
    /// `BPF_F_TEST_*` flags.
    pub flags: u32,
    /// CPU to run on, with `BPF_F_TEST_RUN_ON_CPU`.
    pub cpu: u32,
}

/// What a test run gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestRunResult {
    /// R0 at exit, as far as the program type returns it (32 bits).
    pub retval: u32,
    /// Packet data out.
    pub data_out: Vec<u8>,
    /// Context out.
    pub ctx_out: Vec<u8>,
    /// Mean time of one run.
    pub duration: Duration,
}

/// Where a link attaches a program. Each variant is one attach mechanism of the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AttachPoint {
    /// `/sys/kernel/tracing/events/CATEGORY/NAME`.
    Tracepoint {
        /// Such as `syscalls`.
        category: String,
        /// Such as `sys_enter_execve`.
        name: String,
    },
    /// A raw tracepoint, such as `sys_enter`.
    RawTracepoint {
        /// Its name.
        name: String,
    },
    /// Entry (or, with `retprobe`, return) of a kernel function.
    Kprobe {
        /// Function, such as `__x64_sys_openat`.
        symbol: String,
        /// Byte offset into it.
        offset: u64,
        /// At its return.
        retprobe: bool,
    },
}

/// `BPF_LINK_CREATE` and its older siblings.
#[derive(Clone, Debug)]
pub struct LinkCreate {
    /// Program.
    pub prog: Fd,
    /// Where.
    pub point: AttachPoint,
    /// Value that `bpf_get_attach_cookie` returns.
    pub cookie: u64,
}

/// `BPF_OBJ_GET_INFO_BY_FD` for a map.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields of struct bpf_map_info")]
pub struct MapInfo {
    pub id: u32,
    pub map_type: MapType,
    pub key_size: u32,
    pub value_size: u32,
    pub max_entries: u32,
    pub flags: u32,
    pub name: String,
    pub btf_id: u32,
    pub btf_key_type_id: u32,
    pub btf_value_type_id: u32,
    pub frozen: bool,
}

/// `BPF_OBJ_GET_INFO_BY_FD` for a program.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields of struct bpf_prog_info")]
pub struct ProgInfo {
    pub id: u32,
    pub prog_type: ProgramType,
    pub name: String,
    /// First 8 bytes of the SHA of the instructions with map references zeroed.
    pub tag: [u8; 8],
    pub gpl_compatible: bool,
    pub map_ids: Vec<u32>,
    pub btf_id: u32,
    /// Instructions as the kernel runs them.
    pub xlated: Vec<RawInsn>,
    pub run_time_ns: u64,
    pub run_cnt: u64,
}

/// `BPF_OBJ_GET_INFO_BY_FD` for a link.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields of struct bpf_link_info")]
pub struct LinkInfo {
    pub id: u32,
    pub prog_id: u32,
    /// None once it is detached.
    pub point: Option<AttachPoint>,
    pub cookie: u64,
}

/// Reads the records of a ring buffer map in order; one reader a map.
pub trait RingReader: Send {
    /// Hands each finished record to `each` and frees it; returns how many. Never waits.
    ///
    /// # Errors
    /// `EFAULT` when the buffer's positions or headers are not what a ring buffer's can be.
    fn consume(&mut self, each: &mut dyn FnMut(&[u8])) -> Result<usize>;

    /// Waits until there is something to consume; false when the time ran out first.
    ///
    /// # Errors
    /// What the kernel's wait answers.
    fn wait(&mut self, timeout: Duration) -> Result<bool>;
}

/// Reads lines of `bpf_trace_printk` as `trace_pipe` gives them.
pub trait TracePipe: Send {
    /// The next line without its newline; None when the time ran out first. The time may be zero.
    ///
    /// # Errors
    /// What reading the pipe answers.
    fn next_line(&mut self, timeout: Duration) -> Result<Option<String>>;
}

/// A kernel: `bpf(2)` as methods. Every method may be called from any thread.
///
/// Errors carry the errno that Linux gives for the same misuse, and a sentence that says what was wrong.
#[expect(missing_docs, reason = "each method is one bpf(2) command, named after it")]
#[expect(clippy::missing_errors_doc, reason = "the trait's own text says what errors are")]
pub trait Kernel: Send + Sync {
    /// `user` or `linux`.
    fn target_name(&self) -> &'static str;

    fn map_create(&self, spec: &MapCreate) -> Result<Fd>;
    /// The value under `key`: `value_size` bytes, or for per-CPU maps one value for each possible CPU, each rounded up
    /// to 8 bytes.
    fn map_lookup(&self, map: Fd, key: &[u8], flags: u64) -> Result<Vec<u8>>;
    fn map_update(&self, map: Fd, key: &[u8], value: &[u8], flags: u64) -> Result<()>;
    fn map_delete(&self, map: Fd, key: &[u8]) -> Result<()>;
    fn map_lookup_and_delete(&self, map: Fd, key: &[u8], flags: u64) -> Result<Vec<u8>>;
    /// The key after `key`, the first one for None; `ENOENT` after the last.
    fn map_next_key(&self, map: Fd, key: Option<&[u8]>) -> Result<Vec<u8>>;
    fn map_freeze(&self, map: Fd) -> Result<()>;
    /// The one reader of a ring buffer map.
    fn ring_reader(&self, map: Fd) -> Result<Box<dyn RingReader>>;

    fn prog_load(&self, load: &ProgLoad) -> Result<Fd, LoadError>;
    fn prog_test_run(&self, prog: Fd, run: &TestRun) -> Result<TestRunResult>;

    fn link_create(&self, link: &LinkCreate) -> Result<Fd>;
    fn link_detach(&self, link: Fd) -> Result<()>;
    /// Replaces the program of a link.
    fn link_update(&self, link: Fd, prog: Fd) -> Result<()>;

    fn btf_load(&self, btf: &[u8]) -> Result<Fd, LoadError>;
    fn btf_bytes(&self, btf: Fd) -> Result<Vec<u8>>;

    /// The smallest id greater than `after`; None after the last.
    fn next_id(&self, kind: ObjectKind, after: u32) -> Result<Option<u32>>;
    fn fd_by_id(&self, kind: ObjectKind, id: u32) -> Result<Fd>;
    fn map_info(&self, map: Fd) -> Result<MapInfo>;
    fn prog_info(&self, prog: Fd) -> Result<ProgInfo>;
    fn link_info(&self, link: Fd) -> Result<LinkInfo>;

    fn pin(&self, fd: Fd, path: &Path) -> Result<()>;
    fn get_pinned(&self, path: &Path) -> Result<Fd>;
    /// Takes a pin away, `unlink(2)` on Linux.
    fn unpin(&self, path: &Path) -> Result<()> {
        std::fs::remove_file(path).map_err(|error| {
            let errno = error.raw_os_error().map_or(Errno::EIO, Errno);
            KernelError::new(errno, format!("unpinning {}", path.display()))
        })
    }

    /// Another descriptor of the same object.
    fn dup(&self, fd: Fd) -> Result<Fd>;
    /// Gives the descriptor's reference back.
    fn close(&self, fd: Fd) -> Result<()>;

    /// What `bpf_trace_printk` prints from now on.
    fn trace_pipe(&self) -> Result<Box<dyn TracePipe>>;
    /// CPUs that per-CPU values have a slot for.
    fn possible_cpus(&self) -> u32;
    /// The version of Linux that programs are told, as `KERNEL_VERSION(major, minor, patch)` makes it.
    fn linux_version(&self) -> u32;
}
