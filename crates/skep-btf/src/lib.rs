//! BTF, the type format of eBPF: read, validate, print.
#![forbid(unsafe_code)]

mod btf;
mod builder;
mod def;
mod error;
mod ext;
mod header;
mod index;
mod kind;
mod print;
mod query;
mod strings;
#[cfg(feature = "testing")]
pub mod testing;
mod types;
mod validate;
mod value;

pub use btf::Btf;
pub use builder::BtfBuilder;
pub use def::{MemberDef, TypeDef};
pub use error::BtfError;
pub use ext::{
    BtfExt, CoreRelo, CoreReloKind, ExtRecord, ExtSection, ExtTable, FuncInfo, LineInfo, kernel_records,
};
pub use kind::{Array, FuncLinkage, FwdKind, Int, IntEncoding, Kind, VarLinkage};
pub use print::{Json, Raw};
pub use query::{Field, POINTER_SIZE};
pub use skep_isa::Endian;
pub use types::{Enumerator, Enumerators, Member, Members, Param, Params, Secinfo, Secinfos, Type};
pub use value::{Value, ValueError};
