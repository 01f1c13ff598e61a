//! From names to types.

use std::hash::{BuildHasher, RandomState};

use crate::{Btf, Kind, Type};

/// How much of a name decides where it stands in the index.
const HASHED: usize = 256;

/// The named types of one BTF by the hash of their names.
///
/// Two words a type: the upper half of an entry is the hash, the lower half the id, so that the sorted table holds
/// equal names in the order of their ids. The hash is keyed, so no file can make names collide on purpose.
#[derive(Clone, Debug)]
pub(crate) struct NameIndex {
    entries: Vec<u64>,
    keys: RandomState,
}

impl NameIndex {
    fn new(btf: &Btf) -> Self {
        let keys = RandomState::new();
        let mut entries: Vec<u64> = btf
            .own_types()
            .filter(|ty| ty.name_off() != 0)
            .map(|ty| hash(&keys, btf.str_start(ty.name_off(), HASHED)) | u64::from(ty.id()))
            .collect();
        entries.sort_unstable();
        NameIndex { entries, keys }
    }

    fn candidates(&self, name: &[u8]) -> impl Iterator<Item = u32> {
        let hash = hash(&self.keys, &name[..name.len().min(HASHED)]);
        let start = self.entries.partition_point(|&entry| entry < hash);
        let same = move |entry: &&u64| **entry >> 32 == hash >> 32;
        self.entries[start..].iter().take_while(same).map(|&entry| entry as u32)
    }
}

fn hash(keys: &RandomState, name: &[u8]) -> u64 {
    keys.hash_one(name) & !u64::from(u32::MAX)
}

impl Btf {
    /// The types of this name, those of the base first, in the order of their ids.
    ///
    /// An index is built at the first call, in time proportional to the number of types.
    pub fn by_name<'a>(&'a self, name: &str) -> impl Iterator<Item = Type<'a>> + use<'a> {
        let mut layers = vec![self];
        while let Some(base) = layers.last().and_then(|layer| layer.base.as_deref()) {
            layers.push(base);
        }
        let mut found = Vec::new();
        for layer in layers.into_iter().rev() {
            let index = layer.names.get_or_init(|| NameIndex::new(layer));
            let candidates = index.candidates(name.as_bytes()).filter_map(|id| self.get(id));
            found.extend(candidates.filter(|ty| self.str_is(ty.name_off(), name.as_bytes())));
        }
        found.into_iter()
    }

    /// The first type of this name and kind: of several (two `struct foo` of different C files) the one with the lowest
    /// id, as libbpf's `btf__find_by_name_kind` does.
    #[must_use]
    pub fn find(&self, name: &str, kind: Kind) -> Option<Type<'_>> {
        self.by_name(name).find(|ty| ty.kind() == kind)
    }
}
