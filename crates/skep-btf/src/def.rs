//! Types as plain owned data: what the builder takes.

use crate::{FuncLinkage, FwdKind, IntEncoding, Kind, Type, VarLinkage};

/// One type as owned data. [`BtfBuilder`](crate::BtfBuilder) encodes it; [`Type::to_def`] decodes a record into it.
///
/// An empty name means none. Ids refer to the types of the BTF it is added to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TypeDef {
    /// [`Kind::Int`].
    Int {
        /// Name.
        name: String,
        /// Size of the storage in bytes.
        size: u32,
        /// Signedness and purpose.
        encoding: IntEncoding,
        /// Offset of the value in the storage, in bits.
        bit_offset: u8,
        /// Width of the value in bits.
        bits: u8,
    },
    /// [`Kind::Ptr`].
    Ptr {
        /// What it points to; 0 for `void *`.
        target: u32,
    },
    /// [`Kind::Array`].
    Array {
        /// Type of an element.
        element: u32,
        /// Type of the index.
        index: u32,
        /// Number of elements.
        len: u32,
    },
    /// [`Kind::Struct`] and [`Kind::Union`].
    Composite {
        /// Whether it is a union.
        union: bool,
        /// Name.
        name: String,
        /// Size in bytes.
        size: u32,
        /// Members in the order of their offsets.
        members: Vec<MemberDef>,
    },
    /// [`Kind::Enum`] and [`Kind::Enum64`].
    Enum {
        /// Whether the values have 64 bits ([`Kind::Enum64`]).
        wide: bool,
        /// Name.
        name: String,
        /// Size in bytes.
        size: u32,
        /// Whether the values are signed.
        signed: bool,
        /// Names and values; the value extended to 64 bits, of which [`Kind::Enum`] stores 32.
        values: Vec<(String, u64)>,
    },
    /// [`Kind::Fwd`].
    Fwd {
        /// Name.
        name: String,
        /// What it declares.
        kind: FwdKind,
    },
    /// [`Kind::Typedef`].
    Typedef {
        /// Name.
        name: String,
        /// What it stands for.
        target: u32,
    },
    /// [`Kind::Volatile`].
    Volatile {
        /// What it qualifies.
        target: u32,
    },
    /// [`Kind::Const`].
    Const {
        /// What it qualifies.
        target: u32,
    },
    /// [`Kind::Restrict`].
    Restrict {
        /// What it qualifies.
        target: u32,
    },
    /// [`Kind::Func`].
    Func {
        /// Name.
        name: String,
        /// Its [`Kind::FuncProto`].
        proto: u32,
        /// Linkage.
        linkage: FuncLinkage,
    },
    /// [`Kind::FuncProto`].
    FuncProto {
        /// Return type; 0 for void.
        ret: u32,
        /// Names and types of the parameters; an empty name and type 0 at the end mean `...`.
        params: Vec<(String, u32)>,
    },
    /// [`Kind::Var`].
    Var {
        /// Name.
        name: String,
        /// Its type.
        target: u32,
        /// Linkage.
        linkage: VarLinkage,
    },
    /// [`Kind::Datasec`].
    Datasec {
        /// Name of the ELF section.
        name: String,
        /// Size in bytes.
        size: u32,
        /// Variables in the order of their offsets.
        vars: Vec<crate::Secinfo>,
    },
    /// [`Kind::Float`].
    Float {
        /// Name.
        name: String,
        /// Size in bytes.
        size: u32,
    },
    /// [`Kind::DeclTag`].
    DeclTag {
        /// The text of the tag.
        name: String,
        /// What it is attached to.
        target: u32,
        /// Index of the member or parameter, -1 for the target itself.
        component_idx: i32,
        /// Whether it is a plain attribute (`kind_flag`).
        attribute: bool,
    },
    /// [`Kind::TypeTag`].
    TypeTag {
        /// The text of the tag.
        name: String,
        /// What it is attached to.
        target: u32,
        /// Whether it is a plain attribute (`kind_flag`).
        attribute: bool,
    },
}

/// Member of a [`TypeDef::Composite`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberDef {
    /// Name.
    pub name: String,
    /// Its type.
    pub type_id: u32,
    /// Offset in bits.
    pub bit_offset: u32,
    /// Width in bits of a bitfield, 0 for other members.
    pub bitfield_size: u32,
}

impl MemberDef {
    /// A member that is not a bitfield.
    #[must_use]
    pub fn new(name: &str, type_id: u32, bit_offset: u32) -> Self {
        MemberDef { name: name.to_owned(), type_id, bit_offset, bitfield_size: 0 }
    }
}

impl TypeDef {
    /// An integer that fills its storage of `size` bytes.
    #[must_use]
    pub fn int(name: &str, size: u8, encoding: IntEncoding) -> TypeDef {
        TypeDef::Int {
            name: name.to_owned(),
            size: u32::from(size),
            encoding,
            bit_offset: 0,
            bits: size.saturating_mul(8),
        }
    }

    /// A structure.
    #[must_use]
    pub fn structure(name: &str, size: u32, members: Vec<MemberDef>) -> TypeDef {
        TypeDef::Composite { union: false, name: name.to_owned(), size, members }
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            TypeDef::Int { .. } => Kind::Int,
            TypeDef::Ptr { .. } => Kind::Ptr,
            TypeDef::Array { .. } => Kind::Array,
            TypeDef::Composite { union: false, .. } => Kind::Struct,
            TypeDef::Composite { union: true, .. } => Kind::Union,
            TypeDef::Enum { wide: false, .. } => Kind::Enum,
            TypeDef::Enum { wide: true, .. } => Kind::Enum64,
            TypeDef::Fwd { .. } => Kind::Fwd,
            TypeDef::Typedef { .. } => Kind::Typedef,
            TypeDef::Volatile { .. } => Kind::Volatile,
            TypeDef::Const { .. } => Kind::Const,
            TypeDef::Restrict { .. } => Kind::Restrict,
            TypeDef::Func { .. } => Kind::Func,
            TypeDef::FuncProto { .. } => Kind::FuncProto,
            TypeDef::Var { .. } => Kind::Var,
            TypeDef::Datasec { .. } => Kind::Datasec,
            TypeDef::Float { .. } => Kind::Float,
            TypeDef::DeclTag { .. } => Kind::DeclTag,
            TypeDef::TypeTag { .. } => Kind::TypeTag,
        }
    }

    /// Its name, empty where it has none or its kind never has one.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            TypeDef::Int { name, .. }
            | TypeDef::Composite { name, .. }
            | TypeDef::Enum { name, .. }
            | TypeDef::Fwd { name, .. }
            | TypeDef::Typedef { name, .. }
            | TypeDef::Func { name, .. }
            | TypeDef::Var { name, .. }
            | TypeDef::Datasec { name, .. }
            | TypeDef::Float { name, .. }
            | TypeDef::DeclTag { name, .. }
            | TypeDef::TypeTag { name, .. } => name,
            TypeDef::Ptr { .. }
            | TypeDef::Array { .. }
            | TypeDef::Volatile { .. }
            | TypeDef::Const { .. }
            | TypeDef::Restrict { .. }
            | TypeDef::FuncProto { .. } => "",
        }
    }
}

impl Type<'_> {
    /// The type as owned data; `None` for void.
    #[must_use]
    pub fn to_def(self) -> Option<TypeDef> {
        let name = self.name().to_owned();
        let size = self.size().unwrap_or(0);
        let target = self.target().unwrap_or(0);
        Some(match self.kind() {
            Kind::Void => return None,
            Kind::Int => {
                let int = self.int()?;
                TypeDef::Int {
                    name,
                    size,
                    encoding: int.encoding,
                    bit_offset: int.bit_offset,
                    bits: int.bits,
                }
            }
            Kind::Ptr => TypeDef::Ptr { target },
            Kind::Array => {
                let array = self.array()?;
                TypeDef::Array { element: array.element, index: array.index, len: array.len }
            }
            Kind::Struct | Kind::Union => TypeDef::Composite {
                union: self.kind() == Kind::Union,
                name,
                size,
                members: self
                    .members()
                    .map(|m| MemberDef {
                        name: m.name().to_owned(),
                        type_id: m.type_id,
                        bit_offset: m.bit_offset,
                        bitfield_size: m.bitfield_size,
                    })
                    .collect(),
            },
            Kind::Enum | Kind::Enum64 => TypeDef::Enum {
                wide: self.kind() == Kind::Enum64,
                name,
                size,
                signed: self.is_signed_enum(),
                values: self.enumerators().map(|e| (e.name().to_owned(), e.value)).collect(),
            },
            Kind::Fwd => TypeDef::Fwd { name, kind: self.fwd_kind()? },
            Kind::Typedef => TypeDef::Typedef { name, target },
            Kind::Volatile => TypeDef::Volatile { target },
            Kind::Const => TypeDef::Const { target },
            Kind::Restrict => TypeDef::Restrict { target },
            Kind::Func => TypeDef::Func { name, proto: target, linkage: self.func_linkage()? },
            Kind::FuncProto => TypeDef::FuncProto {
                ret: target,
                params: self.params().map(|p| (p.name().to_owned(), p.type_id)).collect(),
            },
            Kind::Var => TypeDef::Var { name, target, linkage: self.var_linkage()? },
            Kind::Datasec => TypeDef::Datasec { name, size, vars: self.secinfos().collect() },
            Kind::Float => TypeDef::Float { name, size },
            Kind::DeclTag => TypeDef::DeclTag {
                name,
                target,
                component_idx: self.component_idx()?,
                attribute: self.is_attribute(),
            },
            Kind::TypeTag => TypeDef::TypeTag { name, target, attribute: self.is_attribute() },
        })
    }
}
