//! As much of `bpf(2)` as the comparisons need.

use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use skep_catalog::{MapType, ProgramType};
use skep_isa::{Endian, RawInsn, encode_slots};

/// The attributes of a command, written field by field at their offsets in `union bpf_attr`.
struct Attr([u8; 144]);

impl Attr {
    fn new() -> Attr {
        Attr([0; 144])
    }

    fn u32(mut self, offset: usize, value: u32) -> Attr {
        self.0[offset..offset + 4].copy_from_slice(&value.to_ne_bytes());
        self
    }

    fn u64(mut self, offset: usize, value: u64) -> Attr {
        self.0[offset..offset + 8].copy_from_slice(&value.to_ne_bytes());
        self
    }

    fn pointer<T>(self, offset: usize, to: &[T]) -> Attr {
        self.u64(offset, if to.is_empty() { 0 } else { to.as_ptr() as u64 })
    }

    fn get(&self, offset: usize) -> u32 {
        u32::from_ne_bytes(self.0[offset..offset + 4].try_into().unwrap())
    }

    fn call(&mut self, command: i32) -> io::Result<i32> {
        // SAFETY: the attributes are as long as said, and the buffers they point to outlive the call.
        let answer = unsafe { libc::syscall(libc::SYS_bpf, command, self.0.as_mut_ptr(), self.0.len()) };
        if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer as i32) }
    }
}

fn owned(fd: i32) -> OwnedFd {
    // SAFETY: just given by the kernel, and nobody else has it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Whether this process may use `bpf(2)`; says so when not.
pub(crate) fn available() -> bool {
    match (array(8), load(ProgramType::Xdp, &[], &[])) {
        // An empty program is refused for its size; whoever hears that may load programs.
        (Ok(_), Err(error)) if error.raw.raw_os_error() == Some(libc::E2BIG) => true,
        (Err(error), _) | (_, Err(LoadFailure { raw: error, .. })) => {
            skep_testing::skip!("bpf(2) is refused: {error}");
            false
        }
        (Ok(_), Ok(_)) => panic!("an empty program was loaded"),
    }
}

/// A map.
pub(crate) fn map(map_type: MapType, key: u32, value: u32, entries: u32, flags: u32) -> io::Result<OwnedFd> {
    Attr::new()
        .u32(0, map_type.number())
        .u32(4, key)
        .u32(8, value)
        .u32(12, entries)
        .u32(16, flags)
        .call(0)
        .map(owned)
}

/// An array of one element.
pub(crate) fn array(value_size: u32) -> io::Result<OwnedFd> {
    map(MapType::Array, 4, value_size, 1, 0)
}

/// Puts a program into a program array.
pub(crate) fn put_program(map: &OwnedFd, index: u32, program: &OwnedFd) -> io::Result<()> {
    let (key, value) = ([index], [program.as_raw_fd()]);
    Attr::new().u32(0, map.as_raw_fd() as u32).pointer(8, &key).pointer(16, &value).call(2).map(drop)
}

/// Makes a map's values constant for programs that may only read them.
pub(crate) fn freeze(map: &OwnedFd) -> io::Result<()> {
    Attr::new().u32(0, map.as_raw_fd() as u32).call(22).map(drop)
}

/// Sets the element of a one-element array.
pub(crate) fn update(map: &OwnedFd, value: &[u8]) -> io::Result<()> {
    let key = [0u8; 4];
    Attr::new().u32(0, map.as_raw_fd() as u32).pointer(8, &key).pointer(16, value).call(2).map(drop)
}

/// Reads the element of a one-element array.
pub(crate) fn lookup(map: &OwnedFd, value: &mut [u8]) -> io::Result<()> {
    let key = [0u8; 4];
    Attr::new().u32(0, map.as_raw_fd() as u32).pointer(8, &key).pointer(16, value).call(1).map(drop)
}

/// A program that Linux refused.
#[derive(Debug)]
pub(crate) struct LoadFailure {
    pub(crate) raw: io::Error,
    pub(crate) log: String,
}

/// Loads a program whose instructions name maps by index.
pub(crate) fn load(
    prog_type: ProgramType,
    insns: &[RawInsn],
    maps: &[&OwnedFd],
) -> Result<OwnedFd, LoadFailure> {
    let code = encode_slots(insns, Endian::HOST);
    let fds: Vec<i32> = maps.iter().map(|fd| fd.as_raw_fd()).collect();
    let license = b"GPL\0";
    let attr = || {
        Attr::new()
            .u32(0, prog_type.number())
            .u32(4, insns.len() as u32)
            .pointer(8, &code)
            .pointer(16, license)
            .pointer(120, &fds)
    };
    attr().call(5).map(owned).map_err(|raw| {
        let mut log = vec![0u8; 1 << 20];
        let _ = attr().u32(24, 1).u32(28, log.len() as u32).u64(32, log.as_mut_ptr() as u64).call(5);
        let text = String::from_utf8_lossy(&log);
        let text = text.trim_end_matches('\0');
        let tail = text.len().saturating_sub(2000);
        LoadFailure { raw, log: text.get(tail..).unwrap_or(text).to_owned() }
    })
}

/// Input of a test run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Input {
    pub(crate) data: Vec<u8>,
    pub(crate) data_out_size: u32,
    pub(crate) ctx: Vec<u8>,
    pub(crate) ctx_out_size: u32,
    pub(crate) repeat: u32,
    pub(crate) flags: u32,
}

/// Output of a test run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) retval: u32,
    pub(crate) data: Vec<u8>,
    pub(crate) ctx: Vec<u8>,
}

pub(crate) fn test_run(program: &OwnedFd, input: &Input) -> io::Result<Output> {
    let mut data = vec![0u8; input.data_out_size as usize];
    let mut ctx = vec![0u8; input.ctx_out_size as usize];
    let mut attr = Attr::new()
        .u32(0, program.as_raw_fd() as u32)
        .u32(8, input.data.len() as u32)
        .u32(12, input.data_out_size)
        .pointer(16, &input.data)
        .pointer(24, &data)
        .u32(32, input.repeat)
        .u32(40, input.ctx.len() as u32)
        .u32(44, input.ctx_out_size)
        .pointer(48, &input.ctx)
        .pointer(56, &ctx)
        .u32(64, input.flags);
    attr.call(10)?;
    data.truncate(attr.get(12) as usize);
    ctx.truncate(attr.get(44) as usize);
    Ok(Output { retval: attr.get(4), data, ctx })
}
