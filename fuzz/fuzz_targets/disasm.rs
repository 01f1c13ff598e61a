//! Instructions: what decodes encodes to the same bytes, and its text assembles to them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use skep_isa::asm::{Options, assemble};
use skep_isa::disasm::Listing;
use skep_isa::{Endian, Insn, decode_slots};

fuzz_target!(|bytes: &[u8]| {
    for endian in [Endian::Little, Endian::Big] {
        let _ = Listing::new(".text", bytes, endian).to_string();
    }
    let whole = &bytes[..bytes.len() / 8 * 8];
    let slots = decode_slots(whole, Endian::HOST).expect("whole slots");
    let mut at = 0;
    while at < slots.len() {
        let Ok(insn) = Insn::decode(&slots[at..]) else {
            at += 1;
            continue;
        };
        let encoded = insn.encode();
        assert_eq!(encoded.as_ref(), &slots[at..at + insn.slots()]);
        let text = insn.to_string();
        let assembly = assemble(&text, &Options::default()).expect(&text);
        assert_eq!(assembly.insns().expect(&text), encoded.as_ref(), "{text}");
        at += insn.slots();
    }
});
