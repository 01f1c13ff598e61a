//! Classic BPF: what passes the checks runs to its end on any packet, and its translation decodes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use skep_isa::cbpf::{self, Packet, SeccompFilter, SocketFilter};
use skep_isa::{Endian, Insn};

fuzz_target!(|bytes: &[u8]| {
    let (code, packet) = bytes.split_at(bytes.len() / 2 / 8 * 8);
    let Ok(insns) = cbpf::decode(code, Endian::Little) else { return };
    assert_eq!(cbpf::decode(&cbpf::encode(&insns, Endian::Big), Endian::Big).as_ref(), Ok(&insns));
    let _ = cbpf::to_tcpdump(&insns);
    let _ = cbpf::to_asm(&insns);
    if let Ok(filter) = SocketFilter::new(insns.clone()) {
        let _ = filter.run(&Packet::new(packet));
        if let Ok(slots) = filter.to_ebpf() {
            Insn::decode_all(&slots).expect("a translation decodes");
        }
    }
    if let Ok(filter) = SeccompFilter::new(insns) {
        Insn::decode_all(&filter.to_ebpf()).expect("a translation decodes");
    }
});
