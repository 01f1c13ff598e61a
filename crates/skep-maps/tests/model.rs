//! Every map type against a model of standard collections, over random operations from both sides.

use std::collections::BTreeMap;
use std::ptr::NonNull;

use proptest::prelude::*;
use skep_catalog::MapType;
use skep_maps::{Map, MapError, MapSpec, create};

const CPUS: u32 = 3;

/// An operation; keys and values are drawn small so that they meet.
#[derive(Clone, Debug)]
enum Op {
    Lookup(u8),
    Update(u8, u8, u64),
    Delete(u8),
    LookupAndDelete(u8),
    NextKey(Option<u8>),
    ElemLookup(u32, u8),
    ElemUpdate(u32, u8, u8, u64),
    ElemDelete(u8),
    /// Writes the last byte of a value through the pointer that a program has.
    Poke(u32, u8, u8),
    Iterate,
}

fn op() -> impl Strategy<Value = Op> {
    let key = || 0..12u8;
    let cpu = || 0..CPUS + 1;
    let flags = || prop_oneof![4 => Just(0), 2 => Just(1), 2 => Just(2), 1 => 3..9u64];
    prop_oneof![
        key().prop_map(Op::Lookup),
        (key(), any::<u8>(), flags()).prop_map(|(k, v, f)| Op::Update(k, v, f)),
        key().prop_map(Op::Delete),
        key().prop_map(Op::LookupAndDelete),
        proptest::option::of(key()).prop_map(Op::NextKey),
        (cpu(), key()).prop_map(|(c, k)| Op::ElemLookup(c, k)),
        (cpu(), key(), any::<u8>(), flags()).prop_map(|(c, k, v, f)| Op::ElemUpdate(c, k, v, f)),
        key().prop_map(Op::ElemDelete),
        (cpu(), key(), any::<u8>()).prop_map(|(c, k, v)| Op::Poke(c, k, v)),
        Just(Op::Iterate),
    ]
}

/// What a map is: elements by key, each with a value for each virtual CPU.
struct Model {
    spec: MapSpec,
    elements: BTreeMap<Vec<u8>, Vec<Vec<u8>>>,
}

impl Model {
    fn new(spec: MapSpec) -> Model {
        let mut elements = BTreeMap::new();
        if matches!(spec.map_type, MapType::Array | MapType::PercpuArray) {
            for index in 0..spec.max_entries {
                let zero = vec![vec![0; spec.value_size as usize]; spec.lanes()];
                elements.insert(index.to_ne_bytes().to_vec(), zero);
            }
        }
        Model { spec, elements }
    }

    fn is_array(&self) -> bool {
        matches!(self.spec.map_type, MapType::Array | MapType::PercpuArray)
    }

    /// Whether an update may go on, in the kernel's order of checks.
    fn admit(&self, key: &[u8], flags: u64) -> Result<(), MapError> {
        let there = self.elements.contains_key(key);
        match flags {
            3.. => Err(MapError::InvalidFlags),
            _ if self.is_array() && !there => Err(MapError::IndexOutOfRange),
            1 if there => Err(MapError::Exists),
            2 if !there => Err(MapError::NotFound),
            _ if !there && self.elements.len() == self.spec.max_entries as usize => Err(MapError::Full),
            _ => Ok(()),
        }
    }

    fn remove(&mut self, key: &[u8]) -> Result<Vec<Vec<u8>>, MapError> {
        if self.is_array() {
            return Err(MapError::CannotDelete);
        }
        self.elements.remove(key).ok_or(MapError::NotFound)
    }

    /// A value as the `bpf(2)` side has it.
    fn flat(&self, value: &[Vec<u8>]) -> Vec<u8> {
        if self.spec.lanes() == 1 && !self.spec.percpu() {
            return value[0].clone();
        }
        let padded = |lane: &Vec<u8>| {
            let mut lane = lane.clone();
            lane.resize(lane.len().next_multiple_of(8), 0);
            lane
        };
        value.iter().flat_map(padded).collect()
    }
}

trait SpecExt {
    fn percpu(&self) -> bool;
    fn lanes(&self) -> usize;
    fn key(&self, number: u8) -> Vec<u8>;
    fn value(&self, number: u8) -> Vec<u8>;
}

impl SpecExt for MapSpec {
    fn percpu(&self) -> bool {
        matches!(self.map_type, MapType::PercpuHash | MapType::PercpuArray)
    }

    fn lanes(&self) -> usize {
        if self.percpu() { self.possible_cpus as usize } else { 1 }
    }

    /// Keys differ in their first byte, or in their last one only.
    fn key(&self, number: u8) -> Vec<u8> {
        if matches!(self.map_type, MapType::Array | MapType::PercpuArray) {
            return u32::from(number).to_ne_bytes().to_vec();
        }
        let mut key = vec![0xa5; self.key_size as usize];
        let at = if number.is_multiple_of(2) { 0 } else { key.len() - 1 };
        key[at] = number;
        key
    }

    fn value(&self, number: u8) -> Vec<u8> {
        (0..self.value_size).map(|at| number.wrapping_add(at as u8)).collect()
    }
}

/// Padding of per-CPU values on the `bpf(2)` side means nothing.
fn without_padding(spec: &MapSpec, mut bytes: Vec<u8>) -> Vec<u8> {
    if spec.percpu() {
        let stride = (spec.value_size as usize).next_multiple_of(8);
        for lane in bytes.chunks_mut(stride) {
            lane[spec.value_size as usize..].fill(0);
        }
    }
    bytes
}

fn read_value(pointer: NonNull<u8>, len: u32) -> Vec<u8> {
    // SAFETY: a value pointer has as many bytes, and no other thread is there.
    unsafe { std::slice::from_raw_parts(pointer.as_ptr(), len as usize) }.to_vec()
}

fn check(spec: MapSpec, ops: Vec<Op>) {
    let map = create(&spec).unwrap();
    let mut model = Model::new(spec);
    for op in ops {
        apply(&*map, &mut model, &op);
    }
}

fn apply(map: &dyn Map, model: &mut Model, op: &Op) {
    let spec = model.spec;
    let lane = |cpu: u32| if spec.percpu() { cpu as usize } else { 0 };
    let exists = |cpu: u32| lane(cpu) < spec.lanes();
    match *op {
        Op::Lookup(key) => {
            let expected = model.elements.get(&spec.key(key)).map(|value| model.flat(value));
            let got = map.lookup(&spec.key(key), 0).map(|value| without_padding(&spec, value));
            assert_eq!(got, expected.ok_or(MapError::NotFound), "{op:?}");
            assert_eq!(map.lookup(&spec.key(key), 4), Err(MapError::InvalidFlags));
        }
        Op::Update(key, value, flags) => {
            let key = spec.key(key);
            let lanes: Vec<Vec<u8>> =
                (0..spec.lanes()).map(|lane| spec.value(value.wrapping_add(lane as u8))).collect();
            let expected = model.admit(&key, flags);
            assert_eq!(map.update(&key, &model.flat(&lanes), flags), expected, "{op:?}");
            if expected.is_ok() {
                model.elements.insert(key, lanes);
            }
        }
        Op::Delete(key) => {
            let key = spec.key(key);
            assert_eq!(map.delete(&key), model.remove(&key).map(drop), "{op:?}");
        }
        Op::LookupAndDelete(key) => {
            let key = spec.key(key);
            if model.is_array() {
                assert_eq!(map.lookup_and_delete(&key, 0), Err(MapError::NotSupported));
                return;
            }
            let got = map.lookup_and_delete(&key, 0).map(|value| without_padding(&spec, value));
            let expected = model.remove(&key);
            assert_eq!(got, expected.map(|value| model.flat(&value)), "{op:?}");
        }
        Op::NextKey(key) => {
            let mut next = vec![0; spec.key_size as usize];
            let key = key.map(|key| spec.key(key));
            let got = map.next_key(key.as_deref(), &mut next);
            assert!(matches!(got, Ok(()) | Err(MapError::NotFound)), "{op:?}: {got:?}");
            if got.is_ok() {
                assert!(model.elements.contains_key(&next), "{op:?} gave a key that is not there");
            }
            let known = key.as_ref().is_some_and(|key| model.elements.contains_key(key));
            if !known {
                let mut first = vec![0; spec.key_size as usize];
                assert_eq!(map.next_key(None, &mut first), got, "an unknown key leads to the first");
                assert_eq!(first, next);
            }
        }
        Op::ElemLookup(cpu, key) => {
            let key = spec.key(key);
            // SAFETY: a key of the map's size.
            let got = unsafe { map.lookup_elem(cpu, key.as_ptr()) };
            let expected = model.elements.get(&key).filter(|_| exists(cpu));
            assert_eq!(got.is_some(), expected.is_some(), "{op:?}");
            if let (Some(pointer), Some(value)) = (got, expected) {
                assert!((pointer.as_ptr() as usize).is_multiple_of(8), "values are aligned");
                assert_eq!(read_value(pointer, spec.value_size), value[lane(cpu)], "{op:?}");
                check_region(map, pointer);
            }
        }
        Op::ElemUpdate(cpu, key, value, flags) => {
            let (key, value) = (spec.key(key), spec.value(value));
            // SAFETY: key and value of the map's sizes.
            let got = unsafe { map.update_elem(cpu, key.as_ptr(), value.as_ptr(), flags) };
            if !exists(cpu) {
                assert!(got.is_err(), "{op:?}: there is no such virtual CPU");
                return;
            }
            let expected = model.admit(&key, flags);
            assert_eq!(got, expected, "{op:?}");
            if expected.is_ok() {
                let zero = vec![vec![0; spec.value_size as usize]; spec.lanes()];
                model.elements.entry(key).or_insert(zero)[lane(cpu)] = value;
            }
        }
        Op::ElemDelete(key) => {
            let key = spec.key(key);
            // SAFETY: a key of the map's size.
            let got = unsafe { map.delete_elem(0, key.as_ptr()) };
            assert_eq!(got, model.remove(&key).map(drop), "{op:?}");
        }
        Op::Poke(cpu, key, byte) => {
            let key = spec.key(key);
            // SAFETY: a key of the map's size.
            let Some(pointer) = (unsafe { map.lookup_elem(cpu, key.as_ptr()) }) else { return };
            let last = spec.value_size as usize - 1;
            // SAFETY: the value's last byte.
            unsafe { pointer.as_ptr().wrapping_add(last).write(byte) };
            model.elements.get_mut(&key).unwrap()[lane(cpu)][last] = byte;
        }
        Op::Iterate => iterate(map, model),
    }
}

/// Both ways to walk a map give each element once.
fn iterate(map: &dyn Map, model: &Model) {
    let spec = model.spec;
    let mut keys = Vec::new();
    let mut next = vec![0; spec.key_size as usize];
    while map.next_key(keys.last().map(Vec::as_slice), &mut next).is_ok() {
        keys.push(next.clone());
        assert!(keys.len() <= model.elements.len(), "a walk that does not end");
    }
    keys.sort();
    assert!(keys.iter().eq(model.elements.keys()), "keys of a walk");

    let mut seen = BTreeMap::new();
    let visited = map.for_each(0, &mut |key, value| {
        seen.insert(read_value(key, spec.key_size), read_value(value, spec.value_size));
        true
    });
    assert_eq!(visited, Ok(model.elements.len() as u32));
    let expected: BTreeMap<_, _> =
        model.elements.iter().map(|(key, value)| (key.clone(), value[0].clone())).collect();
    assert_eq!(seen, expected);
    for places in [1, 3] {
        let (mut walked, mut position) = (BTreeMap::new(), Some(0));
        while let Some(from) = position {
            let mut each = |key, value| {
                walked.insert(read_value(key, spec.key_size), read_value(value, spec.value_size));
            };
            position = map.walk(0, from, places, &mut each).unwrap();
            assert!(position.is_none_or(|position| position == from + u64::from(places)));
        }
        assert_eq!(walked, expected, "a walk in parts of {places}");
    }
    if !model.elements.is_empty() {
        assert_eq!(map.for_each(0, &mut |_, _| false), Ok(1), "a walk stops when it is told to");
    }
}

/// Every byte of a value is in the region that starts there, and the byte after it is not.
fn check_region(map: &dyn Map, pointer: NonNull<u8>) {
    let (start, len) = (pointer.as_ptr() as usize, map.spec().value_size as usize);
    for offset in [0, len / 2, len - 1] {
        let region = map.value_at(start + offset).expect("inside a value");
        assert_eq!((region.start, region.len, region.readable, region.writable), (start, len, true, true));
    }
    assert!(map.value_at(start + len).is_none_or(|region| region.start == start + len), "beyond the value");
}

/// Sizes with and without padding, one word and many.
fn hash_sizes() -> impl Strategy<Value = (u32, u32)> {
    let key = prop_oneof![Just(1u32), Just(4), Just(8), Just(12), Just(16), Just(20), Just(100)];
    let value = prop_oneof![Just(1u32), Just(4), Just(8), Just(13), Just(64)];
    (key, value)
}

proptest! {
    #[test]
    fn hash((key_size, value_size) in hash_sizes(), flags in prop_oneof![Just(0u32), Just(1), Just(64)],
            max_entries in 1..10u32, ops in proptest::collection::vec(op(), 0..80)) {
        check(MapSpec { map_type: MapType::Hash, key_size, value_size, max_entries, flags, extra: 0, possible_cpus: CPUS }, ops);
    }

    #[test]
    fn percpu_hash((key_size, value_size) in hash_sizes(), max_entries in 1..10u32,
                   ops in proptest::collection::vec(op(), 0..80)) {
        check(MapSpec { map_type: MapType::PercpuHash, key_size, value_size, max_entries, flags: 0, extra: 0, possible_cpus: CPUS }, ops);
    }

    #[test]
    fn array(value_size in prop_oneof![Just(1u32), Just(8), Just(13)], max_entries in 1..10u32,
             ops in proptest::collection::vec(op(), 0..80)) {
        check(MapSpec { map_type: MapType::Array, key_size: 4, value_size, max_entries, flags: 0, extra: 0, possible_cpus: CPUS }, ops);
    }

    #[test]
    fn percpu_array(value_size in prop_oneof![Just(1u32), Just(8), Just(13)], max_entries in 1..10u32,
                    ops in proptest::collection::vec(op(), 0..80)) {
        check(MapSpec { map_type: MapType::PercpuArray, key_size: 4, value_size, max_entries, flags: 0, extra: 0, possible_cpus: CPUS }, ops);
    }
}

/// A map larger than its first chunks: all elements are there, none twice, and exactly `max_entries` fit.
#[test]
fn a_hash_that_fills_many_chunks() {
    let spec =
        MapSpec { map_type: MapType::Hash, value_size: 200, max_entries: 30_000, ..MapSpec::default() };
    let map = create(&spec).unwrap();
    let value = |number: u32| number.to_ne_bytes().repeat(50);
    for number in 0..spec.max_entries {
        map.update(&number.to_ne_bytes(), &value(number), 1).unwrap();
    }
    assert_eq!(map.update(&u32::MAX.to_ne_bytes(), &value(0), 0), Err(MapError::Full));
    for number in 0..spec.max_entries {
        // SAFETY: a key of four bytes.
        let pointer = unsafe { map.lookup_elem(0, number.to_ne_bytes().as_ptr()) }.unwrap();
        assert_eq!(read_value(pointer, 200), value(number));
        check_region(&*map, pointer);
    }
    let mut keys = Vec::new();
    map.for_each(0, &mut |key, _| {
        keys.push(u32::from_ne_bytes(read_value(key, 4).try_into().unwrap()));
        true
    })
    .unwrap();
    keys.sort_unstable();
    assert!(keys.iter().copied().eq(0..spec.max_entries));
}

/// The pointer that a program was given stays good memory, and an element that left is reused.
#[test]
fn pointers_outlive_their_elements() {
    let spec = MapSpec { map_type: MapType::Hash, value_size: 8, max_entries: 1, ..MapSpec::default() };
    let map = create(&spec).unwrap();
    let mut places = std::collections::BTreeSet::new();
    for number in 0..100u32 {
        let key = number.to_ne_bytes();
        map.update(&key, &u64::from(number).to_ne_bytes(), 0).unwrap();
        // SAFETY: a key of four bytes.
        let pointer = unsafe { map.lookup_elem(0, key.as_ptr()) }.unwrap();
        places.insert(pointer);
        map.delete(&key).unwrap();
        assert_eq!(read_value(pointer, 8), u64::from(number).to_ne_bytes(), "what was there still is");
    }
    assert!(places.len() <= 2, "{} places for one element", places.len());
    for place in places {
        assert!(map.value_at(place.as_ptr() as usize).is_some());
    }
}

/// Only arrays of one element have an address that programs can name.
#[test]
fn direct_values() {
    let one = create(&MapSpec { value_size: 12, ..MapSpec::default() }).unwrap();
    // SAFETY: a key of four bytes.
    let start = unsafe { one.lookup_elem(0, 0u32.to_ne_bytes().as_ptr()) }.unwrap();
    assert_eq!(one.direct_value(0), Ok(start));
    assert_eq!(one.direct_value(11).unwrap().as_ptr() as usize, start.as_ptr() as usize + 11);
    assert_eq!(one.direct_value(12), Err(MapError::OutOfRange));
    for (map_type, max_entries) in [(MapType::Array, 2), (MapType::PercpuArray, 1), (MapType::Hash, 1)] {
        let map = create(&MapSpec { map_type, max_entries, ..MapSpec::default() }).unwrap();
        assert_eq!(map.direct_value(0), Err(MapError::NotSupported));
    }
}

/// Where compiled code looks is where `lookup_elem` points.
#[test]
fn inline_lookups() {
    for map_type in [MapType::Array, MapType::PercpuArray] {
        let spec =
            MapSpec { map_type, value_size: 12, max_entries: 5, possible_cpus: 3, ..MapSpec::default() };
        let map = create(&spec).unwrap();
        let inline = map.inline_lookup().unwrap();
        for (cpu, index) in (0..3u32).flat_map(|cpu| (0..5u32).map(move |index| (cpu, index))) {
            // SAFETY: a key of four bytes.
            let pointer = unsafe { map.lookup_elem(cpu, index.to_ne_bytes().as_ptr()) }.unwrap();
            let place = inline.base + cpu as usize * inline.cpu_stride + index as usize * inline.stride;
            assert_eq!(pointer.as_ptr() as usize, place);
        }
    }
}
