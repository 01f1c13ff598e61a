//! Global variables: found by name, read and set before the object is loaded.

use skep_btf::{Btf, Kind};
use skep_isa::Endian;

use crate::error::{ErrorKind, Result};
use crate::object::Object;
use crate::program::Linkage;

/// A global variable in a map of global data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Name in the source.
    pub name: String,
    /// Index of its map in [`Object::maps`].
    pub map: usize,
    /// Byte offset in the map's value.
    pub offset: u32,
    /// Bytes.
    pub size: u32,
    /// BTF type id, 0 if the object does not say.
    pub type_id: u32,
    /// Linkage; constants in functions (`static const`, `bpf_printk` formats) are static.
    pub linkage: Linkage,
}

impl Object {
    /// The variable of this name. Of several with one name, the global one.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&Variable> {
        let mut all = self.variables.iter().filter(|variable| variable.name == name);
        let first = all.next()?;
        if first.linkage != Linkage::Static {
            return Some(first);
        }
        Some(all.find(|variable| variable.linkage != Linkage::Static).unwrap_or(first))
    }

    /// The bytes of a variable as they are before any program runs, in the object's byte order.
    ///
    /// # Errors
    /// No such variable, or several static ones of this name.
    pub fn get(&self, name: &str) -> Result<Vec<u8>> {
        let variable = self.one_variable(name)?;
        let Some(map) = self.maps.get(variable.map) else {
            return Err(self.no_such_map(name, variable.map));
        };
        let (start, size) = (variable.offset as usize, variable.size as usize);
        let tail = map.data.get(start..).unwrap_or_default();
        let mut value = tail[..tail.len().min(size)].to_vec();
        value.resize(size, 0);
        Ok(value)
    }

    /// Sets the bytes of a variable, in the object's byte order.
    ///
    /// ```
    /// # let mut object = skep_object::Object::empty("none");
    /// match object.set("target_pid", &1234_u32.to_ne_bytes()) {
    ///     Ok(()) => println!("only process 1234"),
    ///     Err(error) => println!("{error}"), // none: there is no variable target_pid
    /// }
    /// ```
    ///
    /// # Errors
    /// No such variable, several static ones of this name, or another size than the variable's.
    pub fn set(&mut self, name: &str, value: &[u8]) -> Result<()> {
        let variable = self.one_variable(name)?;
        let (index, start, size) = (variable.map, variable.offset, variable.size as usize);
        if value.len() != size {
            return Err(self
                .error(ErrorKind::Value, format!("it has {size} bytes, not {} as the new value", value.len()))
                .symbol(name));
        }
        if self.write_value(index, start, value) { Ok(()) } else { Err(self.no_such_map(name, index)) }
    }

    /// Writes into a map's initial value; false if it does not reach so far.
    pub(crate) fn write_value(&mut self, map: usize, offset: u32, value: &[u8]) -> bool {
        let Some(map) = self.maps.get_mut(map) else { return false };
        let start = offset as usize;
        let end = start + value.len();
        if end > map.value_size as usize {
            return false;
        }
        if map.data.len() < end {
            // What is not written is zero anyway.
            if map.data.len() <= start && value.iter().all(|&byte| byte == 0) {
                return true;
            }
            map.data.resize(end, 0);
        }
        map.data[start..end].copy_from_slice(value);
        true
    }

    /// The number in a variable of integer, boolean, character or enumeration type (through typedefs and qualifiers).
    ///
    /// # Errors
    /// As [`Object::get`]; and a variable of another type, or an object without BTF.
    pub fn get_int(&self, name: &str) -> Result<i128> {
        let signed = self.int_type(name)?.signed;
        let mut bytes = self.get(name)?;
        if self.endian == Endian::Big {
            bytes.reverse();
        }
        let fill = if signed && bytes.last().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0 };
        let mut wide = [fill; 16];
        let count = bytes.len().min(16);
        wide[..count].copy_from_slice(&bytes[..count]);
        Ok(i128::from_le_bytes(wide))
    }

    /// Sets a variable of integer, boolean, character or enumeration type to a number that fits its type.
    ///
    /// # Errors
    /// As [`Object::set`]; and a variable of another type, a number outside its range, or an object without BTF.
    pub fn set_int(&mut self, name: &str, value: i128) -> Result<()> {
        let kind = self.int_type(name)?;
        let bytes = kind
            .encode(value, self.endian)
            .map_err(|reason| self.error(ErrorKind::Value, reason).symbol(name))?;
        self.set(name, &bytes)
    }

    fn one_variable(&self, name: &str) -> Result<&Variable> {
        let Some(variable) = self.variable(name) else {
            return Err(self.error(ErrorKind::Value, self.unknown_variable(name)).symbol(name));
        };
        let same = self.variables.iter().filter(|other| other.name == name).count();
        if variable.linkage == Linkage::Static && same > 1 {
            let reason =
                format!("{same} static variables have this name; edit the data of their map instead");
            return Err(self.error(ErrorKind::Value, reason).symbol(name));
        }
        Ok(variable)
    }

    fn unknown_variable(&self, name: &str) -> String {
        let known: Vec<&str> = self
            .variables
            .iter()
            .filter(|variable| variable.linkage != Linkage::Static)
            .map(|variable| variable.name.as_str())
            .take(20)
            .collect();
        if self.externs.iter().any(|symbol| symbol.name == name) {
            "it is an extern, whose value the kernel gives, not a variable of the object".to_owned()
        } else if known.is_empty() {
            "there is no such variable; the object has no global variables".to_owned()
        } else {
            format!("there is no such variable; there are {}", known.join(", "))
        }
    }

    fn no_such_map(&self, name: &str, map: usize) -> crate::ObjectError {
        self.error(
            ErrorKind::Value,
            format!("map {map} of {} is not there or is too small for it", self.maps.len()),
        )
        .symbol(name)
    }

    fn int_type(&self, name: &str) -> Result<Scalar> {
        let variable = self.one_variable(name)?;
        let fail = |reason: String| self.error(ErrorKind::Value, reason).symbol(name);
        let Some(btf) = &self.btf else {
            return Err(fail(
                "the object has no BTF to say what type it is; set its bytes instead".to_owned(),
            ));
        };
        let scalar = Scalar::of(btf, variable.type_id)
            .map_err(|what| fail(format!("it is not a number but {what}; set its bytes instead")))?;
        if scalar.size != variable.size {
            let reason =
                format!("its type {} has {} bytes, but it has {}", scalar.name, scalar.size, variable.size);
            return Err(fail(reason));
        }
        Ok(scalar)
    }
}

/// A type that holds one number.
pub(crate) struct Scalar {
    pub(crate) name: String,
    /// 1, 2, 4, 8 or 16 bytes.
    pub(crate) size: u32,
    pub(crate) signed: bool,
    pub(crate) boolean: bool,
    pub(crate) character: bool,
}

impl Scalar {
    /// The number type behind typedefs and qualifiers, or what the type is instead.
    pub(crate) fn of(btf: &Btf, type_id: u32) -> Result<Scalar, String> {
        let ty = btf.resolve(type_id).map_err(|error| format!("of a type that is broken ({error})"))?;
        let what = || format!("of type {} '{}'", ty.kind(), ty.name_or_anon());
        let size = ty.size().unwrap_or(0);
        let (signed, boolean, character) = match ty.kind() {
            Kind::Int => {
                let encoding = ty.int().ok_or_else(what)?.encoding;
                (encoding.is_signed(), encoding.is_bool(), encoding.is_char())
            }
            Kind::Enum | Kind::Enum64 => (ty.is_signed_enum(), false, false),
            _ => return Err(what()),
        };
        if !matches!(size, 1 | 2 | 4 | 8 | 16) {
            return Err(what());
        }
        Ok(Scalar { name: ty.name_or_anon().to_owned(), size, signed, boolean, character })
    }

    /// The bytes of a number of this type.
    pub(crate) fn encode(&self, value: i128, endian: Endian) -> Result<Vec<u8>, String> {
        let (least, most) = self.range();
        if value < least || value > most {
            return Err(format!("{value} does not fit {}, which holds {least} to {most}", self.name));
        }
        let mut bytes = value.to_le_bytes()[..self.size as usize].to_vec();
        if endian == Endian::Big {
            bytes.reverse();
        }
        Ok(bytes)
    }

    /// Least and greatest value. An enumeration or a 128-bit type takes what fits its bytes.
    pub(crate) fn range(&self) -> (i128, i128) {
        let bits = self.size * 8;
        if self.boolean {
            (0, 1)
        } else if self.size == 16 {
            (if self.signed { i128::MIN } else { 0 }, i128::MAX)
        } else if self.signed {
            (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
        } else {
            (0, (1 << bits) - 1)
        }
    }
}
