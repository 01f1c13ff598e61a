//! Every instruction in every width: tens of thousands of generated cases, run by the interpreter and by Linux.
//!
//! A case is a short piece of code between a prologue that loads all registers but one from the value of an array map (so that
//! Linux' verifier knows nothing of the operands and refuses nothing) and an epilogue that stores them all there again. The remaining
//! register points to the case's part of the value: inputs, memory to work on, outputs. Hundreds of cases make a program. After the run
//! the whole values are compared.

use std::sync::Arc;

use skep_catalog::{MapType, ProgramType};
use skep_isa::{AluOp, AtomicOp, Imm64, Insn, JumpOp, Operand, RawInsn, Reg, Size, SwapKind, Width};
use skep_kernel::{RunContext, TraceBuffer};
use skep_maps::{MapSpec, UpdateFlags};

use super::bpf;

/// Bytes of a case's part of the value: ten registers in, memory, ten registers out.
const IN: usize = 0;
const MEMORY: usize = 80;
const OUT: usize = 112;
const CASE: usize = 192;
/// Cases in a program.
const BATCH: usize = 400;

/// Some code with the values of its registers and memory.
#[derive(Clone)]
struct Case {
    code: Vec<Insn>,
    regs: [u64; 10],
    memory: [u64; 4],
    /// Points to the memory; the code uses it for nothing else.
    base: Reg,
}

/// A generator of numbers that are the same in every run (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// Often a number at some edge, otherwise any.
    fn value(&mut self) -> u64 {
        match self.below(4) {
            0 => self.pick(EDGES),
            1 => self.pick(EDGES).wrapping_add(self.next() % 5).wrapping_sub(2),
            2 => self.next() >> self.below(64),
            _ => self.next(),
        }
    }

    /// A register of R0 to R8; R9 is the base.
    fn reg(&mut self) -> Reg {
        Reg::ALL[self.below(9)]
    }
}

const EDGES: &[u64] = &[
    0,
    1,
    2,
    3,
    7,
    31,
    32,
    33,
    63,
    64,
    65,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0x8000,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x8000_0000_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0xffff_ffff_8000_0000,
    0xffff_ffff_7fff_ffff,
    0xffff_ffff_ffff_fffe,
    0xffff_ffff_ffff_ffff,
    0x0123_4567_89ab_cdef,
    0xfedc_ba98_7654_3210,
    0x8080_8080_8080_8080,
];

const IMMEDIATES: &[i32] = &[
    0,
    1,
    -1,
    2,
    3,
    10,
    31,
    127,
    -128,
    255,
    32767,
    -32768,
    65535,
    i32::MAX,
    i32::MIN,
    0x1234_5678,
    -100_000,
];

const WIDTHS: [Width; 2] = [Width::W32, Width::W64];
const SIZES: [Size; 4] = [Size::B, Size::H, Size::W, Size::DW];

const ALU_OPS: [AluOp; 14] = [
    AluOp::Add,
    AluOp::Sub,
    AluOp::Mul,
    AluOp::Div,
    AluOp::Sdiv,
    AluOp::Mod,
    AluOp::Smod,
    AluOp::Or,
    AluOp::And,
    AluOp::Xor,
    AluOp::Lsh,
    AluOp::Rsh,
    AluOp::Arsh,
    AluOp::Mov,
];

const JUMP_OPS: [JumpOp; 11] = [
    JumpOp::Eq,
    JumpOp::Ne,
    JumpOp::Gt,
    JumpOp::Ge,
    JumpOp::Lt,
    JumpOp::Le,
    JumpOp::Sgt,
    JumpOp::Sge,
    JumpOp::Slt,
    JumpOp::Sle,
    JumpOp::Set,
];

const ATOMIC_OPS: [AtomicOp; 10] = [
    AtomicOp::Add { fetch: false },
    AtomicOp::Add { fetch: true },
    AtomicOp::Or { fetch: false },
    AtomicOp::Or { fetch: true },
    AtomicOp::And { fetch: false },
    AtomicOp::And { fetch: true },
    AtomicOp::Xor { fetch: false },
    AtomicOp::Xor { fetch: true },
    AtomicOp::Xchg,
    AtomicOp::Cmpxchg,
];

/// Whether Linux takes this constant operand: its verifier refuses division by zero and shifts by the width and more.
fn accepted(op: AluOp, width: Width, imm: i32) -> bool {
    match op {
        AluOp::Div | AluOp::Sdiv | AluOp::Mod | AluOp::Smod => imm != 0,
        AluOp::Lsh | AluOp::Rsh | AluOp::Arsh => {
            (0..if width == Width::W64 { 64 } else { 32 }).contains(&imm)
        }
        _ => true,
    }
}

/// A jump that leaves a trace: R8 tells whether it was taken.
fn with_trace(jump: Insn) -> Vec<Insn> {
    let set = |imm| Insn::Alu { width: Width::W64, op: AluOp::Mov, dst: Reg::R8, src: Operand::Imm(imm) };
    let mark = Insn::Alu { width: Width::W64, op: AluOp::Or, dst: Reg::R7, src: Operand::Imm(0x10) };
    // The mark goes to another register than the operands, R1 and R2.
    vec![set(1), jump, set(2), mark]
}

struct Cases {
    numbers: Numbers,
    list: Vec<Case>,
}

impl Cases {
    fn push(&mut self, code: Vec<Insn>, set: &[(Reg, u64)]) {
        let mut regs = std::array::from_fn(|_| self.numbers.value());
        for (reg, value) in set {
            regs[reg.index()] = *value;
        }
        let memory = std::array::from_fn(|_| self.numbers.value());
        self.list.push(Case { code, regs, memory, base: Reg::R9 });
    }

    /// Binary arithmetic: all operations on all pairs of edges, and on constants.
    fn arithmetic(&mut self) {
        for op in ALU_OPS {
            for width in WIDTHS {
                for &a in EDGES {
                    for &b in EDGES {
                        let src = Operand::Reg(Reg::R2);
                        self.push(
                            vec![Insn::Alu { width, op, dst: Reg::R1, src }],
                            &[(Reg::R1, a), (Reg::R2, b)],
                        );
                    }
                    let imm = self.numbers.next() as i32;
                    let constants = IMMEDIATES.iter().copied().chain([imm, imm & 31, imm & 63]);
                    for imm in constants.filter(|imm| accepted(op, width, *imm)) {
                        self.push(
                            vec![Insn::Alu { width, op, dst: Reg::R3, src: Operand::Imm(imm) }],
                            &[(Reg::R3, a)],
                        );
                    }
                    // The same register twice.
                    let src = Operand::Reg(Reg::R4);
                    self.push(vec![Insn::Alu { width, op, dst: Reg::R4, src }], &[(Reg::R4, a)]);
                }
            }
        }
    }

    /// Negation, sign extension, byte order.
    fn unary(&mut self) {
        let values: Vec<u64> =
            EDGES.iter().copied().chain((0..40).map(|i| 0x0102_0304_0506_0708 << (i % 30))).collect();
        for a in values {
            for width in WIDTHS {
                self.push(vec![Insn::Neg { width, dst: Reg::R5 }], &[(Reg::R5, a)]);
                for from in [Size::B, Size::H, Size::W] {
                    if width == Width::W64 || from != Size::W {
                        for (dst, src) in [(Reg::R0, Reg::R6), (Reg::R6, Reg::R6)] {
                            self.push(vec![Insn::Movsx { width, from, dst, src }], &[(Reg::R6, a)]);
                        }
                    }
                }
            }
            for kind in [SwapKind::ToLe, SwapKind::ToBe, SwapKind::Bswap] {
                for size in [Size::H, Size::W, Size::DW] {
                    self.push(vec![Insn::Swap { kind, size, dst: Reg::R7 }], &[(Reg::R7, a)]);
                }
            }
            self.push(vec![Insn::LoadImm64 { dst: Reg::R1, value: Imm64::Value(a) }], &[]);
        }
    }

    /// Conditions: all on all pairs of edges, and on constants.
    fn jumps(&mut self) {
        for op in JUMP_OPS {
            for width in WIDTHS {
                for &a in EDGES {
                    for &b in EDGES {
                        let jump =
                            Insn::JumpIf { width, op, dst: Reg::R1, src: Operand::Reg(Reg::R2), off: 1 };
                        self.push(with_trace(jump), &[(Reg::R1, a), (Reg::R2, b)]);
                    }
                    for &imm in IMMEDIATES {
                        let jump = Insn::JumpIf { width, op, dst: Reg::R1, src: Operand::Imm(imm), off: 1 };
                        self.push(with_trace(jump), &[(Reg::R1, a)]);
                    }
                }
            }
        }
        for long in [false, true] {
            for (a, b) in [(1, 2), (2, 1)] {
                // What the jump leads over is reached by another one.
                let src = Operand::Reg(Reg::R2);
                let around = Insn::JumpIf { width: Width::W64, op: JumpOp::Gt, dst: Reg::R1, src, off: 1 };
                let mut code = with_trace(Insn::Jump { off: 1, long });
                code.insert(1, around);
                self.push(code, &[(Reg::R1, a), (Reg::R2, b)]);
            }
        }
    }

    /// Loads and stores at every size, on the map value and on the stack.
    fn memory(&mut self) {
        let move_to_stack = |off, src| Insn::StoreReg { size: Size::DW, base: Reg::FP, off, src };
        let prepare = [move_to_stack(-16, Reg::R1), move_to_stack(-8, Reg::R2)];
        for size in SIZES {
            for step in 0..16 / size.bytes() {
                let in_map = (Reg::R9, (MEMORY + step * size.bytes()) as i16);
                let on_stack = (Reg::FP, -16 + (step * size.bytes()) as i16);
                for (base, off) in [in_map, on_stack] {
                    let mut accesses = vec![
                        Insn::Load { size, sign_extend: false, dst: Reg::R3, base, off },
                        Insn::StoreReg { size, base, off, src: Reg::R4 },
                        Insn::StoreImm { size, base, off, imm: self.numbers.next() as i32 },
                        Insn::StoreImm { size, base, off, imm: self.numbers.pick(IMMEDIATES) },
                        Insn::LoadAcquire { size, dst: Reg::R5, base, off },
                        Insn::StoreRelease { size, base, off, src: Reg::R6 },
                    ];
                    if size != Size::DW {
                        accesses.push(Insn::Load { size, sign_extend: true, dst: Reg::R3, base, off });
                    }
                    for access in accesses {
                        for _ in 0..12 {
                            let mut code = prepare.to_vec();
                            code.push(access);
                            // What is on the stack shows in registers.
                            for (dst, off) in [(Reg::R7, -16), (Reg::R8, -8)] {
                                code.push(Insn::Load {
                                    size: Size::DW,
                                    sign_extend: false,
                                    dst,
                                    base: Reg::FP,
                                    off,
                                });
                            }
                            self.push(code, &[]);
                        }
                    }
                }
            }
        }
    }

    /// Atomic operations, on the map value and on the stack; every one with the comparison true and false.
    fn atomics(&mut self) {
        for op in ATOMIC_OPS {
            for size in [Size::W, Size::DW] {
                for &old in EDGES {
                    for &src in EDGES.iter().step_by(2) {
                        let equal = self.numbers.below(2) == 0;
                        let compare = if equal { old } else { self.numbers.value() };
                        // The comparison of 32 bits ignores the upper half of R0.
                        let compare =
                            if size == Size::W { compare ^ (self.numbers.next() << 32) } else { compare };
                        self.atomic(op, size, old, src, compare);
                    }
                }
            }
        }
    }

    fn atomic(&mut self, op: AtomicOp, size: Size, old: u64, src: u64, compare: u64) {
        let upper = size == Size::W && self.numbers.below(2) == 0;
        let off = if upper { 4 } else { 0 };
        let old = if upper { old.rotate_left(32) } else { old };
        let set = [(Reg::R0, compare), (Reg::R3, src), (Reg::R4, old)];
        // On the map value. R0 as the source of compare-and-exchange is a case of its own.
        let source = if self.numbers.below(8) == 0 { Reg::R0 } else { Reg::R3 };
        let place = MEMORY as i16 + 8;
        self.push(
            vec![
                Insn::StoreReg { size: Size::DW, base: Reg::R9, off: place, src: Reg::R4 },
                Insn::Atomic { op, size, base: Reg::R9, off: place + off, src: source },
            ],
            &set,
        );
        self.push(
            vec![
                Insn::StoreReg { size: Size::DW, base: Reg::FP, off: -24, src: Reg::R4 },
                Insn::Atomic { op, size, base: Reg::FP, off: -24 + off, src: source },
                Insn::Load { size: Size::DW, sign_extend: false, dst: Reg::R8, base: Reg::FP, off: -24 },
            ],
            &set,
        );
    }

    /// Random arithmetic and jumps in a row, with any registers and values.
    fn sequences(&mut self, count: usize) {
        for _ in 0..count {
            let len = 1 + self.numbers.below(12);
            let mut code: Vec<Insn> = (0..len).map(|_| self.random()).collect();
            // Jumps lead over some of the instructions that follow, counted in slots.
            for index in 0..len {
                let over = self.numbers.below(4).min(len - index - 1);
                let slots: usize = code[index + 1..][..over].iter().map(Insn::slots).sum();
                if let Insn::JumpIf { off, .. } = &mut code[index] {
                    *off = slots as i16;
                }
            }
            self.push(code, &[]);
        }
    }

    fn random(&mut self) -> Insn {
        let numbers = &mut self.numbers;
        let width = numbers.pick(&WIDTHS);
        let (dst, src) = (numbers.reg(), numbers.reg());
        match numbers.below(12) {
            0 => Insn::Neg { width, dst },
            1 => Insn::Swap {
                kind: numbers.pick(&[SwapKind::ToLe, SwapKind::ToBe, SwapKind::Bswap]),
                size: numbers.pick(&[Size::H, Size::W, Size::DW]),
                dst,
            },
            2 => Insn::Movsx { width, from: numbers.pick(&[Size::B, Size::H]), dst, src },
            3 => Insn::LoadImm64 { dst, value: Imm64::Value(numbers.value()) },
            4 | 5 => Insn::JumpIf {
                width,
                op: numbers.pick(&JUMP_OPS),
                dst,
                src: if numbers.below(2) == 0 {
                    Operand::Reg(src)
                } else {
                    Operand::Imm(numbers.value() as i32)
                },
                off: 0,
            },
            6..9 => loop {
                let (op, imm) = (numbers.pick(&ALU_OPS), numbers.value() as i32);
                if accepted(op, width, imm) {
                    break Insn::Alu { width, op, dst, src: Operand::Imm(imm) };
                }
            },
            _ => Insn::Alu { width, op: numbers.pick(&ALU_OPS), dst, src: Operand::Reg(src) },
        }
    }
}

/// The program that runs a batch of cases, and the array value that it works on.
fn program(cases: &[Case]) -> (Vec<RawInsn>, Vec<u8>) {
    let mut insns = Vec::new();
    let mut value = vec![0; cases.len() * CASE];
    for (index, case) in cases.iter().enumerate() {
        let at = index * CASE;
        for (slot, word) in case.regs.iter().chain(&case.memory).enumerate() {
            value[at + slot * 8..][..8].copy_from_slice(&word.to_ne_bytes());
        }
        let base = case.base;
        insns.push(Insn::LoadImm64 { dst: base, value: Imm64::MapValueIdx { idx: 0, off: at as u32 } });
        let others = || Reg::ALL.into_iter().filter(move |reg| *reg != base && *reg != Reg::FP);
        for dst in others() {
            let off = (IN + dst.index() * 8) as i16;
            insns.push(Insn::Load { size: Size::DW, sign_extend: false, dst, base, off });
        }
        insns.extend(&case.code);
        for src in others() {
            insns.push(Insn::StoreReg { size: Size::DW, base, off: (OUT + src.index() * 8) as i16, src });
        }
    }
    insns.push(Insn::Alu { width: Width::W64, op: AluOp::Mov, dst: Reg::R0, src: Operand::Imm(2) });
    insns.push(Insn::Exit);
    (Insn::encode_all(&insns), value)
}

/// Runs a program in the interpreter; gives the array's value afterwards.
fn interpret(insns: &[RawInsn], value: &[u8]) -> Vec<u8> {
    let spec = MapSpec {
        map_type: MapType::Array,
        key_size: 4,
        value_size: value.len() as u32,
        max_entries: 1,
        ..MapSpec::default()
    };
    let map = skep_maps::create(&spec).unwrap();
    map.update(&[0; 4], value, UpdateFlags::ANY).unwrap();
    let program =
        super::load(ProgramType::Xdp, insns, vec![Arc::clone(&map)], &Arc::new(TraceBuffer::default()));
    let mut ctx = [0; 24];
    let mut context =
        RunContext { cpu: 0, task: &super::NoTask, ctx: &mut ctx, kernel_memory: &[], cookie: 0 };
    assert_eq!(program.run(&mut context), Ok(2));
    map.lookup(&[0; 4], 0).unwrap()
}

/// Runs a program on Linux; gives the array's value afterwards.
fn run_on_linux(insns: &[RawInsn], value: &[u8]) -> Vec<u8> {
    let map = bpf::array(value.len() as u32).unwrap();
    bpf::update(&map, value).unwrap();
    let program = bpf::load(ProgramType::Xdp, insns, &[&map])
        .unwrap_or_else(|failure| panic!("Linux refuses a batch: {}\n{}", failure.raw, failure.log));
    let input = bpf::Input { data: vec![0; 64], ..bpf::Input::default() };
    assert_eq!(bpf::test_run(&program, &input).unwrap().retval, 2);
    let mut after = vec![0; value.len()];
    bpf::lookup(&map, &mut after).unwrap();
    after
}

/// Describes the first case whose results differ.
fn difference(cases: &[Case], ours: &[u8], linux: &[u8]) -> Option<String> {
    let index = ours.chunks(CASE).zip(linux.chunks(CASE)).position(|(ours, linux)| ours != linux)?;
    let words = |value: &[u8]| -> Vec<u64> {
        let part = &value[index * CASE..][..CASE];
        part.chunks_exact(8).map(|word| u64::from_ne_bytes(word.try_into().unwrap())).collect()
    };
    let Case { code, regs, memory, base } = &cases[index];
    let mut text = format!("code {code:#x?}\nbase {base}, registers {regs:#x?}, memory {memory:#x?}\n");
    for (slot, (ours, linux)) in words(ours).iter().zip(words(linux)).enumerate() {
        if *ours != linux {
            let what = match slot * 8 {
                offset @ OUT.. => format!("r{}", (offset - OUT) / 8),
                offset => format!("memory word {}", (offset - MEMORY) / 8),
            };
            text += &format!("{what}: interpreter {ours:#x}, Linux {linux:#x}\n");
        }
    }
    Some(text)
}

#[test]
fn every_instruction_gives_what_linux_gives() {
    let mut cases = Cases { numbers: Numbers(0x736b_6570), list: Vec::new() };
    cases.arithmetic();
    cases.unary();
    cases.jumps();
    cases.memory();
    cases.atomics();
    cases.sequences(20_000);
    let cases = cases.list;
    assert!(cases.len() > 50_000, "{} cases", cases.len());
    let on_linux = bpf::available();
    for batch in cases.chunks(BATCH) {
        let (insns, value) = program(batch);
        let ours = interpret(&insns, &value);
        if on_linux {
            let linux = run_on_linux(&insns, &value);
            if let Some(text) = difference(batch, &ours, &linux) {
                panic!("{text}");
            }
        }
    }
}
