//! Objects as older compilers and other loaders' toolchains make them: legacy maps, symbols without type or size, code
//! without symbols.

mod common;

use common::{
    ALLOC, ElfFile, FUNC, GLOBAL, LOCAL, NOTYPE, OBJECT, PROGBITS, SECTION, WEAK, insn, show, show_linked,
};
use expect_test::{Expect, expect};
use skep_object::{CoreRelocations, Endian, Object};

const BOTH: [Endian; 2] = [Endian::Little, Endian::Big];

/// Reads what `build` writes, in both byte orders, and compares the text of it.
fn check(build: impl Fn(&mut ElfFile), expected: Expect) {
    let [little, big] = BOTH.map(|endian| {
        let mut file = ElfFile::new(endian);
        build(&mut file);
        match Object::parse(&file.bytes(), "dir/old.bpf.o") {
            Ok(object) => show(&object).replacen("Big", "Little", 1),
            Err(error) => format!("{error}\n"),
        }
    });
    expected.assert_eq(&little);
    assert_eq!(little, big, "both byte orders say the same");
}

/// A `maps` section of one record of these words for each name, with symbols of this size.
fn maps(file: &mut ElfFile, records: &[(&str, &[u32])], size: impl Fn(u64) -> u64) {
    let mut data = Vec::new();
    let mut symbols = Vec::new();
    for (name, words) in records {
        symbols.push((*name, data.len() as u64));
        data.extend(file.words(words));
    }
    let section = file.section("maps", PROGBITS, ALLOC, data);
    for ((name, offset), (_, words)) in symbols.into_iter().zip(records) {
        file.symbol(name, section, offset, size(words.len() as u64 * 4), GLOBAL | OBJECT);
    }
}

#[test]
fn records_of_16_and_20_bytes() {
    check(
        |file| maps(file, &[("short", &[1, 4, 8, 16])], |size| size),
        expect![[r#"
            object old Little license "" version 0x0
            map short [maps+0x0] HASH key 4 value 8 max 16 flags 0x0 legacy 16 id 0 inner 0 at 0
        "#]],
    );
    check(
        |file| maps(file, &[("a", &[1, 4, 8, 16, 1]), ("b", &[2, 4, 40, 3, 0])], |_| 0),
        expect![[r#"
            object old Little license "" version 0x0
            map a [maps+0x0] HASH key 4 value 8 max 16 flags 0x1 legacy 20 id 0 inner 0 at 0
            map b [maps+0x14] ARRAY key 4 value 40 max 3 flags 0x0 legacy 20 id 0 inner 0 at 0
        "#]],
    );
}

#[test]
fn records_of_24_bytes_name_the_inner_map_by_position() {
    check(
        |file| maps(file, &[("inner", &[1, 4, 8, 16, 0, 0]), ("outer", &[12, 4, 4, 2, 0, 0])], |size| size),
        expect![[r#"
            object old Little license "" version 0x0
            map inner [maps+0x0] HASH key 4 value 8 max 16 flags 0x0 legacy 24 id 0 inner 0 at 0
            map outer [maps+0x18] ARRAY_OF_MAPS key 4 value 4 max 2 flags 0x0 legacy 24 id 0 inner 0 at 0
              inner inner [maps+0x0] HASH key 4 value 8 max 16 flags 0x0 legacy 24 id 0 inner 0 at 0
        "#]],
    );
}

#[test]
fn records_of_28_bytes_are_those_of_the_samples_or_of_aya() {
    check(
        |file| {
            maps(file, &[("numa", &[1, 4, 8, 16, 4, 0, 3]), ("aya", &[27, 0, 0, 4096, 0, 7, 1])], |size| {
                size
            });
        },
        expect![[r#"
            object old Little license "" version 0x0
            map numa [maps+0x0] HASH key 4 value 8 max 16 flags 0x4 numa 3 legacy 28 id 0 inner 0 at 0
            map aya [maps+0x1c] RINGBUF key 0 value 0 max 4096 flags 0x0 pinning ByName legacy 28 id 7 inner 0 at 0
        "#]],
    );
}

#[test]
fn records_of_iproute2_name_inner_maps_and_tail_calls_by_id() {
    check(
        |file| {
            maps(
                file,
                &[
                    ("inner", &[2, 4, 4, 1, 0, 5, 2, 0, 1]),
                    ("outer", &[12, 4, 4, 2, 0, 6, 2, 5, 0]),
                    ("jmp", &[3, 4, 4, 8, 0, 1, 0, 0, 0]),
                ],
                |size| size,
            );
            let code = file.code("1/3", &[insn::ZERO, insn::EXIT]);
            file.symbol("tail", code, 0, 16, GLOBAL | FUNC);
        },
        expect![[r#"
            object old Little license "" version 0x0
            program tail Global [1/3] ?: 2 slots at 0x0, type -, 0 lines, 0 co-re
            map inner [maps+0x0] ARRAY key 4 value 4 max 1 flags 0x0 pinning Other(2) legacy 36 id 5 inner 0 at 1
            map outer [maps+0x24] ARRAY_OF_MAPS key 4 value 4 max 2 flags 0x0 pinning Other(2) legacy 36 id 6 inner 5 at 0 [1]=inner
              inner inner [maps+0x0] ARRAY key 4 value 4 max 1 flags 0x0 pinning Other(2) legacy 36 id 5 inner 0 at 1
            map jmp [maps+0x48] PROG_ARRAY key 4 value 4 max 8 flags 0x0 legacy 36 id 1 inner 0 at 0 [3]=tail
        "#]],
    );
}

#[test]
fn one_section_per_map_names_it() {
    check(
        |file| {
            let mut words = vec![4, 4, 4, 128, 0, 1];
            words.resize(70, 0);
            let data = file.words(&words);
            let events = file.section("maps/events", PROGBITS, ALLOC, data);
            file.symbol("tcp_event_v4", events, 0, 280, GLOBAL | OBJECT);
            let data = file.words(&[1, 4, 4, 16, 0]);
            file.section("maps/anonymous", PROGBITS, ALLOC, data);
            let code = file.code("kprobe/tcp_close", &[insn::wide(0, 0)[0], [0; 8], insn::ZERO, insn::EXIT]);
            let tcp_close = file.symbol("tcp_close", code, 0, 0, GLOBAL | NOTYPE);
            let map = file.symbol("", events, 0, 0, LOCAL | SECTION);
            assert_eq!((tcp_close, map), (2, 3));
            file.relocations(code, &[(0, 3, 1)]);
        },
        expect![[r#"
            object old Little license "" version 0x0
            program tcp_close Global [kprobe/tcp_close] Kprobe Kprobe { function: "tcp_close", offset: 0, retprobe: false }: 4 slots at 0x0, type -, 0 lines, 0 co-re
              0: map events
            map events [maps/events+0x0] PERF_EVENT_ARRAY key 4 value 4 max 128 flags 0x0 pinning ByName legacy 280 id 0 inner 0 at 0
            map anonymous [maps/anonymous+0x0] HASH key 4 value 4 max 16 flags 0x0 legacy 20 id 0 inner 0 at 0
        "#]],
    );
}

#[test]
fn records_that_make_no_sense() {
    check(
        |file| maps(file, &[("tiny", &[1, 4, 8])], |size| size),
        expect![[r#"
            dir/old.bpf.o: section maps, offset 0x0, map tiny: its record has 12 bytes, too few for type, key size, value size and number of elements (16)
        "#]],
    );
    check(
        |file| maps(file, &[("long", &[1, 4, 8, 16, 0])], |size| size + 4),
        expect![[r#"
            dir/old.bpf.o: section maps, offset 0x0, map long: its record reaches past the section's 20 bytes
        "#]],
    );
    check(
        |file| {
            let data = file.words(&[1, 4, 8, 16]);
            file.section("maps", PROGBITS, ALLOC, data);
        },
        expect![[r#"
            dir/old.bpf.o: section maps: its 16 bytes hold maps, but no symbol names them
        "#]],
    );
    check(
        |file| {
            file.section(".maps", PROGBITS, ALLOC, vec![0; 32]);
        },
        expect![[r#"
            dir/old.bpf.o: section .maps: the object has no BTF to say what maps are in it; compile with -g
        "#]],
    );
}

#[test]
fn symbols_without_type_or_size_delimit_functions() {
    check(
        |file| {
            let text = file.code(".text", &[insn::ZERO, insn::EXIT, insn::mov(3), insn::EXIT]);
            let tc = file
                .code("classifier", &[insn::call(-1), insn::EXIT, insn::call(-1), insn::call(1), insn::EXIT]);
            file.symbol("LBB0_1", tc, 8, 0, LOCAL | NOTYPE);
            let helper = file.symbol("helper", text, 0, 0, GLOBAL | NOTYPE);
            let section = file.symbol("", text, 0, 0, LOCAL | SECTION);
            file.symbol("first", tc, 0, 0, GLOBAL | NOTYPE);
            file.symbol("second", tc, 16, 0, WEAK | FUNC);
            // The last call names the second function of .text only by its distance from the section's start.
            file.relocations(tc, &[(0, helper, 10), (16, helper, 10), (24, section, 10)]);
        },
        expect![[r#"
            object old Little license "" version 0x0
            program first Global [classifier] SchedCls: 2 slots at 0x0, type -, 0 lines, 0 co-re
              0: function helper
            program second Weak [classifier] SchedCls: 3 slots at 0x10, type -, 0 lines, 0 co-re
              0: function helper
              1: function .text+0x10
            subprogram helper Global [.text]: 2 slots at 0x0, type -, 0 lines, 0 co-re
            subprogram .text+0x10 Static [.text]: 2 slots at 0x10, type -, 0 lines, 0 co-re
        "#]],
    );
}

#[test]
fn code_without_symbols_is_a_program_named_after_its_section() {
    check(
        |file| {
            let [map, rest] = insn::wide(1, 7);
            file.code("socket/old.filter", &[map, rest, insn::call(1), insn::EXIT, insn::ZERO, insn::EXIT]);
            file.section("license", PROGBITS, ALLOC, b"GPL\0junk".to_vec());
        },
        expect![[r#"
            object old Little license "GPL" version 0x0
            program socket_old_filter Global [socket/old.filter] ?: 6 slots at 0x0, type -, 0 lines, 0 co-re
        "#]],
    );
}

#[test]
fn text_alone_holds_programs() {
    check(
        |file| {
            let text = file.code(".text", &[insn::call(1), insn::EXIT, insn::ZERO, insn::EXIT]);
            file.symbol("helper", text, 16, 16, GLOBAL | FUNC);
            file.symbol("entry", text, 0, 16, GLOBAL | FUNC);
        },
        expect![[r#"
            object old Little license "" version 0x0
            program entry Global [.text] ?: 2 slots at 0x0, type -, 0 lines, 0 co-re
              0: function helper
            subprogram helper Global [.text]: 2 slots at 0x10, type -, 0 lines, 0 co-re
        "#]],
    );
}

#[test]
fn static_functions_among_programs_are_subprograms_if_they_are_called() {
    check(
        |file| {
            let xdp = file
                .code("xdp", &[insn::call(1), insn::EXIT, insn::ZERO, insn::EXIT, insn::ZERO, insn::EXIT]);
            file.symbol("entry", xdp, 0, 16, GLOBAL | FUNC);
            file.symbol("called", xdp, 16, 16, LOCAL | FUNC);
            file.symbol("tail", xdp, 32, 16, LOCAL | FUNC);
            file.symbol("alias", xdp, 0, 16, GLOBAL | FUNC);
        },
        expect![[r#"
            object old Little license "" version 0x0
            program entry Global [xdp] Xdp Xdp: 2 slots at 0x0, type -, 0 lines, 0 co-re
              0: function called
            program alias Global [xdp] Xdp Xdp: 2 slots at 0x0, type -, 0 lines, 0 co-re
              0: function called
            program tail Static [xdp] Xdp Xdp: 2 slots at 0x20, type -, 0 lines, 0 co-re
            subprogram called Static [xdp]: 2 slots at 0x10, type -, 0 lines, 0 co-re
        "#]],
    );
}

#[test]
fn variables_are_found_by_symbols_alone() {
    check(
        |file| {
            let data = [file.u32(7), file.u32(9)].concat();
            let data = file.section(".data", PROGBITS, ALLOC, data);
            let bss = file.section(".bss", common::NOBITS, ALLOC, Vec::new());
            file.sections[bss as usize - 1].size = Some(0xffff_fff0);
            file.symbol("second", data, 4, 4, GLOBAL | OBJECT);
            file.symbol("huge", bss, 0x8000_0000, 8, LOCAL | OBJECT);
        },
        expect![[r#"
            object old Little license "" version 0x0
            map old.data [.data+0x0] ARRAY key 4 value 8 max 1 flags 0x0 Data, 8 bytes given
            map old.bss [.bss+0x0] ARRAY key 4 value 4294967280 max 1 flags 0x0 Bss, 0 bytes given
            variable second Global old.data+0x4 size 4 type -
            variable huge Static old.bss+0x80000000 size 8 type -
        "#]],
    );
}

#[test]
fn references_that_cannot_be_followed_stop_only_their_program() {
    let mut file = ElfFile::new(Endian::HOST);
    let [first, second] = insn::wide(0, 0);
    let bad = file.code("xdp", &[first, second, insn::EXIT, insn::call(5), insn::EXIT]);
    let good = file.code("tc", &[insn::ZERO, insn::EXIT]);
    let other = file.section("other", PROGBITS, ALLOC, vec![0; 8]);
    file.symbol("bad", bad, 0, 24, GLOBAL | FUNC);
    file.symbol("worse", bad, 24, 16, GLOBAL | FUNC);
    file.symbol("good", good, 0, 16, GLOBAL | FUNC);
    let thing = file.symbol("thing", other, 0, 8, GLOBAL | OBJECT);
    file.relocations(bad, &[(0, thing, 1)]);
    let object = Object::parse(&file.bytes(), "mixed.o").unwrap();
    let mut text = String::new();
    for program in 0..3 {
        text += &match object.link_program(program, CoreRelocations::Refuse) {
            Ok(linked) => show_linked(&linked),
            Err(error) => format!("{error}\n"),
        };
    }
    expect![[r#"
        mixed.o: symbol thing, program bad, instruction 0: it lies in section other, which programs cannot use; variables belong into .data, .rodata, .bss or sections that begin so
        mixed.o: program worse, instruction 0: no function begins at instruction 9 of section xdp
        good: 2 slots, maps [], 0 func_info, 0 line_info
        0..2 good
    "#]]
    .assert_eq(&text);
}
