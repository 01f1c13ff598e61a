//! Text-file tests. Each file holds what goes in and what comes out; `UPDATE_EXPECT=1 cargo test` rewrites the latter.
//!
//! - `tests/insns/*.txt`: an instruction as written; indented, its bytes in both byte orders and its texts.
//! - `tests/programs/*.txt`: cases `=== title` of assembly text (`--- in`) and what becomes of it (`--- out`).

use std::fmt::Write as _;
use std::path::PathBuf;

use skep_isa::asm::{Options, assemble};
use skep_isa::disasm::{Listing, Relocation, Style, Symbol};
use skep_isa::{Endian, FORMS, Insn, encode_slots};

/// Runs every `.txt` file of a directory through `expected`, which gives the file as it should be.
fn check(directory: &str, expected: impl Fn(&str) -> String) {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests").join(directory);
    let mut files = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let expected = expected(&text);
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&path, &expected).unwrap();
            files += 1;
            continue;
        }
        for (number, (found, expected)) in text.lines().zip(expected.lines()).enumerate() {
            assert_eq!(found, expected, "{}:{}", path.display(), number + 1);
        }
        assert_eq!(text, expected, "{}", path.display());
        files += 1;
    }
    assert!(files > 0, "there are no test files");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

#[test]
fn instructions() {
    check("insns", |text| {
        let mut out = String::new();
        for line in text.lines().filter(|line| !line.starts_with(' ')) {
            writeln!(out, "{line}").unwrap();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let slots = assemble(line, &Options::default())
                .unwrap_or_else(|e| panic!("{line}: {e}"))
                .insns()
                .unwrap();
            let insn = Insn::decode(&slots).unwrap();
            writeln!(out, "    le {}", hex(&encode_slots(&slots, Endian::Little))).unwrap();
            writeln!(out, "    be {}", hex(&encode_slots(&slots, Endian::Big))).unwrap();
            let canonical = insn.to_string();
            let objdump = insn.display(Style::OBJDUMP).to_string();
            let v3 = insn.display(Style::OBJDUMP_V3).to_string();
            writeln!(out, "    text {canonical}").unwrap();
            if objdump != canonical {
                writeln!(out, "    objdump {objdump}").unwrap();
            }
            if v3 != objdump {
                writeln!(out, "    objdump-v3 {v3}").unwrap();
            }
        }
        out
    });
}

#[test]
fn every_form_of_instruction_is_in_a_file() {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/insns");
    let texts: String = std::fs::read_dir(directory)
        .unwrap()
        .map(|f| std::fs::read_to_string(f.unwrap().path()).unwrap())
        .collect();
    let insns: String =
        texts.lines().filter(|line| !line.starts_with(' ')).map(|line| line.to_owned() + "\n").collect();
    let assembly = assemble(&insns, &Options::default()).unwrap();
    let program = Insn::decode_all(&assembly.insns().unwrap()).unwrap();
    for form in FORMS {
        assert!(program.iter().any(|(_, insn)| insn.form() == Some(form)), "no test of `{}`", form.example);
    }
}

#[test]
fn programs() {
    check("programs", |text| {
        let (head, cases) = text.split_once("=== ").unwrap();
        let mut out = head.to_owned();
        for case in cases.split("\n=== ") {
            let (title, rest) = case.split_once("\n--- in\n").unwrap();
            let input = rest.split("\n--- out\n").next().unwrap().trim_end();
            let gap = if out.ends_with("\n\n") || out.is_empty() { "" } else { "\n" };
            write!(out, "{gap}=== {title}\n--- in\n{input}\n--- out\n{}", outcome(input)).unwrap();
        }
        out
    });
}

/// What becomes of a text: the error, underlined, or listings of the sections.
fn outcome(input: &str) -> String {
    let helper = |name: &str| (name == "bpf_ktime_get_ns").then_some(5);
    let options = Options { endian: Endian::Little, helper: Some(&helper) };
    let assembly = match assemble(input, &options) {
        Ok(assembly) => assembly,
        Err(error) => {
            let underline = "^".repeat(input[error.span.clone()].chars().count().max(1));
            let margin = " ".repeat(error.column - 1);
            return format!("{error}\n| {}\n| {margin}{underline}\n", error.source_line(input));
        }
    };
    let mut out = String::new();
    for (index, section) in assembly.sections.iter().enumerate().filter(|(_, section)| section.size > 0) {
        let contents = if section.nobits { ", no contents" } else { "" };
        writeln!(
            out,
            "{}: {} bytes{contents}, align {}, flags {:#x}",
            section.name, section.size, section.align, section.flags
        )
        .unwrap();
        let mut listing = Listing::new(&section.name, &section.bytes, Endian::Little);
        (listing.style, listing.raw_insn) = (Style::CANONICAL, section.lines.is_empty());
        let symbols = assembly.symbols.iter().filter(|symbol| symbol.section == Some(index));
        listing.symbols = symbols.map(|s| Symbol { offset: s.offset, name: s.name.clone() }).collect();
        let relocations = section.relocations.iter();
        listing.relocations = relocations
            .map(|r| Relocation {
                offset: r.offset,
                text: format!("{:?}\t{} {:+}", r.kind, r.symbol, r.addend),
            })
            .collect();
        write!(out, "{listing}").unwrap();
    }
    for symbol in &assembly.symbols {
        let place = symbol
            .section
            .map_or("undefined".to_owned(), |at| format!("{}+{}", assembly.sections[at].name, symbol.offset));
        let hidden = if symbol.hidden { ", hidden" } else { "" };
        writeln!(
            out,
            "{}: {place}, {:?} {:?}{hidden}, size {}",
            symbol.name, symbol.binding, symbol.kind, symbol.size
        )
        .unwrap();
    }
    out
}
