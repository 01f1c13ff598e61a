//! Generators of valid BTF for property tests, and what fuzz targets call (feature `testing`).

use std::fmt::{self, Write};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::{
    Btf, BtfBuilder, BtfError, BtfExt, Endian, FuncLinkage, FwdKind, IntEncoding, Kind, MemberDef,
    POINTER_SIZE, Secinfo, TypeDef, VarLinkage,
};

/// BTF of either byte order with up to `max_types` types of all kinds that [`Btf::validate`] accepts.
pub fn btf(max_types: usize) -> impl Strategy<Value = Btf> {
    (defs(max_types), any::<bool>()).prop_map(|(defs, big)| {
        let endian = if big { Endian::Big } else { Endian::Little };
        build(&defs, endian).expect("generated types are within the limits of the format")
    })
}

/// The types of valid BTF, at least one; the first gets id 1.
pub fn defs(max_types: usize) -> impl Strategy<Value = Vec<TypeDef>> {
    vec(wish(), 1..=max_types.max(1)).prop_map(|wishes| {
        let mut maker = Maker::default();
        for wish in &wishes {
            maker.add(wish);
        }
        maker.link_forward(&wishes);
        maker.defs
    })
}

/// Builds BTF of types whose ids start at 1.
///
/// # Errors
/// As [`BtfBuilder::add`].
pub fn build(defs: &[TypeDef], endian: Endian) -> Result<Btf, BtfError> {
    let mut builder = BtfBuilder::new(endian);
    for def in defs {
        builder.add(def)?;
    }
    builder.finish()
}

/// Asks everything that can be asked of a `.BTF` section, whatever its bytes: what a fuzz target calls.
///
/// Work and memory stay in proportion to the length of `data` (text output is cut off at 1 MiB).
///
/// # Panics
/// If reading and writing back changes the bytes.
pub fn exercise_btf(data: &[u8]) {
    let Ok(btf) = Btf::parse(data) else { return };
    assert!(btf.to_bytes() == data, "write∘read is the identity");
    let _ = (btf.validate(), btf.validate_object());
    // Names may overlap and make the text as long as the square of the file.
    let _ = write!(Limited(1 << 20), "{}", btf.raw());
    let _ = write!(Limited(1 << 20), "{}", btf.json());
    for ty in btf.types().take(200) {
        let id = ty.id();
        let _ = (btf.size_of(id), btf.align_of(id), btf.resolve(id), btf.func_proto(id), btf.field(id, "a"));
        let _ = (btf.by_name(ty.name()).count(), btf.find(ty.name(), ty.kind()).is_some());
        if let Some(def) = ty.to_def() {
            assert_eq!(def.kind(), ty.kind());
        }
    }
    let mut builder = BtfBuilder::from(btf);
    if let Ok(id) = builder.add(&TypeDef::Ptr { target: 0 }) {
        let btf = builder.finish().expect("every reference of what was read exists");
        assert_eq!(Btf::parse(&btf.to_bytes()).map(|btf| btf.last_id()), Ok(id));
    }
}

/// The same for a `.BTF.ext` section.
///
/// # Panics
/// If reading and writing back changes the bytes.
pub fn exercise_btf_ext(data: &[u8]) {
    let Ok(mut ext) = BtfExt::parse(data) else { return };
    assert!(ext.to_bytes() == data, "write∘read is the identity");
    let btf = Btf::empty(ext.endian(), None);
    let _ = ext.check(&btf);
    let records = |n: usize, len: usize| assert_eq!(n, len);
    ext.func_info().sections().iter().for_each(|s| records(s.records().len(), s.len()));
    ext.line_info().sections().iter().for_each(|s| records(s.records().len(), s.len()));
    ext.core_relo().sections().iter().for_each(|s| records(s.records().len(), s.len()));
    // Written anew instead of as it was.
    let _ = ext.func_info_mut();
    assert_eq!(BtfExt::parse(&ext.to_bytes()).as_ref().map(BtfExt::func_info), Ok(ext.func_info()));
}

/// Takes so many bytes of text and no more.
struct Limited(usize);

impl Write for Limited {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.checked_sub(text.len()).ok_or(fmt::Error)?;
        Ok(())
    }
}

/// What chance wants the next type to be; [`Maker::add`] makes of it what is valid at that place.
#[derive(Clone, Debug)]
struct Wish {
    kind: Kind,
    name: String,
    text: String,
    flag: bool,
    other: bool,
    number: u32,
    pick: Index,
    items: Vec<Item>,
}

#[derive(Clone, Debug)]
struct Item {
    name: String,
    named: bool,
    pick: Index,
    number: u64,
}

fn wish() -> impl Strategy<Value = Wish> {
    let item = ("[a-z_][a-z0-9_.]{0,6}", any::<bool>(), any::<Index>(), any::<u64>())
        .prop_map(|(name, named, pick, number)| Item { name, named, pick, number });
    let kind = prop::sample::select(&Kind::ALL[..]);
    let names = ("[a-zA-Z_.][a-zA-Z0-9_.]{0,8}", "[ -~é]{1,8}");
    (kind, names, any::<(bool, bool, u32, Index)>(), vec(item, 0..6)).prop_map(
        |(kind, (name, text), (flag, other, number, pick), items)| Wish {
            kind,
            name,
            text,
            flag,
            other,
            number,
            pick,
            items,
        },
    )
}

/// The types made so far.
#[derive(Default)]
struct Maker {
    defs: Vec<TypeDef>,
    /// By index: the kind behind modifiers, `None` for what is not a type.
    ends: Vec<Option<End>>,
}

/// What stands behind the modifiers of a type.
#[derive(Clone, Copy)]
struct End {
    kind: Kind,
    /// Size in bytes, for types that have one.
    size: Option<u32>,
}

impl Maker {
    fn push(&mut self, def: TypeDef, end: Option<End>) {
        self.defs.push(def);
        self.ends.push(end);
    }

    /// One of the ids that satisfy a condition.
    fn pick(&self, pick: Index, allowed: impl Fn(&TypeDef, Option<End>) -> bool) -> Option<u32> {
        let ids: Vec<u32> = (1u32..)
            .zip(self.defs.iter().zip(&self.ends))
            .filter(|(_, (def, end))| allowed(def, **end))
            .map(|(id, _)| id)
            .collect();
        (!ids.is_empty()).then(|| ids[pick.index(ids.len())])
    }

    fn sized(&self, pick: Index) -> Option<(u32, End, u32)> {
        let id = self.pick(pick, |_, end| end.is_some_and(|end| end.size.is_some()))?;
        let end = self.end(id);
        Some((id, end, end.size?))
    }

    fn end(&self, id: u32) -> End {
        let void = End { kind: Kind::Void, size: None };
        (id as usize).checked_sub(1).map_or(void, |i| self.ends[i].unwrap_or(void))
    }

    /// Something a pointer or modifier may refer to; 0 (void) where there is nothing.
    fn any_type(&self, pick: Index, allow_tag: bool) -> u32 {
        self.pick(pick, |def, end| end.is_some() && (allow_tag || def.kind() != Kind::TypeTag)).unwrap_or(0)
    }

    fn int(&mut self, wish: &Wish) {
        let size = 1u8 << (wish.number % 5);
        let encodings = [IntEncoding::UNSIGNED, IntEncoding::SIGNED, IntEncoding::CHAR, IntEncoding::BOOL];
        let encoding = encodings[(wish.number >> 8) as usize % 4];
        let end = End { kind: Kind::Int, size: Some(u32::from(size)) };
        self.push(TypeDef::int(&wish.text, size, encoding), Some(end));
    }

    fn add(&mut self, wish: &Wish) {
        let name = wish.name.clone();
        let none_sized = |kind| Some(End { kind, size: None });
        let of_size = |kind, size| Some(End { kind, size: Some(size) });
        match wish.kind {
            Kind::Void | Kind::Int => self.int(wish),
            Kind::Ptr => {
                let target = self.any_type(wish.pick, true);
                self.push(TypeDef::Ptr { target }, of_size(Kind::Ptr, POINTER_SIZE));
            }
            Kind::Array => {
                let index = self.pick(wish.pick, |def, _| def.kind() == Kind::Int);
                let (Some(index), Some((element, _, size))) = (index, self.sized(wish.pick)) else {
                    return self.int(wish);
                };
                let len = wish.number % 5;
                match size.checked_mul(len).filter(|&size| size < 1 << 16) {
                    Some(size) => {
                        self.push(TypeDef::Array { element, index, len }, of_size(Kind::Array, size));
                    }
                    None => self.int(wish),
                }
            }
            Kind::Struct | Kind::Union => self.composite(wish),
            Kind::Enum | Kind::Enum64 => {
                let (wide, signed) = (wish.kind == Kind::Enum64, wish.flag);
                let size = [1, 2, 4, 8][wish.number as usize % 4];
                let values = wish.items.iter().map(|item| {
                    let value = match (wide, signed) {
                        (true, _) => item.number,
                        (false, true) => i64::from(item.number as i32) as u64,
                        (false, false) => u64::from(item.number as u32),
                    };
                    (item.name.clone(), value)
                });
                let values = values.collect();
                let name = if wish.other { name } else { String::new() };
                self.push(TypeDef::Enum { wide, name, size, signed, values }, of_size(wish.kind, size));
            }
            Kind::Fwd => {
                let kind = if wish.flag { FwdKind::Union } else { FwdKind::Struct };
                self.push(TypeDef::Fwd { name, kind }, none_sized(Kind::Fwd));
            }
            Kind::Typedef | Kind::Volatile | Kind::Const | Kind::Restrict | Kind::TypeTag => {
                let target = self.any_type(wish.pick, wish.kind == Kind::TypeTag);
                let def = match wish.kind {
                    Kind::Typedef => TypeDef::Typedef { name, target },
                    Kind::Volatile => TypeDef::Volatile { target },
                    Kind::Const => TypeDef::Const { target },
                    Kind::Restrict => TypeDef::Restrict { target },
                    _ => TypeDef::TypeTag { name: wish.text.clone(), target, attribute: wish.flag },
                };
                self.push(def, Some(self.end(target)));
            }
            Kind::FuncProto => {
                let ret = if wish.flag { self.sized(wish.pick).map_or(0, |(id, ..)| id) } else { 0 };
                let mut params: Vec<(String, u32)> = wish
                    .items
                    .iter()
                    .filter_map(|item| Some((item.name.clone(), self.sized(item.pick)?.0)))
                    .collect();
                if wish.other {
                    params.push((String::new(), 0));
                }
                self.push(TypeDef::FuncProto { ret, params }, none_sized(Kind::FuncProto));
            }
            Kind::Func => match self.pick(wish.pick, |def, _| def.kind() == Kind::FuncProto) {
                Some(proto) => {
                    let linkage = if wish.flag { FuncLinkage::Global } else { FuncLinkage::Static };
                    self.push(TypeDef::Func { name, proto, linkage }, None);
                }
                None => self.int(wish),
            },
            Kind::Var => match self.sized(wish.pick) {
                Some((target, ..)) => {
                    let linkage = if wish.flag { VarLinkage::Global } else { VarLinkage::Static };
                    self.push(TypeDef::Var { name, target, linkage }, None);
                }
                None => self.int(wish),
            },
            Kind::Datasec => self.datasec(wish),
            Kind::Float => {
                let size = [2, 4, 8, 12, 16][wish.number as usize % 5];
                self.push(TypeDef::Float { name: wish.text.clone(), size }, of_size(Kind::Float, size));
            }
            Kind::DeclTag => self.decl_tag(wish),
        }
    }

    fn composite(&mut self, wish: &Wish) {
        let union = wish.kind == Kind::Union;
        let (mut end, mut bits) = (0u32, 0u32);
        let mut members = Vec::new();
        for item in &wish.items {
            let Some((type_id, inner, size)) = self.sized(item.pick) else { continue };
            let bitfield =
                wish.flag && item.named && matches!(inner.kind, Kind::Int | Kind::Enum | Kind::Enum64);
            let (bit_offset, width, len) = if bitfield {
                let widest = if inner.kind == Kind::Int { size * 8 } else { 32 };
                let width = 1 + item.number as u32 % widest.min(120);
                (if union { 0 } else { bits }, width, width)
            } else {
                let align = if inner.kind == Kind::Float { size.min(8) * 8 } else { 8 };
                // In a structure with bitfields the kernel wants 32 bits for every enumeration.
                let len = if inner.kind.is_enum() { size.max(4) * 8 } else { size * 8 };
                (if union { 0 } else { bits.next_multiple_of(align) }, 0, len)
            };
            if bit_offset + len > 0xff_ffff {
                break;
            }
            bits = bit_offset + len;
            end = end.max(bits);
            let name = if item.named { item.name.clone() } else { String::new() };
            members.push(MemberDef { name, type_id, bit_offset, bitfield_size: width });
        }
        let size = end.div_ceil(8) + wish.number % 3;
        let name = if wish.other { wish.name.clone() } else { String::new() };
        let end = End { kind: wish.kind, size: Some(size) };
        self.push(TypeDef::Composite { union, name, size, members }, Some(end));
    }

    fn datasec(&mut self, wish: &Wish) {
        let mut offset = 0;
        let mut vars = Vec::new();
        for item in &wish.items {
            let Some(id) = self.pick(item.pick, |def, _| def.kind() == Kind::Var) else { continue };
            let TypeDef::Var { target, .. } = self.defs[id as usize - 1] else { continue };
            let size = self.end(target).size.unwrap_or(0).max(1);
            let gap = item.number as u32 % 3;
            vars.push(Secinfo { type_id: id, offset: offset + gap, size });
            offset += gap + size;
        }
        let size = offset + 1 + wish.number % 3;
        let name: String = wish.text.chars().filter(char::is_ascii).chain(['x']).collect();
        self.push(TypeDef::Datasec { name, size, vars }, None);
    }

    fn decl_tag(&mut self, wish: &Wish) {
        let target = self.pick(wish.pick, |def, _| {
            let kind = def.kind();
            kind.is_composite() || matches!(kind, Kind::Func | Kind::Var | Kind::Typedef)
        });
        let Some(target) = target else { return self.int(wish) };
        let components = match &self.defs[target as usize - 1] {
            TypeDef::Composite { members, .. } => members.len(),
            TypeDef::Func { proto, .. } => match &self.defs[*proto as usize - 1] {
                TypeDef::FuncProto { params, .. } => params.len(),
                _ => 0,
            },
            _ => 0,
        };
        let component_idx = (wish.number as usize % (components + 1)) as i32 - 1;
        let tag = TypeDef::DeclTag { name: wish.text.clone(), target, component_idx, attribute: wish.flag };
        self.push(tag, None);
    }

    /// Lets some pointers point to structures that come later, as in lists and trees.
    fn link_forward(&mut self, wishes: &[Wish]) {
        for (i, wish) in wishes.iter().enumerate().filter(|(_, wish)| wish.flag) {
            if let Some(later) = self.pick(wish.pick, |def, _| def.kind().is_composite())
                && let Some(TypeDef::Ptr { target }) = self.defs.get_mut(i)
            {
                *target = later;
            }
        }
    }
}
