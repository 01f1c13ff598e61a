//! BTF, the type format of eBPF: read, write, validate, print.
//!
//! An object file carries two sections about types. `.BTF` holds the types themselves and strings; `.BTF.ext` says which function and
//! which source line each instruction belongs to, and which instructions depend on the layout of the kernel's types (CO-RE).
//! The kernel publishes its own types in the first format. Both are described in
//! <https://docs.kernel.org/bpf/btf.html>.
//!
//! # A tour
//!
//! Read BTF and look around. A [`Type`] is a view of a record; what a kind does not have is `None` or empty.
//!
//! ```
//! # use skep_btf::{BtfBuilder, Endian, IntEncoding, MemberDef, TypeDef};
//! # let mut builder = BtfBuilder::new(Endian::Little);
//! # let long = builder.add(&TypeDef::int("long", 8, IntEncoding::SIGNED))?;
//! # let time = builder.add(&TypeDef::Typedef { name: "ktime_t".into(), target: long })?;
//! # let inner = builder.add(&TypeDef::structure("", 8, vec![MemberDef::new("when", time, 0)]))?;
//! # builder.add(&TypeDef::structure("event", 16, vec![MemberDef::new("id", long, 0), MemberDef::new("", inner, 64)]))?;
//! # let bytes = builder.finish()?.to_bytes();
//! use skep_btf::{Btf, Kind};
//!
//! let btf = Btf::parse(&bytes)?;
//! let event = btf.find("event", Kind::Struct).expect("the program has a struct event");
//! assert_eq!(btf.size_of(event.id())?, 16);
//! for member in event.members() {
//!     println!("{:3} {}", member.bit_offset / 8, member.name());
//! }
//! // Members of anonymous structures are members of the structure around them.
//! let when = btf.field(event.id(), "when")?.expect("it has a time");
//! assert_eq!(when.bit_offset, 64);
//! // What stands behind typedefs, const and so on.
//! assert_eq!(btf.resolve(when.member.type_id)?.name(), "long");
//! # Ok::<(), skep_btf::BtfError>(())
//! ```
//!
//! Ask whether the kernel would take it. [`Btf::parse`] checks what makes access safe, [`Btf::validate`] what makes sense:
//!
//! ```
//! # use skep_btf::{BtfBuilder, Endian, MemberDef, TypeDef};
//! let mut builder = BtfBuilder::new(Endian::Little);
//! builder.add(&TypeDef::structure("s", 8, vec![MemberDef::new("s", 1, 0)]))?;
//! let btf = builder.finish()?;
//! assert_eq!(
//!     btf.validate().unwrap_err().to_string(),
//!     ".BTF types, byte 24: [1] STRUCT 's': it is made of itself: [1] -> [1]"
//! );
//! # Ok::<(), skep_btf::BtfError>(())
//! ```
//!
//! Print it as bpftool does: [`Btf::raw`] and [`Btf::json`]. Make or change it: [`BtfBuilder`] with [`TypeDef`]. Read what
//! belongs to instructions: [`BtfExt`].
//!
//! # Hostile input
//!
//! No bytes make this crate panic, follow a circle without end, recurse without bound, or take more than a small multiple of their
//! length in memory. Only text output can be long: names may overlap in the string section, and each is printed as a whole.
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
