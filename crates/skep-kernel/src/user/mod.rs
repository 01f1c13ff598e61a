//! The user-space kernel: objects, ids, descriptors, pins and links inside this process.

mod caller;
mod fds;
mod links;
mod load;
mod maps;
mod names;
mod object;
mod pins;
mod registry;

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};

use skep_btf::Btf;
use skep_catalog::ProgramType;
use skep_isa::Endian;

use crate::error::{Errno, KernelError, LoadError};
use crate::hook::{EventSource, HookTable};
use crate::interp::{Fault, RunOptions};
use crate::kernel::{
    Fd, Kernel, LinkCreate, LinkInfo, MapCreate, MapInfo, ObjectKind, ProgInfo, ProgLoad, Result, RingReader,
    TestRun, TestRunResult, TracePipe,
};
use crate::trace_pipe::TraceBuffer;

use caller::Caller;
use fds::{Access, Descriptors, Handle};
use object::{BtfObject, LinkObject, MapHandle, MapObject, ProgObject, Stats};
use pins::Pins;
use registry::Registry;

/// Bytes of a BTF object at most (`BTF_MAX_SIZE`).
const BTF_MAX_SIZE: usize = 16 << 20;

/// A kernel inside this process: `bpf(2)` without Linux, without privileges.
///
/// Each value of this type is a kernel of its own, with its own ids, descriptors and pins; all of it goes when the value
/// goes. Events come from [`EventSource`]s, which fire the programs in [`UserKernel::hooks`].
///
/// ```
/// use skep_catalog::MapType;
/// use skep_kernel::{Errno, Kernel, MapCreate, ObjectKind, UserKernel};
///
/// let kernel = UserKernel::new();
/// let fd = kernel.map_create(&MapCreate {
///     map_type: MapType::Hash,
///     key_size: 4,
///     value_size: 8,
///     max_entries: 2,
///     flags: 0,
///     extra: 0,
///     name: "counts".to_owned(),
///     inner: None,
///     btf: None,
/// })?;
///
/// // Elements come and go as through bpf(2), with its errors.
/// let (one, two, three) = (1u32.to_ne_bytes(), 2u32.to_ne_bytes(), 3u32.to_ne_bytes());
/// kernel.map_update(fd, &one, &100u64.to_ne_bytes(), 0)?;
/// kernel.map_update(fd, &two, &200u64.to_ne_bytes(), 0)?;
/// assert_eq!(kernel.map_lookup(fd, &one, 0)?, 100u64.to_ne_bytes());
/// assert_eq!(kernel.map_update(fd, &three, &[0; 8], 0).unwrap_err().errno, Errno::E2BIG);
///
/// // An object lives as long as something refers to it: a descriptor, a pin, a program.
/// let id = kernel.map_info(fd)?.id;
/// kernel.pin(fd, "/sys/fs/bpf/counts".as_ref())?;
/// kernel.close(fd)?;
/// let again = kernel.fd_by_id(ObjectKind::Map, id)?;
/// assert_eq!(kernel.map_lookup(again, &two, 0)?, 200u64.to_ne_bytes());
/// kernel.unpin("/sys/fs/bpf/counts".as_ref())?;
/// kernel.close(again)?;
/// assert_eq!(kernel.next_id(ObjectKind::Map, 0)?, None);
/// # Ok::<(), skep_kernel::KernelError>(())
/// ```
pub struct UserKernel {
    // Dropped in this order: what refers to objects first.
    fds: Descriptors,
    pins: Pins,
    maps: Arc<Registry<MapObject>>,
    programs: Arc<Registry<ProgObject>>,
    links: Arc<Registry<LinkObject>>,
    btfs: Arc<Registry<BtfObject>>,
    hooks: Arc<HookTable>,
    sources: RwLock<Vec<Arc<dyn EventSource>>>,
    trace: Arc<TraceBuffer>,
    stats: Arc<Stats>,
    possible_cpus: u32,
}

impl Default for UserKernel {
    fn default() -> Self {
        Self::new()
    }
}

impl UserKernel {
    /// A kernel with as many virtual CPUs as this process may use at once.
    #[must_use]
    pub fn new() -> UserKernel {
        let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        UserKernel::with_possible_cpus(u32::try_from(cpus).unwrap_or(1))
    }

    /// A kernel with this many virtual CPUs (at least 1, at most 8192 as on Linux): per-CPU values have a slot for each.
    #[must_use]
    pub fn with_possible_cpus(cpus: u32) -> UserKernel {
        UserKernel {
            fds: Descriptors::default(),
            pins: Pins::default(),
            maps: Arc::default(),
            programs: Arc::default(),
            links: Arc::default(),
            btfs: Arc::default(),
            hooks: Arc::default(),
            sources: RwLock::default(),
            trace: Arc::default(),
            stats: Arc::default(),
            possible_cpus: cpus.clamp(1, 8192),
        }
    }

    /// Where links put programs, and event sources find them.
    #[must_use]
    pub fn hooks(&self) -> &Arc<HookTable> {
        &self.hooks
    }

    /// Makes the attach points that `source` offers available to links.
    pub fn add_event_source(&self, source: Arc<dyn EventSource>) {
        self.sources.write().unwrap_or_else(PoisonError::into_inner).push(source);
    }

    /// Where `bpf_trace_printk` goes.
    #[must_use]
    pub fn trace(&self) -> &Arc<TraceBuffer> {
        &self.trace
    }

    /// Calls `report` with id and name of the program and the fault whenever a run on an event is stopped because the
    /// program did what the verifier would have refused. The run itself counts as one that returned 0. `report` replaces
    /// the one before.
    pub fn on_fault(&self, report: impl Fn(u32, &str, &Fault) + Send + Sync + 'static) {
        *self.stats.on_fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(report));
    }

    /// `BPF_ENABLE_STATS`: from now on runs on events are counted and timed, or not. Off in a new kernel.
    pub fn enable_stats(&self, enable: bool) {
        self.stats.enabled.store(enable, Ordering::Relaxed);
    }

    /// `BPF_PROG_TEST_RUN` with a budget for each repetition and a flag that stops it.
    ///
    /// # Errors
    /// As [`Kernel::prog_test_run`]; `EFAULT` also when budget or flag ended the run, `EINTR` when the flag was set between two
    /// repetitions, `ENXIO` for a virtual CPU that does not exist.
    pub fn prog_test_run_with(
        &self,
        prog: Fd,
        run: &TestRun,
        options: &RunOptions<'_>,
    ) -> Result<TestRunResult> {
        let object = self.fds.program(prog)?;
        /// `BPF_F_TEST_RUN_ON_CPU`.
        const ON_CPU: u32 = 1;
        let takes_cpu = match object.kind.prog_type {
            ProgramType::RawTracepoint | ProgramType::RawTracepointWritable => run.flags & ON_CPU != 0,
            ProgramType::Tracepoint | ProgramType::Kprobe | ProgramType::PerfEvent => true,
            _ => false,
        };
        if takes_cpu && run.cpu >= self.possible_cpus {
            let what = format!("virtual CPU {} of {}", run.cpu, self.possible_cpus);
            return Err(KernelError::new(Errno::ENXIO, what));
        }
        object.program.test_run_with(run, &Caller::new(), options)
    }

    /// How many objects of a kind live.
    #[must_use]
    pub fn object_count(&self, kind: ObjectKind) -> usize {
        match kind {
            ObjectKind::Map => self.maps.count(),
            ObjectKind::Program => self.programs.count(),
            ObjectKind::Link => self.links.count(),
            ObjectKind::Btf => self.btfs.count(),
        }
    }

    /// How many descriptors are open.
    #[must_use]
    pub fn descriptor_count(&self) -> usize {
        self.fds.count()
    }

    fn pinnable(&self, fd: Fd) -> Result<Handle> {
        match self.fds.get(fd)? {
            Handle::Btf(_) => Err(KernelError::new(Errno::EINVAL, "BTF objects cannot be pinned")),
            // The mode belongs to the descriptor.
            Handle::Map(map, _) => Ok(Handle::Map(map, Access::BOTH)),
            handle => Ok(handle),
        }
    }

    fn load_btf(&self, bytes: &[u8]) -> Result<Fd, LoadError> {
        let refuse = |errno, why: String| {
            let log = format!("{why}\n");
            LoadError { errno, what: format!("BTF of {} bytes: {why}", bytes.len()), log }
        };
        if bytes.len() > BTF_MAX_SIZE {
            return Err(refuse(Errno::E2BIG, format!("the limit is {BTF_MAX_SIZE}")));
        }
        let btf = Btf::parse(bytes).map_err(|error| refuse(Errno::EINVAL, error.to_string()))?;
        if btf.endian() != Endian::HOST {
            return Err(refuse(Errno::EINVAL, "not in this machine's byte order".to_owned()));
        }
        btf.validate().map_err(|error| refuse(Errno::EINVAL, error.to_string()))?;
        let object = self.btfs.create(|id| BtfObject { id, bytes: bytes.to_vec(), btf });
        let object = object.ok_or_else(|| KernelError::new(Errno::ENOSPC, "all BTF ids are in use"))?;
        Ok(self.fds.open(Handle::Btf(object))?)
    }
}

impl Drop for UserKernel {
    /// Links go first of all, so that no event source runs a program of a kernel that is no more.
    fn drop(&mut self) {
        self.fds.clear();
        self.pins.clear();
    }
}

impl Kernel for UserKernel {
    fn target_name(&self) -> &'static str {
        "user"
    }

    fn map_create(&self, spec: &MapCreate) -> Result<Fd> {
        self.create_map(spec)
    }

    fn map_lookup(&self, map: Fd, key: &[u8], flags: u64) -> Result<Vec<u8>> {
        self.lookup(map, key, flags)
    }

    fn map_update(&self, map: Fd, key: &[u8], value: &[u8], flags: u64) -> Result<()> {
        self.update(map, key, value, flags)
    }

    fn map_delete(&self, map: Fd, key: &[u8]) -> Result<()> {
        self.delete(map, key)
    }

    fn map_lookup_and_delete(&self, map: Fd, key: &[u8], flags: u64) -> Result<Vec<u8>> {
        self.lookup_and_delete(map, key, flags)
    }

    fn map_next_key(&self, map: Fd, key: Option<&[u8]>) -> Result<Vec<u8>> {
        self.next_key(map, key)
    }

    fn map_freeze(&self, map: Fd) -> Result<()> {
        self.freeze(map)
    }

    fn ring_reader(&self, map: Fd) -> Result<Box<dyn RingReader>> {
        self.reader(map)
    }

    fn prog_load(&self, load: &ProgLoad) -> Result<Fd, LoadError> {
        self.load_program(load)
    }

    fn prog_test_run(&self, prog: Fd, run: &TestRun) -> Result<TestRunResult> {
        self.prog_test_run_with(prog, run, &RunOptions::default())
    }

    fn link_create(&self, link: &LinkCreate) -> Result<Fd> {
        self.create_link(link)
    }

    fn link_detach(&self, link: Fd) -> Result<()> {
        self.detach_link(link)
    }

    fn link_update(&self, link: Fd, prog: Fd) -> Result<()> {
        self.update_link(link, prog)
    }

    fn btf_load(&self, btf: &[u8]) -> Result<Fd, LoadError> {
        self.load_btf(btf)
    }

    fn btf_bytes(&self, btf: Fd) -> Result<Vec<u8>> {
        Ok(self.fds.btf(btf)?.bytes.clone())
    }

    fn next_id(&self, kind: ObjectKind, after: u32) -> Result<Option<u32>> {
        Ok(match kind {
            ObjectKind::Map => self.maps.next(after),
            ObjectKind::Program => self.programs.next(after),
            ObjectKind::Link => self.links.next(after),
            ObjectKind::Btf => self.btfs.next(after),
        })
    }

    fn fd_by_id(&self, kind: ObjectKind, id: u32) -> Result<Fd> {
        let handle = match kind {
            ObjectKind::Map => self.maps.get(id).map(|map| Handle::Map(MapHandle::new(map), Access::BOTH)),
            ObjectKind::Program => self.programs.get(id).map(Handle::Program),
            ObjectKind::Link => self.links.get(id).map(Handle::Link),
            ObjectKind::Btf => self.btfs.get(id).map(Handle::Btf),
        };
        let handle = handle
            .ok_or_else(|| KernelError::new(Errno::ENOENT, format!("there is no {kind:?} with id {id}")))?;
        self.fds.open(handle)
    }

    fn map_info(&self, map: Fd) -> Result<MapInfo> {
        self.info_of_map(map)
    }

    fn prog_info(&self, prog: Fd) -> Result<ProgInfo> {
        self.info_of_program(prog)
    }

    fn link_info(&self, link: Fd) -> Result<LinkInfo> {
        self.info_of_link(link)
    }

    fn pin(&self, fd: Fd, path: &Path) -> Result<()> {
        self.pins.pin(path, self.pinnable(fd)?)
    }

    fn unpin(&self, path: &Path) -> Result<()> {
        self.pins.unpin(path)
    }

    fn get_pinned(&self, path: &Path) -> Result<Fd> {
        self.fds.open(self.pins.get(path)?)
    }

    fn dup(&self, fd: Fd) -> Result<Fd> {
        self.fds.open(self.fds.get(fd)?)
    }

    fn close(&self, fd: Fd) -> Result<()> {
        self.fds.close(fd)
    }

    fn trace_pipe(&self) -> Result<Box<dyn TracePipe>> {
        Ok(Box::new(self.trace.reader()))
    }

    /// 6.18.0: the version whose rules and layouts this kernel follows.
    fn linux_version(&self) -> u32 {
        6 << 16 | 18 << 8
    }

    fn possible_cpus(&self) -> u32 {
        self.possible_cpus
    }
}
