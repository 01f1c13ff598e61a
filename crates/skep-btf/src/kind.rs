//! The numbers of BTF: kinds, integer encodings, linkages (uapi `linux/btf.h`).

use std::fmt;

/// Kind of a type (`BTF_KIND_*` of uapi `linux/btf.h`, values 1 to 19), and void, which is type id 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// The type with id 0. No record has this kind.
    Void = 0,
    /// Integer, character or boolean.
    Int = 1,
    /// Pointer.
    Ptr = 2,
    /// Array.
    Array = 3,
    /// Structure.
    Struct = 4,
    /// Union.
    Union = 5,
    /// Enumeration whose values have 32 bits.
    Enum = 6,
    /// Forward declaration of a structure or union.
    Fwd = 7,
    /// Another name of a type.
    Typedef = 8,
    /// `volatile`.
    Volatile = 9,
    /// `const`.
    Const = 10,
    /// `restrict`.
    Restrict = 11,
    /// Function: a name for a [`Kind::FuncProto`].
    Func = 12,
    /// Signature of a function.
    FuncProto = 13,
    /// Global variable.
    Var = 14,
    /// The variables of an ELF section.
    Datasec = 15,
    /// Floating-point number.
    Float = 16,
    /// `btf_decl_tag` attribute of a declaration.
    DeclTag = 17,
    /// `btf_type_tag` attribute of a type.
    TypeTag = 18,
    /// Enumeration whose values have 64 bits.
    Enum64 = 19,
}

impl Kind {
    /// Every kind that a record can have, in the order of the numbers.
    pub const ALL: [Kind; 19] = [
        Kind::Int,
        Kind::Ptr,
        Kind::Array,
        Kind::Struct,
        Kind::Union,
        Kind::Enum,
        Kind::Fwd,
        Kind::Typedef,
        Kind::Volatile,
        Kind::Const,
        Kind::Restrict,
        Kind::Func,
        Kind::FuncProto,
        Kind::Var,
        Kind::Datasec,
        Kind::Float,
        Kind::DeclTag,
        Kind::TypeTag,
        Kind::Enum64,
    ];

    /// The kind with this number (1 to 19).
    #[must_use]
    pub fn from_u32(number: u32) -> Option<Kind> {
        Kind::ALL.get((number as usize).checked_sub(1)?).copied()
    }

    /// The name bpftool and the kernel print, such as `FUNC_PROTO`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Void => "VOID",
            Kind::Int => "INT",
            Kind::Ptr => "PTR",
            Kind::Array => "ARRAY",
            Kind::Struct => "STRUCT",
            Kind::Union => "UNION",
            Kind::Enum => "ENUM",
            Kind::Fwd => "FWD",
            Kind::Typedef => "TYPEDEF",
            Kind::Volatile => "VOLATILE",
            Kind::Const => "CONST",
            Kind::Restrict => "RESTRICT",
            Kind::Func => "FUNC",
            Kind::FuncProto => "FUNC_PROTO",
            Kind::Var => "VAR",
            Kind::Datasec => "DATASEC",
            Kind::Float => "FLOAT",
            Kind::DeclTag => "DECL_TAG",
            Kind::TypeTag => "TYPE_TAG",
            Kind::Enum64 => "ENUM64",
        }
    }

    /// Whether this is a structure or a union.
    #[must_use]
    pub const fn is_composite(self) -> bool {
        matches!(self, Kind::Struct | Kind::Union)
    }

    /// Whether this is an enumeration of either width.
    #[must_use]
    pub const fn is_enum(self) -> bool {
        matches!(self, Kind::Enum | Kind::Enum64)
    }

    /// Whether this kind stands in front of another type without changing its layout: `typedef`, `const`, `volatile`,
    /// `restrict` and type tags (the kernel's `btf_type_is_modifier`).
    #[must_use]
    pub const fn is_modifier(self) -> bool {
        matches!(self, Kind::Typedef | Kind::Const | Kind::Volatile | Kind::Restrict | Kind::TypeTag)
    }

    /// Whether the third word of the record is a type id (else it is a size or unused).
    pub(crate) const fn has_target(self) -> bool {
        self.is_modifier()
            || matches!(self, Kind::Ptr | Kind::Func | Kind::FuncProto | Kind::Var | Kind::DeclTag)
    }

    /// Whether the third word of the record is a size in bytes.
    pub(crate) const fn has_size(self) -> bool {
        self.is_composite() || self.is_enum() || matches!(self, Kind::Int | Kind::Float | Kind::Datasec)
    }

    /// Words of 4 bytes that follow the three common ones in a record with `vlen` items.
    pub(crate) const fn extra_words(self, vlen: u16) -> usize {
        let vlen = vlen as usize;
        match self {
            Kind::Int | Kind::Var | Kind::DeclTag => 1,
            Kind::Array => 3,
            Kind::Enum | Kind::FuncProto => 2 * vlen,
            Kind::Struct | Kind::Union | Kind::Datasec | Kind::Enum64 => 3 * vlen,
            _ => 0,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How an integer is to be read (`BTF_INT_ENCODING`, 4 bits).
///
/// The kernel accepts none or exactly one of the three flags; a file may hold any combination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct IntEncoding(pub u8);

impl IntEncoding {
    /// Unsigned integer.
    pub const UNSIGNED: IntEncoding = IntEncoding(0);
    /// Signed integer (`BTF_INT_SIGNED`).
    pub const SIGNED: IntEncoding = IntEncoding(1);
    /// Character (`BTF_INT_CHAR`).
    pub const CHAR: IntEncoding = IntEncoding(2);
    /// Boolean (`BTF_INT_BOOL`).
    pub const BOOL: IntEncoding = IntEncoding(4);

    /// Whether the signed flag is set.
    #[must_use]
    pub const fn is_signed(self) -> bool {
        self.0 & Self::SIGNED.0 != 0
    }

    /// Whether the character flag is set.
    #[must_use]
    pub const fn is_char(self) -> bool {
        self.0 & Self::CHAR.0 != 0
    }

    /// Whether the boolean flag is set.
    #[must_use]
    pub const fn is_bool(self) -> bool {
        self.0 & Self::BOOL.0 != 0
    }
}

impl fmt::Display for IntEncoding {
    /// The name bpftool prints; `UNKN` for combinations.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::UNSIGNED => "(none)",
            Self::SIGNED => "SIGNED",
            Self::CHAR => "CHAR",
            Self::BOOL => "BOOL",
            _ => "UNKN",
        })
    }
}

/// Contents of an [`Kind::Int`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Int {
    /// Signedness and purpose.
    pub encoding: IntEncoding,
    /// Offset in bits of the value from the start of the storage; 0 except in bitfields of the oldest encoding.
    pub bit_offset: u8,
    /// Width of the value in bits.
    pub bits: u8,
}

impl Int {
    /// Whether the value starts where its storage starts and has a width that C knows: 8, 16, 32, 64 or 128 bits (the
    /// kernel's `btf_type_int_is_regular`).
    #[must_use]
    pub const fn is_regular(self) -> bool {
        self.bit_offset == 0 && matches!(self.bits, 8 | 16 | 32 | 64 | 128)
    }
}

/// Contents of an [`Kind::Array`] (`struct btf_array`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Array {
    /// Type id of an element.
    pub element: u32,
    /// Type id of the index.
    pub index: u32,
    /// Number of elements.
    pub len: u32,
}

/// Linkage of a function (`enum btf_func_linkage`), held in the `vlen` of a [`Kind::Func`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FuncLinkage {
    /// `static`: verified where it is called.
    Static,
    /// Global: verified on its own.
    Global,
    /// Declared, defined elsewhere (a kfunc, or a function of another object).
    Extern,
    /// A number that no linkage has.
    Unknown(u16),
}

impl FuncLinkage {
    /// The linkage with this number.
    #[must_use]
    pub const fn from_u16(number: u16) -> Self {
        match number {
            0 => FuncLinkage::Static,
            1 => FuncLinkage::Global,
            2 => FuncLinkage::Extern,
            other => FuncLinkage::Unknown(other),
        }
    }

    /// The number of this linkage.
    #[must_use]
    pub const fn to_u16(self) -> u16 {
        match self {
            FuncLinkage::Static => 0,
            FuncLinkage::Global => 1,
            FuncLinkage::Extern => 2,
            FuncLinkage::Unknown(other) => other,
        }
    }
}

impl fmt::Display for FuncLinkage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FuncLinkage::Static => "static",
            FuncLinkage::Global => "global",
            FuncLinkage::Extern => "extern",
            FuncLinkage::Unknown(_) => "(unknown)",
        })
    }
}

/// Linkage of a variable (`BTF_VAR_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VarLinkage {
    /// `static`.
    Static,
    /// Global, allocated in this object (`BTF_VAR_GLOBAL_ALLOCATED`).
    Global,
    /// Declared, defined elsewhere (`BTF_VAR_GLOBAL_EXTERN`: kconfig values and ksyms).
    Extern,
    /// A number that no linkage has.
    Unknown(u32),
}

impl VarLinkage {
    /// The linkage with this number.
    #[must_use]
    pub const fn from_u32(number: u32) -> Self {
        match number {
            0 => VarLinkage::Static,
            1 => VarLinkage::Global,
            2 => VarLinkage::Extern,
            other => VarLinkage::Unknown(other),
        }
    }

    /// The number of this linkage.
    #[must_use]
    pub const fn to_u32(self) -> u32 {
        match self {
            VarLinkage::Static => 0,
            VarLinkage::Global => 1,
            VarLinkage::Extern => 2,
            VarLinkage::Unknown(other) => other,
        }
    }
}

impl fmt::Display for VarLinkage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            VarLinkage::Static => "static",
            VarLinkage::Global => "global",
            VarLinkage::Extern => "extern",
            VarLinkage::Unknown(_) => "(unknown)",
        })
    }
}

/// What a [`Kind::Fwd`] declares: its `kind_flag` is set for a union.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FwdKind {
    /// `struct NAME;`
    Struct,
    /// `union NAME;`
    Union,
}

impl fmt::Display for FwdKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FwdKind::Struct => "struct",
            FwdKind::Union => "union",
        })
    }
}
