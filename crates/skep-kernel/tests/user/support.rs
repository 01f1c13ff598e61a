//! Small programs, maps and an event source.

use std::path::Path;
use std::sync::Arc;

use skep_catalog::{MapType, ProgramType};
use skep_isa::RawInsn;
use skep_kernel::{
    AttachPoint, Errno, EventSource, Fd, Kernel, KernelError, LinkCreate, MapCreate, ObjectKind, ProgLoad,
    UserKernel,
};

/// One slot.
pub(crate) fn insn(opcode: u8, dst: u8, src: u8, imm: i32) -> RawInsn {
    RawInsn { opcode, dst, src, off: 0, imm }
}

/// `r0 = value; exit`, after taking the address of each map.
pub(crate) fn returning(value: i32, maps: usize) -> Vec<RawInsn> {
    let mut insns = Vec::new();
    for index in 0..maps {
        insns.push(insn(0x18, 1, 5, i32::try_from(index).unwrap()));
        insns.push(insn(0, 0, 0, 0));
    }
    insns.extend([insn(0xb7, 0, 0, value), insn(0x95, 0, 0, 0)]);
    insns
}

pub(crate) fn program(prog_type: ProgramType, insns: Vec<RawInsn>, maps: &[Fd]) -> ProgLoad {
    ProgLoad {
        prog_type,
        expected_attach_type: None,
        insns,
        maps: maps.to_vec(),
        license: "GPL".to_owned(),
        kern_version: 0,
        name: "prog".to_owned(),
        flags: 0,
        btf: None,
        attach_btf_id: 0,
        log_level: 0,
    }
}

/// A tracepoint program that uses these maps.
pub(crate) fn load(kernel: &UserKernel, maps: &[Fd]) -> Fd {
    kernel.prog_load(&program(ProgramType::Tracepoint, returning(7, maps.len()), maps)).unwrap()
}

pub(crate) fn map(map_type: MapType) -> MapCreate {
    let (key_size, value_size, max_entries) =
        if map_type == MapType::Ringbuf { (0, 0, 4096) } else { (4, 4, 4) };
    MapCreate {
        map_type,
        key_size,
        value_size,
        max_entries,
        flags: 0,
        extra: 0,
        name: "map".to_owned(),
        inner: None,
        btf: None,
    }
}

pub(crate) fn tracepoint(name: &str) -> AttachPoint {
    AttachPoint::Tracepoint { category: "test".to_owned(), name: name.to_owned() }
}

/// Offers the tracepoints of category `test`, all but `broken`.
pub(crate) struct TestSource;

impl EventSource for TestSource {
    fn offers(&self, point: &AttachPoint) -> Option<Result<(), KernelError>> {
        match point {
            AttachPoint::Tracepoint { category, name } if category == "test" => {
                let good = name != "broken";
                Some(good.then_some(()).ok_or_else(|| KernelError::new(Errno::ENOENT, "no such tracepoint")))
            }
            _ => None,
        }
    }
}

pub(crate) fn kernel() -> UserKernel {
    let kernel = UserKernel::with_possible_cpus(2);
    kernel.add_event_source(Arc::new(TestSource));
    kernel
}

pub(crate) fn attach(kernel: &UserKernel, prog: Fd, name: &str) -> Result<Fd, KernelError> {
    kernel.link_create(&LinkCreate { prog, point: tracepoint(name), cookie: 9 })
}

/// Live maps, programs, links and BTF objects.
pub(crate) fn counts(kernel: &UserKernel) -> [usize; 4] {
    [ObjectKind::Map, ObjectKind::Program, ObjectKind::Link, ObjectKind::Btf]
        .map(|kind| kernel.object_count(kind))
}

pub(crate) fn path(name: &str) -> &Path {
    Path::new(name)
}

pub(crate) fn errno<T>(result: Result<T, KernelError>) -> Option<Errno> {
    result.err().map(|error| error.errno)
}
