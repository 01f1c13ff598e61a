//! Table `interp`: one run of small programs, in the checked interpreter, in another interpreter and in the kernel's JIT.

use std::sync::Arc;

use skep::catalog::ProgramType;
use skep::isa::asm::{Options, assemble};
use skep::isa::{Endian, RawInsn, encode_slots};
use skep::kernel::{Kernel, ProgLoad, TestRun};
use skep::{Handle, System};

use crate::report::{Engine, Report};

const ROUNDS: usize = 15;
/// Runs a round.
const REPEAT: u32 = 2000;

/// Rows: name, and a program that goes round a loop a hundred times.
const PROGRAMS: [(&str, &str); 4] = [
    (
        "arithmetic",
        "r0 = 1; r1 = 100
         again: r0 *= 7; r0 += 3; r2 = r0; r2 >>= 5; r0 ^= r2; r1 += -1; if r1 != 0 goto again
         exit",
    ),
    (
        "stack",
        "r0 = 0; r1 = 100
         again: *(u64 *)(r10 - 8) = r1; r2 = *(u64 *)(r10 - 8); *(u32 *)(r10 - 16) = r2; r3 = *(u32 *)(r10 - 16)
         r0 += r3; r1 += -1; if r1 != 0 goto again
         exit",
    ),
    (
        "branches",
        "r0 = 0; r1 = 100
         again: r2 = r1; r2 &= 3; if r2 == 0 goto zero; if r2 == 1 goto one; r0 += 2; goto next
         zero: r0 += 5; goto next
         one: r0 ^= 9
         next: r1 += -1; if r1 != 0 goto again
         exit",
    ),
    (
        "helper calls",
        "r6 = 100
         again: call 5; r6 += -1; if r6 != 0 goto again
         r0 = 0
         exit",
    ),
];

pub(crate) fn measure(report: &mut Report) -> Result<(), String> {
    let user = System::user();
    let linux = match System::linux() {
        Ok(linux) => Some(linux),
        Err(error) => {
            report.skip("linux jit", &error.to_string());
            None
        }
    };
    for (row, text) in PROGRAMS {
        let assembly = assemble(text, &Options::default()).map_err(|error| format!("{row}: {error}"))?;
        let insns = assembly.insns().map_err(|error| format!("{row}: {error}"))?;
        let mut engines = vec![Engine { name: "skep checked", round: test_run(user.kernel(), &insns)? }];
        if let Some(linux) = &linux {
            engines.insert(0, Engine { name: "linux jit", round: test_run(linux.kernel(), &insns)? });
        }
        // The other interpreter has helpers of its own numbering.
        if row != "helper calls" {
            engines.push(Engine { name: "rbpf interpreter", round: rbpf(&insns)? });
        }
        report.row(row, ROUNDS, &mut engines)?;
    }
    Ok(())
}

type Round<'a> = Box<dyn FnMut() -> Result<f64, String> + 'a>;

/// Nanoseconds of a run by `BPF_PROG_TEST_RUN`'s own account.
fn test_run(kernel: &Arc<dyn Kernel>, insns: &[RawInsn]) -> Result<Round<'static>, String> {
    let load = ProgLoad {
        prog_type: ProgramType::SocketFilter,
        expected_attach_type: None,
        insns: insns.to_vec(),
        maps: Vec::new(),
        license: "GPL".into(),
        kern_version: 0,
        name: "bench".into(),
        flags: 0,
        btf: None,
        attach_btf_id: 0,
        log_level: 0,
    };
    let fd = kernel.prog_load(&load).map_err(|error| format!("{error}\n{}", error.log))?;
    let program = Handle::new(kernel, fd);
    let run = TestRun { data_in: vec![0; 64], repeat: REPEAT, ..TestRun::default() };
    Ok(Box::new(move || {
        let result = program.kernel().prog_test_run(program.fd(), &run).map_err(|error| error.to_string())?;
        Ok(result.duration.as_nanos() as f64)
    }))
}

fn rbpf(insns: &[RawInsn]) -> Result<Round<'static>, String> {
    let bytes: &'static [u8] = encode_slots(insns, Endian::Little).leak();
    let vm = rbpf::EbpfVmNoData::new(Some(bytes)).map_err(|error| error.to_string())?;
    Ok(Box::new(move || {
        let started = std::time::Instant::now();
        for _ in 0..REPEAT {
            std::hint::black_box(vm.execute_program().map_err(|error| error.to_string())?);
        }
        Ok(started.elapsed().as_nanos() as f64 / f64::from(REPEAT))
    }))
}
