//! The programs of `tests/run`: each says in its head how to run it and what comes out, in the interpreter and on Linux.
//!
//! Lines of the head begin with `;!`:
//!
//! - `type NAME`: program type by the end of its uapi name; `raw_tracepoint` unless said otherwise.
//! - `map TYPE KEY VALUE ENTRIES [FLAGS]`: a map, numbered from 0.
//! - `put MAP INDEX`: puts the program itself into a program array.
//! - `ctx BYTES`, `data BYTES`: input of the test run, in hexadecimal.
//! - `budget N`: instructions that the run may take.
//! - `r0 NUMBER`: the result. `fault TEXT`: the run faults with this text in its message. `refused TEXT`: loading is refused with
//!   this text in the log. `trace TEXT`: a line of the trace pipe ends so.
//! - `linux no`: Linux is not asked. Otherwise it must give the same result, or refuse what faults or is refused here.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use skep_catalog::{MapType, ProgramType};
use skep_isa::RawInsn;
use skep_kernel::{Program, ProgramSpec, RunContext, RunOptions, TestRun, TraceBuffer, TracePipe as _};
use skep_maps::{Map, MapSpec};

use super::bpf;

#[derive(Default)]
struct Head {
    prog_type: Option<ProgramType>,
    maps: Vec<MapSpec>,
    puts: Vec<(usize, u32)>,
    ctx: Vec<u8>,
    data: Vec<u8>,
    budget: Option<u64>,
    r0: Option<u64>,
    fault: Option<String>,
    refused: Option<String>,
    trace: Option<String>,
    no_linux: bool,
}

fn number(text: &str) -> u64 {
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let number = text.strip_prefix("0x").map_or_else(|| text.parse(), |hex| u64::from_str_radix(hex, 16));
    number.unwrap().cast_signed().wrapping_mul(sign).cast_unsigned()
}

fn bytes(text: &str) -> Vec<u8> {
    text.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

fn head(text: &str) -> Head {
    let mut head = Head::default();
    for line in text.lines().filter_map(|line| line.strip_prefix(";! ")) {
        let (key, value) = line.split_once(' ').unwrap();
        let value = value.trim();
        let upper = |prefix: &str, name: &str| format!("{prefix}_{}", name.to_uppercase());
        match key {
            "type" => head.prog_type = ProgramType::from_uapi_name(&upper("BPF_PROG_TYPE", value)),
            "map" => {
                let parts: Vec<&str> = value.split_whitespace().collect();
                let size = |index: usize| number(parts[index]) as u32;
                head.maps.push(MapSpec {
                    map_type: MapType::from_uapi_name(&upper("BPF_MAP_TYPE", parts[0])).unwrap(),
                    key_size: size(1),
                    value_size: size(2),
                    max_entries: size(3),
                    flags: parts.get(4).map_or(0, |flags| number(flags) as u32),
                    ..MapSpec::default()
                });
            }
            "put" => {
                let (map, index) = value.split_once(' ').unwrap();
                head.puts.push((number(map) as usize, number(index) as u32));
            }
            "ctx" => head.ctx = bytes(value),
            "data" => head.data = bytes(value),
            "budget" => head.budget = Some(number(value)),
            "r0" => head.r0 = Some(number(value)),
            "fault" => head.fault = Some(value.to_owned()),
            "refused" => head.refused = Some(value.to_owned()),
            "trace" => head.trace = Some(value.to_owned()),
            "linux" => head.no_linux = value == "no",
            _ => panic!("{key}: unknown line of the head"),
        }
    }
    let outcomes = [head.r0.is_some(), head.fault.is_some(), head.refused.is_some()];
    assert_eq!(
        outcomes.iter().filter(|there| **there).count(),
        1,
        "a head says one of r0, fault and refused"
    );
    head
}

fn run_on_skep(name: &str, head: &Head, insns: &[RawInsn], prog_type: ProgramType) {
    let maps: Vec<Arc<dyn Map>> = head.maps.iter().map(|spec| skep_maps::create(spec).unwrap()).collect();
    let trace = Arc::new(TraceBuffer::default());
    let mut reader = trace.reader();
    let spec = ProgramSpec {
        prog_type,
        expected_attach_type: None,
        insns,
        maps: maps.clone(),
        license: "GPL",
        name,
        flags: 0,
        lines: Vec::new(),
        trace,
    };
    let program = match (Program::load(spec), &head.refused) {
        (Err(error), Some(why)) => return assert!(error.log.contains(why), "{name}: {}", error.log),
        (Err(error), None) => panic!("{name}: {error}"),
        (Ok(_), Some(_)) => panic!("{name}: was loaded"),
        (Ok(program), None) => Arc::new(program),
    };
    for (map, index) in &head.puts {
        let slot = program.slot(1, Arc::new(()));
        maps[*map].prog_array().unwrap().set(*index, slot).unwrap();
    }
    let outcome = if head.data.is_empty() {
        let mut ctx = head.ctx.clone();
        let mut context =
            RunContext { cpu: 0, task: &super::NoTask, ctx: &mut ctx, kernel_memory: &[], cookie: 0 };
        let options =
            RunOptions { budget: head.budget.unwrap_or(RunOptions::DEFAULT_BUDGET), ..RunOptions::default() };
        program.run_with(&mut context, &options).map_err(|fault| fault.to_string())
    } else {
        let run = TestRun { data_in: head.data.clone(), ctx_in: head.ctx.clone(), ..TestRun::default() };
        program
            .test_run(&run, &super::NoTask)
            .map(|run| u64::from(run.retval))
            .map_err(|error| error.to_string())
    };
    match (outcome, head.r0, &head.fault) {
        (Ok(r0), Some(wanted), _) => assert_eq!(r0, wanted, "{name}: R0"),
        (Err(fault), _, Some(wanted)) => assert!(fault.contains(wanted), "{name}: {fault}"),
        (outcome, ..) => panic!("{name}: {outcome:?}"),
    }
    if let Some(wanted) = &head.trace {
        let line = reader.next_line(Duration::ZERO).unwrap().unwrap_or_default();
        assert!(line.ends_with(wanted), "{name}: {line}");
    }
    for (map, _) in &head.puts {
        // The program and the array keep each other alive.
        maps[*map].prog_array().unwrap().clear();
    }
}

fn run_on_linux(name: &str, head: &Head, insns: &[RawInsn], prog_type: ProgramType) {
    let maps: Vec<_> = head
        .maps
        .iter()
        .map(|spec| {
            bpf::map(spec.map_type, spec.key_size, spec.value_size, spec.max_entries, spec.flags).unwrap()
        })
        .collect();
    let program = match (bpf::load(prog_type, insns, &maps.iter().collect::<Vec<_>>()), head.r0) {
        (Ok(program), Some(_)) => program,
        (Err(failure), Some(_)) => panic!("{name}: Linux refuses it: {}", failure.log),
        (Ok(_), None) => panic!("{name}: Linux accepts what faults or is refused here"),
        (Err(_), None) => return,
    };
    for (map, index) in &head.puts {
        bpf::put_program(&maps[*map], *index, &program).unwrap();
    }
    let input = bpf::Input { data: head.data.clone(), ctx: head.ctx.clone(), ..bpf::Input::default() };
    let output = bpf::test_run(&program, &input).unwrap();
    assert_eq!(Some(output.retval), head.r0.map(|r0| r0 as u32), "{name}: what Linux returns");
}

#[test]
fn programs_give_what_they_say() {
    let on_linux = bpf::available();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/run");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let head = head(&text);
        let insns = super::assemble(&text);
        let prog_type = head.prog_type.unwrap_or(ProgramType::RawTracepoint);
        run_on_skep(&name, &head, &insns, prog_type);
        if on_linux && !head.no_linux {
            run_on_linux(&name, &head, &insns, prog_type);
        }
    }
}
