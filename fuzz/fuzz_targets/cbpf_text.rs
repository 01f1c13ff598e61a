//! Classic BPF text: reading ends, and what was read can be written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use skep_isa::cbpf;

fuzz_target!(|text: &str| {
    if let Ok(insns) = cbpf::assemble(text) {
        // Text has one form for instructions that differ in fields that mean nothing.
        let plain: Vec<_> = insns.iter().map(|insn| insn.canonical()).collect();
        let again = cbpf::assemble(&cbpf::to_asm(&plain)).expect("what was written can be read");
        assert_eq!(again.iter().map(|insn| insn.canonical()).collect::<Vec<_>>(), plain);
    }
    if let Ok(insns) = cbpf::parse(text) {
        assert_eq!(cbpf::parse_decimal(&cbpf::to_decimal(&insns)).as_ref(), Ok(&insns));
        assert_eq!(cbpf::parse_c(&cbpf::to_c(&insns)).as_ref(), Ok(&insns));
        assert_eq!(cbpf::parse_line(&cbpf::to_line(&insns)).as_ref(), Ok(&insns));
    }
    let _ = cbpf::parse_tcpdump(text);
});
