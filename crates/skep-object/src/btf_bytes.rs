//! Changes in the bytes of a `.BTF` section: records keep their place and length, only words in them change.

use std::collections::HashSet;

use skep_btf::{Btf, Kind, Secinfo, VarLinkage};
use skep_isa::Endian;

use crate::object::Object;
use crate::program::{FuncRef, Linkage};

impl Object {
    /// The object's BTF as a kernel takes it (`BPF_BTF_LOAD`), with every type under its id in [`Object::btf`]; None in an
    /// object without BTF.
    ///
    /// Kernels know no externs. So declared variables become defined ones, declared functions global ones with named
    /// parameters, and the DATASEC `.ksyms`, whose variables have no place anywhere, becomes a structure that nothing
    /// uses. Functions of hidden visibility become static: they are verified where they are called.
    #[must_use]
    pub fn loadable_btf(&self) -> Option<Vec<u8>> {
        let btf = self.btf.as_ref()?;
        let mut bytes = btf.to_bytes();
        let endian = btf.endian();
        let int = btf.own_types().find(|ty| ty.kind() == Kind::Int && ty.size() == Some(4));
        let int = int.or_else(|| btf.own_types().find(|ty| ty.kind() == Kind::Int));
        let hidden: HashSet<u32> = (0..self.subprograms.len())
            .map(FuncRef::Subprogram)
            .filter(|&function| self.function_linkage(function) == Some(Linkage::Hidden))
            .filter_map(|function| self.function_code(function)?.func_type)
            .collect();
        // Many functions may share one prototype; its parameters are named once.
        let mut named = HashSet::new();
        let records = record_offsets(btf, &bytes);
        let record_of = |id: u32| records.get(id.checked_sub(btf.own_ids().start)? as usize).copied();
        for (ty, &record) in btf.own_types().zip(&records) {
            match ty.kind() {
                Kind::Var if ty.var_linkage() == Some(VarLinkage::Extern) => {
                    put_word(&mut bytes, record + 12, VarLinkage::Global.to_u32(), endian);
                }
                Kind::Func if ty.func_linkage() == Some(skep_btf::FuncLinkage::Extern) => {
                    set_vlen(&mut bytes, record, Kind::Func, 1, endian);
                    let proto = ty.target().and_then(|id| btf.get(id));
                    let place = ty.target().and_then(record_of);
                    if let (Some(proto), Some(place)) = (proto, place)
                        && named.insert(proto.id())
                    {
                        for (index, param) in proto.params().enumerate() {
                            if param.type_id != 0 && param.name_off == 0 {
                                put_word(&mut bytes, place + 12 + index * 8, ty.name_off(), endian);
                            }
                        }
                    }
                }
                Kind::Func if hidden.contains(&ty.id()) => {
                    set_vlen(&mut bytes, record, Kind::Func, 0, endian);
                }
                Kind::Datasec if ty.name() == ".ksyms" => {
                    let Some((int, size)) = int.and_then(|int| Some((int.id(), int.size()?))) else {
                        continue;
                    };
                    let count = ty.secinfos().len();
                    put_word(&mut bytes, record, 0, endian);
                    set_vlen(&mut bytes, record, Kind::Struct, count, endian);
                    put_word(&mut bytes, record + 8, to_u32(count).saturating_mul(size), endian);
                    for (index, info) in ty.secinfos().enumerate() {
                        let member = record + 12 + index * 12;
                        put_word(&mut bytes, member, 0, endian);
                        put_word(&mut bytes, member + 4, int, endian);
                        put_word(
                            &mut bytes,
                            member + 8,
                            to_u32(index).saturating_mul(size.saturating_mul(8)),
                            endian,
                        );
                        // A variable of type void has no size.
                        let is_var = btf.get(info.type_id).is_some_and(|var| var.kind() == Kind::Var);
                        if let Some(var) = record_of(info.type_id).filter(|_| is_var) {
                            put_word(&mut bytes, var + 8, int, endian);
                        }
                    }
                }
                _ => {}
            }
        }
        Some(bytes)
    }
}

fn to_u32(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Overwrites kind and number of items of a record, without `kind_flag`.
fn set_vlen(bytes: &mut [u8], record: usize, kind: Kind, vlen: usize, endian: Endian) {
    put_word(bytes, record + 4, (kind as u32) << 24 | to_u32(vlen), endian);
}

/// Offset of each own type's record in the bytes of the section, in order.
pub(crate) fn record_offsets(btf: &Btf, bytes: &[u8]) -> Vec<usize> {
    let word = |at: usize| {
        let bytes = bytes.get(at..at + 4).and_then(|b| <[u8; 4]>::try_from(b).ok()).unwrap_or_default();
        match btf.endian() {
            Endian::Little => u32::from_le_bytes(bytes),
            Endian::Big => u32::from_be_bytes(bytes),
        }
    };
    // struct btf_header: hdr_len at 4, type_off at 8.
    let mut at = word(4) as usize + word(8) as usize;
    btf.own_types()
        .map(|ty| {
            let start = at;
            let vlen = match ty.kind() {
                Kind::Struct | Kind::Union => ty.members().len() * 12,
                Kind::Enum => ty.enumerators().len() * 8,
                Kind::Enum64 => ty.enumerators().len() * 12,
                Kind::FuncProto => ty.params().len() * 8,
                Kind::Datasec => ty.secinfos().len() * 12,
                Kind::Array => 12,
                Kind::Int | Kind::Var | Kind::DeclTag => 4,
                _ => 0,
            };
            at += 12 + vlen;
            start
        })
        .collect()
}

/// Writes one word of the section in its byte order; beyond the end nothing happens.
pub(crate) fn put_word(bytes: &mut [u8], at: usize, value: u32, endian: Endian) {
    let value = match endian {
        Endian::Little => value.to_le_bytes(),
        Endian::Big => value.to_be_bytes(),
    };
    if let Some(target) = bytes.get_mut(at..at + 4) {
        target.copy_from_slice(&value);
    }
}

/// Overwrites size and variables of a DATASEC record.
pub(crate) fn write_datasec(bytes: &mut [u8], record: usize, size: u32, infos: &[Secinfo], endian: Endian) {
    put_word(bytes, record + 8, size, endian);
    for (index, info) in infos.iter().enumerate() {
        let at = record + 12 + index * 12;
        put_word(bytes, at, info.type_id, endian);
        put_word(bytes, at + 4, info.offset, endian);
        put_word(bytes, at + 8, info.size, endian);
    }
}
