//! When a kernel object goes, every descriptor it opened goes with it. Alone in its process, so that the count is its own.

use skep_catalog::{MapType, ProgramType};
use skep_isa::asm::{Options, assemble};
use skep_kernel::{AttachPoint, Kernel, LinkCreate, MapCreate, ProgLoad, TestRun};
use skep_linux::LinuxKernel;

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn no_descriptor_stays_open() {
    let before = descriptors();
    let kernel = match LinuxKernel::new() {
        Ok(kernel) => kernel,
        Err(error) => return skep_testing::skip!("{error}"),
    };
    assert_eq!(descriptors(), before, "probing leaves nothing");
    let ring = kernel
        .map_create(&MapCreate {
            map_type: MapType::Ringbuf,
            key_size: 0,
            value_size: 0,
            max_entries: 4096,
            flags: 0,
            extra: 0,
            name: "ring".into(),
            inner: None,
            btf: None,
        })
        .unwrap();
    let mut load = ProgLoad {
        prog_type: ProgramType::Tracepoint,
        expected_attach_type: None,
        insns: assemble("r1 = map[idx:0] ll\nr0 = 0\nexit", &Options::default()).unwrap().insns().unwrap(),
        maps: vec![ring],
        license: "GPL".into(),
        kern_version: 0,
        name: "leak".into(),
        flags: 0,
        btf: None,
        attach_btf_id: 0,
        log_level: 0,
    };
    let prog = kernel.prog_load(&load).unwrap();
    kernel.prog_test_run(prog, &TestRun::default()).unwrap_err();
    load.insns.truncate(2);
    kernel.prog_load(&load).unwrap_err();
    let point = AttachPoint::Tracepoint { category: "syscalls".into(), name: "sys_enter_getppid".into() };
    let link = kernel.link_create(&LinkCreate { prog, point: point.clone(), cookie: 0 }).unwrap();
    assert_eq!(descriptors(), before + 3, "ring, program and link, not the perf event");
    kernel.link_create(&LinkCreate { prog: ring, point, cookie: 0 }).unwrap_err();
    assert_eq!(descriptors(), before + 3);
    let reader = kernel.ring_reader(ring).unwrap();
    let pipe = kernel.trace_pipe();
    kernel.dup(link).unwrap();
    kernel.close(link).unwrap();
    drop((reader, pipe));
    assert_eq!(descriptors(), before + 3);
    drop(kernel);
    assert_eq!(descriptors(), before);
}
