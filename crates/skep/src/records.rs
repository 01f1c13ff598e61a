//! Which type the records of a ring buffer have: the object's BTF does not say it, so conventions do.

use skep_btf::{Btf, Kind};
use skep_catalog::MapType;
use skep_object::{MapDef, Object};

use crate::error::{Error, Result};

/// The type of a ring buffer's records, as a BTF type id: the value type of its definition where it has one, else
/// the structure that is named after the map: for a map `events` the first there is of `struct events`, `struct event`,
/// `struct events_t`, `struct event_t` (or a typedef of these names), and at last `struct event`, what most programs call it.
#[must_use]
pub fn record_type(object: &Object, map: &MapDef) -> Option<u32> {
    let btf = object.btf.as_ref()?;
    if map.value_type_id != 0 {
        return Some(map.value_type_id);
    }
    let name = map.name.as_str();
    let singular = name.strip_suffix('s').unwrap_or(name);
    let candidates = [name.to_owned(), singular.to_owned(), format!("{name}_t"), format!("{singular}_t")];
    let fallback = ["event".to_owned(), "event_t".to_owned()];
    candidates.iter().chain(&fallback).find_map(|name| struct_named(btf, name))
}

/// The type that a person named: `event`, or as in C `struct event`.
///
/// # Errors
/// [`Error::NoSuch`] with the structures there are.
pub fn type_named(object: &Object, name: &str) -> Result<u32> {
    let bare = name.strip_prefix("struct ").or_else(|| name.strip_prefix("union ")).unwrap_or(name).trim();
    let btf = object.btf.as_ref();
    let found = btf.and_then(|btf| {
        let data =
            |kind: Kind| kind.is_composite() || kind.is_enum() || matches!(kind, Kind::Int | Kind::Typedef);
        struct_named(btf, bare).or_else(|| btf.by_name(bare).find(|ty| data(ty.kind())).map(|ty| ty.id()))
    });
    found.ok_or_else(|| {
        let structs = btf.into_iter().flat_map(|btf| btf.types()).filter(|ty| ty.kind() == Kind::Struct);
        let mut names: Vec<_> = structs.map(|ty| ty.name()).filter(|name| !name.is_empty()).collect();
        names.sort_unstable();
        names.dedup();
        Error::NoSuch { what: "type", name: name.to_owned(), known: names.join(", ") }
    })
}

fn struct_named(btf: &Btf, name: &str) -> Option<u32> {
    btf.by_name(name)
        .find(|ty| match ty.kind() {
            Kind::Struct => true,
            Kind::Typedef => btf.resolve(ty.id()).is_ok_and(|ty| ty.kind() == Kind::Struct),
            _ => false,
        })
        .map(|ty| ty.id())
}

/// Whether user space reads records of this map.
#[must_use]
pub fn is_ring(map: &MapDef) -> bool {
    map.known_type() == Some(MapType::Ringbuf)
}
