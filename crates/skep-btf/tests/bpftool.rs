//! The raw and JSON forms are those of bpftool, byte for byte.

use std::io::ErrorKind::NotFound;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use skep_btf::{Btf, BtfBuilder, BtfExt, Endian, MemberDef, TypeDef, testing};

const KERNEL: &str = "/sys/kernel/btf/vmlinux";

/// Runs a tool; `None`, with a line that says so, where it is not installed.
fn run(tool: &str, args: &[&str]) -> Option<Output> {
    match Command::new(tool).args(args).output() {
        Err(e) if e.kind() == NotFound => {
            skep_testing::skip!("{tool} is not installed");
            None
        }
        output => {
            let output = output.unwrap();
            assert!(output.status.success(), "{tool}: {}", String::from_utf8_lossy(&output.stderr));
            Some(output)
        }
    }
}

/// What bpftool prints for a file.
fn bpftool(flags: &[&str], file: &str) -> Option<String> {
    let args = [flags, &["btf", "dump", "file", file]].concat();
    run("bpftool", &args).map(|output| String::from_utf8(output.stdout).unwrap())
}

fn assert_same(ours: &str, theirs: &str) {
    for (i, (ours, theirs)) in ours.lines().zip(theirs.lines()).enumerate() {
        assert_eq!(ours, theirs, "line {}", i + 1);
    }
    assert_eq!(ours.len(), theirs.len());
}

/// One JSON object a line. In bpftool 7.1 an unsigned 32-bit enumerator above 2^31 comes out as a 64-bit number with
/// the upper half set; here as what it is.
fn json_lines(json: &str) -> String {
    let mut in_unsigned_enum = false;
    let mut out = String::new();
    for line in json.trim_end().replace("},{", "},\n{").lines() {
        if line.contains("\"kind\":") {
            in_unsigned_enum = line.contains("\"ENUM\"") && line.contains("\"UNSIGNED\"");
        }
        let value = line.split_once("\"val\":").filter(|_| in_unsigned_enum);
        let value = value.map(|(head, tail)| (head, tail.split_at(tail.find('}').unwrap())));
        match value {
            Some((head, (number, tail))) => {
                let number = number.parse::<u64>().unwrap() as u32;
                out.push_str(&format!("{head}\"val\":{number}{tail}"));
            }
            None => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

fn compare(btf: &Btf, file: &str) {
    let Some(raw) = bpftool(&[], file) else { return };
    assert_same(&btf.raw().to_string(), &raw);
    let json = bpftool(&["-j"], file).unwrap();
    assert_same(&json_lines(&btf.json().to_string()), &json_lines(&json));
}

#[test]
fn kernel_btf() {
    let Ok(bytes) = std::fs::read(KERNEL) else {
        skep_testing::skip!("{KERNEL} is not there");
        return;
    };
    let btf = Btf::parse(&bytes).unwrap();
    assert!(btf.last_id() > 10_000);
    assert!(btf.to_bytes() == bytes, "write∘read is the identity");
    compare(&btf, KERNEL);
}

/// BTF that no compiler would write, alone and split, of either byte order.
#[test]
fn generated_btf() {
    let dir = std::env::temp_dir().join(format!("skep-btf-generated-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let [base_file, split_file] = ["base", "split"].map(|name| dir.join(name).to_str().unwrap().to_owned());
    let mut runner = TestRunner::deterministic();
    for _ in 0..8 {
        let base = testing::btf(150).new_tree(&mut runner).unwrap().current();
        std::fs::write(&base_file, base.to_bytes()).unwrap();
        let Some(raw) = bpftool(&[], &base_file) else { break };
        assert_same(&base.raw().to_string(), &raw);
        let base = Arc::new(base);
        let mut split = BtfBuilder::split(&base);
        for name in ["own_name", base.get(1).unwrap().name(), ""] {
            let members = vec![MemberDef::new(name, 1, 0), MemberDef::new("m", 1, 64)];
            split.add(&TypeDef::structure(name, 16, members)).unwrap();
        }
        let split = split.finish().unwrap();
        std::fs::write(&split_file, split.to_bytes()).unwrap();
        let raw = bpftool(&["-B", &base_file], &split_file).unwrap();
        assert_same(&split.raw().to_string(), &raw);
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

/// A C file that makes clang emit every kind of type.
const SOURCE: &str = r#"
#define SEC(n) __attribute__((section(n), used))
#define DECL(x) __attribute__((btf_decl_tag(x)))
#define TYPE(x) __attribute__((btf_type_tag(x)))
typedef long long s64;
typedef int tagged DECL("typedef tag");
struct fwd;
union ufwd;
enum small { A = -1, B = 5 };
enum large { C = 0, D = 0xffffffffu };
enum small64 { E = -1LL, F = 0x7fffffffffffLL };
enum large64 { G = 0xffffffffffffffffULL, H = 1 };
struct s {
    int a : 3;
    unsigned b : 5;
    s64 c DECL("member tag");
    struct fwd *f;
    union ufwd *u;
    struct { int x; union { char y; _Bool z; }; };
    float fl;
    double d;
    const volatile int *restrict q;
    char n[0];
} DECL("struct tag");
struct s gs SEC(".bss.x");
static int st;
const volatile int ro = 5;
int dat = 7;
extern int config __attribute__((section(".kconfig")));
int TYPE("user") *tp;
enum small e1; enum large e2; enum small64 e3; enum large64 e4;
tagged gtd;
void (*fp)(int, ...);
extern int kfunc(int a) __attribute__((section(".ksyms")));
__attribute__((noinline)) static int sub(int a DECL("parameter tag"), long b) { return a + b + st; }
SEC("xdp") int prog(void *ctx) DECL("function tag")
{
    st++;
    return sub(dat, 5) + kfunc(2) + config + __builtin_preserve_access_index(((struct s *)ctx)->c);
}
SEC("license") char _license[] = "GPL";
"#;

/// A section of an ELF file, cut out by llvm-objcopy.
fn section(object: &Path, name: &str) -> Option<Vec<u8>> {
    let out = object.with_extension("section");
    let dump = format!("--dump-section={name}={}", out.display());
    run("llvm-objcopy-19", &[&dump, object.to_str()?, "/dev/null"])?;
    Some(std::fs::read(out).unwrap())
}

#[test]
fn object_btf() {
    let dir = std::env::temp_dir().join(format!("skep-btf-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let source = dir.join("all.c");
    std::fs::write(&source, SOURCE).unwrap();
    for (target, endian) in [("bpfel", Endian::Little), ("bpfeb", Endian::Big)] {
        let object = dir.join(format!("{target}.o"));
        let args = ["-g", "-O2", "-target", target, "-w", "-c", source.to_str().unwrap(), "-o"];
        let args = [&args[..], &[object.to_str().unwrap()]].concat();
        if run("clang-19", &args).is_none() {
            break;
        }
        let Some(bytes) = section(&object, ".BTF") else { break };
        let btf = Btf::parse(&bytes).unwrap();
        assert_eq!(btf.endian(), endian);
        assert_eq!(btf.to_bytes(), bytes);
        btf.validate_object().unwrap();
        compare(&btf, object.to_str().unwrap());
        let kinds: std::collections::BTreeSet<_> = btf.types().map(skep_btf::Type::kind).collect();
        assert_eq!(kinds.len(), 19, "{kinds:?}");

        let bytes = section(&object, ".BTF.ext").unwrap();
        let ext = BtfExt::parse(&bytes).unwrap();
        assert_eq!(ext.to_bytes(), bytes);
        ext.check(&btf).unwrap();
        let function = |type_id| btf.get(type_id).unwrap().name();
        let of_xdp: Vec<_> = ext.func_info().of_section(&btf, "xdp").collect();
        assert_eq!(
            of_xdp.iter().map(|f| (f.insn_off, function(f.type_id))).collect::<Vec<_>>(),
            [(0, "prog")]
        );
        let of_text: Vec<_> = ext.func_info().of_section(&btf, ".text").collect();
        assert_eq!(
            of_text.iter().map(|f| (f.insn_off, function(f.type_id))).collect::<Vec<_>>(),
            [(0, "sub")]
        );
        let mut lines = ext.line_info().of_section(&btf, "xdp");
        let line = lines.find(|line| line.line_text(&btf).unwrap().trim() == "st++;").unwrap();
        let expected = SOURCE.lines().position(|line| line.trim() == "st++;").unwrap() + 1;
        assert_eq!((line.line() as usize, line.column()), (expected, 7));
        assert!(line.file_name(&btf).unwrap().ends_with("all.c"));
        let relo = ext.core_relo().of_section(&btf, "xdp").next().unwrap();
        assert_eq!(relo.access_str(&btf), Some("0:2"));
        assert_eq!(function(relo.type_id), "s");
    }
    std::fs::remove_dir_all(&dir).unwrap();
}
