//! What can be said of a record by looking at it alone.

use super::Rules;
use super::names::{MAX_LEN, identifier_problem, section_problem};
use crate::{Btf, BtfError, FuncLinkage, Kind, Type, VarLinkage};

/// Bits of `info` that a record may have set.
const INFO_MASK: u32 = 0x9f00_ffff;
/// Bits of the word of an integer that have a meaning.
const INT_MASK: u32 = 0x0fff_ffff;

/// Checks one record.
pub(super) fn check(ty: Type<'_>, rules: Rules) -> Result<(), BtfError> {
    problem(ty, rules).map_or(Ok(()), |reason| Err(BtfError::of_type(ty.btf(), ty.id(), reason)))
}

fn problem(ty: Type<'_>, rules: Rules) -> Option<String> {
    common_problem(ty).or_else(|| name_problem(ty, rules)).or_else(|| match ty.kind() {
        Kind::DeclTag if ty.component_idx().is_some_and(|i| i < -1) => {
            Some(format!("component index {} is less than -1", ty.component_idx().unwrap_or(0)))
        }
        Kind::Int => int_problem(ty),
        Kind::Array | Kind::Fwd if ty.size_or_type() != 0 => {
            Some(format!("the size field is {}, it must be 0", ty.size_or_type()))
        }
        Kind::Array => array_problem(ty),
        Kind::Struct | Kind::Union => composite_problem(ty, rules),
        Kind::Enum | Kind::Enum64 => enum_problem(ty, rules),
        Kind::Func if rules == Rules::Kernel => match ty.func_linkage() {
            Some(FuncLinkage::Static | FuncLinkage::Global) | None => None,
            Some(other) => Some(format!("linkage {} ({other}) is neither static nor global", other.to_u16())),
        },
        Kind::Func if ty.vlen() > 2 => Some(format!("linkage {} is not known (0 to 2 are)", ty.vlen())),
        Kind::Var => var_problem(ty, rules),
        Kind::Datasec => datasec_problem(ty, rules),
        Kind::Float => {
            let size = ty.size_or_type();
            (!matches!(size, 2 | 4 | 8 | 12 | 16))
                .then(|| format!("size {size} is not one of 2, 4, 8, 12, 16"))
        }
        _ => None,
    })
}

/// Rules for `info`.
fn common_problem(ty: Type<'_>) -> Option<String> {
    let info = ty.info();
    if info & !INFO_MASK != 0 {
        return Some(format!("info {info:#010x} has bits set that mean nothing"));
    }
    let has_items = matches!(
        ty.kind(),
        Kind::Struct | Kind::Union | Kind::Enum | Kind::Enum64 | Kind::FuncProto | Kind::Datasec | Kind::Func
    );
    if !has_items && ty.vlen() != 0 {
        return Some(format!("vlen is {}, it must be 0", ty.vlen()));
    }
    let may_flag = matches!(
        ty.kind(),
        Kind::Struct | Kind::Union | Kind::Enum | Kind::Enum64 | Kind::Fwd | Kind::DeclTag | Kind::TypeTag
    );
    if !may_flag && ty.kind_flag() {
        return Some("kind_flag is set, which means nothing for this kind".to_owned());
    }
    None
}

fn name_problem(ty: Type<'_>, rules: Rules) -> Option<String> {
    let name = name_start(ty.btf(), ty.name_off());
    let required = || name.is_empty().then(|| "a name is required".to_owned());
    match ty.kind() {
        Kind::Void | Kind::Int | Kind::Float => None,
        Kind::DeclTag | Kind::TypeTag => required(),
        Kind::Typedef | Kind::Fwd | Kind::Func | Kind::Var if rules == Rules::Object => required(),
        Kind::Typedef | Kind::Fwd | Kind::Func | Kind::Var => identifier_problem(name),
        Kind::Struct | Kind::Union | Kind::Enum | Kind::Enum64 => {
            optional_identifier(ty.btf(), ty.name_off(), rules)
        }
        Kind::Datasec if rules == Rules::Object => required(),
        Kind::Datasec => section_problem(name),
        Kind::Ptr | Kind::Array | Kind::Volatile | Kind::Const | Kind::Restrict | Kind::FuncProto => {
            (ty.name_off() != 0).then(|| "a type of this kind has no name".to_owned())
        }
    }
}

/// As much of a name as the rules look at.
fn name_start(btf: &Btf, name_off: u32) -> &[u8] {
    btf.str_start(name_off, MAX_LEN + 1)
}

/// A name that may be missing: then its offset is 0, not that of some empty string.
pub(super) fn optional_identifier(btf: &Btf, name_off: u32, rules: Rules) -> Option<String> {
    if name_off == 0 || rules == Rules::Object { None } else { identifier_problem(name_start(btf, name_off)) }
}

/// The start of the name of a member, parameter or enumerator, for a message.
pub(super) fn shown(btf: &Btf, name_off: u32) -> String {
    let name = btf.shown_start(name_off);
    if name.is_empty() { "(anon)".to_owned() } else { name }
}

fn int_problem(ty: Type<'_>) -> Option<String> {
    let (int, data, size) = (ty.int()?, ty.int_data()?, ty.size_or_type());
    if data & !INT_MASK != 0 {
        return Some(format!("its description {data:#010x} has bits set that mean nothing"));
    }
    let bits = u32::from(int.bits) + u32::from(int.bit_offset);
    if bits > 128 {
        return Some(format!("offset and width make {bits} bits, more than 128"));
    }
    if bits.div_ceil(8) > size {
        return Some(format!("offset and width make {bits} bits, which do not fit {size} bytes"));
    }
    if !matches!(int.encoding.0, 0 | 1 | 2 | 4) {
        return Some(format!("encoding {} is not one of 0, SIGNED (1), CHAR (2), BOOL (4)", int.encoding.0));
    }
    None
}

fn array_problem(ty: Type<'_>) -> Option<String> {
    let array = ty.array()?;
    if array.element == 0 {
        Some("its elements are void".to_owned())
    } else if array.index == 0 {
        Some("its index is void".to_owned())
    } else {
        None
    }
}

fn composite_problem(ty: Type<'_>, rules: Rules) -> Option<String> {
    let size = ty.size_or_type();
    let mut last = 0;
    ty.members().enumerate().find_map(|(i, member)| {
        let offset = member.bit_offset;
        let reason = if let Some(reason) = optional_identifier(ty.btf(), member.name_off, rules) {
            reason
        } else if member.type_id == 0 {
            "its type is void".to_owned()
        } else if ty.kind() == Kind::Union && offset != 0 {
            format!("it is at bit offset {offset} of a union, not at 0")
        } else if offset < last && rules == Rules::Kernel {
            format!("it is at bit offset {offset}, before the member in front of it at {last}")
        } else if offset.div_ceil(8) > size {
            format!("it is at bit offset {offset}, behind the end of the {size} bytes")
        } else {
            last = offset;
            return None;
        };
        Some(format!("member {i} '{}': {reason}", shown(ty.btf(), member.name_off)))
    })
}

fn enum_problem(ty: Type<'_>, rules: Rules) -> Option<String> {
    let size = ty.size_or_type();
    if !matches!(size, 1 | 2 | 4 | 8) {
        return Some(format!("size {size} is not one of 1, 2, 4, 8"));
    }
    ty.enumerators().enumerate().find_map(|(i, enumerator)| {
        let name = name_start(ty.btf(), enumerator.name_off);
        let problem = match rules {
            Rules::Kernel => identifier_problem(name),
            Rules::Object => name.is_empty().then(|| "a name is required".to_owned()),
        };
        problem.map(|reason| format!("enumerator {i} '{}': {reason}", shown(ty.btf(), enumerator.name_off)))
    })
}

fn var_problem(ty: Type<'_>, rules: Rules) -> Option<String> {
    match (ty.var_linkage()?, rules) {
        (VarLinkage::Static | VarLinkage::Global, _) => {
            (ty.size_or_type() == 0).then(|| "its type is void".to_owned())
        }
        (VarLinkage::Extern, Rules::Object) => None,
        (VarLinkage::Extern, Rules::Kernel) => {
            Some("linkage 2 (extern) is neither static nor global".to_owned())
        }
        (VarLinkage::Unknown(number), _) => Some(format!("linkage {number} is not known (0 to 2 are)")),
    }
}

fn datasec_problem(ty: Type<'_>, rules: Rules) -> Option<String> {
    let size = ty.size_or_type();
    if size == 0 {
        // What a compiler writes: the linker or loader knows the size.
        return (rules == Rules::Kernel).then(|| "its size is 0".to_owned());
    }
    let mut end = 0u32;
    ty.secinfos().enumerate().find_map(|(i, var)| {
        let reason = if var.type_id == 0 {
            "its type is void".to_owned()
        } else if var.offset < end {
            format!("it is at offset {}, before the end of the one in front of it at {end}", var.offset)
        } else if var.offset >= size {
            format!("it is at offset {}, behind the end of the {size} bytes", var.offset)
        } else if var.size == 0 {
            "its size is 0".to_owned()
        } else if var.size > size - var.offset {
            format!("{} bytes at offset {} go beyond the {size} bytes of the section", var.size, var.offset)
        } else {
            end = var.offset + var.size;
            return None;
        };
        Some(format!("variable {i} (type id {}): {reason}", var.type_id))
    })
}
