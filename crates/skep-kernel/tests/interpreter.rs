//! What runs see of their task and surroundings, and how they are stopped.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use skep_catalog::{Helper, MapType, ProgramType};
use skep_isa::RawInsn;
use skep_isa::asm::{self, Options};
use skep_kernel::{
    Errno, Fault, FaultKind, LoadError, Program, ProgramSpec, RunContext, RunOptions, SourceLine, Task,
    TraceBuffer,
};
use skep_maps::{Map, MapSpec};

/// A task whose user memory is 16 bytes at 0x1000: `hello` with its zero byte, then ten times `x`.
struct User;

const USER: &[u8; 16] = b"hello\0xxxxxxxxxx";

impl Task for User {
    fn pid_tgid(&self) -> u64 {
        (7 << 32) | 8
    }
    fn uid_gid(&self) -> u64 {
        (5 << 32) | 6
    }
    fn comm(&self) -> [u8; 16] {
        *b"a-name-of-15-ch\0"
    }
    fn cgroup_id(&self) -> u64 {
        77
    }
    fn read_user(&self, addr: u64, buf: &mut [u8]) -> Result<(), Errno> {
        let start = addr.checked_sub(0x1000).ok_or(Errno::EFAULT)? as usize;
        let bytes = USER.get(start..start + buf.len()).ok_or(Errno::EFAULT)?;
        buf.copy_from_slice(bytes);
        Ok(())
    }
    fn read_user_str(&self, addr: u64, buf: &mut [u8]) -> Result<usize, Errno> {
        for index in 0..buf.len() {
            self.read_user(addr + index as u64, &mut buf[index..=index])?;
            if buf[index] == 0 {
                return Ok(index + 1);
            }
        }
        Ok(buf.len())
    }
}

fn assemble(text: &str) -> Vec<RawInsn> {
    let number = |name: &str| Helper::by_name(name).map(|helper| helper.id as i32);
    let options = Options { helper: Some(&number), ..Options::default() };
    asm::assemble(text, &options).unwrap_or_else(|error| panic!("{error}\n{text}")).insns().unwrap()
}

fn try_load(
    prog_type: ProgramType,
    text: &str,
    maps: &[&Arc<dyn Map>],
    lines: Vec<SourceLine>,
) -> Result<Program, LoadError> {
    Program::load(ProgramSpec {
        prog_type,
        expected_attach_type: None,
        insns: &assemble(text),
        maps: maps.iter().copied().cloned().collect(),
        license: "GPL",
        name: "test",
        flags: 0,
        lines,
        trace: Arc::new(TraceBuffer::default()),
    })
}

fn run(prog_type: ProgramType, text: &str, kernel_memory: &[&[u8]], ctx: &mut [u8]) -> Result<u64, Fault> {
    let program = try_load(prog_type, text, &[], Vec::new()).unwrap();
    program.run(&mut RunContext { cpu: 3, task: &User, ctx, kernel_memory, cookie: 99 })
}

/// Runs a probe-read helper into 8 bytes of ones: R0, and the bytes afterwards.
fn probe(helper: &str, addr: u64, size: u64) -> (i64, [u8; 8]) {
    let map = skep_maps::create(&MapSpec { value_size: 16, ..MapSpec::default() }).unwrap();
    let text = format!(
        "r1 = map[idx:0][0]+8 ll\n*(u64 *)(r1 + 0) = -1\nr2 = {size}\nr3 = {addr:#x} ll\ncall {helper}\n
         r1 = map[idx:0][0]+0 ll\n*(u64 *)(r1 + 0) = r0\nexit"
    );
    let program = try_load(ProgramType::Kprobe, &text, &[&map], Vec::new()).unwrap();
    let mut context = RunContext { cpu: 0, task: &User, ctx: &mut [], kernel_memory: &[], cookie: 0 };
    let r0 = program.run(&mut context).unwrap().cast_signed();
    let value = map.lookup(&[0; 4], 0).unwrap();
    assert_eq!(value[..8], r0.to_ne_bytes());
    (r0, value[8..].try_into().unwrap())
}

#[test]
fn user_memory_is_read_whole_or_zeroed() {
    assert_eq!(probe("probe_read_user", 0x1000, 5), (0, *b"hello\xff\xff\xff"));
    assert_eq!(probe("probe_read_user", 0x1000, 0), (0, [0xff; 8]));
    assert_eq!(probe("probe_read_user", 0x100c, 5), (-14, *b"\0\0\0\0\0\xff\xff\xff"));
    assert_eq!(probe("probe_read", 0x1000, 5), (0, *b"hello\xff\xff\xff"));
    assert_eq!(probe("probe_read_kernel", 0x1000, 5), (-34, *b"\0\0\0\0\0\xff\xff\xff"));
}

#[test]
fn user_strings_end_in_a_zero_byte_within_the_room() {
    assert_eq!(probe("probe_read_user_str", 0x1000, 8), (6, *b"hello\0\xff\xff"));
    assert_eq!(probe("probe_read_user_str", 0x1000, 6), (6, *b"hello\0\xff\xff"));
    assert_eq!(probe("probe_read_user_str", 0x1000, 4), (4, *b"hel\0\xff\xff\xff\xff"));
    assert_eq!(probe("probe_read_user_str", 0x1005, 4), (1, *b"\0\xff\xff\xff\xff\xff\xff\xff"));
    assert_eq!(probe("probe_read_user_str", 0x100c, 8), (-14, [0; 8]));
    assert_eq!(probe("probe_read_str", 0x1000, 8), (6, *b"hello\0\xff\xff"));
}

#[test]
fn the_task_answers_for_itself() {
    let answers = [
        ("get_current_pid_tgid", (7 << 32) | 8),
        ("get_current_uid_gid", (5 << 32) | 6),
        ("get_smp_processor_id", 3),
        ("get_numa_node_id", 0),
        ("get_attach_cookie", 99),
        ("get_current_cgroup_id", 77),
    ];
    for (helper, answer) in answers {
        assert_eq!(
            run(ProgramType::Kprobe, &format!("call {helper}\nexit"), &[], &mut []),
            Ok(answer),
            "{helper}"
        );
    }
}

#[test]
fn a_name_is_cut_to_the_room_and_padded() {
    // The second word of two that were all ones; beyond the room nothing changes.
    for (size, second_word) in [(16, *b"f-15-ch\0"), (15, *b"f-15-c\0\xff"), (3, [0xff; 8])] {
        let text = format!(
            "*(u64 *)(r10 - 8) = -1\n*(u64 *)(r10 - 16) = -1\nr1 = r10\nr1 += -16\nr2 = {size}\ncall get_current_comm\n
             r0 = *(u64 *)(r10 - 8)\nexit"
        );
        let word = run(ProgramType::Kprobe, &text, &[], &mut []).unwrap();
        assert_eq!(word.to_ne_bytes(), second_word, "{size} bytes");
    }
}

#[test]
fn kernel_memory_is_for_probe_reads_and_for_typed_pointers() {
    let memory = 0x1122_3344_5566_7788u64.to_ne_bytes();
    let addr = memory.as_ptr() as u64;
    let probed = format!(
        "r1 = r10\nr1 += -8\nr2 = 8\nr3 = {addr:#x} ll\ncall probe_read_kernel\nr0 = *(u64 *)(r10 - 8)\nexit"
    );
    assert_eq!(run(ProgramType::Kprobe, &probed, &[&memory], &mut []), Ok(0x1122_3344_5566_7788));
    let followed = format!("r1 = {addr:#x} ll\nr0 = *(u64 *)(r1 + 0)\nexit");
    assert_eq!(run(ProgramType::Tracing, &followed, &[&memory], &mut []), Ok(0x1122_3344_5566_7788));
    let fault = run(ProgramType::Kprobe, &followed, &[&memory], &mut []).unwrap_err();
    assert!(fault.to_string().contains("kernel memory that only bpf_probe_read_kernel may read"), "{fault}");
}

#[test]
fn contexts_end_where_they_end() {
    let mut ctx = [1; 12];
    assert_eq!(run(ProgramType::Tracepoint, "r0 = *(u32 *)(r1 + 8)\nexit", &[], &mut ctx), Ok(0x0101_0101));
    let fault = run(ProgramType::Tracepoint, "r0 = *(u64 *)(r1 + 8)\nexit", &[], &mut ctx).unwrap_err();
    assert!(fault.to_string().contains("runs over the end of the context of 12 bytes by 4"), "{fault}");
}

#[test]
fn faults_and_refusals_name_the_source_line() {
    let strings = |off: u32| if off == 1 { "hello.c".to_owned() } else { "  return *p;".to_owned() };
    let record = |words: [u32; 4]| words.into_iter().flat_map(u32::to_ne_bytes).collect::<Vec<u8>>();
    let records = [record([0, 1, 2, 7 << 10 | 3]), record([1, 1, 2, 8 << 10 | 5])].concat();
    let lines = SourceLine::parse(&records, 16, strings);

    let program =
        try_load(ProgramType::Kprobe, "r1 = 0\nr0 = *(u64 *)(r1 + 0)\nexit", &[], lines.clone()).unwrap();
    let mut context = RunContext { cpu: 0, task: &User, ctx: &mut [], kernel_memory: &[], cookie: 0 };
    assert_eq!(
        program.run(&mut context).unwrap_err().to_string(),
        "invalid read of 8 bytes at 0x0: a null pointer, or an offset from one; at instruction 1: \
         r0 = *(u64 *)(r1 + 0x0) of program test, hello.c:8:5: return *p;"
    );

    let refused = try_load(ProgramType::Kprobe, "r0 = 0\nr10 = 0\nexit", &[], lines).err().unwrap();
    assert_eq!(refused.errno, Errno::EACCES);
    assert_eq!(refused.log, "1: r10 = 0x0\nframe pointer is read only\n; hello.c:8:5: return *p;\n");
}

#[test]
fn a_flag_stops_a_run() {
    let program =
        try_load(ProgramType::Kprobe, "r0 = 0\ntop: if r0 == 0 goto top\nexit", &[], Vec::new()).unwrap();
    let stop = AtomicBool::new(true);
    let options = RunOptions { budget: u64::MAX, stop: Some(&stop) };
    let mut context = RunContext { cpu: 0, task: &User, ctx: &mut [], kernel_memory: &[], cookie: 0 };
    assert_eq!(program.run_with(&mut context, &options).unwrap_err().kind, FaultKind::Stopped);
}

#[test]
fn a_lock_that_nobody_releases_does_not_hang_a_run() {
    let map = skep_maps::create(&MapSpec { value_size: 16, ..MapSpec::default() }).unwrap();
    let lock = "r1 = map[idx:0][0]+0 ll\ncall spin_lock\n";
    let unlock = "r1 = map[idx:0][0]+0 ll\ncall spin_unlock\n";
    let run = |text: &str| {
        let program = try_load(ProgramType::SocketFilter, text, &[&map], Vec::new()).unwrap();
        let mut context = RunContext { cpu: 0, task: &User, ctx: &mut [], kernel_memory: &[], cookie: 0 };
        program.run_with(&mut context, &RunOptions { budget: 10_000, stop: None }).map_err(|fault| fault.kind)
    };
    assert_eq!(run(&format!("{lock}{unlock}r0 = 1\nexit")), Ok(1));
    assert!(matches!(
        run(&format!("{lock}r0 = 1\nexit")),
        Err(FaultKind::Lock { why: "is still held at exit", .. })
    ));
    assert!(matches!(run(&format!("{unlock}r0 = 1\nexit")), Err(FaultKind::Lock { .. })));
    // A run that faulted gave its lock back.
    assert_eq!(map.lookup(&[0; 4], 0).unwrap(), [0; 16]);
    map.update(&[0; 4], &[1; 16], 0).unwrap();
    assert_eq!(run(&format!("{lock}{unlock}r0 = 1\nexit")), Err(FaultKind::Budget(10_000)));
}

#[test]
fn a_callback_that_ended_in_another_program_is_called_again_in_its_own() {
    let array = MapSpec { map_type: MapType::ProgArray, ..MapSpec::default() };
    let (programs, counter) =
        (skep_maps::create(&array).unwrap(), skep_maps::create(&MapSpec::default()).unwrap());
    let other = Arc::new(try_load(ProgramType::Kprobe, "r0 = 0\nexit", &[], Vec::new()).unwrap());
    programs.prog_array().unwrap().set(0, other.slot(1, Arc::new(()))).unwrap();
    let text = "
            r1 = 3
            r2 = subprog[body] ll
            r3 = 0
            r4 = 0
            call loop
            exit
    body:   *(u32 *)(r10 - 4) = 0
            r1 = map[idx:1] ll
            r2 = r10
            r2 += -4
            call map_lookup_elem
            if r0 == 0 goto out
            r1 = *(u32 *)(r0 + 0)
            r1 += 1
            *(u32 *)(r0 + 0) = r1
            r1 = 0
            r2 = map[idx:0] ll
            r3 = 0
            call tail_call
    out:    r0 = 1
            exit";
    let program = try_load(ProgramType::Kprobe, text, &[&programs, &counter], Vec::new()).unwrap();
    let mut context = RunContext { cpu: 0, task: &User, ctx: &mut [], kernel_memory: &[], cookie: 0 };
    assert_eq!(program.run(&mut context), Ok(3));
    assert_eq!(counter.lookup(&[0; 4], 0).unwrap(), 3u32.to_ne_bytes());
}

#[test]
fn callbacks_and_calls_count_against_the_budget() {
    let text = "
            r1 = 0x800000
            r2 = subprog[body] ll
            r3 = 0
            r4 = 0
            call loop
            exit
    body:   r0 = 0
            exit";
    let program = try_load(ProgramType::Kprobe, text, &[], Vec::new()).unwrap();
    let options = RunOptions { budget: 1000, stop: None };
    let mut context = RunContext { cpu: 0, task: &User, ctx: &mut [], kernel_memory: &[], cookie: 0 };
    assert_eq!(program.run_with(&mut context, &options).unwrap_err().kind, FaultKind::Budget(1000));
}

#[test]
fn any_bytes_load_or_are_refused() {
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 16
    };
    let mut loaded = 0;
    for _ in 0..20_000 {
        let len = next() % 6;
        let mut insns: Vec<RawInsn> = (0..len)
            .map(|_| RawInsn {
                opcode: next() as u8,
                dst: (next() % 11) as u8,
                src: (next() % 11) as u8,
                off: (next() % 9) as i16 - 4,
                imm: next() as i32 >> (next() % 32),
            })
            .collect();
        insns.push(RawInsn { opcode: 0x95, ..RawInsn::default() });
        let spec = ProgramSpec {
            prog_type: ProgramType::Kprobe,
            expected_attach_type: None,
            insns: &insns,
            maps: Vec::new(),
            license: "GPL",
            name: "random",
            flags: 0,
            lines: Vec::new(),
            trace: Arc::new(TraceBuffer::default()),
        };
        if let Ok(program) = Program::load(spec) {
            loaded += 1;
            let mut ctx = [0; 64];
            let mut context =
                RunContext { cpu: 0, task: &User, ctx: &mut ctx, kernel_memory: &[], cookie: 0 };
            // Whatever it does, it ends, and touches only what is its own.
            let _ = program.run_with(&mut context, &RunOptions { budget: 1000, stop: None });
        }
    }
    assert!(loaded > 100, "{loaded} loaded");
}
