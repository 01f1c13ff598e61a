//! `skep disasm`: instructions to text.

use std::process::ExitCode;

use serde_json::{Value as Json, json};
use skep::isa::disasm::{Style, Symbol, disassemble};
use skep::isa::{Endian, Insn, RawInsn, decode_slots};
use skep::object::{CodeSection, Object};

use crate::cli::{ByteOrder, Cpu, DisasmArgs};
use crate::commands::read;
use crate::json;
use crate::out::{self, Failure, Result, printable};

/// First bytes of every ELF file.
const ELF_MAGIC: &[u8] = b"\x7fELF";

pub(crate) fn run(args: &DisasmArgs) -> Result<ExitCode> {
    let bytes = read(&args.file)?;
    let name = args.file.display().to_string();
    let mut sections = if bytes.starts_with(ELF_MAGIC) {
        CodeSection::read_all(&bytes, &name).map_err(skep::Error::from)?
    } else {
        vec![raw(args, &bytes, &name)?]
    };
    // Source lines come from BTF, which only a whole object has.
    let object = Some(bytes).filter(|_| args.source).and_then(|bytes| Object::parse(&bytes, &name).ok());
    if let Some(function) = &args.function {
        sections = vec![only(function, &sections)?];
    }
    sections.retain(|section| !section.bytes.is_empty());
    if args.json {
        let sections: Vec<_> = sections.iter().map(describe).collect();
        out::println(json!({ "file": name, "sections": sections }))?;
        return Ok(ExitCode::SUCCESS);
    }
    for section in &sections {
        if args.asm {
            out::print(assembly(section)?)?;
            continue;
        }
        let mut listing = section.listing();
        listing.raw_insn = !args.no_show_raw_insn;
        listing.style = if args.mcpu >= Cpu::V3 { Style::OBJDUMP_V3 } else { Style::OBJDUMP };
        listing.relocations.retain(|_| args.reloc);
        if let Some(object) = &object {
            listing.notes = source_notes(object, section);
        }
        out::print(printable(&format!("\nDisassembly of section {}:\n\n{listing}", section.name)))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Instructions without an object around them.
fn raw(args: &DisasmArgs, bytes: &[u8], name: &str) -> Result<CodeSection> {
    let bytes = if args.hex { from_hex(bytes, name)? } else { bytes.to_vec() };
    if !bytes.len().is_multiple_of(RawInsn::SIZE) {
        let what = format!("{name}: {} bytes are no whole number of instructions of 8 bytes", bytes.len());
        let help = "an object file begins with the ELF magic number; for hexadecimal text give --hex";
        return Err(Failure::new(what).help(help));
    }
    let endian = match args.endian {
        ByteOrder::Little => Endian::Little,
        ByteOrder::Big => Endian::Big,
    };
    Ok(CodeSection { name: ".text".into(), endian, bytes, symbols: Vec::new(), relocations: Vec::new() })
}

/// Hexadecimal digits, two a byte, with any white space between bytes.
fn from_hex(text: &[u8], name: &str) -> Result<Vec<u8>> {
    let digits: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = digits.chunks(2).map(|pair| match *pair {
        [high, low] => Some((digit(high)? << 4 | digit(low)?) as u8),
        _ => None,
    });
    pairs.collect::<Option<_>>().ok_or_else(|| Failure::new(format!("{name}: no hexadecimal text")))
}

/// One function of a section, as a section of its own.
fn only(function: &str, sections: &[CodeSection]) -> Result<CodeSection> {
    let found = sections.iter().find_map(|section| {
        section.symbols.iter().find(|symbol| symbol.name == function).map(|symbol| (section, symbol.offset))
    });
    let Some((section, start)) = found else {
        let mut names: Vec<_> =
            sections.iter().flat_map(|section| &section.symbols).map(|s| s.name.as_str()).collect();
        names.retain(|name| !is_label(name));
        return Err(Failure::new(format!(
            "there is no function '{function}'; there are: {}",
            names.join(", ")
        )));
    };
    let functions = section.symbols.iter().filter(|symbol| !is_label(&symbol.name));
    let end = functions.map(|symbol| symbol.offset).filter(|&offset| offset > start).min();
    let end = end.unwrap_or(section.bytes.len() as u64).min(section.bytes.len() as u64);
    let inside = start..end;
    let mut part = section.clone();
    part.bytes = section.bytes.get(start as usize..end as usize).unwrap_or_default().to_vec();
    part.symbols.retain(|symbol| inside.contains(&symbol.offset));
    part.symbols.iter_mut().for_each(|symbol| symbol.offset -= start);
    part.relocations.retain(|relocation| inside.contains(&relocation.offset));
    part.relocations.iter_mut().for_each(|relocation| relocation.offset -= start);
    Ok(part)
}

/// Labels that the compiler makes for jump targets.
fn is_label(name: &str) -> bool {
    name.starts_with("LBB") || name.starts_with(".L")
}

/// The text of a section that the assembler reads back.
fn assembly(section: &CodeSection) -> Result<String> {
    let refused = |error: &dyn std::fmt::Display| Failure::new(format!("section {}: {error}", section.name));
    let slots = decode_slots(&section.bytes, section.endian).map_err(|error| refused(&error))?;
    disassemble(&slots).map_err(|error| refused(&error))
}

/// Source lines before the instructions that they became.
fn source_notes(object: &Object, section: &CodeSection) -> Vec<(u64, String)> {
    let programs = object.programs.iter().map(|program| (&program.name, &program.section, &program.code));
    let subprograms =
        object.subprograms.iter().map(|program| (&program.name, &program.section, &program.code));
    let mut notes = Vec::new();
    for (name, in_section, code) in programs.chain(subprograms) {
        let symbol = section.symbols.iter().find(|symbol| symbol.name == *name);
        let (Some(Symbol { offset, .. }), Some(btf)) = (symbol, &object.btf) else { continue };
        if *in_section != section.name {
            continue;
        }
        for line in &code.line_info {
            let source = skep::object::SourceLine::new(line, btf);
            let at = offset + u64::from(line.insn_off) * RawInsn::SIZE as u64;
            notes.push((at, format!("{} @ {}:{}", source.text.trim(), source.file, source.line)));
        }
    }
    notes
}

fn describe(section: &CodeSection) -> Json {
    let slots = decode_slots(&section.bytes, section.endian).unwrap_or_default();
    let mut insns = Vec::new();
    let mut at = 0;
    while let Some(rest) = slots.get(at..).filter(|rest| !rest.is_empty()) {
        let insn = Insn::decode(rest).ok();
        let len = insn.map_or(1, |insn| insn.slots());
        let bytes = section.bytes.get(at * RawInsn::SIZE..(at + len) * RawInsn::SIZE).unwrap_or_default();
        insns.push(json!({
            "offset": at * RawInsn::SIZE,
            "bytes": json::bytes(bytes),
            "text": insn.map(|insn| insn.to_string()),
        }));
        at += len;
    }
    let symbols =
        section.symbols.iter().map(|symbol| json!({ "offset": symbol.offset, "name": symbol.name }));
    let relocations = section.relocations.iter().map(|relocation| {
        let (kind, symbol) = relocation.text.split_once('\t').unwrap_or((&relocation.text, ""));
        json!({ "offset": relocation.offset, "type": kind, "symbol": symbol })
    });
    json!({
        "name": section.name,
        "endian": if section.endian == Endian::Big { "big" } else { "little" },
        "symbols": symbols.collect::<Vec<_>>(),
        "relocations": relocations.collect::<Vec<_>>(),
        "insns": insns,
    })
}
