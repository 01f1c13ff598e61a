//! `skep asm`: text to instructions.

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::process::ExitCode;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde_json::json;
use skep::isa::asm::{AsmError, Assembly, Options, assemble};
use skep::isa::{Endian, RawInsn, decode_slots};

use crate::cli::{AsmArgs, AsmFormat, ByteOrder};
use crate::commands::read_text;
use crate::json;
use crate::out::{self, Failure, Result};

/// Instructions, if the text has them in one section, and nothing that only an object can hold.
struct Code {
    bytes: Vec<u8>,
    slots: Vec<RawInsn>,
}

pub(crate) fn run(args: &AsmArgs) -> Result<ExitCode> {
    let text = read_text(&args.file)?;
    let endian = match args.endian {
        ByteOrder::Little => Endian::Little,
        ByteOrder::Big => Endian::Big,
    };
    let helper = |name: &str| skep::catalog::Helper::by_name(name).map(|helper| helper.id.cast_signed());
    let options = Options { endian, helper: Some(&helper) };
    let name = args.file.display().to_string();
    let assembly = match assemble(&text, &options) {
        Ok(assembly) => assembly,
        Err(error) => {
            anstream::eprintln!("{}", diagnosis(&error, &text, &name));
            return Ok(ExitCode::FAILURE);
        }
    };
    let output = match args.format {
        AsmFormat::Elf => skep::object::write_assembly(&assembly).map_err(skep::Error::from)?,
        AsmFormat::Bin => code(&assembly)?.bytes,
        AsmFormat::Hex => hex(&code(&assembly)?).into_bytes(),
        AsmFormat::C => c_array(&code(&assembly)?).into_bytes(),
        AsmFormat::Json => json_text(&assembly, &code(&assembly)?).into_bytes(),
    };
    match &args.output {
        Some(path) => std::fs::write(path, output)
            .map_err(|error| Failure::new(format!("{}: {error}", path.display())))?,
        None if matches!(args.format, AsmFormat::Elf | AsmFormat::Bin) && std::io::stdout().is_terminal() => {
            return Err(Failure::new("binary output does not go to a terminal").help("name a file with -o"));
        }
        None => out::write(&output)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The error under the line of text that it is about.
fn diagnosis(error: &AsmError, text: &str, name: &str) -> String {
    let message = error.kind.to_string();
    let start = error.span.start.min(text.len());
    // What is missing at the end of a line is shown there, and not as far as the next line.
    let rest_of_line =
        text.get(start..).and_then(|rest| rest.find('\n')).map_or(text.len(), |len| start + len);
    let end = error.span.end.clamp(start, rest_of_line);
    let snippet = Snippet::source(text).path(name).annotation(AnnotationKind::Primary.span(start..end));
    let report = [Level::ERROR.primary_title(message.as_str()).element(snippet)];
    Renderer::styled().render(&report)
}

fn code(assembly: &Assembly) -> Result<Code> {
    let with_code: Vec<_> = assembly.sections.iter().filter(|section| !section.bytes.is_empty()).collect();
    let elf = "write an object instead: --format elf";
    let section = match with_code.as_slice() {
        [] => return Err(Failure::new("the text has no instructions")),
        [section] => section,
        _ => {
            let names: Vec<_> = with_code.iter().map(|section| section.name.as_str()).collect();
            let what = format!("the text has several sections ({})", names.join(", "));
            return Err(Failure::new(what).help(elf));
        }
    };
    if let Some(relocation) = section.relocations.first() {
        let what = format!(
            "the instruction at byte {} refers to the symbol {}",
            relocation.offset, relocation.symbol
        );
        return Err(Failure::new(what).help(elf));
    }
    let slots =
        decode_slots(&section.bytes, assembly.endian).map_err(|error| Failure::new(error.to_string()))?;
    Ok(Code { bytes: section.bytes.clone(), slots })
}

/// A slot a line, as `skep disasm --hex` reads it.
fn hex(code: &Code) -> String {
    code.bytes.chunks(RawInsn::SIZE).fold(String::new(), |mut text, slot| {
        let bytes: Vec<_> = slot.iter().map(|byte| format!("{byte:02x}")).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", bytes.join(" "));
        text
    })
}

fn c_array(code: &Code) -> String {
    let mut text = String::from("struct bpf_insn program[] = {\n");
    for slot in &code.slots {
        let RawInsn { opcode, dst, src, off, imm } = slot;
        let _ = writeln!(
            text,
            "\t{{ .code = 0x{opcode:02x}, .dst_reg = {dst}, .src_reg = {src}, .off = {off}, .imm = {imm} }},"
        );
    }
    text + "};\n"
}

fn json_text(assembly: &Assembly, code: &Code) -> String {
    let slots: Vec<_> = code
        .slots
        .iter()
        .map(|slot| json!({ "opcode": slot.opcode, "dst": slot.dst, "src": slot.src, "off": slot.off, "imm": slot.imm }))
        .collect();
    let endian = if assembly.endian == Endian::Big { "big" } else { "little" };
    format!("{}\n", json!({ "endian": endian, "bytes": json::bytes(&code.bytes), "slots": slots }))
}
