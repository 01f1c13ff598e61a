//! BTF: reading ends; writing what was read gives it back; printing and asking about any type end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use skep_btf::Btf;

fuzz_target!(|bytes: &[u8]| {
    let Ok(btf) = Btf::parse(bytes) else { return };
    let again = Btf::parse(&btf.to_bytes()).expect("what was written can be read");
    let raw = btf.raw().to_string();
    assert_eq!(again.raw().to_string(), raw);
    let _ = btf.json().to_string();
    let valid = btf.validate().is_ok();
    for ty in btf.types() {
        let size = btf.size_of(ty.id());
        let _ = btf.align_of(ty.id());
        let value = btf.read_value(ty.id(), bytes);
        assert!(!valid || size.is_ok() || value.is_err());
    }
});
