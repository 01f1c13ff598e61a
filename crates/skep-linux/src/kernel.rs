//! [`LinuxKernel`]: the methods of [`Kernel`], each of which is in the module of its subject.

use std::path::Path;
use std::sync::Mutex;

use skep_catalog::{Command, MapType};
use skep_kernel::{
    Errno, Fd, Kernel, LinkCreate, LinkInfo, LoadError, MapCreate, MapInfo, ObjectKind, ProgInfo, ProgLoad,
    Result, RingReader, TestRun, TestRunResult, TracePipe,
};

use crate::fds::FdTable;
use crate::tracefs::LinuxTracePipe;
use crate::{attr, cpus, explain, sys};

/// The running Linux kernel.
#[derive(Debug)]
pub struct LinuxKernel {
    pub(crate) fds: FdTable,
    pub(crate) cpus: u32,
    /// Whether RLIMIT_MEMLOCK was raised, and successfully.
    memlock: Mutex<Option<bool>>,
}

impl LinuxKernel {
    /// The running kernel, after [`probe`](Self::probe).
    ///
    /// # Errors
    /// What `probe` says; or `/sys` does not tell the number of CPUs.
    pub fn new() -> Result<Self> {
        Self::probe()?;
        Ok(LinuxKernel { fds: FdTable::default(), cpus: cpus::possible()?, memlock: Mutex::new(None) })
    }

    /// Whether `bpf(2)` answers this process: creates a map of one element, and closes it.
    ///
    /// # Errors
    /// `EPERM` without the privileges, `ENOSYS` in a kernel or sandbox without `bpf(2)`, with what to do.
    pub fn probe() -> Result<()> {
        let request = attr::MapCreate {
            map_type: MapType::Array.number(),
            key_size: 4,
            value_size: 4,
            max_entries: 1,
            ..attr::MapCreate::default()
        };
        // SAFETY: the structure of the command, which holds no addresses and gives a descriptor.
        let create = || unsafe { sys::bpf_fd(Command::MapCreate, &mut { request }) };
        let created = match create() {
            Err(Errno::EPERM) if sys::raise_memlock() => create(),
            created => created,
        };
        created
            .map(drop)
            .map_err(|errno| explain::refused(Command::MapCreate, errno, "asking Linux for a BPF map"))
    }

    /// Does it again with RLIMIT_MEMLOCK raised if it was refused for want of permission: before Linux 5.11 objects count
    /// as locked memory, and `EPERM` says that the limit is reached.
    pub(crate) fn with_memlock<T>(&self, mut act: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
        match act() {
            Err(Errno::EPERM) => {
                let mut raised = self.memlock.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                if raised.is_none() {
                    *raised = Some(sys::raise_memlock());
                    if *raised == Some(true) {
                        return act();
                    }
                }
                Err(Errno::EPERM)
            }
            done => done,
        }
    }
}

impl Kernel for LinuxKernel {
    fn target_name(&self) -> &'static str {
        "linux"
    }

    fn map_create(&self, spec: &MapCreate) -> Result<Fd> {
        self.create_map(spec)
    }

    /// As the trait says; in bloom filters, which have no keys, `key` is the value that is looked for.
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
        Ok(Box::new(self.open_ring(map)?))
    }

    fn prog_load(&self, load: &ProgLoad) -> Result<Fd, LoadError> {
        self.load_program(load)
    }

    fn prog_test_run(&self, prog: Fd, run: &TestRun) -> Result<TestRunResult> {
        self.test_run(prog, run)
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
        self.bytes_of_btf(btf)
    }

    fn next_id(&self, kind: ObjectKind, after: u32) -> Result<Option<u32>> {
        self.id_after(kind, after)
    }

    fn fd_by_id(&self, kind: ObjectKind, id: u32) -> Result<Fd> {
        self.open_id(kind, id)
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
        self.pin_object(fd, path)
    }

    fn get_pinned(&self, path: &Path) -> Result<Fd> {
        self.open_pinned(path)
    }

    fn dup(&self, fd: Fd) -> Result<Fd> {
        self.fds.dup(fd)
    }

    fn close(&self, fd: Fd) -> Result<()> {
        self.fds.close(fd)
    }

    fn trace_pipe(&self) -> Result<Box<dyn TracePipe>> {
        Ok(Box::new(LinuxTracePipe::open()?))
    }

    fn linux_version(&self) -> u32 {
        version_code(&rustix::system::uname().release().to_string_lossy())
    }

    fn possible_cpus(&self) -> u32 {
        self.cpus
    }
}

/// `KERNEL_VERSION` of a release such as `6.1.0-28-amd64`: three numbers, the last cut to eight bits; what is missing is 0.
fn version_code(release: &str) -> u32 {
    let mut numbers =
        release.split(|c: char| !c.is_ascii_digit()).map(|digits| digits.parse().unwrap_or(0u32));
    let mut next = || numbers.next().unwrap_or(0).min(255);
    next() << 16 | next() << 8 | next()
}

#[cfg(test)]
mod tests {
    use super::version_code;

    #[test]
    fn a_release_becomes_a_version_code() {
        assert_eq!(version_code("6.1.0-28-amd64"), 0x06_01_00);
        assert_eq!(version_code("6.18.44-rc1"), 0x06_12_2c);
        assert_eq!(version_code("4.19.300"), 0x04_13_ff);
        assert_eq!(version_code("6.18"), 0x06_12_00);
    }
}
