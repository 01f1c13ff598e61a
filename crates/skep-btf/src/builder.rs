//! Making and changing BTF.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use skep_isa::Endian;

use crate::header::Header;
use crate::{Btf, BtfError, Kind, Secinfo, TypeDef};

/// Adds types and strings to BTF, new or existing, and changes types in place.
///
/// Equal strings are stored once, those of the base not again. Types are stored as they come: ids are given in order, and
/// a type may refer to one that is added later ([`BtfBuilder::next_id`] tells ids in advance).
///
/// ```
/// use skep_btf::{BtfBuilder, Endian, IntEncoding, MemberDef, TypeDef};
///
/// let mut builder = BtfBuilder::new(Endian::Little);
/// let int = builder.add(&TypeDef::int("int", 4, IntEncoding::SIGNED))?;
/// builder.add(&TypeDef::structure("pair", 8, vec![MemberDef::new("a", int, 0), MemberDef::new("b", int, 32)]))?;
/// let btf = builder.finish()?;
/// assert_eq!(btf.size_of(2)?, 8);
/// assert_eq!(skep_btf::Btf::parse(&btf.to_bytes())?.last_id(), 2);
/// # Ok::<(), skep_btf::BtfError>(())
/// ```
#[derive(Clone, Debug)]
pub struct BtfBuilder {
    btf: Btf,
    /// Offsets of all strings; made when the first string is added.
    offsets: Option<HashMap<Box<[u8]>, u32>>,
}

impl BtfBuilder {
    /// Starts with no types and the empty string.
    #[must_use]
    pub fn new(endian: Endian) -> Self {
        let mut btf = Btf::empty(endian, None);
        btf.strings.push(b"");
        BtfBuilder { btf, offsets: None }
    }

    /// Starts split BTF on top of `base`.
    #[must_use]
    pub fn split(base: &Arc<Btf>) -> Self {
        BtfBuilder { btf: Btf::empty(base.endian(), Some(Arc::clone(base))), offsets: None }
    }

    /// The BTF as it is now.
    #[must_use]
    pub fn btf(&self) -> &Btf {
        &self.btf
    }

    /// The id that the next type will get.
    #[must_use]
    pub fn next_id(&self) -> u32 {
        self.btf.last_id() + 1
    }

    /// The offset of a string, which is added where it is not there yet.
    ///
    /// # Errors
    /// A NUL inside, or no room left in 32-bit offsets.
    pub fn add_str(&mut self, text: &str) -> Result<u32, BtfError> {
        self.add_str_bytes(text.as_bytes())
    }

    /// The offset of a string that need not be UTF-8.
    ///
    /// # Errors
    /// As [`BtfBuilder::add_str`].
    pub fn add_str_bytes(&mut self, text: &[u8]) -> Result<u32, BtfError> {
        if text.is_empty() {
            return Ok(0);
        }
        let btf = &mut self.btf;
        let offsets = self.offsets.get_or_insert_with(|| {
            let mut offsets = HashMap::new();
            let mut layer = Some(&*btf);
            while let Some(btf) = layer {
                offsets.extend(btf.own_strings().map(|(offset, text)| (text.into(), offset)));
                layer = btf.base().map(|base| &**base);
            }
            offsets
        });
        if let Some(&offset) = offsets.get(text) {
            return Ok(offset);
        }
        let what = || format!("string '{}'", String::from_utf8_lossy(text));
        if text.contains(&0) {
            return Err(BtfError::Build { what: what(), reason: "it contains a NUL byte".to_owned() });
        }
        let end = u64::from(btf.str_end()) + text.len() as u64 + 1;
        if u32::try_from(end).is_err() {
            return Err(BtfError::Build { what: what(), reason: "the strings are full (4 GiB)".to_owned() });
        }
        let offset = btf.first_str + btf.strings.push(text) as u32;
        offsets.insert(text.into(), offset);
        Ok(offset)
    }

    /// Adds a type; gives its id.
    ///
    /// # Errors
    /// What the format cannot express: more than 65,535 items, a bitfield beyond 2^24 bits or wider than 255, a value that does
    /// not fit its enumeration, a name with a NUL inside.
    pub fn add(&mut self, def: &TypeDef) -> Result<u32, BtfError> {
        let record = self.encode(def)?;
        let id = self.next_id();
        let full =
            || BtfError::Build { what: describe(def), reason: "the type section is full (4 GiB)".to_owned() };
        let start = u32::try_from(self.btf.words.len() * 4).map_err(|_| full())? / 4;
        id.checked_add(1).ok_or_else(full)?;
        self.btf.words.extend(record);
        self.btf.starts.push(start);
        self.changed();
        Ok(id)
    }

    /// Puts another type in the place of an own type; its id stays.
    ///
    /// # Errors
    /// As [`BtfBuilder::add`], and an id that is not one of the own types.
    pub fn replace(&mut self, id: u32, def: &TypeDef) -> Result<(), BtfError> {
        let index = self.own_index(id)?;
        let record = self.encode(def)?;
        let btf = &mut self.btf;
        let start = btf.starts[index] as usize;
        let end = btf.starts.get(index + 1).map_or(btf.words.len(), |&next| next as usize);
        let (old, new) = ((end - start) as u32, record.len() as u32);
        btf.words.splice(start..end, record);
        if old != new {
            for later in &mut btf.starts[index + 1..] {
                *later = *later - old + new;
            }
        }
        self.changed();
        Ok(())
    }

    /// Sets the size in bytes of a type whose record states one: a section's, say, which compilers leave 0.
    ///
    /// # Errors
    /// An id that is not one of the own types, or a kind without a size.
    pub fn set_size(&mut self, id: u32, size: u32) -> Result<(), BtfError> {
        let index = self.own_index(id)?;
        if self.btf.require(id)?.size().is_none() {
            return Err(BtfError::of_type(&self.btf, id, "a type of this kind has no size to set"));
        }
        let start = self.btf.starts[index] as usize;
        self.btf.words[start + 2] = size;
        self.changed();
        Ok(())
    }

    /// Sets the variables of a section, as many as it had: their offsets, say, which compilers leave 0. Their order is up to
    /// the caller; [`Btf::validate`] wants them sorted by offset.
    ///
    /// # Errors
    /// An id that is not one of the own types, another kind, another number of variables.
    pub fn set_secinfos(&mut self, id: u32, vars: &[Secinfo]) -> Result<(), BtfError> {
        let index = self.own_index(id)?;
        let ty = self.btf.require(id)?;
        if ty.kind() != Kind::Datasec || ty.secinfos().len() != vars.len() {
            let reason = format!("it is not a section with {} variables", vars.len());
            return Err(BtfError::of_type(&self.btf, id, reason));
        }
        let items = self.btf.starts[index] as usize + 3;
        let words = vars.iter().flat_map(|var| [var.type_id, var.offset, var.size]);
        for (place, word) in self.btf.words[items..].iter_mut().zip(words) {
            *place = word;
        }
        self.changed();
        Ok(())
    }

    /// The finished BTF.
    ///
    /// # Errors
    /// A type that refers to an id that was never added.
    pub fn finish(mut self) -> Result<Btf, BtfError> {
        self.btf.header = Header::canonical(self.btf.words.len() as u32 * 4, self.btf.strings.len() as u32);
        self.btf.check_references()?;
        Ok(self.btf)
    }

    fn own_index(&self, id: u32) -> Result<usize, BtfError> {
        self.btf.require(id)?;
        let own = id.checked_sub(self.btf.first_id).filter(|_| id != 0);
        own.map(|index| index as usize).ok_or_else(|| {
            BtfError::of_type(&self.btf, id, "it belongs to the base and cannot be changed here")
        })
    }

    /// What was derived from the former contents no longer holds.
    fn changed(&mut self) {
        self.btf.original = None;
        self.btf.names = OnceLock::new();
    }

    /// The words of a record; adds the strings it needs.
    fn encode(&mut self, def: &TypeDef) -> Result<Vec<u32>, BtfError> {
        let fail = |reason: String| BtfError::Build { what: describe(def), reason };
        let count = |len: usize| {
            u16::try_from(len).map(u32::from).map_err(|_| fail(format!("{len} items are more than 65535")))
        };
        let name = self.add_str(def.name())?;
        let info = |kind_flag: bool, vlen: u32| u32::from(kind_flag) << 31 | (def.kind() as u32) << 24 | vlen;
        Ok(match def {
            TypeDef::Int { size, encoding, bit_offset, bits, .. } => {
                if encoding.0 > 0xf {
                    return Err(fail(format!("encoding {} does not fit 4 bits", encoding.0)));
                }
                let data = u32::from(encoding.0) << 24 | u32::from(*bit_offset) << 16 | u32::from(*bits);
                vec![name, info(false, 0), *size, data]
            }
            TypeDef::Ptr { target }
            | TypeDef::Volatile { target }
            | TypeDef::Const { target }
            | TypeDef::Restrict { target }
            | TypeDef::Typedef { target, .. } => vec![name, info(false, 0), *target],
            TypeDef::Array { element, index, len } => {
                vec![name, info(false, 0), 0, *element, *index, *len]
            }
            TypeDef::Composite { size, members, .. } => {
                let bitfields = members.iter().any(|m| m.bitfield_size != 0);
                let mut words = vec![name, info(bitfields, count(members.len())?), *size];
                for member in members {
                    let mut offset = member.bit_offset;
                    if bitfields {
                        if offset > 0xff_ffff || member.bitfield_size > 0xff {
                            return Err(fail(format!(
                                "member '{}': offset {offset} or width {} does not fit the 24 and 8 bits of a \
                                 structure with bitfields",
                                member.name, member.bitfield_size
                            )));
                        }
                        offset |= member.bitfield_size << 24;
                    }
                    words.extend([self.add_str(&member.name)?, member.type_id, offset]);
                }
                words
            }
            TypeDef::Enum { wide, size, signed, values, .. } => {
                let mut words = vec![name, info(*signed, count(values.len())?), *size];
                for (text, value) in values {
                    let low = *value as u32;
                    let fits = if *signed { i64::from(low as i32) as u64 } else { u64::from(low) } == *value;
                    if !wide && !fits {
                        return Err(fail(format!("the value of '{text}' does not fit 32 bits")));
                    }
                    words.extend([self.add_str(text)?, low]);
                    if *wide {
                        words.push((*value >> 32) as u32);
                    }
                }
                words
            }
            TypeDef::Fwd { kind, .. } => vec![name, info(*kind == crate::FwdKind::Union, 0), 0],
            TypeDef::Func { proto, linkage, .. } => {
                vec![name, info(false, u32::from(linkage.to_u16())), *proto]
            }
            TypeDef::FuncProto { ret, params } => {
                let mut words = vec![name, info(false, count(params.len())?), *ret];
                for (text, type_id) in params {
                    words.extend([self.add_str(text)?, *type_id]);
                }
                words
            }
            TypeDef::Var { target, linkage, .. } => vec![name, info(false, 0), *target, linkage.to_u32()],
            TypeDef::Datasec { size, vars, .. } => {
                let mut words = vec![name, info(false, count(vars.len())?), *size];
                words.extend(vars.iter().flat_map(|var| [var.type_id, var.offset, var.size]));
                words
            }
            TypeDef::Float { size, .. } => vec![name, info(false, 0), *size],
            TypeDef::DeclTag { target, component_idx, attribute, .. } => {
                vec![name, info(*attribute, 0), *target, *component_idx as u32]
            }
            TypeDef::TypeTag { target, attribute, .. } => vec![name, info(*attribute, 0), *target],
        })
    }
}

impl From<Btf> for BtfBuilder {
    /// Starts with the types and strings of existing BTF. Its header is written anew, without gaps.
    fn from(mut btf: Btf) -> Self {
        btf.original = None;
        BtfBuilder { btf, offsets: None }
    }
}

fn describe(def: &TypeDef) -> String {
    format!("{} '{}'", def.kind(), crate::types::or_anon(def.name()))
}
