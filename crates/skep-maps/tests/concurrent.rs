//! Hash maps and arrays under many threads: what comes out is always something that went in, whole.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use skep_catalog::MapType;
use skep_maps::{Map, MapError, MapSpec, create};

const KEYS: u32 = 24;

/// A value that belongs to its key and tells whether it is whole: four words, the last one their sum.
fn value(key: u32, round: u64) -> [u8; 32] {
    let words = [u64::from(key), round, round.wrapping_mul(0x9e37_79b9), 0];
    let sum = words.iter().fold(0u64, |sum, word| sum.wrapping_add(*word));
    let mut bytes = [0; 32];
    for (place, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip([words[0], words[1], words[2], sum]) {
        *place = word.to_ne_bytes();
    }
    bytes
}

fn assert_whole(key: u32, bytes: &[u8]) {
    let round = u64::from_ne_bytes(bytes[8..16].try_into().unwrap());
    assert_eq!(bytes, value(key, round), "a value of key {key} that nobody wrote");
}

/// Writers replace, delete and insert all the time in a map that is nearly full, from both sides; readers see whole values
/// of the key they asked for; walks see keys that exist.
#[test]
fn hash_values_are_whole() {
    let spec = MapSpec {
        map_type: MapType::Hash,
        value_size: 32,
        max_entries: KEYS - 4,
        possible_cpus: 2,
        ..MapSpec::default()
    };
    let map = &*create(&spec).unwrap();
    let done = &AtomicBool::new(false);
    let found = &AtomicU32::new(0);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..3u32)
            .map(|writer| {
                scope.spawn(move || {
                    let mut random = writer.wrapping_mul(0x9e37_79b9) | 1;
                    for round in 0..20_000u64 {
                        random ^= random << 13;
                        random ^= random >> 17;
                        random ^= random << 5;
                        let key = random % KEYS;
                        let bytes = value(key, round << 2 | u64::from(writer));
                        let done = match random >> 16 & 3 {
                            0 => map.delete(&key.to_ne_bytes()),
                            1 => map.update(&key.to_ne_bytes(), &bytes, 0),
                            // SAFETY: key and value have the map's sizes.
                            _ => unsafe {
                                map.update_elem(writer, key.to_ne_bytes().as_ptr(), bytes.as_ptr(), 0)
                            },
                        };
                        assert!(
                            matches!(done, Ok(()) | Err(MapError::NotFound | MapError::Full)),
                            "{done:?}"
                        );
                    }
                })
            })
            .collect();
        for reader in 0..2u32 {
            scope.spawn(move || {
                let mut key = reader;
                while !done.load(Ordering::Relaxed) {
                    key = (key + 1) % KEYS;
                    if let Ok(bytes) = map.lookup(&key.to_ne_bytes(), 0) {
                        assert_whole(key, &bytes);
                        found.fetch_add(1, Ordering::Relaxed);
                    }
                    let mut next = [0; 4];
                    if map.next_key(Some(&key.to_ne_bytes()), &mut next).is_ok() {
                        assert!(u32::from_ne_bytes(next) < KEYS, "a key that nobody put in");
                    }
                    // SAFETY: a key of four bytes.
                    if let Some(pointer) = unsafe { map.lookup_elem(0, key.to_ne_bytes().as_ptr()) } {
                        assert!(map.value_at(pointer.as_ptr() as usize).is_some());
                    }
                }
            });
        }
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(found.load(Ordering::Relaxed) > 0);

    // Nothing was lost from the free lists: exactly `max_entries` still fit.
    for key in 0..KEYS {
        let _ = map.delete(&key.to_ne_bytes());
    }
    for key in 0..spec.max_entries {
        map.update(&(1000 + key).to_ne_bytes(), &value(1000 + key, 0), 1).unwrap();
    }
    assert_eq!(map.update(&KEYS.to_ne_bytes(), &value(KEYS, 0), 0), Err(MapError::Full));
}

/// Of threads that insert the same keys with `BPF_NOEXIST`, exactly one wins each; of those that delete, too.
#[test]
fn inserts_and_deletes_have_one_winner() {
    const THREADS: u32 = 4;
    const ROUNDS: u32 = 200;
    let spec = MapSpec {
        map_type: MapType::Hash,
        value_size: 8,
        max_entries: KEYS,
        possible_cpus: 3,
        ..MapSpec::default()
    };
    let map = &*create(&spec).unwrap();
    let barrier = &Barrier::new(THREADS as usize);
    let (inserted, deleted) = (&AtomicU32::new(0), &AtomicU32::new(0));
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                for _ in 0..ROUNDS {
                    barrier.wait();
                    for key in 0..KEYS {
                        let won = map.update(&key.to_ne_bytes(), &u64::from(thread).to_ne_bytes(), 1).is_ok();
                        inserted.fetch_add(u32::from(won), Ordering::Relaxed);
                    }
                    barrier.wait();
                    for key in 0..KEYS {
                        let won = map.delete(&key.to_ne_bytes()).is_ok();
                        deleted.fetch_add(u32::from(won), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(inserted.load(Ordering::Relaxed), ROUNDS * KEYS);
    assert_eq!(deleted.load(Ordering::Relaxed), ROUNDS * KEYS);
}

/// Programs count in place with atomics, as compiled programs do: no increment is lost while other keys come and go.
#[test]
fn counters_in_place() {
    const THREADS: u64 = 4;
    const ROUNDS: u64 = 5_000;
    for map_type in [MapType::Hash, MapType::Array, MapType::PercpuHash, MapType::PercpuArray] {
        let spec = MapSpec {
            map_type,
            value_size: 8,
            max_entries: 64,
            possible_cpus: THREADS as u32,
            ..MapSpec::default()
        };
        let map: &dyn Map = &*create(&spec).unwrap();
        let key = 3u32.to_ne_bytes();
        map.update(&key, &vec![0; map.value_bytes()], 0).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..THREADS as u32 {
                scope.spawn(move || {
                    let other = (10 + thread).to_ne_bytes();
                    for _ in 0..ROUNDS {
                        // SAFETY: a key of four bytes.
                        let pointer = unsafe { map.lookup_elem(thread, key.as_ptr()) }.unwrap();
                        // SAFETY: a value of eight bytes, aligned, in use as a counter.
                        unsafe { AtomicU64::from_ptr(pointer.as_ptr().cast()) }
                            .fetch_add(1, Ordering::Relaxed);
                        let _ = map.update(&other, &vec![1; map.value_bytes()], 0);
                        let _ = map.delete(&other);
                    }
                });
            }
        });
        let total: u64 = map
            .lookup(&key, 0)
            .unwrap()
            .as_chunks::<8>()
            .0
            .iter()
            .map(|word| u64::from_ne_bytes(*word))
            .sum();
        assert_eq!(total, THREADS * ROUNDS, "{map_type:?}");
    }
}
