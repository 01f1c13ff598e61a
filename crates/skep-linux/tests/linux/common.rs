//! What the tests share.

use skep_catalog::{MapType, ProgramType};
use skep_isa::RawInsn;
use skep_isa::asm::{Options, assemble};
use skep_kernel::{Errno, Fd, MapCreate, ProgLoad};
use skep_linux::LinuxKernel;

/// The running kernel, or a line that says why the test is skipped.
pub(crate) fn linux() -> Option<LinuxKernel> {
    match LinuxKernel::new() {
        Ok(kernel) => Some(kernel),
        Err(error) => {
            // Anything but a refusal is a failure.
            assert!(matches!(error.errno, Errno::EPERM | Errno::ENOSYS), "{error}");
            skep_testing::skip!("{error}");
            None
        }
    }
}

pub(crate) fn map(
    map_type: MapType,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    flags: u32,
) -> MapCreate {
    MapCreate {
        map_type,
        key_size,
        value_size,
        max_entries,
        flags,
        extra: 0,
        name: "skep-test".into(),
        inner: None,
        btf: None,
    }
}

pub(crate) fn program(prog_type: ProgramType, text: &str, maps: &[Fd]) -> ProgLoad {
    ProgLoad { insns: insns(text), maps: maps.to_vec(), ..raw_program(prog_type, Vec::new()) }
}

pub(crate) fn raw_program(prog_type: ProgramType, insns: Vec<RawInsn>) -> ProgLoad {
    ProgLoad {
        prog_type,
        expected_attach_type: None,
        insns,
        maps: Vec::new(),
        license: "GPL".into(),
        kern_version: 0,
        name: "skep_test".into(),
        flags: 0,
        btf: None,
        attach_btf_id: 0,
        log_level: 0,
    }
}

pub(crate) fn insns(text: &str) -> Vec<RawInsn> {
    assemble(text, &Options::default()).unwrap().insns().unwrap()
}

/// Instructions that go to `out` unless the task is a thread of this process. R0 is lost.
pub(crate) fn only_this_process() -> String {
    format!("call 14\n r0 >>= 32\n if r0 != {} goto out\n", std::process::id())
}
