//! The assembler reads back what the disassembler prints, and survives everything else.

use proptest::prelude::*;
use skep_isa::asm::{Options, assemble};
use skep_isa::disasm::{Listing, Style, disassemble, source};
use skep_isa::{CallTarget, Endian, Imm64, Insn, JumpOp, Reg, decode_slots, encode_slots, testing};

fn options(endian: Endian) -> Options<'static> {
    Options { endian, ..Options::default() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn assembling_the_text_gives_the_instruction(insn in testing::insn()) {
        for style in [Style::CANONICAL, Style { alu32: true, ..Style::CANONICAL }] {
            let text = insn.display(style).to_string();
            let assembly = assemble(&text, &options(Endian::Little)).map_err(|e| TestCaseError::fail(format!("{text}: {e}")))?;
            prop_assert_eq!(assembly.insns().unwrap(), insn.encode().to_vec(), "{}", text);
        }
    }

    #[test]
    fn assembling_the_text_of_a_program_gives_the_program(
        insns in proptest::collection::vec(testing::insn(), 0..50),
        big in any::<bool>(),
    ) {
        let endian = if big { Endian::Big } else { Endian::Little };
        let program = Insn::encode_all(&insns);
        let text = disassemble(&program).unwrap();
        let assembly = assemble(&text, &options(endian)).unwrap();
        prop_assert_eq!(&assembly.sections[0].bytes, &encode_slots(&program, endian));
        // A listing without the bytes reads back too: slot numbers are numeric labels.
        let bytes = encode_slots(&program, endian);
        let mut listing = Listing::new("code", &bytes, endian);
        (listing.style, listing.raw_insn) = (Style::CANONICAL, false);
        let assembly = assemble(&listing.to_string(), &options(endian)).unwrap();
        prop_assert_eq!(assembly.insns().unwrap(), program);
    }

    #[test]
    fn assembling_the_source_of_a_program_gives_the_program(
        insns in proptest::collection::vec(prop_oneof![
            testing::insn(),
            (-4i16..4).prop_map(|off| Insn::Jump { off: off.into(), long: false }),
            (-4i32..4).prop_map(|off| Insn::Jump { off, long: true }),
            (-4i16..4).prop_map(|off| Insn::jump_if(JumpOp::Sle, Reg::R3, 7, off)),
            (-4i16..4).prop_map(|off| Insn::MayGoto { off }),
            (-4i32..4).prop_map(|off| Insn::Call(CallTarget::Local(off))),
            (-4i32..4).prop_map(|off| Insn::LoadImm64 { dst: Reg::R2, value: Imm64::Func(off) }),
        ], 0..30),
    ) {
        let program = Insn::encode_all(&insns);
        let text = source(&program).unwrap();
        let assembly = assemble(&text, &options(Endian::Little)).unwrap();
        prop_assert_eq!(assembly.insns().unwrap(), program, "{}", text);
    }

    #[test]
    fn any_bytes_have_a_listing_that_covers_them(bytes in proptest::collection::vec(prop_oneof![Just(0), any::<u8>()], 0..200)) {
        for endian in [Endian::Little, Endian::Big] {
            let listing = Listing::new("code", &bytes, endian).to_string();
            if !listing.contains("...") {
                let shown: Vec<u8> = listing
                    .lines()
                    .filter_map(|line| line.split('\t').nth(1))
                    .flat_map(|bytes| bytes.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap()))
                    .collect();
                prop_assert_eq!(&shown, &bytes);
            }
        }
    }

    #[test]
    fn any_text_assembles_or_has_an_error_inside_of_it(text in "(r1|w2|=|\\+=|s|\\*|\\(|\\)|u8|u64|lock|if|goto|call|local|ll|5|-1|0x|1b|1:|a:|a|\\[|\\]|skb|map|fd|:|,|;|\n| |\"|\\.|\\.zero|\\.long|#|/\\*|é){0,12}") {
        if let Err(error) = assemble(&text, &options(Endian::Little)) {
            prop_assert!(text.get(error.span.clone()).is_some(), "{:?}", error);
            prop_assert_eq!(error.line, text[..error.span.start].matches('\n').count() + 1);
            prop_assert!(error.source_line(&text).chars().count() + 1 >= error.column);
        }
    }

    #[test]
    fn whole_slots_read_from_bytes_disassemble_or_say_where_not(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(slots) = decode_slots(&bytes, Endian::Little) {
            match disassemble(&slots) {
                Ok(text) => prop_assert_eq!(assemble(&text, &options(Endian::Little)).unwrap().insns().unwrap(), slots),
                Err(error) => prop_assert!(error.slot < slots.len()),
            }
        }
    }
}

#[test]
fn hostile_texts_end() {
    // Anything quadratic in these sizes would take minutes, recursion without a limit would overflow the stack.
    const MANY: usize = 1 << 20;
    let long = [
        ("(".repeat(MANY), "found `(`, expected an instruction, a label or a directive"),
        (format!("r1 = {}1", "(".repeat(MANY)), "this expression is nested more than 64 deep"),
        (format!("r1 = {}1", "-".repeat(MANY)), "this expression is nested more than 64 deep"),
        (format!("r1 = 1{}", "*2".repeat(MANY)), "this calculation has no result that fits 64 bits"),
        (
            "/* ".repeat(MANY),
            "found a comment without its end `*/`, expected an instruction, a label or a directive",
        ),
        ("\"".repeat(MANY), "found `\"\"`, expected an instruction, a label or a directive"),
        (
            format!("r0 = 0x{}", "f".repeat(MANY)),
            "found a number of more than 64 bits, expected a value to assign",
        ),
        ("1:goto 1b\n".repeat(100_000) + "goto 2b", "the label `2b` is not defined"),
        ("goto 1f\n".repeat(30_000), "the label `1` is not defined"),
        (".zero 0xffffffff\n".repeat(10), "the output would exceed 67108864 bytes"),
        (".bss\n.zero 0xffffffff\n".repeat(10), "the output would exceed 67108864 bytes"),
        (".p2align 16\n.byte 1\n".repeat(10_000), "the output would exceed 67108864 bytes"),
        (".p2align 64".to_owned(), "power of two 64 is out of range, 0 to 16"),
    ];
    for (text, expected) in &long {
        assert_eq!(&assemble(text, &Options::default()).unwrap_err().kind.to_string(), expected);
    }
    let good = [
        format!("r1 = 1{}", "+1".repeat(MANY)),
        ";".repeat(MANY),
        (0..100_000).map(|i| format!("l{i}:\n")).collect(),
        "call f\n".repeat(100_000),
        "f: ".to_owned() + &"call f;".repeat(100_000),
    ];
    for text in &good {
        assert_eq!(assemble(text, &Options::default()).map(|_| ()), Ok(()));
    }
}
