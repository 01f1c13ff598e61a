//! The raw form, text and JSON, as `bpftool btf dump` prints it.

use std::fmt::{self, Write};

use crate::types::or_anon;
use crate::{Btf, Kind, Type};

impl Btf {
    /// The own types in the raw form of `bpftool btf dump … format raw`, one line a type and one tab-indented line an
    /// item.
    ///
    /// ```
    /// # use skep_btf::{BtfBuilder, Endian, IntEncoding, TypeDef};
    /// # let mut builder = BtfBuilder::new(Endian::Little);
    /// # builder.add(&TypeDef::int("int", 4, IntEncoding::SIGNED))?;
    /// # let btf = builder.finish()?;
    /// assert_eq!(btf.raw().to_string(), "[1] INT 'int' size=4 bits_offset=0 nr_bits=32 encoding=SIGNED\n");
    /// # Ok::<(), skep_btf::BtfError>(())
    /// ```
    #[must_use]
    pub fn raw(&self) -> Raw<'_> {
        Raw(self)
    }

    /// The own types as the JSON of `bpftool -j btf dump`: one object with the array `types`, on one line.
    #[must_use]
    pub fn json(&self) -> Json<'_> {
        Json(self)
    }
}

/// The raw text form of all own types; see [`Btf::raw`].
#[derive(Clone, Copy, Debug)]
pub struct Raw<'a>(&'a Btf);

/// The JSON form of all own types; see [`Btf::json`].
#[derive(Clone, Copy, Debug)]
pub struct Json<'a>(&'a Btf);

impl fmt::Display for Raw<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.own_types().try_for_each(|ty| writeln!(f, "{ty}"))
    }
}

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{\"types\":[")?;
        for (i, ty) in self.0.own_types().enumerate() {
            if i > 0 {
                f.write_char(',')?;
            }
            let mut json = JsonForm { f: &mut *f, first: true };
            json.f.write_char('{')?;
            describe(ty, &mut json)?;
            json.f.write_char('}')?;
        }
        f.write_str("]}")
    }
}

impl fmt::Display for Type<'_> {
    /// The raw form of one type, without a newline at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe(*self, &mut TextForm { f, in_item: false })
    }
}

/// Where a description goes: both forms have the same fields in the same order.
trait Form {
    /// `[id] KIND 'name'`.
    fn head(&mut self, ty: Type<'_>) -> fmt::Result;
    fn number(&mut self, key: &str, value: impl fmt::Display) -> fmt::Result;
    fn word(&mut self, key: &str, value: impl fmt::Display) -> fmt::Result;
    /// The value of an enumerator, which text gives a suffix that tells its type.
    fn value(&mut self, value: i128, suffix: &str) -> fmt::Result;
    fn items<I: Iterator>(
        &mut self,
        key: &str,
        items: I,
        each: impl FnMut(&mut Self, I::Item) -> fmt::Result,
    ) -> fmt::Result;
    /// The name that starts an item.
    fn item_name(&mut self, name: &str) -> fmt::Result;
    /// What a section's variable is; text only.
    fn remark(&mut self, ty: Type<'_>) -> fmt::Result;
    /// The comma that text has between the type and the linkage of a variable.
    fn comma(&mut self) -> fmt::Result;
}

fn describe<F: Form>(ty: Type<'_>, form: &mut F) -> fmt::Result {
    form.head(ty)?;
    let target = ty.target().unwrap_or(0);
    let size = ty.size().unwrap_or(0);
    let encoding = if ty.kind_flag() { "SIGNED" } else { "UNSIGNED" };
    match ty.kind() {
        Kind::Void => {}
        Kind::Int => {
            if let Some(int) = ty.int() {
                form.number("size", size)?;
                form.number("bits_offset", int.bit_offset)?;
                form.number("nr_bits", int.bits)?;
                form.word("encoding", int.encoding)?;
            }
        }
        Kind::Ptr | Kind::Const | Kind::Volatile | Kind::Restrict | Kind::Typedef | Kind::TypeTag => {
            form.number("type_id", target)?;
        }
        Kind::Array => {
            if let Some(array) = ty.array() {
                form.number("type_id", array.element)?;
                form.number("index_type_id", array.index)?;
                form.number("nr_elems", array.len)?;
            }
        }
        Kind::Struct | Kind::Union => {
            form.number("size", size)?;
            form.number("vlen", ty.vlen())?;
            form.items("members", ty.members(), |form, member| {
                form.item_name(member.name())?;
                form.number("type_id", member.type_id)?;
                form.number("bits_offset", member.bit_offset)?;
                if member.bitfield_size != 0 {
                    form.number("bitfield_size", member.bitfield_size)?;
                }
                Ok(())
            })?;
        }
        Kind::Enum | Kind::Enum64 => {
            form.word("encoding", encoding)?;
            form.number("size", size)?;
            form.number("vlen", ty.vlen())?;
            let suffix = match (ty.kind(), ty.kind_flag()) {
                (Kind::Enum64, true) => "LL",
                (Kind::Enum64, false) => "ULL",
                _ => "",
            };
            form.items("values", ty.enumerators(), |form, enumerator| {
                form.item_name(enumerator.name())?;
                form.value(enumerator.as_i128(), suffix)
            })?;
        }
        Kind::Fwd => {
            if let Some(kind) = ty.fwd_kind() {
                form.word("fwd_kind", kind)?;
            }
        }
        Kind::Func => {
            form.number("type_id", target)?;
            if let Some(linkage) = ty.func_linkage() {
                form.word("linkage", linkage)?;
            }
        }
        Kind::FuncProto => {
            form.number("ret_type_id", target)?;
            form.number("vlen", ty.vlen())?;
            form.items("params", ty.params(), |form, param| {
                form.item_name(param.name())?;
                form.number("type_id", param.type_id)
            })?;
        }
        Kind::Var => {
            form.number("type_id", target)?;
            form.comma()?;
            if let Some(linkage) = ty.var_linkage() {
                form.word("linkage", linkage)?;
            }
        }
        Kind::Datasec => {
            form.number("size", size)?;
            form.number("vlen", ty.vlen())?;
            form.items("vars", ty.secinfos(), |form, var| {
                form.number("type_id", var.type_id)?;
                form.number("offset", var.offset)?;
                form.number("size", var.size)?;
                ty.btf().get(var.type_id).map_or(Ok(()), |var| form.remark(var))
            })?;
        }
        Kind::Float => form.number("size", size)?,
        Kind::DeclTag => {
            form.number("type_id", target)?;
            form.number("component_idx", ty.component_idx().unwrap_or(-1))?;
        }
    }
    Ok(())
}

struct TextForm<'a, 'f> {
    f: &'a mut fmt::Formatter<'f>,
    /// Whether the next field is the first of an item, which no space precedes.
    in_item: bool,
}

impl Form for TextForm<'_, '_> {
    fn head(&mut self, ty: Type<'_>) -> fmt::Result {
        write!(self.f, "[{}] {} '{}'", ty.id(), ty.kind(), ty.name_or_anon())
    }

    fn number(&mut self, key: &str, value: impl fmt::Display) -> fmt::Result {
        if !std::mem::take(&mut self.in_item) {
            self.f.write_char(' ')?;
        }
        write!(self.f, "{key}={value}")
    }

    fn word(&mut self, key: &str, value: impl fmt::Display) -> fmt::Result {
        self.number(key, value)
    }

    fn value(&mut self, value: i128, suffix: &str) -> fmt::Result {
        write!(self.f, " val={value}{suffix}")
    }

    fn items<I: Iterator>(
        &mut self,
        _key: &str,
        mut items: I,
        mut each: impl FnMut(&mut Self, I::Item) -> fmt::Result,
    ) -> fmt::Result {
        items.try_for_each(|item| {
            self.f.write_str("\n\t")?;
            self.in_item = true;
            each(self, item)
        })
    }

    fn item_name(&mut self, name: &str) -> fmt::Result {
        self.in_item = false;
        write!(self.f, "'{}'", or_anon(name))
    }

    fn remark(&mut self, ty: Type<'_>) -> fmt::Result {
        write!(self.f, " ({} '{}')", ty.kind(), ty.name_or_anon())
    }

    fn comma(&mut self) -> fmt::Result {
        self.f.write_char(',')
    }
}

struct JsonForm<'a, 'f> {
    f: &'a mut fmt::Formatter<'f>,
    /// Whether the next field is the first of its object.
    first: bool,
}

impl JsonForm<'_, '_> {
    fn key(&mut self, key: &str) -> fmt::Result {
        if !std::mem::take(&mut self.first) {
            self.f.write_char(',')?;
        }
        write!(self.f, "\"{key}\":")
    }

    fn text(&mut self, key: &str, text: &str) -> fmt::Result {
        self.key(key)?;
        self.f.write_char('"')?;
        for c in text.chars() {
            match c {
                '"' => self.f.write_str("\\\"")?,
                '\\' => self.f.write_str("\\\\")?,
                '\n' => self.f.write_str("\\n")?,
                '\r' => self.f.write_str("\\r")?,
                '\t' => self.f.write_str("\\t")?,
                c if c < ' ' => write!(self.f, "\\u{:04x}", c as u32)?,
                c => self.f.write_char(c)?,
            }
        }
        self.f.write_char('"')
    }
}

impl Form for JsonForm<'_, '_> {
    fn head(&mut self, ty: Type<'_>) -> fmt::Result {
        self.number("id", ty.id())?;
        self.text("kind", ty.kind().name())?;
        self.text("name", ty.name_or_anon())
    }

    fn number(&mut self, key: &str, value: impl fmt::Display) -> fmt::Result {
        self.key(key)?;
        write!(self.f, "{value}")
    }

    fn word(&mut self, key: &str, value: impl fmt::Display) -> fmt::Result {
        self.text(key, &value.to_string())
    }

    fn value(&mut self, value: i128, _suffix: &str) -> fmt::Result {
        self.number("val", value)
    }

    fn items<I: Iterator>(
        &mut self,
        key: &str,
        items: I,
        mut each: impl FnMut(&mut Self, I::Item) -> fmt::Result,
    ) -> fmt::Result {
        self.key(key)?;
        self.f.write_char('[')?;
        for (i, item) in items.enumerate() {
            self.f.write_str(if i > 0 { ",{" } else { "{" })?;
            self.first = true;
            each(self, item)?;
            self.f.write_char('}')?;
        }
        self.f.write_char(']')
    }

    fn item_name(&mut self, name: &str) -> fmt::Result {
        self.text("name", or_anon(name))
    }

    fn remark(&mut self, _ty: Type<'_>) -> fmt::Result {
        Ok(())
    }

    fn comma(&mut self) -> fmt::Result {
        Ok(())
    }
}
