//! Objects of other projects, and what libbpf says of them.
//!
//! `SKEP_OBJECTS` names a directory of object files that are not part of this project (those inside Debian's `libbpf-tools` and
//! `xdp-tools`, say). The objects of these tests are always among those read.

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use skep_object::{CoreRelocations, Endian, KernelFacts, MapOrigin, Object, Target};

fn objects() -> Vec<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut directories = vec![own.join("tests/objects")];
    directories.extend(["hello", "execsnoop", "syscount"].map(|name| own.join("../../examples").join(name)));
    directories.extend(std::env::var_os("SKEP_OBJECTS").map(PathBuf::from));
    let mut files: Vec<PathBuf> = directories
        .iter()
        .filter_map(|directory| std::fs::read_dir(directory).ok())
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "o"))
        .collect();
    files.sort();
    assert!(files.len() >= 8, "the objects of the tests themselves are there");
    files
}

#[test]
fn every_object_opens_and_every_program_links() {
    let (mut programs, mut slots, mut unresolved) = (0, 0, Vec::new());
    let files = objects();
    for path in &files {
        let bytes = std::fs::read(path).unwrap();
        let mut object = Object::parse(&bytes, &path.to_string_lossy()).unwrap();
        let facts = KernelFacts { version: 0x61200, has_bpf_cookie: true, has_syscall_wrapper: true };
        object.set_kernel_facts(&facts).unwrap();
        let _ = common::show(&object);
        if object.endian != Endian::HOST {
            continue;
        }
        for (index, program) in object.programs.iter().enumerate() {
            match object.link_program(index, CoreRelocations::KeepLocal) {
                Ok(linked) => {
                    programs += 1;
                    slots += linked.insns.len();
                    assert!(linked.insns.len() >= program.code.insns.len());
                }
                Err(error) => unresolved.push(error.to_string()),
            }
        }
    }
    println!("{} objects, {programs} programs linked, {slots} slots", files.len());
    for error in unresolved {
        println!("{error}");
        assert!(error.contains("kernel"), "only what a kernel must give may be missing");
    }
}

/// `BPF_F_MMAPABLE`: libbpf before 1.2 set it also where all variables are static.
const MMAPABLE: u32 = 1 << 10;

/// What libbpf's debug log says of opening an object, and the same facts of ours, as lines.
#[test]
fn libbpf_reads_the_same() {
    if Command::new("bpftool").arg("version").output().is_err() {
        skep_testing::skip!("bpftool is not installed");
        return;
    }
    let mut compared = 0;
    for path in objects() {
        let run = Command::new("bpftool")
            .args(["-d", "gen", "skeleton"])
            .arg(&path)
            .args(["name", "obj"])
            .output()
            .unwrap();
        if !run.status.success() {
            continue;
        }
        let object = Object::parse(&std::fs::read(&path).unwrap(), "obj.bpf.o").unwrap();
        let log = String::from_utf8_lossy(&run.stderr);
        let theirs: BTreeSet<String> = log.lines().filter_map(fact).collect();
        let ours = our_facts(&object);
        let missing: Vec<_> = theirs.difference(&ours).collect();
        let extra: Vec<_> = ours.difference(&theirs).collect();
        assert!(missing.is_empty() && extra.is_empty(), "{}: {missing:#?} {extra:#?}", path.display());
        compared += theirs.len();
    }
    println!("{compared} facts");
    assert!(compared > 30, "libbpf's log still has the form that this test reads");
}

/// A line of libbpf's log in the form of [`our_facts`].
fn fact(line: &str) -> Option<String> {
    let line = line.strip_prefix("libbpf: ")?;
    if line.contains("': found program '") {
        // sec 'xdp': found program 'one' at insn offset 0 (0 bytes), code size 7 insns (56 bytes)
        let section = line.split('\'').nth(1)?;
        let name = line.split('\'').nth(3)?;
        let offset = line.split("insn offset ").nth(1)?.split(' ').next()?;
        let size = line.split("code size ").nth(1)?.split(' ').next()?;
        return Some(format!("function {section} {name} {offset} {size}"));
    }
    if line.contains("(global data): at sec_idx") {
        let name = line.split('\'').nth(1)?;
        let flags = u32::from_str_radix(line.split("flags ").nth(1)?.trim_end_matches('.'), 16).ok()?;
        return Some(format!("data {name} {:x}", flags & !MMAPABLE));
    }
    if let Some((program, rest)) = line.strip_prefix("prog '")?.split_once("': found ") {
        // prog 'data': found data map 4 (obj.bss, sec 13, off 0) for insn 0
        let is_data = rest.starts_with("data map ");
        if !is_data && !rest.starts_with("map ") {
            return None;
        }
        let name = rest.split('(').nth(1)?.split(',').next()?;
        let slot = rest.split("for insn ").nth(1)?.trim_start_matches('#');
        return Some(format!("{} {program} {slot} {name}", if is_data { "value" } else { "map" }));
    }
    None
}

fn our_facts(object: &Object) -> BTreeSet<String> {
    let mut facts = BTreeSet::new();
    let programs = object.programs.iter().map(|p| (&p.section, &p.name, &p.code));
    let subprograms = object.subprograms.iter().map(|p| (&p.section, &p.name, &p.code));
    for (section, name, code) in programs.chain(subprograms) {
        facts.insert(format!("function {section} {name} {} {}", code.section_offset / 8, code.insns.len()));
        for relocation in &code.relocations {
            let (what, map) = match relocation.target {
                Target::Map(map) => ("map", map),
                Target::MapValue { map, .. } => ("value", map),
                _ => continue,
            };
            facts.insert(format!("{what} {name} {} {}", relocation.slot, object.maps[map].name));
        }
    }
    for map in &object.maps {
        if matches!(map.origin, MapOrigin::Data(_)) {
            facts.insert(format!("data {} {:x}", map.name, map.map_flags & !MMAPABLE));
        }
    }
    facts
}
