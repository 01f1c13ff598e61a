//! The table of the manual against the decoder: two statements of the same rules.

use proptest::prelude::*;
use skep_isa::asm::{Options, assemble};
use skep_isa::{FORMS, Insn, RawInsn, testing};

#[test]
fn the_table_is_sorted_and_its_lines_exclude_each_other() {
    assert!(FORMS.is_sorted_by_key(|form| form.opcode));
    for form in FORMS {
        let slots = assemble(form.example, &Options::default()).unwrap().insns().unwrap();
        let matching: Vec<_> = FORMS.iter().filter(|other| other.matches(slots[0])).collect();
        assert_eq!(matching, [form], "{}", form.example);
        assert_eq!(Insn::decode(&slots).unwrap().form(), Some(form));
    }
}

#[test]
fn a_slot_decodes_exactly_if_the_table_has_it() {
    let registers = [0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 15];
    let offsets = [0, 1, 2, 8, 16, 32, 64, -1, i16::MIN, i16::MAX];
    let immediates = [
        0,
        1,
        2,
        8,
        16,
        32,
        64,
        -1,
        0x40,
        0x41,
        0x50,
        0x51,
        0x60,
        0xa0,
        0xa1,
        0xe0,
        0xe1,
        0xf0,
        0xf1,
        0x100,
        0x101,
        0x110,
        0x111,
        0x10000,
        i32::MIN,
        i32::MAX,
    ];
    let mut decoded = 0;
    for opcode in 0..=255 {
        for dst in registers {
            for src in registers {
                for off in offsets {
                    for imm in immediates {
                        let slot = RawInsn { opcode, dst, src, off, imm };
                        let insn = Insn::decode(&[slot, RawInsn::default()]);
                        assert_eq!(insn.is_ok(), slot.form().is_some(), "{slot:?}: {insn:?}");
                        decoded += usize::from(insn.is_ok());
                    }
                }
            }
        }
    }
    assert!(decoded > 100_000, "{decoded}");
}

proptest! {
    #[test]
    fn every_instruction_has_a_line(insn in testing::insn()) {
        prop_assert!(insn.form().is_some());
    }
}
