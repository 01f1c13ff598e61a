//! Views of type records.

use std::fmt;

use crate::{Array, Btf, FuncLinkage, FwdKind, Int, IntEncoding, Kind, VarLinkage};

/// A type: a view of one record of a [`Btf`], cheap to copy.
///
/// What a kind does not have is `None` or empty: `members()` of an integer has no items, `size()` of a pointer is `None`
/// ([`Btf::size_of`] knows how large a pointer is).
#[derive(Clone, Copy)]
pub struct Type<'a> {
    pub(crate) btf: &'a Btf,
    pub(crate) id: u32,
    /// The whole record: at least three words, and as many more as kind and vlen call for.
    pub(crate) words: &'a [u32],
}

impl<'a> Type<'a> {
    /// Its id; 0 is void.
    #[must_use]
    pub fn id(self) -> u32 {
        self.id
    }

    /// The BTF it was looked up in.
    #[must_use]
    pub fn btf(self) -> &'a Btf {
        self.btf
    }

    /// Its kind.
    #[must_use]
    pub fn kind(self) -> Kind {
        Kind::from_u32((self.info() >> 24) & 0x1f).unwrap_or(Kind::Void)
    }

    /// The word `info`: vlen in bits 0 to 15, kind in bits 24 to 28, kind_flag in bit 31.
    pub(crate) fn info(self) -> u32 {
        self.words[1]
    }

    /// Number of items that follow (members, enumerators, parameters, variables), or the linkage of a function.
    #[must_use]
    pub fn vlen(self) -> u16 {
        self.info() as u16
    }

    /// Bit 31 of `info`: bitfield sizes in members, signed enumerators, union forward, attribute instead of tag.
    #[must_use]
    pub fn kind_flag(self) -> bool {
        self.info() >> 31 != 0
    }

    /// String offset of its name; 0 where it has none.
    #[must_use]
    pub fn name_off(self) -> u32 {
        self.words[0]
    }

    /// Its name, empty where it has none. See [`Btf::str`] for sections that are not UTF-8.
    #[must_use]
    pub fn name(self) -> &'a str {
        name_at(self.btf, self.name_off())
    }

    /// The bytes of its name, unchanged.
    #[must_use]
    pub fn name_bytes(self) -> &'a [u8] {
        self.btf.str_bytes(self.name_off()).unwrap_or_default()
    }

    /// Its name, or `(anon)` where it has none.
    #[must_use]
    pub fn name_or_anon(self) -> &'a str {
        or_anon(self.name())
    }

    /// The third word: a size, a type id or unused.
    pub(crate) fn size_or_type(self) -> u32 {
        self.words[2]
    }

    /// The size in bytes that the record states (integers, structures, unions, enumerations, floats, sections).
    #[must_use]
    pub fn size(self) -> Option<u32> {
        self.kind().has_size().then(|| self.size_or_type())
    }

    /// The type that it refers to: what a pointer points to, what a typedef, modifier or tag stands for, the
    /// [`Kind::FuncProto`] of a function, the type of a variable, the return type of a prototype.
    #[must_use]
    pub fn target(self) -> Option<u32> {
        self.kind().has_target().then(|| self.size_or_type())
    }

    /// Items of `N` words each, for the kinds that have them.
    fn items<const N: usize>(self, has: bool) -> std::slice::Iter<'a, [u32; N]> {
        let words = if has { &self.words[3..] } else { &[] };
        words.as_chunks::<N>().0.iter()
    }

    fn word_after(self, has: bool) -> Option<u32> {
        if has { self.words.get(3).copied() } else { None }
    }

    /// Contents of an integer.
    #[must_use]
    pub fn int(self) -> Option<Int> {
        let data = self.word_after(self.kind() == Kind::Int)?;
        Some(Int {
            encoding: IntEncoding((data >> 24) as u8 & 0xf),
            bit_offset: (data >> 16) as u8,
            bits: data as u8,
        })
    }

    /// The word that describes an integer, with the bits that no field uses.
    pub(crate) fn int_data(self) -> Option<u32> {
        self.word_after(self.kind() == Kind::Int)
    }

    /// Contents of an array.
    #[must_use]
    pub fn array(self) -> Option<Array> {
        match self.words.get(3..6) {
            Some(&[element, index, len]) if self.kind() == Kind::Array => Some(Array { element, index, len }),
            _ => None,
        }
    }

    /// Members of a structure or union.
    #[must_use]
    pub fn members(self) -> Members<'a> {
        Members { ty: self, items: self.items(self.kind().is_composite()) }
    }

    /// Enumerators of an enumeration of either width.
    #[must_use]
    pub fn enumerators(self) -> Enumerators<'a> {
        let wide = self.kind() == Kind::Enum64;
        let words = if self.kind().is_enum() { &self.words[3..] } else { &[] };
        Enumerators { ty: self, items: words.chunks_exact(if wide { 3 } else { 2 }) }
    }

    /// Parameters of a prototype. The last one has no name and type 0 where more arguments may follow (`...`).
    #[must_use]
    pub fn params(self) -> Params<'a> {
        Params { ty: self, items: self.items(self.kind() == Kind::FuncProto) }
    }

    /// Variables of a section.
    #[must_use]
    pub fn secinfos(self) -> Secinfos<'a> {
        Secinfos { ty: self, items: self.items(self.kind() == Kind::Datasec) }
    }

    /// Whether the values of an enumeration are signed.
    #[must_use]
    pub fn is_signed_enum(self) -> bool {
        self.kind().is_enum() && self.kind_flag()
    }

    /// What a forward declaration declares.
    #[must_use]
    pub fn fwd_kind(self) -> Option<FwdKind> {
        (self.kind() == Kind::Fwd).then(|| if self.kind_flag() { FwdKind::Union } else { FwdKind::Struct })
    }

    /// Linkage of a function.
    #[must_use]
    pub fn func_linkage(self) -> Option<FuncLinkage> {
        (self.kind() == Kind::Func).then(|| FuncLinkage::from_u16(self.vlen()))
    }

    /// Linkage of a variable.
    #[must_use]
    pub fn var_linkage(self) -> Option<VarLinkage> {
        self.word_after(self.kind() == Kind::Var).map(VarLinkage::from_u32)
    }

    /// What a declaration tag is attached to inside its target: the index of a member or parameter, or -1 for the target
    /// itself.
    #[must_use]
    pub fn component_idx(self) -> Option<i32> {
        self.word_after(self.kind() == Kind::DeclTag).map(|index| index as i32)
    }

    /// Whether a declaration or type tag is a plain attribute (its `kind_flag`, Linux 6.14) instead of
    /// `btf_decl_tag("...")` or `btf_type_tag("...")`.
    #[must_use]
    pub fn is_attribute(self) -> bool {
        matches!(self.kind(), Kind::DeclTag | Kind::TypeTag) && self.kind_flag()
    }
}

impl fmt::Debug for Type<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.btf.shown_start(self.name_off());
        write!(f, "[{}] {} '{}'", self.id, self.kind(), or_anon(&name))
    }
}

fn name_at(btf: &Btf, offset: u32) -> &str {
    btf.str(offset).unwrap_or_default()
}

pub(crate) fn or_anon(name: &str) -> &str {
    if name.is_empty() { "(anon)" } else { name }
}

/// Member of a structure or union (`struct btf_member`).
#[derive(Clone, Copy)]
pub struct Member<'a> {
    btf: &'a Btf,
    /// String offset of the name; 0 for anonymous members and unnamed bitfields.
    pub name_off: u32,
    /// Its type.
    pub type_id: u32,
    /// Offset from the start of the structure, in bits.
    pub bit_offset: u32,
    /// Width in bits of a bitfield, 0 for other members. (In the oldest encoding, `kind_flag` 0, the width of a bitfield
    /// stands in its integer type.)
    pub bitfield_size: u32,
}

/// Enumerator (`struct btf_enum`, `struct btf_enum64`).
#[derive(Clone, Copy)]
pub struct Enumerator<'a> {
    btf: &'a Btf,
    /// String offset of the name.
    pub name_off: u32,
    /// The value extended to 64 bits, with its sign where the enumeration is signed.
    pub value: u64,
    /// Whether the value is to be read as `i64`.
    pub signed: bool,
}

/// Parameter of a prototype (`struct btf_param`).
#[derive(Clone, Copy)]
pub struct Param<'a> {
    btf: &'a Btf,
    /// String offset of the name; 0 where it has none.
    pub name_off: u32,
    /// Its type; 0 only in the last parameter, where it means `...`.
    pub type_id: u32,
}

/// Variable of a section (`struct btf_var_secinfo`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Secinfo {
    /// A [`Kind::Var`], or the [`Kind::Func`] of an extern function.
    pub type_id: u32,
    /// Offset in the section, in bytes.
    pub offset: u32,
    /// Size in bytes.
    pub size: u32,
}

impl Enumerator<'_> {
    /// The value, whatever its sign.
    #[must_use]
    pub fn as_i128(&self) -> i128 {
        if self.signed { i128::from(self.value as i64) } else { i128::from(self.value) }
    }
}

macro_rules! named {
    ($($item:ident),*) => {$(
        impl<'a> $item<'a> {
            /// Its name, empty where it has none. See [`Btf::str`] for sections that are not UTF-8.
            #[must_use]
            pub fn name(&self) -> &'a str {
                name_at(self.btf, self.name_off)
            }

            /// The bytes of its name, unchanged.
            #[must_use]
            pub fn name_bytes(&self) -> &'a [u8] {
                self.btf.str_bytes(self.name_off).unwrap_or_default()
            }
        }
    )*};
}

named!(Member, Enumerator, Param);

impl fmt::Debug for Member<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' type_id={} bits_offset={}", or_anon(self.name()), self.type_id, self.bit_offset)?;
        if self.bitfield_size != 0 {
            write!(f, " bitfield_size={}", self.bitfield_size)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Enumerator<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' val={}", or_anon(self.name()), self.as_i128())
    }
}

impl fmt::Debug for Param<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' type_id={}", or_anon(self.name()), self.type_id)
    }
}

macro_rules! items {
    ($(#[$doc:meta])* $name:ident, $item:ty, $inner:ty, $decode:expr) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name<'a> {
            ty: Type<'a>,
            items: $inner,
        }

        impl<'a> Iterator for $name<'a> {
            type Item = $item;

            fn next(&mut self) -> Option<Self::Item> {
                self.items.next().map(|words| $decode(self.ty, words))
            }

            fn nth(&mut self, n: usize) -> Option<Self::Item> {
                self.items.nth(n).map(|words| $decode(self.ty, words))
            }

            fn size_hint(&self) -> (usize, Option<usize>) {
                self.items.size_hint()
            }
        }

        impl<'a> DoubleEndedIterator for $name<'a> {
            fn next_back(&mut self) -> Option<Self::Item> {
                self.items.next_back().map(|words| $decode(self.ty, words))
            }
        }

        impl ExactSizeIterator for $name<'_> {}
    };
}

items!(
    /// Iterator over the [`Member`]s of a structure or union.
    Members,
    Member<'a>,
    std::slice::Iter<'a, [u32; 3]>,
    |ty: Type<'a>, &[name_off, type_id, offset]: &[u32; 3]| {
        let (bit_offset, bitfield_size) =
            if ty.kind_flag() { (offset & 0xff_ffff, offset >> 24) } else { (offset, 0) };
        Member { btf: ty.btf, name_off, type_id, bit_offset, bitfield_size }
    }
);

items!(
    /// Iterator over the [`Param`]s of a prototype.
    Params,
    Param<'a>,
    std::slice::Iter<'a, [u32; 2]>,
    |ty: Type<'a>, &[name_off, type_id]: &[u32; 2]| Param { btf: ty.btf, name_off, type_id }
);

items!(
    /// Iterator over the [`Secinfo`]s of a section.
    Secinfos,
    Secinfo,
    std::slice::Iter<'a, [u32; 3]>,
    |_: Type<'a>, &[type_id, offset, size]: &[u32; 3]| Secinfo { type_id, offset, size }
);

items!(
    /// Iterator over the [`Enumerator`]s of an enumeration.
    Enumerators,
    Enumerator<'a>,
    std::slice::ChunksExact<'a, u32>,
    |ty: Type<'a>, words: &[u32]| {
        let signed = ty.kind_flag();
        let value = match *words {
            [_, low, high] => u64::from(high) << 32 | u64::from(low),
            [_, low] if signed => i64::from(low as i32) as u64,
            [_, low] => u64::from(low),
            _ => 0,
        };
        Enumerator { btf: ty.btf, name_off: words[0], value, signed }
    }
);
