//! The running kernel's verifier as the measure: for random straight-line programs, its log must print after every instruction the very
//! scalar that skep computes. Needs root and Linux 6.18; says so and passes elsewhere. `SKEP_PROGRAMS` and `SKEP_SEED` ask for more
//! programs and for others.

use std::collections::BTreeMap;
use std::io;

use skep_isa::{AluOp, Endian, Insn, Operand, Reg, Width, asm, encode_slots};
use skep_verifier::{Empty, Scalar, branch_taken, refine};

/// A small generator: the same programs in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[(self.next() >> 20) as usize % choices.len()]
    }

    /// An immediate of any magnitude, often near a border.
    fn imm(&mut self) -> i32 {
        let magnitude = (self.next() >> 9) % 33;
        let bits = (self.next() >> 16) as u32;
        let value = match (self.next() >> 11) % 4 {
            0 => 1_u32.checked_shl(magnitude as u32).unwrap_or(0),
            1 => 1_u32.checked_shl(magnitude as u32).unwrap_or(0).wrapping_sub(1),
            _ => bits.checked_shr(magnitude as u32).unwrap_or(0),
        };
        if (self.next() >> 13).is_multiple_of(3) { (value as i32).wrapping_neg() } else { value as i32 }
    }
}

/// Two unknown numbers in r6 and r7, each bounded and then worked on.
fn program(random: &mut Random) -> String {
    let mut text = String::from("call 7\nr6 = r0\ncall 7\nr7 = r0\nr0 = 0\n");
    for step in 0..14 {
        let (a, b) = if random.next() & 64 == 0 { (6, 7) } else { (7, 6) };
        let width = random.pick(&["r", "r", "w"]);
        let operand = if random.next() & 32 == 0 { random.imm().to_string() } else { format!("{width}{b}") };
        let bounding = step < 6 || random.next().is_multiple_of(3);
        let line = if bounding {
            match (random.next() >> 8) % 8 {
                0 => format!("{width}{a} &= {}", random.imm()),
                1 => format!("{width}{a} {} {}", random.pick(&["<<=", ">>=", "s>>="]), random.next() % 32),
                _ => {
                    let op = random
                        .pick(&["==", "!=", ">", ">=", "<", "<=", "s>", "s>=", "s<", "s<=", "&", "s>", "s<"]);
                    format!("if {width}{a} {op} {operand} goto out")
                }
            }
        } else {
            match (random.next() >> 8) % 16 {
                0 => format!("{width}{a} = -{width}{a}"),
                1 => format!("w{a} = w{a}"),
                2 => format!("r{a} = (s{})r{a}", random.pick(&["8", "16", "32"])),
                3 => format!("w{a} = (s{})w{a}", random.pick(&["8", "16"])),
                4 => format!("r{a} {} {}", random.pick(&["<<=", ">>=", "s>>="]), random.next() % 64),
                5 => format!("w{a} {} {}", random.pick(&["<<=", ">>=", "s>>="]), random.next() % 32),
                6 => {
                    format!(
                        "r{a} = {} r{a}",
                        random.pick(&[
                            "be16", "be32", "be64", "bswap16", "bswap32", "bswap64", "le16", "le32", "le64"
                        ])
                    )
                }
                7 if random.next().is_multiple_of(4) => {
                    format!("{width}{a} {} {width}{b}", random.pick(&["/=", "s/=", "%=", "<<="]))
                }
                _ => {
                    let op = random.pick(&["+=", "-=", "*=", "&=", "|=", "^=", "+=", "-="]);
                    format!("{width}{a} {op} {operand}")
                }
            }
        };
        text.push_str(&line);
        text.push('\n');
    }
    text.push_str("out:\nr0 = 0\nexit\n");
    text
}

/// A slot, and whether it jumped from there.
type Place = (usize, bool);

/// What skep computes after each slot on the path that never jumps, for as long as it is the path, and where it could leave it. And of
/// each jump on this path, whether it can go both ways.
fn computed(insns: &[(usize, Insn)]) -> (BTreeMap<Place, [Scalar; 11]>, BTreeMap<usize, bool>) {
    let (mut states, mut open) = (BTreeMap::new(), BTreeMap::new());
    let mut regs = [Scalar::unknown(); 11];
    for &(pc, insn) in insns {
        let value = |operand: Operand, regs: &[Scalar; 11]| match operand {
            Operand::Reg(reg) => regs[reg.index()],
            Operand::Imm(imm) => Scalar::constant(i64::from(imm) as u64),
        };
        match insn {
            Insn::Call(_) => regs[0] = Scalar::unknown(),
            Insn::Alu { op: AluOp::And | AluOp::Or, dst, src, .. }
                if zero_or_all_ones(&regs[dst.index()])
                    && value(src, &regs).as_const(Width::W32).is_some() =>
            {
                break;
            }
            Insn::Alu { width, op, dst, src } => {
                regs[dst.index()] = regs[dst.index()].alu(op, width, &value(src, &regs));
            }
            Insn::Neg { width, dst } => regs[dst.index()] = regs[dst.index()].neg(width),
            Insn::Movsx { width, from, dst, src } => regs[dst.index()] = regs[src.index()].movsx(width, from),
            Insn::Swap { kind, size, dst } => regs[dst.index()] = regs[dst.index()].swap(kind, size),
            Insn::JumpIf { width, op, dst, src, .. } => {
                let (mut a, mut b) = (regs[dst.index()], value(src, &regs));
                let predicted = branch_taken(op, width, &a, &b);
                open.insert(pc, predicted.is_none());
                match predicted {
                    Some(true) => break,
                    Some(false) => {}
                    None => {
                        let mut learn = |taken: bool, regs: &mut [Scalar; 11]| {
                            (a, b) = (regs[dst.index()], value(src, regs));
                            refine(op, width, taken, &mut a, &mut b)?;
                            regs[dst.index()] = a;
                            if let Operand::Reg(src) = src {
                                regs[src.index()] = b;
                            }
                            Ok::<_, Empty>(())
                        };
                        let mut there = regs;
                        if learn(true, &mut there).is_ok() {
                            states.insert((pc, true), there);
                        }
                        if learn(false, &mut regs).is_err() {
                            break;
                        }
                    }
                }
            }
            _ => break,
        }
        states.insert((pc, false), regs);
    }
    (states, open)
}

/// Linux walks `and` and `or` of such a number with a constant twice, once for each value.
fn zero_or_all_ones(scalar: &Scalar) -> bool {
    scalar.smin() == -1 && scalar.smax() == 0 || scalar.s32_min() == -1 && scalar.s32_max() == 0
}

/// Place, register and scalar of each register that the log prints after an instruction, or before it goes back to a branch.
fn printed(log: &str) -> Vec<(Place, Reg, String)> {
    let mut found = Vec::new();
    let mut on_path = true;
    for line in log.lines() {
        let branch = line.strip_prefix("from ").and_then(|line| line.split_once(" to "));
        on_path &= branch.is_none();
        let (pc, registers) = match (branch, line.split_once(": (")) {
            (Some((pc, rest)), _) => (pc, rest.split_once(':').map(|(_, registers)| registers)),
            (None, Some((pc, rest))) if on_path => {
                (pc, rest.split_once(" ; ").map(|(_, registers)| registers))
            }
            _ => continue,
        };
        let (Ok(pc), Some(registers)) = (pc.parse(), registers) else { continue };
        for register in registers.split(" R").filter(|text| !text.is_empty()) {
            let register = register.trim().trim_start_matches('R');
            let Some((name, value)) = register.split_once('=') else { continue };
            let Some(reg) = name.trim_end_matches("_w").parse().ok().and_then(Reg::new) else { continue };
            if reg.number() < 6 || reg == Reg::FP {
                continue;
            }
            // Identities of equal registers and precision marks are no part of the value.
            let value = value.trim_start_matches('P');
            let value = match value.strip_prefix("scalar(id=") {
                Some(rest) => format!("scalar({}", rest.split_once([',', ')']).map_or("", |(_, rest)| rest)),
                None => value.to_owned(),
            };
            found.push(((pc, !on_path), reg, if value == "scalar(" { "scalar()".to_owned() } else { value }));
        }
    }
    found
}

/// The verifier's log of a socket filter, state by state.
fn verifier_log(code: &[u8]) -> io::Result<String> {
    #[repr(C)]
    #[derive(Default)]
    struct ProgLoad {
        prog_type: u32,
        insn_cnt: u32,
        insns: u64,
        license: u64,
        log_level: u32,
        log_size: u32,
        log_buf: u64,
        kern_version: u32,
        prog_flags: u32,
    }
    const BPF_PROG_LOAD: libc::c_int = 5;
    const SOCKET_FILTER: u32 = 1;
    let mut log = vec![0_u8; 1 << 18];
    let attr = ProgLoad {
        prog_type: SOCKET_FILTER,
        insn_cnt: (code.len() / 8) as u32,
        insns: code.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
        log_level: 2,
        log_size: log.len() as u32,
        log_buf: log.as_mut_ptr() as u64,
        ..ProgLoad::default()
    };
    // SAFETY: all addresses in `attr` are of live buffers of the sizes given beside them.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_LOAD, &raw const attr, size_of::<ProgLoad>()) };
    if fd < 0 {
        let error = io::Error::last_os_error();
        if log[0] == 0 {
            return Err(error);
        }
    } else {
        // SAFETY: the descriptor was just created and nothing else knows it.
        unsafe { libc::close(fd as libc::c_int) };
    }
    let len = log.iter().position(|&byte| byte == 0).unwrap_or(log.len());
    Ok(String::from_utf8_lossy(&log[..len]).into_owned())
}

#[test]
fn linux_computes_the_same_scalars() {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    if !release.starts_with("6.18.") {
        skep_testing::skip!("exact ranges belong to Linux 6.18, this is {}", release.trim());
        return;
    }
    let programs: usize = std::env::var("SKEP_PROGRAMS").ok().and_then(|n| n.parse().ok()).unwrap_or(400);
    let seed = std::env::var("SKEP_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(0x5ee0_0bee);
    let mut random = Random(seed);
    let (mut compared, mut at_jumps, mut decisions, mut differences) = (0, 0, 0, Vec::new());
    for _ in 0..programs {
        let text = program(&mut random);
        let slots = asm::assemble(&text, &asm::Options::default()).unwrap().insns().unwrap();
        let insns = Insn::decode_all(&slots).unwrap();
        let log = match verifier_log(&encode_slots(&slots, Endian::Little)) {
            Ok(log) => log,
            Err(error) => {
                skep_testing::skip!("bpf(2) refused: {error}");
                return;
            }
        };
        let (ours, open) = computed(&insns);
        let mut wrong = usize::MAX;
        for (place, reg, theirs) in printed(&log) {
            let Some(regs) = ours.get(&place) else { continue };
            // What follows a difference differs for no reason of its own.
            if place.0 > wrong {
                continue;
            }
            compared += 1;
            at_jumps += usize::from(place.1);
            let mine = regs[reg.index()].to_string();
            if mine != theirs {
                wrong = place.0;
                let insn = text.lines().nth(place.0).unwrap_or("?");
                let before =
                    ours.range(..(place.0, false)).rfind(|(place, _)| !place.1).map(|(_, regs)| regs);
                let [r6, r7] = [6, 7].map(|reg| before.map_or(String::new(), |regs| regs[reg].to_string()));
                differences.push(format!(
                    "{insn} (jumps: {})  r6={r6} r7={r7}\n  skep  {mine}\n  Linux {theirs}",
                    place.1
                ));
            }
        }
        // Linux goes back to every jump that it could not decide.
        for (pc, ours) in open.into_iter().filter(|&(pc, _)| pc < wrong) {
            decisions += 1;
            let theirs = log.contains(&format!("\nfrom {pc} to "));
            if ours != theirs {
                let insn = text.lines().nth(pc).unwrap_or("?");
                differences.push(format!("{pc}: {insn}: open for skep: {ours}, for Linux: {theirs}\n{log}"));
            }
        }
    }
    println!(
        "{compared} scalars compared, {at_jumps} of them where a jump is taken, and {decisions} decisions; {} differ",
        differences.len()
    );
    assert!(compared > programs * 5, "only {compared} scalars were found in the logs");
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
