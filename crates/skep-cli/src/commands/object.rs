//! `skep object show`: what is in an object file.

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value as Json, json};
use skep::object::{
    AttachTarget, CoreRelocations, DataKind, Extern, ExternKind, MapDef, MapOrigin, Object, Program, Variable,
};

use crate::json;
use crate::out::{self, BOLD, DIM, NAME, Result, note, printable, table};

pub(crate) fn show(path: &Path, as_json: bool) -> Result<ExitCode> {
    let object = skep::open(path)?;
    if as_json {
        out::println(describe(&object))?;
        return Ok(ExitCode::SUCCESS);
    }
    out::print(text(&object))?;
    object.warnings.iter().for_each(note);
    Ok(ExitCode::SUCCESS)
}

fn text(object: &Object) -> String {
    let mut text = String::new();
    let endian = match object.endian {
        skep::isa::Endian::Little => "little",
        skep::isa::Endian::Big => "big",
    };
    let license = if object.license.is_empty() { "none".into() } else { format!("{:?}", object.license) };
    let btf = object.btf.as_ref().map_or("no BTF".into(), |btf| format!("BTF with {} types", btf.last_id()));
    // Writing to a string cannot fail; the results of write! below are dropped for that reason.
    let _ = writeln!(
        text,
        "{BOLD}{}{BOLD:#}  {DIM}{endian} endian, license {license}, {btf}{DIM:#}",
        printable(&object.file)
    );
    let mut section = |title: &str, columns: &[&str], rows: Vec<Vec<String>>| {
        if !rows.is_empty() {
            let _ = writeln!(text, "\n{NAME}{title}{NAME:#}\n{}", table(columns, &rows));
        }
    };
    let programs = object.programs.iter().map(|program| {
        let subprograms = object
            .program_index(&program.name)
            .and_then(|index| object.link_program(index, CoreRelocations::KeepLocal).ok());
        vec![
            program.name.clone(),
            type_name(program),
            attach_text(&program.kind.target),
            program.code.insns.len().to_string(),
            subprograms.map_or("-".into(), |linked| linked.insns.len().to_string()),
            if program.autoload { String::new() } else { "not loaded unless asked for".into() },
        ]
    });
    section("programs", &["name", "type", "attaches to", "insns", "linked", ""], programs.collect());
    let subprograms = object.subprograms.iter().map(|subprogram| {
        let linkage = format!("{:?}", subprogram.linkage).to_lowercase();
        vec![
            subprogram.name.clone(),
            linkage,
            subprogram.section.clone(),
            subprogram.code.insns.len().to_string(),
        ]
    });
    section("subprograms", &["name", "linkage", "section", "insns"], subprograms.collect());
    let maps = object.maps.iter().map(|map| {
        vec![
            map.name.clone(),
            map_type(map),
            map.key_size.to_string(),
            map.value_size.to_string(),
            map.max_entries.to_string(),
            map_notes(map),
        ]
    });
    section("maps", &["name", "type", "key", "value", "entries", ""], maps.collect());
    let variables =
        object.variables.iter().filter(|variable| !is_kconfig(object, variable)).map(|variable| {
            let map = object.maps.get(variable.map).map_or("", |map| map.section.as_str());
            vec![
                variable.name.clone(),
                map.to_owned(),
                variable.size.to_string(),
                value_text(object, variable),
            ]
        });
    section("variables", &["name", "section", "size", "value"], variables.collect());
    let externs = object.externs.iter().map(|symbol| {
        let weak = if symbol.weak { "weak" } else { "" };
        vec![symbol.name.clone(), extern_kind(symbol).to_owned(), weak.to_owned()]
    });
    section("externs", &["name", "kind", ""], externs.collect());
    text
}

/// The type's name as bpftool has it, or that there is none.
fn type_name(program: &Program) -> String {
    program
        .kind
        .prog_type
        .map_or_else(|| format!("unknown ({})", program.section), |kind| kind.name().to_owned())
}

fn map_type(map: &MapDef) -> String {
    map.known_type().map_or_else(|| map.map_type.to_string(), |kind| kind.name().to_owned())
}

fn attach_text(target: &AttachTarget) -> String {
    let ret = |retprobe: &bool| if *retprobe { " (return)" } else { "" };
    match target {
        AttachTarget::None => "-".into(),
        AttachTarget::Tracepoint { category, name } => format!("{category}/{name}"),
        AttachTarget::Kprobe { function, offset: 0, retprobe } => format!("{function}{}", ret(retprobe)),
        AttachTarget::Kprobe { function, offset, retprobe } => {
            format!("{function}+{offset:#x}{}", ret(retprobe))
        }
        AttachTarget::KprobeMulti { pattern, retprobe, .. } => format!("{pattern}{}", ret(retprobe)),
        AttachTarget::Ksyscall { name, retprobe } => format!("system call {name}{}", ret(retprobe)),
        AttachTarget::Uprobe { path, function, offset: 0, retprobe } => {
            format!("{path}:{function}{}", ret(retprobe))
        }
        AttachTarget::Uprobe { path, function, offset, retprobe } => {
            format!("{path}:{function}+{offset:#x}{}", ret(retprobe))
        }
        AttachTarget::UprobeMulti { path, pattern, retprobe, .. } => {
            format!("{path}:{pattern}{}", ret(retprobe))
        }
        AttachTarget::Usdt { path, provider, name } => format!("{path}:{provider}:{name}"),
        AttachTarget::RawTracepoint { name }
        | AttachTarget::Btf { name }
        | AttachTarget::Iter { name }
        | AttachTarget::StructOps { name } => name.clone(),
        AttachTarget::Malformed { text, form } => format!("{text} (not of the form {form})"),
        _ => "?".into(),
    }
}

fn map_notes(map: &MapDef) -> String {
    let mut notes = Vec::new();
    if map.map_flags != 0 {
        notes.push(format!("flags {:#x}", map.map_flags));
    }
    if map.frozen {
        notes.push("frozen".into());
    }
    if map.pinning.number() != 0 {
        notes.push(format!("pinning {}", map.pinning.number()));
    }
    if let Some(inner) = &map.inner {
        notes.push(format!(
            "of {} key {} value {} entries {}",
            map_type(inner),
            inner.key_size,
            inner.value_size,
            inner.max_entries
        ));
    }
    if let MapOrigin::Legacy(record) = &map.origin {
        notes.push(format!("legacy record of {} bytes", record.size));
    }
    notes.join(", ")
}

fn is_kconfig(object: &Object, variable: &Variable) -> bool {
    object.maps.get(variable.map).is_some_and(|map| matches!(map.origin, MapOrigin::Data(DataKind::Kconfig)))
}

/// Characters of a value that are shown on a line.
const VALUE_WIDTH: usize = 60;

/// Bytes of a variable that are still shown: a file may state any size for what it keeps no bytes of.
const VALUE_SIZE: u32 = 1 << 16;

fn value_bytes(object: &Object, variable: &Variable) -> Option<Vec<u8>> {
    if variable.size > VALUE_SIZE { None } else { object.get(&variable.name).ok() }
}

fn value_text(object: &Object, variable: &Variable) -> String {
    let Some(raw) = value_bytes(object, variable) else { return String::new() };
    let typed = object.btf.as_ref().and_then(|btf| btf.read_value(variable.type_id, &raw).ok());
    let text = typed.map_or_else(|| json::hex(&raw), |value| value.to_string());
    if text.chars().count() <= VALUE_WIDTH {
        return text;
    }
    text.chars().take(VALUE_WIDTH - 1).chain(['…']).collect()
}

fn extern_kind(symbol: &Extern) -> &'static str {
    match symbol.kind {
        ExternKind::Kconfig { .. } => "kconfig",
        ExternKind::KsymAddress => "ksym address",
        ExternKind::KsymVariable => "ksym variable",
        ExternKind::Kfunc => "kfunc",
        ExternKind::Undefined => "undefined",
    }
}

/// The same as JSON.
fn describe(object: &Object) -> Json {
    let programs = object.programs.iter().map(|program| {
        json!({
            "name": program.name,
            "section": program.section,
            "type": program.kind.prog_type.map(|kind| kind.name()),
            "attach_type": program.kind.attach_type.map(|kind| kind.uapi_name()),
            "attach_to": attach_text(&program.kind.target),
            "autoload": program.autoload,
            "insns": program.code.insns.len(),
        })
    });
    let subprograms = object.subprograms.iter().map(|subprogram| {
        json!({
            "name": subprogram.name,
            "section": subprogram.section,
            "linkage": format!("{:?}", subprogram.linkage).to_lowercase(),
            "insns": subprogram.code.insns.len(),
        })
    });
    let variables = object.variables.iter().map(|variable| {
        let raw = value_bytes(object, variable);
        let typed = raw.as_ref().zip(object.btf.as_ref());
        let value = typed.and_then(|(raw, btf)| btf.read_value(variable.type_id, raw).ok());
        json!({
            "name": variable.name,
            "map": object.maps.get(variable.map).map(|map| &map.name),
            "offset": variable.offset,
            "size": variable.size,
            "value": value.as_ref().map(json::value),
            "bytes": raw.as_deref().map(json::bytes),
        })
    });
    let externs = object
        .externs
        .iter()
        .map(|symbol| json!({ "name": symbol.name, "kind": extern_kind(symbol), "weak": symbol.weak }));
    json!({
        "file": object.file,
        "endian": if object.endian == skep::isa::Endian::Big { "big" } else { "little" },
        "license": object.license,
        "version": object.version,
        "btf_types": object.btf.as_ref().map(|btf| btf.last_id()),
        "programs": programs.collect::<Vec<_>>(),
        "subprograms": subprograms.collect::<Vec<_>>(),
        "maps": object.maps.iter().map(describe_map).collect::<Vec<_>>(),
        "variables": variables.collect::<Vec<_>>(),
        "externs": externs.collect::<Vec<_>>(),
        "warnings": object.warnings,
    })
}

fn describe_map(map: &MapDef) -> Json {
    json!({
        "name": map.name,
        "section": map.section,
        "type": map_type(map),
        "key_size": map.key_size,
        "value_size": map.value_size,
        "max_entries": map.max_entries,
        "flags": map.map_flags,
        "frozen": map.frozen,
        "pinning": map.pinning.number(),
        "inner": map.inner.as_deref().map(describe_map),
    })
}
