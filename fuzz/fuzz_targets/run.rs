//! Untrusted programs in the user-space kernel: whatever is loaded and however it runs, on whatever maps, it ends, touches
//! nothing but what is its own, and leaves nothing behind.
//!
//! The bytes choose a program type, maps, and programs made of templates of instructions, so that most of them load.
#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use skep_catalog::{Helper, MapType, ProgramType, id};
use skep_isa::RawInsn;
use skep_kernel::{
    Fd, Kernel, MapCreate, ObjectKind, ProgLoad, RunOptions, TestRun, UserKernel, supported_helpers,
};

static HELPERS: LazyLock<Vec<u32>> = LazyLock::new(|| supported_helpers().collect());

const PROGRAM_TYPES: [ProgramType; 9] = [
    ProgramType::RawTracepoint,
    ProgramType::Kprobe,
    ProgramType::Tracepoint,
    ProgramType::SocketFilter,
    ProgramType::SchedCls,
    ProgramType::Xdp,
    ProgramType::Syscall,
    ProgramType::PerfEvent,
    ProgramType::CgroupSkb,
];

const MAP_TYPES: [MapType; 6] = [
    MapType::Array,
    MapType::Hash,
    MapType::PercpuArray,
    MapType::PercpuHash,
    MapType::Ringbuf,
    MapType::ProgArray,
];

/// No flag, `NO_PREALLOC`, `ZERO_SEED`, `RDONLY_PROG`, `WRONLY_PROG`, `MMAPABLE`.
const MAP_FLAGS: [u32; 6] = [0, 1 << 0, 1 << 6, 1 << 7, 1 << 8, 1 << 10];

/// Bytes of input, then zeroes.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::from(self.byte()) % limit.max(1)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn word(&mut self) -> i32 {
        i32::from_le_bytes([self.byte(), self.byte(), self.byte(), self.byte()])
    }

    /// A number: small ones, and those around the limits of the types.
    fn number(&mut self) -> i32 {
        match self.byte() {
            byte @ ..200 => i32::from(byte) - 64,
            200..220 => i32::from(self.byte()) << (self.byte() % 24),
            220..230 => i32::MAX - i32::from(self.byte()),
            230..240 => i32::MIN + i32::from(self.byte()),
            _ => self.word(),
        }
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A program being made. `off` of jumps and `imm` of calls are patched when all is known.
struct Builder<'a, 'b> {
    input: &'a mut Input<'b>,
    prog_type: ProgramType,
    maps: usize,
    /// Maps whose value has an address.
    values: &'a [usize],
    slots: Vec<RawInsn>,
    /// First slots of instructions of the function being made.
    starts: Vec<usize>,
    /// Jumps of the function being made, with the byte that chooses the target.
    jumps: Vec<(usize, u8)>,
    /// First slots of the functions.
    functions: Vec<usize>,
    /// Slots that call a function or take its address, with the byte that chooses it.
    calls: Vec<(usize, u8)>,
}

impl Builder<'_, '_> {
    fn push(&mut self, opcode: u8, dst: u8, src: u8, off: i16, imm: i32) {
        self.starts.push(self.slots.len());
        self.slots.push(RawInsn { opcode, dst, src, off, imm });
    }

    fn wide(&mut self, dst: u8, src: u8, low: i32, high: i32) {
        self.push(0x18, dst, src, 0, low);
        self.slots.push(RawInsn { opcode: 0, dst: 0, src: 0, off: 0, imm: high });
    }

    fn mov(&mut self, dst: u8, imm: i32) {
        self.push(0xb7, dst, 0, 0, imm);
    }

    /// `dst = r10 + off`, inside the frame for most bytes.
    fn stack(&mut self, dst: u8) {
        let off = -i32::from(self.input.byte()) * 2;
        self.push(0xbf, dst, 10, 0, 0);
        self.push(0x07, dst, 0, 0, off);
    }

    fn map(&mut self, dst: u8) {
        let index = self.input.below(self.maps) as i32;
        if self.maps > 0 {
            self.wide(dst, 5, index, 0);
        }
    }

    fn function(&mut self, dst: u8) {
        let choice = self.input.byte();
        self.calls.push((self.slots.len(), choice));
        self.wide(dst, 4, 0, 0);
    }

    fn helper(&mut self, number: u32) {
        let helper = Helper::by_id(number);
        if helper.is_some_and(|helper| helper.allowed_for(self.prog_type, None)) {
            self.push(0x85, 0, 0, 0, number as i32);
        }
    }

    fn jump(&mut self, opcode: u8, dst: u8, src: u8, imm: i32) {
        let choice = self.input.byte();
        self.jumps.push((self.slots.len(), choice));
        self.push(opcode, dst, src, 0, imm);
    }

    /// A register that may be written.
    fn reg(&mut self) -> u8 {
        self.input.byte() % 10
    }

    /// A register to address by, the frame pointer more often than others, and an offset.
    fn base(&mut self) -> (u8, i16) {
        let byte = self.input.byte();
        if byte & 0x80 != 0 {
            (10, -i16::from(self.input.byte()) * 2 - 8)
        } else {
            (byte % 10, i16::from(self.input.byte() as i8))
        }
    }

    fn insn(&mut self) {
        match self.input.byte() % 40 {
            0..=2 => {
                let (op, dst, imm) = (self.input.byte() % 14, self.reg(), self.input.number());
                let signed = i16::from(matches!(op, 3 | 9) && self.input.byte() & 1 != 0);
                let imm = if op == 8 || matches!(op, 3 | 9) && imm == 0 { 1 } else { imm };
                let imm = if matches!(op, 6 | 7 | 12) { imm & 31 } else { imm };
                let class = self.input.pick(&[0x07, 0x04]);
                if op != 8 && op != 13 {
                    self.push(op << 4 | class, dst, 0, signed, imm);
                } else {
                    self.push(0x84 | (class & 3), dst, 0, 0, 0);
                }
            }
            3..=5 => {
                let (op, dst, src) = (
                    self.input.pick(&[0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12]),
                    self.reg(),
                    self.input.byte() % 11,
                );
                let opcode = op << 4 | self.input.pick(&[0x0f, 0x0c]);
                self.push(opcode, dst, src, 0, 0);
            }
            6..=8 => {
                let (dst, imm) = (self.reg(), self.input.number());
                self.mov(dst, imm);
            }
            9..=11 => {
                let (dst, (src, off)) = (self.reg(), self.base());
                let opcode = self.input.pick(&[0x61, 0x69, 0x71, 0x79, 0x81, 0x89, 0x91]);
                self.push(opcode, dst, src, off, 0);
            }
            12 | 13 => {
                let ((dst, off), src) = (self.base(), self.input.byte() % 11);
                let opcode = self.input.pick(&[0x63, 0x6b, 0x73, 0x7b]);
                self.push(opcode, dst, src, off, 0);
            }
            14 => {
                let ((dst, off), imm) = (self.base(), self.input.number());
                let opcode = self.input.pick(&[0x62, 0x6a, 0x72, 0x7a]);
                self.push(opcode, dst, 0, off, imm);
            }
            15 | 16 => {
                let ((dst, off), src) = (self.base(), self.reg());
                let op =
                    self.input.pick(&[0x00, 0x01, 0x40, 0x41, 0x50, 0x51, 0xa0, 0xa1, 0xe1, 0xf1, 0x110]);
                let opcode = self.input.pick(&[0xc3, 0xdb]);
                self.push(opcode, dst, src, off, op);
            }
            17 => {
                let (dst, (src, off)) = (self.reg(), self.base());
                let opcode = self.input.pick(&[0xc3, 0xcb, 0xd3, 0xdb]);
                self.push(opcode, dst, src, off, 0x100);
            }
            18 | 19 => {
                let (op, dst, imm) = (self.input.byte() % 12, self.reg(), self.input.number());
                let op = [1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 1][usize::from(op)];
                let opcode = op << 4 | self.input.pick(&[0x05, 0x06]);
                self.jump(opcode, dst, 0, imm);
            }
            20 => {
                let (op, dst, src) = (self.input.byte() % 11, self.reg(), self.input.byte() % 11);
                let op = [1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13][usize::from(op)];
                let opcode = op << 4 | self.input.pick(&[0x0d, 0x0e]);
                self.jump(opcode, dst, src, 0);
            }
            21 => self.jump(0x05, 0, 0, 0),
            22 => self.jump(0xe5, 0, 0, 0),
            23 | 24 => {
                let number = self.input.pick(&HELPERS);
                self.helper(number);
            }
            25 => {
                let choice = self.input.byte();
                self.calls.push((self.slots.len(), choice));
                self.push(0x85, 0, 1, 0, 0);
            }
            26 => {
                let target = self.reg();
                self.function(target);
                self.push(0x8d, target, 0, 0, 0);
            }
            27 => {
                let dst = self.reg();
                self.map(dst);
            }
            28 => {
                let (dst, choice) = (self.reg(), self.input.below(self.values.len()));
                let off = i32::from(self.input.byte());
                if let Some(index) = self.values.get(choice) {
                    self.wide(dst, 6, *index as i32, 0);
                    self.push(0x07, dst, 0, 0, off % 72);
                }
            }
            29 => {
                let (dst, low, high) = (self.reg(), self.input.number(), self.input.number());
                self.wide(dst, 0, low, high);
            }
            30 => {
                let (src, off) = (self.reg(), self.input.number());
                let opcode = self.input.pick(&[0x20, 0x28, 0x30]);
                self.push(opcode, 0, 0, 0, off);
                let opcode = self.input.pick(&[0x40, 0x48, 0x50]);
                self.push(opcode, 0, src, 0, off);
            }
            31 | 32 => {
                // A map helper with good arguments, its value in R8.
                let number = self.input.pick(&[
                    id::map_lookup_elem,
                    id::map_update_elem,
                    id::map_delete_elem,
                    id::map_lookup_percpu_elem,
                ]);
                self.map(1);
                self.stack(2);
                if number == id::map_lookup_percpu_elem {
                    self.mov(3, 1);
                } else {
                    self.stack(3);
                }
                let flags = self.input.byte() % 5;
                self.mov(4, i32::from(flags));
                self.helper(number);
                if number != id::map_update_elem && number != id::map_delete_elem {
                    self.push(0xbf, 8, 0, 0, 0);
                }
            }
            33 => {
                self.mov(1, i32::from(self.input.0.first().copied().unwrap_or(3)));
                self.function(2);
                self.stack(3);
                self.mov(4, 0);
                self.helper(id::r#loop);
            }
            34 => {
                self.map(1);
                self.function(2);
                self.stack(3);
                self.mov(4, 0);
                self.helper(id::for_each_map_elem);
            }
            35 => {
                let size = self.input.number();
                self.map(1);
                self.mov(2, size);
                self.mov(3, 0);
                self.helper(id::ringbuf_reserve);
                self.push(0xbf, 8, 0, 0, 0);
            }
            36 => {
                self.push(0xbf, 1, 8, 0, 0);
                self.mov(2, i32::from(self.input.0.first().copied().unwrap_or(0) % 4));
                self.helper(self.input.0.get(1).map_or(id::ringbuf_submit, |byte| match byte % 4 {
                    0 => id::spin_lock,
                    1 => id::spin_unlock,
                    2 => id::ringbuf_discard,
                    _ => id::ringbuf_submit,
                }));
            }
            37 => {
                let index = self.input.byte() % 4;
                self.push(0xbf, 1, 6, 0, 0);
                self.map(2);
                self.mov(3, i32::from(index));
                self.helper(id::tail_call);
            }
            38 => {
                // A helper with memory and size in the usual places.
                let size = self.input.number();
                self.stack(1);
                self.mov(2, size);
                if self.input.byte() & 1 == 0 {
                    self.stack(3);
                } else {
                    self.push(0xbf, 3, 8, 0, 0);
                }
                let number = self.input.pick(&HELPERS);
                self.helper(number);
            }
            _ => self.push(0x95, 0, 0, 0, 0),
        }
    }

    /// A function: the context stays in R6.
    fn body(&mut self) {
        self.functions.push(self.slots.len());
        self.starts.clear();
        self.jumps.clear();
        self.push(0xbf, 6, 1, 0, 0);
        self.push(0xbf, 8, 10, 0, 0);
        for _ in 0..1 + self.input.below(24) {
            self.insn();
        }
        if self.input.byte() & 3 != 0 {
            self.mov(0, 0);
        }
        self.push(0x95, 0, 0, 0, 0);
        for (slot, choice) in std::mem::take(&mut self.jumps) {
            let target = self.starts[usize::from(choice) % self.starts.len()];
            self.slots[slot].off = (target as i64 - slot as i64 - 1) as i16;
        }
    }

    fn finish(mut self) -> Vec<RawInsn> {
        for (slot, choice) in std::mem::take(&mut self.calls) {
            let target = self.functions[usize::from(choice) % self.functions.len()];
            self.slots[slot].imm = (target as i64 - slot as i64 - 1) as i32;
        }
        self.slots
    }
}

fn make_program(
    input: &mut Input<'_>,
    prog_type: ProgramType,
    maps: usize,
    values: &[usize],
) -> Vec<RawInsn> {
    let functions = 1 + input.below(4);
    let mut builder = Builder {
        input,
        prog_type,
        maps,
        values,
        slots: Vec::new(),
        starts: Vec::new(),
        jumps: Vec::new(),
        functions: Vec::new(),
        calls: Vec::new(),
    };
    for _ in 0..functions {
        builder.body();
    }
    builder.finish()
}

fn make_map(input: &mut Input<'_>) -> MapCreate {
    let map_type = input.pick(&MAP_TYPES);
    let (key_size, value_size, max_entries) = match map_type {
        MapType::Ringbuf => (0, 0, 4096),
        MapType::ProgArray => (4, 4, 4),
        MapType::Array | MapType::PercpuArray => {
            (4, 1 + input.below(64), 1 + input.below(16) * input.below(2))
        }
        _ => (1 + input.below(80), 1 + input.below(64), 1 + input.below(16)),
    };
    MapCreate {
        map_type,
        key_size: key_size as u32,
        value_size: value_size as u32,
        max_entries: max_entries as u32,
        flags: input.pick(&MAP_FLAGS),
        extra: 0,
        name: "fuzz".to_owned(),
        inner: None,
        btf: None,
    }
}

fn test_run(kernel: &UserKernel, prog_type: ProgramType, program: Fd, seed: u8) {
    let mut run = TestRun { repeat: u32::from(seed % 3), ..TestRun::default() };
    match prog_type {
        ProgramType::SocketFilter | ProgramType::SchedCls | ProgramType::Xdp | ProgramType::CgroupSkb => {
            run.data_in = (0..14 + usize::from(seed)).map(|byte| byte as u8).collect();
            run.data_out_size = 4096;
        }
        ProgramType::Syscall | ProgramType::RawTracepoint => {
            run.repeat = 0;
            run.ctx_in = vec![seed; 64];
        }
        _ => run.ctx_in = vec![seed; 168],
    }
    // Whatever it answers.
    let _ = kernel.prog_test_run_with(program, &run, &RunOptions { budget: 3_000, stop: None });
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let kernel = UserKernel::with_possible_cpus(2);
    let mut pipe = kernel.trace_pipe().unwrap();
    let prog_type = input.pick(&PROGRAM_TYPES);
    let seed = input.byte();
    let maps: Vec<Fd> =
        (0..input.below(7)).filter_map(|_| kernel.map_create(&make_map(&mut input)).ok()).collect();
    let values: Vec<usize> = (0..maps.len())
        .filter(|index| {
            let info = kernel.map_info(maps[*index]).unwrap();
            info.map_type == MapType::Array && info.max_entries == 1
        })
        .collect();
    let mut programs = Vec::new();
    for _ in 0..1 + input.below(3) {
        if input.is_empty() {
            break;
        }
        let load = ProgLoad {
            prog_type,
            expected_attach_type: None,
            insns: make_program(&mut input, prog_type, maps.len(), &values),
            maps: maps.clone(),
            license: "GPL".to_owned(),
            kern_version: 0,
            name: "fuzz".to_owned(),
            flags: 0,
            btf: None,
            attach_btf_id: 0,
            log_level: 0,
        };
        programs.extend(kernel.prog_load(&load));
    }
    for (index, program) in (0u32..).zip(programs.iter().chain(&programs).take(4)) {
        for map in &maps {
            // Only program arrays take it as what it is.
            let _ = kernel.map_update(*map, &index.to_ne_bytes(), &program.0.to_ne_bytes(), 0);
        }
    }
    for program in &programs {
        test_run(&kernel, prog_type, *program, seed);
    }
    if seed & 0x80 != 0 {
        let kernel = &kernel;
        std::thread::scope(|scope| {
            let run = |program: &Fd| {
                let program = *program;
                scope.spawn(move || test_run(kernel, prog_type, program, seed))
            };
            let threads: Vec<_> = programs.iter().map(run).collect();
            for map in &maps {
                // The bpf(2) side at the same time: a walk that deletes what it meets.
                let mut key = kernel.map_next_key(*map, None).ok();
                for _ in 0..8 {
                    let Some(at) = key.take() else { break };
                    let _ = kernel.map_lookup(*map, &at, 0);
                    key = kernel.map_next_key(*map, Some(&at)).ok();
                    let _ = kernel.map_delete(*map, &at);
                }
            }
            // Joined one by one: the scope does not wait for what threads clean up at their end.
            for thread in threads {
                thread.join().unwrap();
            }
        });
    }
    for map in &maps {
        if let Ok(mut reader) = kernel.ring_reader(*map) {
            reader.consume(&mut |record| assert!(record.len() <= 4096)).unwrap();
        }
    }
    for _ in 0..1000 {
        if pipe.next_line(Duration::ZERO).unwrap().is_none() {
            break;
        }
    }
    for fd in programs.into_iter().chain(maps) {
        kernel.close(fd).unwrap();
    }
    drop(pipe);
    for kind in [ObjectKind::Map, ObjectKind::Program, ObjectKind::Link, ObjectKind::Btf] {
        assert_eq!(kernel.object_count(kind), 0, "{kind:?} left behind");
    }
    assert_eq!(kernel.descriptor_count(), 0);
});
