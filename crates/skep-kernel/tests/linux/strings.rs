//! Formats and numbers: `bpf_snprintf`, `bpf_strtol`, `bpf_strtoul` and `bpf_strncmp` compared with Linux.

use std::sync::Arc;

use skep_catalog::{MapType, ProgramType};
use skep_kernel::{RunContext, TraceBuffer};
use skep_maps::{CreateFlags, Map, MapSpec, UpdateFlags};

use super::bpf;

/// Bytes in the values of both maps.
const VALUE: usize = 512;
/// Where the second map's value holds text, after the result.
const TEXT: usize = 8;
const TEXT_SIZE: usize = 200;
/// Where it holds strings and addresses that formats point to.
const POINTED: usize = 256;
const POINTED_BYTES: &[u8] = b"hello\0\xc0\xa8\x01\x02\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\0";

/// Runs a program whose first map holds `constant`, read-only, and whose second map gets the results. Answers that map's value;
/// None when Linux refuses the program.
fn on_linux(text: &str, constant: &[u8]) -> Option<Vec<u8>> {
    let rdonly = bpf::map(MapType::Array, 4, VALUE as u32, 1, CreateFlags::RDONLY_PROG).unwrap();
    let out = bpf::array(VALUE as u32).unwrap();
    bpf::update(&rdonly, &padded(constant)).unwrap();
    bpf::freeze(&rdonly).unwrap();
    bpf::update(&out, &initial()).unwrap();
    let insns = super::assemble(text);
    let program = match bpf::load(ProgramType::RawTracepoint, &insns, &[&rdonly, &out]) {
        Ok(program) => program,
        Err(failure) if failure.log.contains("Invalid format string") => return None,
        Err(failure) => panic!("{}\n{text}", failure.log),
    };
    bpf::test_run(&program, &bpf::Input::default()).unwrap();
    let mut value = vec![0; VALUE];
    bpf::lookup(&out, &mut value).unwrap();
    Some(value)
}

/// The same in the user-space kernel.
fn on_skep(text: &str, constant: &[u8]) -> Vec<u8> {
    let map = |flags| -> Arc<dyn Map> {
        let spec = MapSpec { value_size: VALUE as u32, flags, ..MapSpec::default() };
        skep_maps::create(&spec).unwrap()
    };
    let (rdonly, out) = (map(CreateFlags::RDONLY_PROG), map(0));
    rdonly.update(&[0; 4], &padded(constant), UpdateFlags::ANY).unwrap();
    out.update(&[0; 4], &initial(), UpdateFlags::ANY).unwrap();
    let insns = super::assemble(text);
    let trace = Arc::new(TraceBuffer::default());
    let program = super::load(ProgramType::RawTracepoint, &insns, vec![rdonly, Arc::clone(&out)], &trace);
    let mut context =
        RunContext { cpu: 0, task: &super::NoTask, ctx: &mut [], kernel_memory: &[], cookie: 0 };
    program.run(&mut context).unwrap();
    out.lookup(&[0; 4], 0).unwrap()
}

fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut value = bytes.to_vec();
    value.resize(VALUE, 0);
    value
}

fn initial() -> Vec<u8> {
    let mut value = padded(&[]);
    value[POINTED..][..POINTED_BYTES.len()].copy_from_slice(POINTED_BYTES);
    value
}

fn result(value: &[u8]) -> i64 {
    i64::from_ne_bytes(value[..8].try_into().unwrap())
}

fn text_of(value: &[u8]) -> String {
    String::from_utf8_lossy(&value[TEXT..TEXT + TEXT_SIZE]).trim_end_matches('\0').to_owned()
}

/// An argument of a format: a number, or a distance into the pointed-to bytes.
#[derive(Clone, Copy)]
enum A {
    N(u64),
    P(usize),
}
use A::{N, P};

/// Code that formats with `bpf_snprintf`.
fn snprintf(args: &[A], size: usize) -> String {
    let mut text = String::new();
    for (index, arg) in args.iter().enumerate() {
        text += &match arg {
            N(number) => format!("r1 = {number:#x} ll\n"),
            P(offset) => format!("r1 = map[idx:1][0]+{} ll\n", POINTED + offset),
        };
        text += &format!("*(u64 *)(r10 - {}) = r1\n", 96 - index * 8);
    }
    let len = args.len() * 8;
    text += &format!("r1 = map[idx:1][0]+{TEXT} ll\nr2 = {size}\nr3 = map[idx:0][0]+0 ll\n");
    text += &if len == 0 { "r4 = 0\n".to_owned() } else { "r4 = r10\nr4 += -96\n".to_owned() };
    text + &format!("r5 = {len}\ncall snprintf\nr1 = map[idx:1][0]+0 ll\n*(u64 *)(r1 + 0) = r0\nr0 = 0\nexit")
}

#[test]
fn formats_give_what_linux_gives() {
    if !bpf::available() {
        return;
    }
    let max = u64::MAX;
    let cases: &[(&[u8], &[A])] = &[
        (b"hi %d", &[N(42)]),
        (b"", &[]),
        (b"line\n", &[]),
        (b"%x %X %u", &[N(255), N(0xabcdef), N(max)]),
        (b"%i|%d", &[N(max), N(1 << 33)]),
        (b"%lu %llx %ld", &[N(max), N(1 << 63), N(max - 2)]),
        (b"%lli %llu %lX", &[N(5), N(6), N(0xabc << 36)]),
        (b"%5d|%-5d|%05d", &[N(3), N(4), N(5)]),
        (b"%5d|%-5d|%05d", &[N(max), N(max), N(max)]),
        (b"%+d % d %+05d %-+5d|", &[N(1), N(1), N(1), N(1)]),
        (b"%0 5d|%- 5d|%00005d", &[N(1), N(1), N(1)]),
        (b"%+u %+x", &[N(1), N(1)]),
        (b"%08x|%-8x|%8X", &[N(255), N(255), N(255)]),
        (b"%016lx|%16lx|%-16lx|", &[N(255), N(255), N(255)]),
        (b"%%|%% %d", &[N(1)]),
        (b"%c%c|%5c|%-5c|%05c", &[N(65), N(66), N(67), N(68), N(69)]),
        (b"%s|%10s|%-10s|%010s", &[P(0), P(0), P(0), P(0)]),
        (b"%s,%s.%s", &[N(0), N(16), P(2)]),
        (b"%pks|%pus", &[P(0), N(0)]),
        (b"%px|%5px|%16px|%-8px|%05px", &[N(1), N(2), N(3), N(4), N(5)]),
        (b"%p|%pK|%10p|", &[N(0), N(0), N(0)]),
        (b"%p|%p", &[N(max), N(max - 4094)]),
        (b"%ps %pS %pB", &[N(1), N(2), N(3)]),
        (b"%8ps|%-8pS|", &[N(1), N(2)]),
        (b"%pi4 %pI4", &[P(6), P(6)]),
        (b"%pi6 %pI6", &[P(10), P(10)]),
        (b"%pI4 %pI6", &[N(0), N(16)]),
        (b"%pI6c|%pI4b", &[P(10), P(6)]),
        (b"%20pI4|%-20pi4|", &[P(6), P(6)]),
        (b"%psx|%pxyz|%pi4x", &[N(1), N(2), P(6)]),
        (b"%px!%px.%px,", &[N(1), N(2), N(3)]),
        (b"\xc3\xa9 %d", &[N(1)]),
        (b"%s\xc2\xa7", &[P(0)]),
        (b"%150d", &[N(1)]),
        (b"%300d|", &[N(1)]),
        // What Linux refuses.
        (b"%d", &[]),
        (b"%hd", &[N(1)]),
        (b"%#x", &[N(1)]),
        (b"%.3d", &[N(1)]),
        (b"%*d", &[N(1)]),
        (b"%f", &[N(1)]),
        (b"%o", &[N(1)]),
        (b"%z", &[N(1)]),
        (b"%", &[N(1)]),
        (b"%l", &[N(1)]),
        (b"%5", &[N(1)]),
        (b"%-", &[N(1)]),
        (b"%5%", &[N(1)]),
        (b"%ld%", &[N(1)]),
        (b"%lc", &[N(65)]),
        (b"%ls", &[P(0)]),
        (b"%lp", &[N(65)]),
        (b"%llld", &[N(65)]),
        (b"%pf", &[N(1)]),
        (b"%pd", &[N(1)]),
        (b"%pA", &[N(1)]),
        (b"%pX", &[N(1)]),
        (b"%pk", &[N(1)]),
        (b"%pu", &[N(1)]),
        (b"%pi", &[N(1)]),
        (b"%pI5", &[N(1)]),
        (b"%pusx", &[N(0)]),
        (b"x%sy", &[P(0)]),
        (b"a\x01b", &[]),
        (b"a\x7fb", &[]),
        (b"%d\x1b", &[N(1)]),
    ];
    for (fmt, args) in cases {
        for size in [TEXT_SIZE, 5, 1] {
            let code = snprintf(args, size);
            let ours = on_skep(&code, fmt);
            let name = String::from_utf8_lossy(fmt);
            match on_linux(&code, fmt) {
                None => assert_eq!(result(&ours), -22, "{name}: Linux refuses it"),
                Some(linux) => {
                    assert_eq!(text_of(&ours), text_of(&linux), "{name} in {size} bytes");
                    assert_eq!(result(&ours), result(&linux), "{name} in {size} bytes");
                }
            }
        }
    }
}

#[test]
fn numbers_are_read_as_on_linux() {
    if !bpf::available() {
        return;
    }
    let texts: &[&str] = &[
        "0",
        "1",
        "42",
        "-42",
        "  7",
        "\t\n -8x",
        "+5",
        "",
        " ",
        "-",
        "--1",
        "x",
        "0x",
        "0x1f",
        "0X1F",
        "0xg",
        "00",
        "017",
        "018",
        "08",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "-9223372036854775809",
        "18446744073709551615",
        "18446744073709551616",
        "0xffffffffffffffff",
        "0x10000000000000000",
        "123abc",
        "1 2",
        "-0",
        "0-",
        "0x-1",
        "deadbeef",
        "000000000000000000000000000000000000000000000000000000000000000000000000007",
    ];
    for helper in ["strtol", "strtoul"] {
        for base in [0, 8, 10, 16, 7, 32] {
            for text in texts {
                let len = text.len().max(1);
                let code = format!(
                    "r1 = map[idx:0][0]+0 ll\nr2 = {len}\nr3 = {base}\nr4 = map[idx:1][0]+8 ll\n*(u64 *)(r4 + 0) = 99\n
                     call {helper}\nr1 = map[idx:1][0]+0 ll\n*(u64 *)(r1 + 0) = r0\nr0 = 0\nexit"
                );
                let ours = on_skep(&code, text.as_bytes());
                let linux = on_linux(&code, text.as_bytes()).unwrap();
                assert_eq!(ours[..16], linux[..16], "{helper} of {text:?} in base {base}");
            }
        }
    }
}

#[test]
fn strings_compare_as_on_linux() {
    if !bpf::available() {
        return;
    }
    for (first, second) in [
        ("", ""),
        ("a", "b"),
        ("b", "a"),
        ("abc", "abc"),
        ("abc", "abd"),
        ("abc", "ab"),
        ("ab", "abc"),
        ("\x7f", "\u{80}"),
    ] {
        for len in [1, 2, 3, 4, 8] {
            let mut constant = padded(first.as_bytes());
            constant[64..][..second.len()].copy_from_slice(second.as_bytes());
            let code = format!(
                "r1 = map[idx:0][0]+0 ll\nr2 = {len}\nr3 = map[idx:0][0]+64 ll\ncall strncmp\nr1 = map[idx:1][0]+0 ll
                 *(u64 *)(r1 + 0) = r0\nr0 = 0\nexit"
            );
            let (ours, linux) = (on_skep(&code, &constant), on_linux(&code, &constant).unwrap());
            assert_eq!(
                result(&ours).signum(),
                result(&linux).signum(),
                "{first:?} and {second:?}, {len} bytes"
            );
        }
    }
}
