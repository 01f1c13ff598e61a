//! Assembly: assembling ends; errors point into the text; the result can be written as an object and read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use skep_isa::Insn;
use skep_isa::asm::{Options, assemble};

fuzz_target!(|text: &str| {
    match assemble(text, &Options::default()) {
        Ok(assembly) => {
            if let Ok(slots) = assembly.insns()
                && let Ok(insns) = Insn::decode_all(&slots)
            {
                for (_, insn) in insns {
                    let line = insn.to_string();
                    let again = assemble(&line, &Options::default()).expect(&line);
                    assert_eq!(Insn::decode(&again.insns().expect(&line)), Ok(insn), "{line}");
                }
            }
            if let Ok(file) = skep_object::write_assembly(&assembly) {
                let _ = skep_object::Object::parse(&file, "fuzz.o");
            }
        }
        Err(error) => {
            assert!(error.span.start <= error.span.end && error.span.end <= text.len());
            let _ = (error.to_string(), error.source_line(text));
        }
    }
});
