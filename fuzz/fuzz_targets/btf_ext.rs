//! `.BTF.ext`: reading ends; writing what was read gives the same records.
#![no_main]

use libfuzzer_sys::fuzz_target;
use skep_btf::BtfExt;

fuzz_target!(|bytes: &[u8]| {
    let Ok(ext) = BtfExt::parse(bytes) else { return };
    let again = BtfExt::parse(&ext.to_bytes()).expect("what was written can be read");
    assert_eq!(ext.to_bytes(), again.to_bytes());
});
