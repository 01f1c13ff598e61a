//! Laws of the codec: decode and encode are inverse, on instructions and on slots.

use proptest::prelude::*;
use skep_isa::{Endian, Insn, RawInsn, decode_slots, encode_slots, testing};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn decoding_gives_back_what_was_encoded(insn in testing::insn()) {
        prop_assert!(insn.is_valid());
        let encoded = insn.encode();
        prop_assert_eq!(encoded.len(), insn.slots());
        prop_assert_eq!(Insn::decode(&encoded), Ok(insn));
    }

    #[test]
    fn encoding_gives_back_the_slots_that_decode(first in testing::raw(), second in testing::raw()) {
        // Nothing is lost: a decoder that ignored a field would fail here.
        for slots in [vec![first], vec![first, second], vec![first, RawInsn { imm: second.imm, ..RawInsn::default() }]] {
            if let Ok(insn) = Insn::decode(&slots) {
                prop_assert_eq!(&insn.encode()[..], &slots[..insn.slots()]);
            }
        }
    }

    #[test]
    fn bytes_give_back_the_slots(slots in proptest::collection::vec(testing::raw(), 0..20)) {
        for endian in [Endian::Little, Endian::Big] {
            prop_assert_eq!(decode_slots(&encode_slots(&slots, endian), endian), Ok(slots.clone()));
        }
    }
}

#[test]
fn errors_name_slot_opcode_field_and_value() {
    let exit = RawInsn { opcode: 0x95, ..RawInsn::default() };
    let cases = [
        (vec![], "slot 0: no instruction, the program ends here"),
        (vec![exit, RawInsn { opcode: 0xff, ..exit }], "slot 1: unknown opcode 0xff"),
        (
            vec![exit, exit, RawInsn { opcode: 0x18, ..exit }],
            "slot 2: ld_imm64 (opcode 0x18) takes two slots, the program ends after the first",
        ),
        (vec![RawInsn { opcode: 0x07, src: 5, ..exit }], "slot 0: opcode 0x07: src_reg is 5, must be 0"),
        (
            vec![RawInsn { opcode: 0x0f, dst: 11, ..exit }],
            "slot 0: opcode 0x0f: dst_reg is 11, must be a register, 0 to 10",
        ),
        (
            vec![RawInsn { opcode: 0x18, src: 7, ..exit }, RawInsn::default()],
            "slot 0: opcode 0x18: src_reg is 7, must be a source kind, 0 to 6",
        ),
        (
            vec![RawInsn { opcode: 0x18, src: 1, ..exit }, RawInsn { imm: -2, ..RawInsn::default() }],
            "slot 0: opcode 0x18: next_imm is -2, must be 0",
        ),
    ];
    for (slots, message) in cases {
        let error = if slots.is_empty() {
            Insn::decode(&slots).map(|_| ())
        } else {
            Insn::decode_all(&slots).map(|_| ())
        };
        assert_eq!(error.unwrap_err().to_string(), message);
    }
    assert_eq!(
        decode_slots(&[0; 13], Endian::Little).unwrap_err().to_string(),
        "13 bytes are not a whole number of 8-byte instruction slots: 5 left over at byte 8"
    );
}
