//! Files that break the rules: each gets an error that names file, place and reason, and none makes the reader panic.

mod common;

use common::{ALLOC, ElfFile, FUNC, GLOBAL, OBJECT, PROGBITS, insn};
use expect_test::{Expect, expect};
use proptest::prelude::*;
use skep_object::{CoreRelocations, Endian, Object};

/// A small object with a bit of everything.
fn small() -> ElfFile {
    let mut file = ElfFile::new(Endian::Little);
    let code = file.code("xdp", &[insn::wide(0, 0)[0], [0; 8], insn::ZERO, insn::EXIT]);
    let maps = file.section("maps", PROGBITS, ALLOC, file.words(&[1, 4, 8, 16, 0]));
    file.symbol("prog", code, 0, 32, GLOBAL | FUNC);
    let map = file.symbol("counts", maps, 0, 20, GLOBAL | OBJECT);
    file.relocations(code, &[(0, map, 1)]);
    file
}

fn check(bytes: &[u8], expected: Expect) {
    let error = Object::parse(bytes, "bad.o").expect_err("the file is wrong");
    expected.assert_eq(&error.to_string());
}

/// The small object with one thing changed.
fn with(change: impl Fn(&mut ElfFile), expected: Expect) {
    let mut file = small();
    change(&mut file);
    check(&file.bytes(), expected);
}

/// The bytes of the small object, changed.
fn patched(change: impl Fn(&mut Vec<u8>), expected: Expect) {
    let mut bytes = small().bytes();
    change(&mut bytes);
    check(&bytes, expected);
}

#[test]
fn headers() {
    assert!(Object::parse(&small().bytes(), "good.o").is_ok());
    check(
        b"",
        expect![
            "bad.o: not an ELF file (no \\x7fELF at its start); expected an object that clang wrote with -target bpf"
        ],
    );
    check(b"\x7fELF", expect!["bad.o: the file ends inside the ELF header"]);
    check(
        &small().bytes()[..40],
        expect!["bad.o: the file of 40 bytes ends inside the ELF header of 64 bytes"],
    );
    patched(
        |b| b[4] = 1,
        expect![
            "bad.o: a 32-bit ELF file; eBPF objects are 64-bit; expected an object that clang wrote with -target bpf"
        ],
    );
    patched(
        |b| b[5] = 7,
        expect!["bad.o: ELF data encoding 7 is neither 1 (little-endian) nor 2 (big-endian)"],
    );
    patched(
        |b| b[16] = 3,
        expect![
            "bad.o: ELF type 3 is not ET_REL (1): give the relocatable object that the compiler wrote, not a linked file"
        ],
    );
    with(
        |f| f.machine = 62,
        expect![
            "bad.o: made for ELF machine 62, not for BPF (247); expected an object that clang wrote with -target bpf"
        ],
    );
    // Old objects state no machine.
    let mut old = small();
    old.machine = 0;
    assert!(Object::parse(&old.bytes(), "old.o").is_ok());
}

#[test]
fn tables() {
    patched(
        |b| b[60] = 0xff,
        expect![
            "bad.o: the section header table (255 entries of 64 bytes at offset 0x100) does not fit into the file of 640 bytes"
        ],
    );
    patched(
        |b| b[47] = 0x7f,
        expect![
            "bad.o: the section header table (6 entries of 64 bytes at offset 0x7f00000000000100) does not fit into the file of 640 bytes"
        ],
    );
    patched(|b| b[62] = 77, expect!["bad.o: the section name table is section 77, but there are only 6"]);
    with(
        |f| f.sections[1].size = Some(1 << 40),
        expect![
            "bad.o: section maps: its 1099511627776 bytes at file offset 0x60 reach past the end of the file of 640 bytes"
        ],
    );
    with(
        |f| f.sections[1].size = Some(28),
        expect![
            "bad.o: section .relxdp, offset 0x0: overlaps maps, which takes the file's bytes 0x60 to 0x7c"
        ],
    );
    with(
        |f| f.sections[2].info = 9,
        expect![
            "bad.o: section .relxdp: its relocations apply to section 9, but sections are numbered 1 to 5"
        ],
    );
    with(
        |f| f.symbols[0].section = 44,
        expect![
            "bad.o: section .symtab, offset 0x18, symbol prog: it is defined in section 44, but there are only 6"
        ],
    );
    with(
        |f| f.relocations(2, &[(4, 99, 1)]),
        expect!["bad.o: section .relmaps, offset 0x0: relocation 0 names symbol 99, but there are only 3"],
    );
    with(
        |f| f.relocations(2, &[(64, 1, 1)]),
        expect![
            "bad.o: section .relmaps, offset 0x0: relocation 0 applies to offset 0x40 of section maps, which has only 0x14 bytes"
        ],
    );
    with(
        |f| f.sections[2].data.truncate(15),
        expect![
            "bad.o: section .relxdp: its 15 bytes are not a whole number of relocations of 16 bytes each"
        ],
    );
    with(
        |f| {
            f.section(".symtab2", 2, 0, vec![0; 24]);
        },
        expect!["bad.o: section .symtab: a second symbol table; .symtab2 is one already"],
    );
}

#[test]
fn functions() {
    with(
        |f| f.sections[0].data.truncate(31),
        expect!["bad.o: section xdp: its 31 bytes of code are not a whole number of 8-byte instructions"],
    );
    with(
        |f| f.symbols[0].size = 40,
        expect![
            "bad.o: section xdp, offset 0x0, symbol prog: the function's 40 bytes reach past the section's 32 or are not whole instructions"
        ],
    );
    with(
        |f| f.symbols[0].value = 4,
        expect![
            "bad.o: section xdp, offset 0x4, symbol prog: the function does not begin at one of the section's 4 instructions of 8 bytes"
        ],
    );
    with(
        |f| {
            f.symbol("inside", 1, 16, 16, GLOBAL | FUNC);
        },
        expect!["bad.o: section xdp, offset 0x10, symbol inside: the function begins inside prog"],
    );
    with(
        |f| {
            for n in 0..20 {
                f.symbol(&format!("alias{n}"), 1, 0, 32, GLOBAL | FUNC);
            }
        },
        expect![
            "bad.o: section xdp, offset 0x0, symbol alias15: more than 16 symbols name the same function"
        ],
    );
    with(
        |f| f.relocations(1, &[(20, 2, 1)]),
        expect![
            "bad.o: section xdp, offset 0x14, symbol counts: the relocation does not lie on an instruction of 8 bytes"
        ],
    );
    with(
        |f| {
            f.section("version", PROGBITS, ALLOC, vec![1, 2, 3]);
        },
        expect!["bad.o: section version: a kernel version has 4 bytes, this section has 3"],
    );
    with(
        |f| {
            let data = f.section(".data", PROGBITS, ALLOC, vec![0; 8]);
            f.symbol("long", data, 4, 8, GLOBAL | OBJECT);
        },
        expect![
            "bad.o: section .data, symbol long: the variable's 8 bytes at 0x4 reach past the section's 0x8"
        ],
    );
    with(
        |f| {
            let bss = f.section(".bss", common::NOBITS, ALLOC, Vec::new());
            f.sections[bss as usize - 1].size = Some(1 << 32);
        },
        expect![
            "bad.o: section .bss: its 4294967296 bytes of variables do not fit a map, whose value has less than 4 GiB"
        ],
    );
}

#[test]
fn btf_sections() {
    with(
        |f| {
            f.section(".BTF", PROGBITS, 0, vec![1, 2, 3, 4]);
        },
        expect![
            "bad.o: section .BTF: .BTF header, byte 0: the section has 4 bytes, the header alone needs 24"
        ],
    );
    let btf = |endian| {
        let file = ElfFile::new(endian);
        let magic = if endian == Endian::Big { [0xeb, 0x9f, 1, 0] } else { [0x9f, 0xeb, 1, 0] };
        [magic.to_vec(), file.words(&[24, 0, 0, 0, 1]), vec![0]].concat()
    };
    with(
        |f| {
            f.section(".BTF", PROGBITS, 0, btf(Endian::Big));
        },
        expect!["bad.o: section .BTF: its byte order (Big) is not that of the file (Little)"],
    );
    with(
        |f| {
            f.section(".BTF", PROGBITS, 0, btf(Endian::Little));
            f.section(".BTF.ext", PROGBITS, 0, vec![0; 32]);
        },
        expect![
            "bad.o: section .BTF.ext: .BTF.ext header, byte 0: magic bytes 00 00 are not 0xeb9f in either byte order"
        ],
    );
    with(
        |f| {
            f.section(".BTF", PROGBITS, 0, btf(Endian::Little));
            f.section(".maps", PROGBITS, ALLOC, vec![0; 32]);
        },
        expect!["bad.o: section .maps: BTF has no DATASEC of this name to say what maps are in it"],
    );
}

fn real() -> Vec<Vec<u8>> {
    ["maps.el.o", "globals.eb.o", "calls.el.o", "core.eb.o"]
        .iter()
        .map(|name| std::fs::read(format!("{}/tests/objects/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap())
        .collect()
}

/// Everything that a caller may do with an object; none of it panics.
fn use_it(bytes: &[u8]) {
    let Ok(mut object) = Object::parse(bytes, "x.o") else { return };
    let _ = common::show(&object);
    for program in 0..object.programs.len() {
        let _ = object.link_program(program, CoreRelocations::Refuse);
        let _ = object.link_program(program, CoreRelocations::KeepLocal);
    }
    let _ = object.loadable_btf();
    let names: Vec<String> = object.externs.iter().map(|e| e.name.clone()).collect();
    for name in names {
        let _ = object.set_kconfig(&name, "y");
        let _ = object.set_kconfig(&name, "\"text\"");
    }
    let names: Vec<String> = object.variables.iter().map(|v| v.name.clone()).collect();
    for name in names {
        let _ = object.set_int(&name, 1);
    }
}

#[test]
fn names_cannot_blow_up_memory() {
    let with_externs = |count, length| {
        let mut file = small();
        for _ in 0..count {
            file.symbol(&"x".repeat(length), 0, 0, 0, GLOBAL);
        }
        file.bytes()
    };
    assert_eq!(Object::parse(&with_externs(100, 4096), "few.o").unwrap().externs.len(), 100);
    check(
        &with_externs(2000, 4096),
        expect![
            "bad.o: its tables name the same bytes over and over: in memory it would take more than 16 times its size"
        ],
    );
    check(
        &with_externs(1, 4097),
        expect![
            "bad.o: section .symtab, offset 0x48: its name, at offset 0xd of the string table, is longer than 4096 bytes"
        ],
    );
}

#[test]
fn truncation_at_every_byte_is_an_error_or_an_object() {
    for bytes in real() {
        for end in 0..bytes.len() {
            assert!(Object::parse(&bytes[..end], "cut.o").is_err(), "the section headers come last");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(400),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn changed_bytes_never_panic(
        which in 0..4_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = real().swap_remove(which);
        for (index, value) in changes {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        use_it(&bytes);
    }

    #[test]
    fn any_place_in_memory_will_do(shift in 0..16_usize) {
        let bytes = [vec![0; shift], real().swap_remove(0)].concat();
        prop_assert!(Object::parse(&bytes[shift..], "x.o").is_ok());
    }
}
