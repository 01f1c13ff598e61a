//! Values: bytes read as a type says, for people and for programs.

use std::fmt;

use crate::{Btf, BtfError, Endian, IntEncoding, Kind, Member, Type};

/// How deep types may nest in a value. The kernel's limit for resolving types is the same.
const MAX_DEPTH: usize = 32;

/// How many values one value may consist of, beyond one a byte: unions lay values over each other, and unions of unions
/// of unions could make any number of them out of a byte.
const MAX_OVERLAID: usize = 1 << 16;

/// A value of a type.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// An integer of up to 16 bytes.
    Int(i128),
    /// A `bool`.
    Bool(bool),
    /// A single `char`.
    Char(u8),
    /// An array of `char`, up to its first zero byte.
    Str(String),
    /// An enumeration, by the name of its value where it has one.
    Enum(Option<String>, i128),
    /// A floating-point number.
    Float(f64),
    /// A pointer.
    Ptr(u64),
    /// An array.
    Array(Vec<Value>),
    /// A structure or union: names and values of its members. Anonymous members have an empty name.
    Struct(Vec<(String, Value)>),
    /// Bytes that the type does not describe.
    Bytes(Vec<u8>),
}

/// Why bytes are no value of a type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// The type is not in the BTF, is a declaration without a definition, or has no end.
    #[error(transparent)]
    Type(#[from] BtfError),
    /// Fewer bytes than the type has.
    #[error("type '{name}' takes {want} bytes, and there are {have}")]
    TooShort {
        /// Name of the type.
        name: String,
        /// Bytes it takes.
        want: u32,
        /// Bytes there are.
        have: usize,
    },
    /// A function, a section, or a declaration without a definition.
    #[error("a {kind} ('{name}') has no values")]
    NoValue {
        /// Kind of the type.
        kind: Kind,
        /// Name of the type.
        name: String,
    },
    /// Types nested too deep.
    #[error("types nest deeper than {MAX_DEPTH}")]
    TooDeep,
    /// Unions laid over unions, without end.
    #[error("unions make more than {MAX_OVERLAID} values out of the same bytes")]
    TooMany,
}

impl Btf {
    /// Reads bytes, in the byte order of this BTF, as a value of a type. Bytes after it are ignored.
    ///
    /// # Errors
    /// [`ValueError`] when the bytes are too few or the type has no values.
    pub fn read_value(&self, type_id: u32, bytes: &[u8]) -> Result<Value, ValueError> {
        Reader { btf: self, left: MAX_OVERLAID.saturating_add(bytes.len()) }.read(type_id, bytes, 0)
    }
}

/// Reads one value.
struct Reader<'a> {
    btf: &'a Btf,
    /// Values that it may still have.
    left: usize,
}

impl<'a> Reader<'a> {
    fn read(&mut self, type_id: u32, bytes: &[u8], depth: usize) -> Result<Value, ValueError> {
        if depth > MAX_DEPTH {
            return Err(ValueError::TooDeep);
        }
        self.left = self.left.checked_sub(1).ok_or(ValueError::TooMany)?;
        let ty = self.btf.resolve(type_id)?;
        let size = self.btf.size_of(ty.id())?;
        let have = bytes.len();
        let too_short = || ValueError::TooShort { name: ty.name_or_anon().to_owned(), want: size, have };
        let bytes = bytes.get(..size as usize).ok_or_else(too_short)?;
        match ty.kind() {
            Kind::Int => Ok(self.read_int(ty, bytes)),
            Kind::Enum | Kind::Enum64 => Ok(self.read_enum(ty, self.integer(bytes, ty.is_signed_enum()))),
            Kind::Ptr => Ok(Value::Ptr(self.integer(bytes, false) as u64)),
            Kind::Float => Ok(self.read_float(bytes)),
            Kind::Array => self.read_array(ty, bytes, depth),
            Kind::Struct | Kind::Union => self.read_members(ty, bytes, depth),
            kind => Err(ValueError::NoValue { kind, name: ty.name_or_anon().to_owned() }),
        }
    }

    fn read_int(&self, ty: Type<'_>, bytes: &[u8]) -> Value {
        let encoding = ty.int().map_or(IntEncoding::default(), |int| int.encoding);
        let value = self.integer(bytes, encoding.is_signed());
        if encoding.is_bool() && bytes.len() == 1 {
            Value::Bool(value != 0)
        } else if is_char(ty) {
            Value::Char(value as u8)
        } else if bytes.len() > 16 {
            Value::Bytes(bytes.to_vec())
        } else {
            Value::Int(value)
        }
    }

    fn read_enum(&self, ty: Type<'_>, value: i128) -> Value {
        // The value's own signedness is that of the enumeration, so plain equality is right.
        let name = ty.enumerators().find(|item| item.as_i128() == value).map(|item| item.name().to_owned());
        Value::Enum(name, value)
    }

    fn read_float(&self, bytes: &[u8]) -> Value {
        let raw = self.integer(bytes, false);
        match bytes.len() {
            4 => Value::Float(f64::from(f32::from_bits(raw as u32))),
            8 => Value::Float(f64::from_bits(raw as u64)),
            _ => Value::Bytes(bytes.to_vec()),
        }
    }

    fn read_array(&mut self, ty: Type<'_>, bytes: &[u8], depth: usize) -> Result<Value, ValueError> {
        let element = self.btf.resolve(ty.array().map_or(0, |array| array.element))?;
        if is_char(element) {
            let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
            return Ok(match std::str::from_utf8(&bytes[..end]) {
                Ok(text) => Value::Str(text.to_owned()),
                Err(_) => Value::Str(bytes[..end].escape_ascii().to_string()),
            });
        }
        // An element without a size would make an array of any length out of nothing.
        let size = self.btf.size_of(element.id())? as usize;
        if size == 0 {
            return Ok(Value::Array(Vec::new()));
        }
        let items = bytes.chunks_exact(size).map(|item| self.read(element.id(), item, depth + 1));
        Ok(Value::Array(items.collect::<Result<_, _>>()?))
    }

    fn read_members(&mut self, ty: Type<'_>, bytes: &[u8], depth: usize) -> Result<Value, ValueError> {
        let mut members = Vec::new();
        for member in ty.members() {
            let value = match self.bitfield(member) {
                Some((offset, width)) => self.read_bitfield(member.type_id, bytes, offset, width),
                None => {
                    let rest = bytes.get(member.bit_offset as usize / 8..).unwrap_or_default();
                    self.read(member.type_id, rest, depth + 1)?
                }
            };
            members.push((member.name().to_owned(), value));
        }
        Ok(Value::Struct(members))
    }

    /// Bit offset and width of a member, if it is a bitfield in either encoding.
    fn bitfield(&self, member: Member<'_>) -> Option<(u64, u32)> {
        let offset = u64::from(member.bit_offset);
        if member.bitfield_size != 0 {
            return Some((offset, member.bitfield_size));
        }
        let ty = self.btf.resolve(member.type_id).ok()?;
        let int = ty.int()?;
        let storage = u64::from(ty.size()?) * 8;
        let whole = u64::from(int.bits) == storage && int.bit_offset == 0 && offset.is_multiple_of(8);
        (!whole).then(|| (offset + u64::from(int.bit_offset), u32::from(int.bits)))
    }

    fn read_bitfield(&self, type_id: u32, bytes: &[u8], offset: u64, width: u32) -> Value {
        let mut raw: u128 = 0;
        for bit in 0..width.min(128) {
            let at = offset + u64::from(bit);
            let byte = usize::try_from(at / 8).ok().and_then(|byte| bytes.get(byte)).copied().unwrap_or(0);
            // Bits count from the most significant one where bytes do.
            let set = match self.btf.endian() {
                Endian::Little => u128::from(byte >> (at % 8) & 1) << bit,
                Endian::Big => u128::from(byte >> (7 - at % 8) & 1) << (width.min(128) - 1 - bit),
            };
            raw |= set;
        }
        let Ok(ty) = self.btf.resolve(type_id) else { return Value::Int(raw as i128) };
        let signed = ty.int().is_some_and(|int| int.encoding.is_signed()) || ty.is_signed_enum();
        let shift = 128 - width.clamp(1, 128);
        let value = if signed { (raw << shift) as i128 >> shift } else { raw as i128 };
        match ty.kind() {
            Kind::Enum | Kind::Enum64 => self.read_enum(ty, value),
            Kind::Int if ty.int().is_some_and(|int| int.encoding.is_bool()) => Value::Bool(value != 0),
            _ => Value::Int(value),
        }
    }

    /// An integer of up to 16 bytes in this BTF's byte order.
    fn integer(&self, bytes: &[u8], signed: bool) -> i128 {
        let mut wide = [0u8; 16];
        let len = bytes.len().min(16);
        let bytes = &bytes[..len];
        match self.btf.endian() {
            Endian::Little => wide[..len].copy_from_slice(bytes),
            Endian::Big => wide[..len].iter_mut().zip(bytes.iter().rev()).for_each(|(to, from)| *to = *from),
        }
        let raw = i128::from_le_bytes(wide);
        let shift = 128 - 8 * len.clamp(1, 16) as u32;
        if signed { raw << shift >> shift } else { raw }
    }
}

/// Whether a type is what C programs keep text in: a one-byte integer called `char`.
fn is_char(ty: Type<'_>) -> bool {
    ty.kind() == Kind::Int
        && ty.size() == Some(1)
        && (ty.name() == "char" || ty.int().is_some_and(|int| int.encoding.is_char()))
}

/// On one line, as a C initialiser with names: `{pid: 812, comm: "ls", args: [1, 2]}`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Int(value) => write!(f, "{value}"),
            Value::Bool(value) => write!(f, "{value}"),
            Value::Char(byte) => write!(f, "'{}'", byte.escape_ascii()),
            Value::Str(text) => write!(f, "{text:?}"),
            Value::Enum(Some(name), _) => f.write_str(name),
            Value::Enum(None, value) => write!(f, "{value}"),
            Value::Float(value) => write!(f, "{value}"),
            Value::Ptr(value) => write!(f, "{value:#x}"),
            Value::Array(items) => list(f, "[", "]", items, |f, item| write!(f, "{item}")),
            Value::Struct(members) => list(f, "{", "}", members, |f, (name, value)| match name.as_str() {
                "" => write!(f, "{value}"),
                name => write!(f, "{name}: {value}"),
            }),
            Value::Bytes(bytes) => list(f, "", "", bytes, |f, byte| write!(f, "{byte:02x}")),
        }
    }
}

fn list<T>(
    f: &mut fmt::Formatter<'_>,
    open: &str,
    close: &str,
    items: &[T],
    each: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    f.write_str(open)?;
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(if open.is_empty() { " " } else { ", " })?;
        }
        each(f, item)?;
    }
    f.write_str(close)
}
