//! The interpreter, the helpers and the test runs compared with the running Linux kernel: the same bytes, the same input, the
//! same result. Each test says that it is skipped where `bpf(2)` is refused.

mod bpf;
mod instructions;
mod packet_loads;
mod programs;
mod strings;
mod test_runs;

use std::sync::Arc;

use skep_catalog::{Helper, ProgramType};
use skep_isa::RawInsn;
use skep_isa::asm::{self, Options};
use skep_kernel::{Errno, Program, ProgramSpec, Task, TraceBuffer};
use skep_maps::Map;

/// A task without user memory.
struct NoTask;

impl Task for NoTask {
    fn pid_tgid(&self) -> u64 {
        (7 << 32) | 8
    }
    fn uid_gid(&self) -> u64 {
        0
    }
    fn comm(&self) -> [u8; 16] {
        *b"test\0\0\0\0\0\0\0\0\0\0\0\0"
    }
    fn read_user(&self, _addr: u64, _buf: &mut [u8]) -> Result<(), Errno> {
        Err(Errno::EFAULT)
    }
    fn read_user_str(&self, _addr: u64, _buf: &mut [u8]) -> Result<usize, Errno> {
        Err(Errno::EFAULT)
    }
}

/// Loads a program into the user-space kernel.
fn load(
    prog_type: ProgramType,
    insns: &[RawInsn],
    maps: Vec<Arc<dyn Map>>,
    trace: &Arc<TraceBuffer>,
) -> Arc<Program> {
    let spec = ProgramSpec {
        prog_type,
        expected_attach_type: None,
        insns,
        maps,
        license: "GPL",
        name: "test",
        flags: 0,
        lines: Vec::new(),
        trace: Arc::clone(trace),
    };
    Arc::new(Program::load(spec).unwrap_or_else(|error| panic!("{error}\n{}", error.log)))
}

/// Assembles a program; helpers are called by name.
fn assemble(text: &str) -> Vec<RawInsn> {
    let number = |name: &str| Helper::by_name(name).map(|helper| helper.id as i32);
    let options = Options { helper: Some(&number), ..Options::default() };
    let assembly = asm::assemble(text, &options).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assembly.insns().unwrap()
}
