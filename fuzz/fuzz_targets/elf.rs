//! Object files: reading ends, with an object or an error that names the file; what was read can be linked and shown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use skep_object::{CodeSection, CoreRelocations, KernelFacts, Object};

fuzz_target!(|bytes: &[u8]| {
    match Object::parse(bytes, "fuzz.o") {
        Ok(mut object) => {
            let facts = KernelFacts { version: 0x061200, has_bpf_cookie: true, has_syscall_wrapper: true };
            // Refused where the object declares them with other types.
            let _ = object.set_kernel_facts(&facts);
            for program in 0..object.programs.len() {
                if let Ok(linked) = object.link_program(program, CoreRelocations::KeepLocal) {
                    assert!(linked.maps.iter().all(|&map| map < object.maps.len()));
                    assert!(linked.functions.last().is_none_or(|function| function.end <= linked.insns.len()));
                }
            }
            let _ = object.loadable_btf();
            // Their sizes are what the file says, and the contents of .bss stand nowhere.
            for variable in object.variables.iter().filter(|variable| variable.size <= 1 << 16) {
                if let (Ok(value), Some(btf)) = (object.get(&variable.name), &object.btf) {
                    let _ = btf.read_value(variable.type_id, &value);
                }
            }
        }
        Err(error) => assert!(error.to_string().starts_with("fuzz.o: "), "{error}"),
    }
    if let Ok(sections) = CodeSection::read_all(bytes, "fuzz.o") {
        for section in &sections {
            let _ = section.listing().to_string();
        }
    }
});
