//! JSON: one schema for everything that `--json` prints.
//!
//! Integers that a double cannot hold are strings, so that no reader loses bits. Bytes are hexadecimal text.

use serde_json::{Value as Json, json};
use skep::btf::Value;

/// The largest integer up to which a double holds every one.
const SAFE: i128 = (1 << 53) - 1;

/// An integer: a number, or a string where a double cannot hold it.
pub(crate) fn int(value: i128) -> Json {
    match i64::try_from(value) {
        Ok(small) if (-SAFE..=SAFE).contains(&value) => json!(small),
        _ => json!(value.to_string()),
    }
}

/// Bytes, as hexadecimal text.
pub(crate) fn bytes(bytes: &[u8]) -> Json {
    json!(hex(bytes))
}

/// Bytes as hexadecimal text without spaces.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A value as its type describes it.
pub(crate) fn value(value: &Value) -> Json {
    match value {
        Value::Int(number) => int(*number),
        Value::Bool(truth) => json!(truth),
        Value::Char(byte) => json!(byte),
        Value::Str(text) => json!(text),
        Value::Enum(Some(name), _) => json!(name),
        Value::Enum(None, number) => int(*number),
        Value::Float(number) => json!(number),
        Value::Ptr(address) => json!(format!("{address:#x}")),
        Value::Array(items) => Json::Array(items.iter().map(self::value).collect()),
        Value::Struct(members) => {
            let mut object = serde_json::Map::new();
            for (name, member) in members {
                match (name.as_str(), self::value(member)) {
                    // An anonymous structure's members are the outer one's, as in C.
                    ("", Json::Object(inner)) => object.extend(inner),
                    ("", _) => {}
                    (name, member) => {
                        object.insert(name.to_owned(), member);
                    }
                }
            }
            Json::Object(object)
        }
        Value::Bytes(raw) => bytes(raw),
    }
}
