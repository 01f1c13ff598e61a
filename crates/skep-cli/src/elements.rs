//! The elements of a map as rows of a table.

use std::cmp::Ordering;

use serde_json::{Value as Json, json};
use skep::LoadedMap;
use skep::btf::{Btf, Value};

use crate::json;

/// One element, or one CPU's value of it.
pub(crate) struct Row {
    key: Value,
    cpu: Option<usize>,
    value: Value,
}

/// An element as rows: one, or for per-CPU maps one for each CPU that has something in it.
pub(crate) fn rows(map: &LoadedMap, btf: Option<&Btf>, key: &[u8], value: &[u8]) -> Vec<Row> {
    let typed = |id: u32, bytes: &[u8]| {
        btf.filter(|_| id != 0).and_then(|btf| btf.read_value(id, bytes).ok()).unwrap_or_else(|| plain(bytes))
    };
    let def = &map.def;
    let key = typed(def.key_type_id, key);
    let size = def.value_size as usize;
    if value.len() == size {
        return vec![Row { key, cpu: None, value: typed(def.value_type_id, value) }];
    }
    let slots = value.chunks(size.next_multiple_of(8).max(8)).enumerate();
    let used = slots.filter(|(_, slot)| slot.iter().any(|&byte| byte != 0));
    used.map(|(cpu, slot)| {
        let value = typed(def.value_type_id, &slot[..size.min(slot.len())]);
        Row { key: key.clone(), cpu: Some(cpu), value }
    })
    .collect()
}

/// Bytes without a type: a number where they can be one.
fn plain(bytes: &[u8]) -> Value {
    match bytes.len() {
        1 | 2 | 4 | 8 => {
            let mut wide = [0; 8];
            // In host order, as programs write them.
            let at = if cfg!(target_endian = "big") { 8 - bytes.len() } else { 0 };
            wide[at..at + bytes.len()].copy_from_slice(bytes);
            Value::Int(i128::from(u64::from_ne_bytes(wide)))
        }
        _ => Value::Bytes(bytes.to_vec()),
    }
}

impl Row {
    /// The member of value or key with this name, or the whole value.
    fn column(&self, name: &str) -> &Value {
        [&self.value, &self.key]
            .into_iter()
            .filter_map(|value| match value {
                Value::Struct(members) => Some(members),
                _ => None,
            })
            .flatten()
            .find(|(member, _)| member == name)
            .map_or(if name == "key" { &self.key } else { &self.value }, |(_, value)| value)
    }

    pub(crate) fn json(&self) -> Json {
        let mut entry = json!({ "key": json::value(&self.key), "value": json::value(&self.value) });
        if let (Some(cpu), Some(entry)) = (self.cpu, entry.as_object_mut()) {
            entry.insert("cpu".into(), json!(cpu));
        }
        entry
    }
}

/// Sorts rows by key, or by the column of this name, the greatest first.
pub(crate) fn sort(rows: &mut [Row], column: Option<&str>) {
    rows.sort_by(|a, b| order(&a.key, &b.key));
    if let Some(column) = column {
        rows.sort_by(|a, b| order(b.column(column), a.column(column)));
    }
}

/// The order of two values of one type: of numbers by size, of structures by their first members that differ.
fn order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Int(a) | Value::Enum(_, a), Value::Int(b) | Value::Enum(_, b)) => a.cmp(b),
        (Value::Ptr(a), Value::Ptr(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Char(a), Value::Char(b)) => a.cmp(b),
        (Value::Float(a), Value::Float(b)) => a.total_cmp(b),
        (Value::Str(a), Value::Str(b)) => a.cmp(b),
        (Value::Bytes(a), Value::Bytes(b)) => a.cmp(b),
        (Value::Array(a), Value::Array(b)) => a
            .iter()
            .zip(b)
            .map(|(a, b)| order(a, b))
            .find(|order| order.is_ne())
            .unwrap_or(a.len().cmp(&b.len())),
        (Value::Struct(a), Value::Struct(b)) => a
            .iter()
            .zip(b)
            .map(|(a, b)| order(&a.1, &b.1))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal),
        _ => Ordering::Equal,
    }
}

/// Columns and cells: members of structures get a column each.
pub(crate) fn tabulate(rows: &[Row]) -> (Vec<String>, Vec<Vec<String>>) {
    let mut columns = Vec::new();
    let mut table = Vec::new();
    for row in rows {
        let mut header = Vec::new();
        let mut cells = Vec::new();
        spread("key", &row.key, &mut header, &mut cells);
        if let Some(cpu) = row.cpu {
            header.push("cpu".to_owned());
            cells.push(cpu.to_string());
        }
        spread("value", &row.value, &mut header, &mut cells);
        // All rows have the same type, so the same columns.
        columns = header;
        table.push(cells);
    }
    (columns, table)
}

fn spread(name: &str, value: &Value, header: &mut Vec<String>, cells: &mut Vec<String>) {
    match value {
        Value::Struct(members) => {
            for (member, value) in members {
                header.push(member.clone());
                cells.push(value.to_string());
            }
        }
        value => {
            header.push(name.to_owned());
            cells.push(value.to_string());
        }
    }
}
