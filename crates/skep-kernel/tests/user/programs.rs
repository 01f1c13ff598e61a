//! Loading, attaching and running programs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use skep_catalog::{AttachType, MapType, ProgramType};
use skep_isa::RawInsn;
use skep_kernel::{
    AttachPoint, Errno, Fd, Kernel, LinkCreate, ProgLoad, RunContext, RunOptions, Task, TestRun,
};

use crate::support::{attach, errno, insn, kernel, load, map, program, returning, tracepoint};

struct Nobody;

impl Task for Nobody {
    fn pid_tgid(&self) -> u64 {
        1 << 32 | 2
    }

    fn uid_gid(&self) -> u64 {
        0
    }

    fn comm(&self) -> [u8; 16] {
        [0; 16]
    }

    fn read_user(&self, _addr: u64, _buf: &mut [u8]) -> Result<(), Errno> {
        Err(Errno::EFAULT)
    }

    fn read_user_str(&self, _addr: u64, _buf: &mut [u8]) -> Result<usize, Errno> {
        Err(Errno::EFAULT)
    }
}

/// Runs what is attached to a point, as an event source does.
fn fire(kernel: &skep_kernel::UserKernel, point: &AttachPoint) -> Vec<u64> {
    let mut ctx = [0u8; 64];
    let mut event = RunContext { cpu: 0, task: &Nobody, ctx: &mut ctx, kernel_memory: &[], cookie: 1 };
    let results = kernel.hooks().programs(point).iter().map(|program| program.run(&mut event)).collect();
    assert_eq!(event.cookie, 1, "the event's own cookie is as before");
    results
}

/// What Linux 6.18 refuses before the verifier looks: type, expected attach type (`-` for none), errno.
const ATTACH_TYPES: &str = "
CGROUP_SOCK BPF_CGROUP_SOCK_OPS EINVAL
CGROUP_SKB BPF_SK_SKB_STREAM_VERDICT EINVAL
CGROUP_SOCK_ADDR - EINVAL
CGROUP_SOCKOPT - EINVAL
SK_LOOKUP - EINVAL
SK_REUSEPORT BPF_CGROUP_INET_EGRESS EINVAL
NETFILTER - EINVAL
SYSCALL BPF_CGROUP_INET_EGRESS EINVAL
UNSPEC - EINVAL
TRACING BPF_TRACE_RAW_TP EINVAL
KPROBE BPF_SK_SKB_STREAM_VERDICT ok
TRACEPOINT BPF_SK_SKB_STREAM_VERDICT ok
SOCKET_FILTER BPF_SK_SKB_STREAM_VERDICT ok
XDP BPF_XDP ok
";

#[test]
fn attach_types() {
    for line in ATTACH_TYPES.lines().filter(|line| !line.is_empty()) {
        let fields: Vec<&str> = line.split(' ').collect();
        let prog_type = ProgramType::from_uapi_name(&format!("BPF_PROG_TYPE_{}", fields[0])).unwrap();
        let expected_attach_type = AttachType::from_uapi_name(fields[1]);
        let load = ProgLoad { expected_attach_type, ..program(prog_type, returning(0, 0), &[]) };
        let result = kernel().prog_load(&load);
        let answer = result.map_or_else(|error| format!("{:?}", error.errno), |_| "ok".to_owned());
        assert_eq!(answer, fields[2], "{line}");
    }
}

#[test]
fn loads_that_are_refused() {
    let kernel = kernel();
    let good = || program(ProgramType::Tracepoint, returning(0, 0), &[]);
    let table: [(&str, ProgLoad, Errno); 7] = [
        ("no instructions", ProgLoad { insns: Vec::new(), ..good() }, Errno::E2BIG),
        ("too many", ProgLoad { insns: vec![insn(0xb7, 0, 0, 0); 1_000_001], ..good() }, Errno::E2BIG),
        ("flags", ProgLoad { flags: 1 << 20, ..good() }, Errno::EINVAL),
        ("name", ProgLoad { name: "a b".to_owned(), ..good() }, Errno::EINVAL),
        ("attach_btf_id", ProgLoad { attach_btf_id: 5, ..good() }, Errno::EINVAL),
        ("map", ProgLoad { maps: vec![Fd(99)], insns: returning(0, 1), ..good() }, Errno::EBADF),
        (
            "no map",
            ProgLoad { maps: vec![load(&kernel, &[])], insns: returning(0, 1), ..good() },
            Errno::EINVAL,
        ),
    ];
    for (what, load, expected) in table {
        let error = kernel.prog_load(&load).unwrap_err();
        assert_eq!(error.errno, expected, "{what}: {error}");
        assert!(error.what.starts_with("program") || error.what.starts_with("name"), "{error}");
    }
}

#[test]
fn a_program_names_64_maps_at_most() {
    let kernel = kernel();
    let maps: Vec<Fd> = (0..65).map(|_| kernel.map_create(&map(MapType::Array)).unwrap()).collect();
    let load = |count: usize| {
        kernel.prog_load(&program(ProgramType::Tracepoint, returning(7, count), &maps)).map_err(|e| e.errno)
    };
    assert!(load(64).is_ok());
    assert_eq!(load(65), Err(Errno::E2BIG));
}

/// What a test run would read as user memory is the memory of the process that is the kernel.
#[test]
fn test_runs_do_not_read_the_memory_of_this_process() {
    let kernel = kernel();
    let secret = 0x1234_5678_9abc_def0u64;
    let address = &raw const secret as u64;
    for helper in [4, 112, 113] {
        // The address in R3, the end of the stack in R1, 8 bytes; what was read, or the answer for an error.
        let mut insns = vec![
            insn(0xbf, 1, 10, 0),
            insn(0x07, 1, 0, -8),
            insn(0xb7, 2, 0, 8),
            insn(0x18, 3, 0, address as i32),
            insn(0, 0, 0, (address >> 32) as i32),
            insn(0x85, 0, 0, helper),
        ];
        insns.push(insn(0x95, 0, 0, 0));
        let fd = kernel.prog_load(&program(ProgramType::Kprobe, insns, &[])).unwrap();
        let answer = kernel.prog_test_run(fd, &TestRun::default()).unwrap().retval as i32;
        assert!(answer < 0, "helper {helper} read it: {answer}");
    }
}

#[test]
fn a_test_run_takes_a_budget() {
    let kernel = kernel();
    let endless = vec![insn(0xb7, 0, 0, 0), RawInsn { off: -1, ..insn(0x05, 0, 0, 0) }];
    let fd = kernel.prog_load(&program(ProgramType::Kprobe, endless, &[])).unwrap();
    let options = RunOptions { budget: 1000, stop: None };
    let error = kernel.prog_test_run_with(fd, &TestRun::default(), &options).unwrap_err();
    assert!(error.errno == Errno::EFAULT && error.what.contains("budget of 1000"), "{}", error.what);
}

#[test]
fn a_flag_stops_the_repetitions_of_a_test_run() {
    let kernel = kernel();
    let fd = kernel.prog_load(&program(ProgramType::SocketFilter, returning(0, 0), &[])).unwrap();
    let stop = AtomicBool::new(true);
    let run = TestRun { data_in: vec![0; 14], repeat: u32::MAX, ..TestRun::default() };
    let options = RunOptions { stop: Some(&stop), ..RunOptions::default() };
    assert_eq!(errno(kernel.prog_test_run_with(fd, &run, &options)), Some(Errno::EINTR));
}

#[test]
fn test_runs_on_virtual_cpus_that_do_not_exist_are_refused() {
    let kernel = kernel();
    let fd = kernel.prog_load(&program(ProgramType::RawTracepoint, returning(7, 0), &[])).unwrap();
    let on = |cpu, flags| kernel.prog_test_run(fd, &TestRun { cpu, flags, ..TestRun::default() });
    assert_eq!(on(1, 1).unwrap().retval, 7);
    assert_eq!(errno(on(2, 1)), Some(Errno::ENXIO));
    assert_eq!(errno(on(2, 0)), Some(Errno::EINVAL));
}

#[test]
fn info_shows_maps_by_id() {
    let kernel = kernel();
    let unrelated = kernel.map_create(&map(MapType::Hash)).unwrap();
    let used = kernel.map_create(&map(MapType::Hash)).unwrap();
    let mut insns = vec![insn(0x18, 1, 5, 1), insn(0, 0, 0, 0)];
    insns.extend(returning(0, 0));
    let prog =
        kernel.prog_load(&program(ProgramType::Tracepoint, insns.clone(), &[unrelated, used])).unwrap();
    let info = kernel.prog_info(prog).unwrap();
    let id = kernel.map_info(used).unwrap().id;
    assert_eq!(info.map_ids, [id]);
    assert_eq!(info.xlated[0], insn(0x18, 1, 1, id.cast_signed()));
    assert_eq!(info.xlated[1..], insns[1..]);
    assert_eq!(
        (info.prog_type, info.name.as_str(), info.gpl_compatible),
        (ProgramType::Tracepoint, "prog", true)
    );
    let mit =
        ProgLoad { license: "MIT".to_owned(), ..program(ProgramType::Tracepoint, returning(0, 0), &[]) };
    let mit = kernel.prog_load(&mit).unwrap();
    assert!(!kernel.prog_info(mit).unwrap().gpl_compatible);
}

#[test]
fn links_run_programs_in_order_of_attachment() {
    let kernel = kernel();
    let value =
        |value| kernel.prog_load(&program(ProgramType::Tracepoint, returning(value, 0), &[])).unwrap();
    let (one, two, three) = (value(1), value(2), value(3));
    let first = attach(&kernel, one, "a").unwrap();
    let second = attach(&kernel, two, "a").unwrap();
    assert_eq!(fire(&kernel, &tracepoint("a")), [1, 2]);
    kernel.link_update(first, three).unwrap();
    assert_eq!(fire(&kernel, &tracepoint("a")), [3, 2], "the new program has the old one's place");
    let info = kernel.link_info(first).unwrap();
    assert_eq!((info.prog_id, info.cookie), (kernel.prog_info(three).unwrap().id, 9));
    assert_eq!(info.point, Some(tracepoint("a")));
    kernel.link_detach(first).unwrap();
    assert_eq!(fire(&kernel, &tracepoint("a")), [2]);
    assert_eq!(kernel.link_info(first).unwrap().point, None);
    assert_eq!(errno(kernel.link_update(first, one)), Some(Errno::ENOLINK));
    kernel.close(second).unwrap();
    assert_eq!(fire(&kernel, &tracepoint("a")), [0u64; 0]);
}

/// `r0 = bpf_get_attach_cookie(ctx); exit`.
#[test]
fn a_link_has_a_cookie() {
    let kernel = kernel();
    let insns = vec![insn(0x85, 0, 0, 174), insn(0x95, 0, 0, 0)];
    let prog = kernel.prog_load(&program(ProgramType::Tracepoint, insns, &[])).unwrap();
    let _link = attach(&kernel, prog, "a").unwrap();
    assert_eq!(fire(&kernel, &tracepoint("a")), [9]);
}

#[test]
fn attachments_that_are_refused() {
    let kernel = kernel();
    let prog = load(&kernel, &[]);
    assert_eq!(errno(attach(&kernel, prog, "broken")), Some(Errno::ENOENT), "the source says why");
    let raw = AttachPoint::RawTracepoint { name: "sys_enter".to_owned() };
    let link = |prog, point| kernel.link_create(&LinkCreate { prog, point, cookie: 0 });
    assert_eq!(errno(link(prog, raw.clone())), Some(Errno::EINVAL), "a program of another type");
    let raw_prog = kernel.prog_load(&program(ProgramType::RawTracepoint, returning(0, 0), &[])).unwrap();
    let error = link(raw_prog, raw).unwrap_err();
    assert_eq!(error.errno, Errno::EOPNOTSUPP);
    for part in ["raw_tracepoint/sys_enter", "event source", "linux target"] {
        assert!(error.what.contains(part), "{error}");
    }
    let ours = attach(&kernel, prog, "a").unwrap();
    assert_eq!(errno(kernel.link_update(ours, raw_prog)), Some(Errno::EINVAL));
    assert_eq!(fire(&kernel, &tracepoint("a")), [7]);
}

/// `r0 = *(u64 *)(r10 + 8)`: beyond the stack.
#[test]
fn a_run_that_faults_gives_zero_and_is_reported() {
    let kernel = kernel();
    let bad = RawInsn { opcode: 0x79, dst: 0, src: 10, off: 8, imm: 0 };
    let load = program(ProgramType::Tracepoint, vec![bad, insn(0x95, 0, 0, 0)], &[]);
    let prog = kernel.prog_load(&load).unwrap();
    let reported = Arc::new(AtomicU32::new(0));
    let id = Arc::clone(&reported);
    kernel.on_fault(move |prog_id, name, fault| {
        assert_eq!((name, fault.insn), ("prog", 0));
        id.store(prog_id, Ordering::Relaxed);
    });
    let _link = attach(&kernel, prog, "a").unwrap();
    assert_eq!(fire(&kernel, &tracepoint("a")), [0]);
    assert_eq!(reported.load(Ordering::Relaxed), kernel.prog_info(prog).unwrap().id);
}

#[test]
fn runs_are_counted_when_asked() {
    let kernel = kernel();
    let prog = load(&kernel, &[]);
    let _link = attach(&kernel, prog, "a").unwrap();
    fire(&kernel, &tracepoint("a"));
    assert_eq!(kernel.prog_info(prog).unwrap().run_cnt, 0);
    kernel.enable_stats(true);
    fire(&kernel, &tracepoint("a"));
    fire(&kernel, &tracepoint("a"));
    assert_eq!(kernel.prog_info(prog).unwrap().run_cnt, 2);
}

/// Tail calls find what the array holds: `bpf_tail_call(ctx, array, 0)`, then `r0 = 1` if it failed.
#[test]
fn tail_calls_go_through_the_array() {
    let kernel = kernel();
    let array = kernel.map_create(&map(MapType::ProgArray)).unwrap();
    let mut insns = vec![insn(0x18, 2, 5, 0), insn(0, 0, 0, 0), insn(0xb7, 3, 0, 0), insn(0x85, 0, 0, 12)];
    insns.extend(returning(1, 0));
    let caller = kernel.prog_load(&program(ProgramType::Tracepoint, insns, &[array])).unwrap();
    let _link = attach(&kernel, caller, "a").unwrap();
    assert_eq!(fire(&kernel, &tracepoint("a")), [1], "an empty slot");
    let callee = load(&kernel, &[]);
    kernel.map_update(array, &[0; 4], &callee.0.to_ne_bytes(), 0).unwrap();
    kernel.close(callee).unwrap();
    assert_eq!(fire(&kernel, &tracepoint("a")), [7], "the array holds the program");
    kernel.close(array).unwrap();
    assert_eq!(fire(&kernel, &tracepoint("a")), [1], "emptied with its last descriptor");
}
