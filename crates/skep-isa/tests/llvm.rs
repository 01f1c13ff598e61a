//! Agreement with LLVM 19, where its tools are installed: text of the disassembler, bytes of the assembler.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use object::{
    Object as _, ObjectSection as _, ObjectSymbol as _, RelocationFlags, RelocationTarget, SymbolKind,
};
use skep_isa::asm::{Options, assemble};
use skep_isa::disasm::{Listing, Relocation, Style, Symbol, disassemble};
use skep_isa::{Endian, Insn, decode_slots, encode_slots, testing};

/// True when the tools run; says so when they do not.
fn installed(tools: &[&str]) -> bool {
    let missing = tools.iter().find(|tool| Command::new(tool).arg("--version").output().is_err());
    if let Some(tool) = missing {
        skep_testing::skip!("{tool} is not installed");
    }
    missing.is_none()
}

/// Runs a tool, which must succeed, and gives what it printed.
fn run(tool: &str, args: &[&str]) -> String {
    let output = Command::new(tool).args(args).output().unwrap();
    assert!(output.status.success(), "{tool} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A directory of this test's own, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("skep-isa-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const ENDIANS: [(Endian, &str); 2] = [(Endian::Little, "bpfel"), (Endian::Big, "bpfeb")];

/// What `llvm-objdump -d -r` prints for an object, by our listing.
fn listing_of(object: &[u8], style: Style) -> String {
    let file = object::File::parse(object).unwrap();
    let endian = if file.is_little_endian() { Endian::Little } else { Endian::Big };
    let mut out = String::new();
    for section in file.sections() {
        if section.kind() != object::SectionKind::Text || section.size() == 0 {
            continue;
        }
        let name = section.name().unwrap();
        let bytes = section.data().unwrap();
        let mut listing = Listing::new(name, bytes, endian);
        listing.style = style;
        for symbol in file.symbols() {
            if symbol.section_index() == Some(section.index()) && symbol.kind() != SymbolKind::Section {
                listing
                    .symbols
                    .push(Symbol { offset: symbol.address(), name: symbol.name().unwrap().to_owned() });
            }
        }
        for (offset, relocation) in section.relocations() {
            let RelocationFlags::Elf { r_type, .. } = relocation.flags() else { continue };
            let kind = match r_type.0 {
                1 => "R_BPF_64_64",
                2 => "R_BPF_64_ABS64",
                10 => "R_BPF_64_32",
                other => panic!("relocation type {other}"),
            };
            let RelocationTarget::Symbol(index) = relocation.target() else { continue };
            let symbol = file.symbol_by_index(index).unwrap();
            let name = match symbol.section_index() {
                Some(index) if symbol.kind() == SymbolKind::Section => {
                    file.section_by_index(index).unwrap().name().unwrap()
                }
                _ => symbol.name().unwrap(),
            };
            listing.relocations.push(Relocation { offset, text: format!("{kind}\t{name}") });
        }
        write!(out, "\nDisassembly of section {name}:\n\n{listing}").unwrap();
    }
    out
}

/// The listings of `llvm-objdump -d -r`, without its heading and the CO-RE relocations, which come from `.BTF.ext`.
fn objdump(path: &str, cpu: Option<&str>) -> String {
    let mut args = vec!["-d", "-r"];
    let cpu = cpu.map(|cpu| format!("--mcpu={cpu}"));
    args.extend(cpu.as_deref());
    args.push(path);
    let text = run("llvm-objdump-19", &args);
    let listings = text.split_once("file format elf64-bpf\n").unwrap().1;
    listings.lines().filter(|line| !line.contains(":  CO-RE <")).flat_map(|line| [line, "\n"]).collect()
}

fn assert_same_lines(ours: &str, theirs: &str, what: &str) {
    for (number, (ours, theirs)) in ours.lines().zip(theirs.lines()).enumerate() {
        // Without a processor objdump does not know 32-bit atomic operations; see Style::OBJDUMP.
        if what.ends_with("default") && theirs.contains(":\tc3 ") {
            continue;
        }
        assert_eq!(ours.trim_end(), theirs.trim_end(), "{what}, line {}", number + 1);
    }
    assert_eq!(ours.trim_end().lines().count(), theirs.trim_end().lines().count(), "{what}");
}

fn committed(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(path)).unwrap()
}

#[test]
fn every_form_assembles_and_prints_as_with_llvm() {
    if !installed(&["llvm-mc-19", "llvm-objdump-19"]) {
        return;
    }
    let scratch = Scratch::new("forms");
    let source: String = committed("insns/llvm.txt")
        .lines()
        .filter(|line| !line.starts_with(' '))
        .flat_map(|line| [line, "\n"])
        .collect();
    std::fs::write(scratch.file("forms.s"), &source).unwrap();
    for (endian, triple) in ENDIANS {
        let object = scratch.file(&format!("{triple}.o"));
        run(
            "llvm-mc-19",
            &["-triple", triple, "-mcpu=v4", "-filetype=obj", "-o", &object, &scratch.file("forms.s")],
        );
        let bytes = std::fs::read(&object).unwrap();
        let file = object::File::parse(&*bytes).unwrap();
        let theirs = file.section_by_name(".text").unwrap().data().unwrap();
        let ours = assemble(&source, &Options { endian, ..Options::default() }).unwrap();
        assert_eq!(ours.sections[0].bytes, theirs, "{triple}");

        assert_same_lines(
            &listing_of(&bytes, Style::OBJDUMP),
            &objdump(&object, None),
            &format!("{triple} default"),
        );
        assert_same_lines(&listing_of(&bytes, Style::OBJDUMP_V3), &objdump(&object, Some("v3")), triple);
    }
}

/// A program with what compilers make: maps, globals, calls, loops, switches, atomics, byte order, signed arithmetic.
const PROGRAM: &str = r#"
#define SEC(n) __attribute__((section(n), used))
#define noinline __attribute__((noinline))
typedef unsigned char u8; typedef unsigned short u16; typedef unsigned int u32; typedef unsigned long long u64;
typedef signed char s8; typedef short s16; typedef int s32; typedef long long s64;
struct { int (*type)[1]; u32 *key; u64 *value; } counts SEC(".maps");
static void *(*map_lookup_elem)(void *, const void *) = (void *)1;
static long (*trace_printk)(const char *, u32, ...) = (void *)6;
static long (*loop)(u32, void *, void *, u64) = (void *)181;
extern int kfunc(int) SEC(".ksyms");
u64 total;
static u64 parity;
const volatile u32 limit = 7;
const volatile s32 table[] = { -3, 5, 8, 13, -21, 34, 55, 89 };
static noinline int scale(int x) { asm volatile("" ::: "memory"); return x * 3 + limit; }
noinline int global(int x) { return (u32)scale(x) / 5 + 1; }
static int callback(u32 i, u64 *sum) { *sum += i; return 0; }
SEC("tp/one") int one(void *ctx)
{
	u32 key = 0;
	u64 *value = map_lookup_elem(&counts, &key), sum = 0;
	if (value) __sync_fetch_and_add(value, 1);
	for (int i = 0; i < limit; i++) {
		total += global(i) + kfunc(i) + table[i & 7];
		if (total > 5000000000ull) break;
		parity ^= total;
	}
	loop(10, callback, &sum, 0);
	char format[] = "total %d\n";
	trace_printk(format, sizeof format, total);
	return parity + sum;
}
SEC("xdp") int two(s64 *ctx)
{
	s64 a = ctx[0], b = ctx[1];
	u8 c = a; s8 d = *(s8 *)(ctx + 2); s16 e = *(s16 *)(ctx + 3); u16 f = *(u16 *)(ctx + 4); s32 g = *(s32 *)(ctx + 5);
	switch (c) { case 1: return 2; case 2: return 5; case 9: return 11; case 4: return 77; case 200: return 1; }
	if (a < b) return a >> 3;
	if ((u32)a <= (u32)b) return (s32)a >> 5;
	if (a & 0x10000) return -a;
	return (u64)a % 10 + (u32)b / 3 + d + e + __builtin_bswap16(f) + __builtin_bswap32(g) + (s8)b + (u64)__builtin_bswap64(a);
}
#if __BPF_CPU_VERSION__ >= 3
SEC("tc") int three(u32 *words)
{
	u64 wide = words[0];
	u32 narrow = __sync_fetch_and_or(words, 3) + __sync_val_compare_and_swap(words, 1, 2) + __sync_lock_test_and_set(words, 7);
	__sync_fetch_and_xor(words + 1, 5);
	__sync_fetch_and_and(words + 2, 5);
	return narrow + __sync_fetch_and_add(&wide, 2) + __sync_val_compare_and_swap(&wide, 1, 2);
}
#endif
#if __BPF_CPU_VERSION__ >= 4
SEC("tc") int four(s64 *ctx) { return ctx[0] / ctx[1] + ctx[2] % 7 + (s32)ctx[3] / (s32)ctx[4]; }
#endif
char LICENSE[] SEC("license") = "GPL";
"#;

#[test]
fn random_instructions_print_as_with_llvm() {
    use proptest::strategy::{Strategy as _, ValueTree as _};
    use proptest::test_runner::TestRunner;

    if !installed(&["llvm-mc-19", "llvm-objdump-19"]) {
        return;
    }
    let scratch = Scratch::new("random");
    let mut runner = TestRunner::deterministic();
    let insns: Vec<Insn> = (0..20_000)
        .map(|_| testing::insn().new_tree(&mut runner).unwrap().current())
        // LLVM 19 came before these.
        .filter(|insn| !matches!(insn, Insn::LoadAcquire { .. } | Insn::StoreRelease { .. }))
        .collect();
    let program = Insn::encode_all(&insns);
    for (endian, triple) in ENDIANS {
        let (code, source, object) = (scratch.file("code"), scratch.file("code.s"), scratch.file("code.o"));
        std::fs::write(&code, encode_slots(&program, endian)).unwrap();
        std::fs::write(&source, format!(".text\n.incbin \"{code}\"\n")).unwrap();
        run("llvm-mc-19", &["-triple", triple, "-filetype=obj", "-o", &object, &source]);
        let bytes = std::fs::read(&object).unwrap();
        assert_same_lines(
            &listing_of(&bytes, Style::OBJDUMP),
            &objdump(&object, None),
            &format!("{triple} default"),
        );
        assert_same_lines(&listing_of(&bytes, Style::OBJDUMP_V3), &objdump(&object, Some("v3")), triple);
    }
}

/// Checks an object: our listing is objdump's, and the text of each instruction reads back. Gives the opcodes it has.
fn check_object(path: &str) -> Vec<u8> {
    let bytes = std::fs::read(path).unwrap();
    assert_same_lines(&listing_of(&bytes, Style::OBJDUMP), &objdump(path, None), &format!("{path} default"));
    assert_same_lines(&listing_of(&bytes, Style::OBJDUMP_V3), &objdump(path, Some("v3")), path);

    let file = object::File::parse(&*bytes).unwrap();
    let endian = if file.is_little_endian() { Endian::Little } else { Endian::Big };
    let mut opcodes = Vec::new();
    for section in file.sections().filter(|section| section.kind() == object::SectionKind::Text) {
        let bytes = section.data().unwrap();
        let slots = decode_slots(bytes, endian).unwrap();
        let text =
            disassemble(&slots).unwrap_or_else(|e| panic!("{path}, section {:?}: {e}", section.name()));
        let again = assemble(&text, &Options { endian, ..Options::default() }).unwrap();
        assert!(again.sections[0].bytes == bytes, "{path}, section {:?}", section.name());
        opcodes.extend(slots.iter().filter_map(|slot| slot.form()).map(|form| form.opcode));
    }
    opcodes
}

#[test]
fn compiled_programs_print_as_with_llvm_and_read_back() {
    if !installed(&["clang-19", "llvm-objdump-19"]) {
        return;
    }
    let scratch = Scratch::new("compiled");
    std::fs::write(scratch.file("program.c"), PROGRAM).unwrap();
    let mut seen = BTreeSet::new();
    for (_, target) in ENDIANS {
        for cpu in ["v1", "v2", "v3", "v4"] {
            let object = scratch.file(&format!("program-{target}-{cpu}.o"));
            let cpu = format!("-mcpu={cpu}");
            let flags = ["-target", target, &cpu, "-O2", "-g", "-Wno-all", "-c", "-o", &object];
            run("clang-19", &[&flags[..], &[&scratch.file("program.c")]].concat());
            seen.extend(check_object(&object));
        }
    }
    assert!(seen.len() > 50, "the programs have only {} of the opcodes", seen.len());
}

/// The project's own examples, and whatever objects lie in the directory that `SKEP_TEST_OBJECTS` names.
#[test]
fn objects_at_hand_print_as_with_llvm_and_read_back() {
    if !installed(&["llvm-objdump-19"]) {
        return;
    }
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut directories: Vec<PathBuf> =
        std::fs::read_dir(examples).unwrap().map(|e| e.unwrap().path()).collect();
    directories.extend(std::env::var_os("SKEP_TEST_OBJECTS").map(PathBuf::from));
    let mut checked = 0;
    for directory in directories.iter().filter(|directory| directory.is_dir()) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "o") {
                check_object(path.to_str().unwrap());
                checked += 1;
            }
        }
    }
    assert!(checked > 0, "there are no objects");
}

#[test]
fn the_compilers_assembly_assembles_to_the_compilers_object() {
    if !installed(&["clang-19"]) {
        return;
    }
    let scratch = Scratch::new("assembly");
    std::fs::write(scratch.file("program.c"), PROGRAM).unwrap();
    for (endian, target) in ENDIANS {
        for cpu in ["-mcpu=v1", "-mcpu=v4"] {
            let source = scratch.file("program.c");
            let flags = ["-target", target, cpu, "-O2", "-g", "-Wno-all"];
            run("clang-19", &[&flags[..], &["-c", "-o", &scratch.file("program.o"), &source]].concat());
            run("clang-19", &[&flags[..], &["-S", "-o", &scratch.file("program.s"), &source]].concat());
            let text = std::fs::read_to_string(scratch.file("program.s")).unwrap();
            let ours =
                assemble(&text, &Options { endian, ..Options::default() }).unwrap_or_else(|e| panic!("{e}"));
            let bytes = std::fs::read(scratch.file("program.o")).unwrap();
            let theirs = object::File::parse(&*bytes).unwrap();
            let mut compared = 0;
            for section in theirs.sections().filter(|s| s.kind() == object::SectionKind::Text && s.size() > 0)
            {
                let name = section.name().unwrap();
                let mine = ours.section(name).unwrap_or_else(|| panic!("no section {name}"));
                compare_code(&theirs, &section, mine, endian, &format!("{target} {cpu} {name}"));
                compared += 1;
            }
            assert!(compared >= 3);
            for name in [".rodata", "license", ".BTF", ".BTF.ext"] {
                let section = theirs.section_by_name(name).unwrap();
                let mut mine = ours.section(name).unwrap().bytes.clone();
                let mut expected = section.data().unwrap().to_vec();
                // Addends differ where we name a local symbol and they its section.
                for (offset, _) in section.relocations() {
                    let field = offset as usize..offset as usize + 4;
                    expected[field.clone()].fill(0);
                    mine[field].fill(0);
                }
                assert!(mine == expected, "{target} {cpu} {name}");
            }
            let size = |name| ours.section(name).map(|section| (section.size, section.align));
            for name in [".bss", ".maps"] {
                let section = theirs.section_by_name(name).unwrap();
                assert_eq!(size(name), Some((section.size(), section.align())), "{target} {cpu} {name}");
            }
            for symbol in theirs.symbols().filter(|s| s.is_definition() && s.is_global()) {
                let name = symbol.name().unwrap();
                let mine = ours
                    .symbols
                    .iter()
                    .find(|s| s.name == name)
                    .unwrap_or_else(|| panic!("no symbol {name}"));
                assert_eq!((mine.offset, mine.size), (symbol.address(), symbol.size()), "{name}");
            }
        }
    }
}

/// Code must be equal but for relocated fields, where LLVM refers to a section plus an offset instead of a local symbol
/// and leaves calls of global functions in the section open.
fn compare_code(
    theirs: &object::File<'_>,
    section: &object::Section<'_, '_>,
    mine: &skep_isa::asm::Section,
    endian: Endian,
    what: &str,
) {
    let relocations: BTreeMap<u64, _> = section.relocations().collect();
    let (their_slots, my_slots) =
        (decode_slots(section.data().unwrap(), endian).unwrap(), decode_slots(&mine.bytes, endian).unwrap());
    assert_eq!(their_slots.len(), my_slots.len(), "{what}");
    for (at, (theirs_slot, my_slot)) in their_slots.iter().zip(&my_slots).enumerate() {
        let offset = at as u64 * 8;
        let Some(relocation) = relocations.get(&offset) else {
            assert_eq!(theirs_slot, my_slot, "{what}, slot {at}");
            continue;
        };
        let RelocationTarget::Symbol(index) = relocation.target() else { panic!("{what}") };
        let symbol = theirs.symbol_by_index(index).unwrap();
        let my_relocation = mine.relocations.iter().find(|r| r.offset == offset);
        assert_eq!((theirs_slot.opcode, theirs_slot.src), (my_slot.opcode, my_slot.src), "{what}, slot {at}");
        match my_relocation {
            Some(mine) if symbol.kind() != SymbolKind::Section => {
                assert_eq!(mine.symbol, symbol.name().unwrap());
            }
            // A local symbol here, its section there; or a call resolved here.
            _ => {}
        }
    }
    assert!(mine.relocations.iter().all(|r| relocations.contains_key(&r.offset)), "{what}");
}
