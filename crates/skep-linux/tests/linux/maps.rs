//! Maps of every basic type, element by element.

use skep_catalog::MapType;
use skep_kernel::{Errno, Fd, Kernel};

use crate::common::{linux, map};

/// Keys in the order in which the kernel gives them.
fn keys(kernel: &dyn Kernel, map: Fd) -> Vec<Vec<u8>> {
    let mut keys: Vec<Vec<u8>> = Vec::new();
    loop {
        match kernel.map_next_key(map, keys.last().map(Vec::as_slice)) {
            Ok(key) => keys.push(key),
            Err(error) => {
                assert_eq!(error.errno, Errno::ENOENT, "{error}");
                return keys;
            }
        }
    }
}

#[test]
fn maps_with_keys_store_values() {
    let Some(kernel) = linux() else { return };
    const NO_PREALLOC: u32 = 1;
    for (map_type, flags) in [
        (MapType::Hash, 0),
        (MapType::Hash, NO_PREALLOC),
        (MapType::LruHash, 0),
        (MapType::PercpuHash, 0),
        (MapType::LruPercpuHash, 0),
        (MapType::LpmTrie, NO_PREALLOC),
    ] {
        let fd = kernel.map_create(&map(map_type, 8, 12, 100, flags)).unwrap();
        let per_cpu = matches!(map_type, MapType::PercpuHash | MapType::LruPercpuHash);
        // Values of a CPU begin at multiples of 8 bytes, and what is between is zero.
        let value: Vec<u8> = if per_cpu {
            (0..kernel.possible_cpus())
                .flat_map(|cpu| [[cpu as u8; 12].as_slice(), &[0; 4]].concat())
                .collect()
        } else {
            vec![7; 12]
        };
        // Prefix length 32, host byte order, then the address.
        let key = |n: u8| [32, 0, 0, 0, 10, 0, 0, n];
        for n in 1..=5 {
            kernel.map_update(fd, &key(n), &value, 0).unwrap();
        }
        assert_eq!(kernel.map_lookup(fd, &key(3), 0).unwrap(), value, "{map_type}");
        assert_eq!(
            kernel.map_update(fd, &key(3), &value, 1).unwrap_err().errno,
            Errno::EEXIST,
            "BPF_NOEXIST"
        );
        kernel.map_delete(fd, &key(3)).unwrap();
        let missing = kernel.map_lookup(fd, &key(3), 0).unwrap_err();
        assert_eq!(missing.errno, Errno::ENOENT);
        let mut found = keys(&kernel, fd);
        found.sort();
        assert_eq!(found, [1, 2, 4, 5].map(|n| key(n).to_vec()), "{map_type}");
        if map_type != MapType::LpmTrie {
            assert_eq!(kernel.map_lookup_and_delete(fd, &key(4), 0).unwrap(), value, "{map_type}");
            assert_eq!(keys(&kernel, fd).len(), 3);
        }
    }
}

#[test]
fn arrays_have_all_their_elements() {
    let Some(kernel) = linux() else { return };
    for map_type in [MapType::Array, MapType::PercpuArray] {
        let fd = kernel.map_create(&map(map_type, 4, 4, 3, 0)).unwrap();
        let slots = if map_type == MapType::Array { 1 } else { 2 * kernel.possible_cpus() as usize };
        let value = [1, 2, 3, 4].repeat(slots);
        assert_eq!(kernel.map_lookup(fd, &2_u32.to_ne_bytes(), 0).unwrap(), vec![0; 4 * slots]);
        if map_type == MapType::Array {
            kernel.map_update(fd, &2_u32.to_ne_bytes(), &value, 0).unwrap();
            assert_eq!(kernel.map_lookup(fd, &2_u32.to_ne_bytes(), 0).unwrap(), value);
        }
        assert_eq!(keys(&kernel, fd), [0_u32, 1, 2].map(|n| n.to_ne_bytes().to_vec()));
        let full = kernel.map_update(fd, &3_u32.to_ne_bytes(), &value, 0).unwrap_err();
        assert_eq!(full.errno, Errno::E2BIG);
        assert!(full.what.contains("max_entries"), "{full}");
        assert_eq!(kernel.map_delete(fd, &0_u32.to_ne_bytes()).unwrap_err().errno, Errno::EINVAL);
    }
}

#[test]
fn queues_stacks_and_bloom_filters_have_no_keys() {
    let Some(kernel) = linux() else { return };
    for (map_type, order) in [(MapType::Queue, [1, 2, 3]), (MapType::Stack, [3, 2, 1])] {
        let fd = kernel.map_create(&map(map_type, 0, 4, 3, 0)).unwrap();
        for n in 1_u32..=3 {
            kernel.map_update(fd, &[], &n.to_ne_bytes(), 0).unwrap();
        }
        assert_eq!(kernel.map_update(fd, &[], &[0; 4], 0).unwrap_err().errno, Errno::E2BIG);
        assert_eq!(kernel.map_lookup(fd, &[], 0).unwrap(), (order[0] as u32).to_ne_bytes());
        for n in order {
            assert_eq!(
                kernel.map_lookup_and_delete(fd, &[], 0).unwrap(),
                (n as u32).to_ne_bytes(),
                "{map_type}"
            );
        }
        assert_eq!(kernel.map_lookup_and_delete(fd, &[], 0).unwrap_err().errno, Errno::ENOENT);
    }
    let fd = kernel.map_create(&map(MapType::BloomFilter, 0, 4, 100, 0)).unwrap();
    kernel.map_update(fd, &[], b"seen", 0).unwrap();
    assert_eq!(kernel.map_lookup(fd, b"seen", 0).unwrap(), b"seen");
    assert_eq!(kernel.map_lookup(fd, b"new!", 0).unwrap_err().errno, Errno::ENOENT);
}

#[test]
fn maps_hold_maps() {
    let Some(kernel) = linux() else { return };
    let inner = kernel.map_create(&map(MapType::Array, 4, 8, 1, 0)).unwrap();
    for map_type in [MapType::ArrayOfMaps, MapType::HashOfMaps] {
        let mut spec = map(map_type, 4, 4, 2, 0);
        spec.inner = Some(inner);
        let outer = kernel.map_create(&spec).unwrap();
        kernel.map_update(outer, &[0; 4], &inner.0.to_ne_bytes(), 0).unwrap();
        let id = kernel.map_info(inner).unwrap().id;
        assert_eq!(kernel.map_lookup(outer, &[0; 4], 0).unwrap(), id.to_ne_bytes(), "{map_type}");
    }
    let error = kernel.map_create(&map(MapType::ArrayOfMaps, 4, 4, 2, 0)).unwrap_err();
    assert_eq!(error.errno, Errno::EINVAL);
    assert!(error.what.ends_with("a map of maps needs a template for its inner maps"), "{error}");
}

#[test]
fn information_says_what_was_created() {
    let Some(kernel) = linux() else { return };
    let mut spec = map(MapType::Hash, 4, 8, 10, 1);
    spec.name = "a name that is too long".into();
    let fd = kernel.map_create(&spec).unwrap();
    let info = kernel.map_info(fd).unwrap();
    assert_eq!((info.map_type, info.key_size, info.value_size, info.max_entries), (MapType::Hash, 4, 8, 10));
    assert_eq!((info.flags, info.name.as_str(), info.frozen), (1, "a_name_that_is_", false));

    kernel.map_freeze(fd).unwrap();
    assert!(kernel.map_info(fd).unwrap().frozen);
    let frozen = kernel.map_update(fd, &[0; 4], &[0; 8], 0).unwrap_err();
    assert_eq!(frozen.errno, Errno::EPERM);
    assert!(frozen.what.contains("frozen"), "{frozen}");
}

#[test]
fn misuse_is_explained() {
    let Some(kernel) = linux() else { return };
    let fd = kernel.map_create(&map(MapType::Hash, 4, 8, 10, 0)).unwrap();
    let said = |error: skep_kernel::KernelError| error.to_string();
    assert_eq!(
        said(kernel.map_update(fd, &[0; 5], &[0; 8], 0).unwrap_err()),
        format!(
            "map_update_elem on the map with descriptor {}: the key has 5 bytes, the map's keys 4: Invalid argument (EINVAL)",
            fd.0
        )
    );
    assert_eq!(
        said(kernel.map_update(fd, &[0; 4], &[0; 7], 0).unwrap_err()),
        format!(
            "map_update_elem on the map with descriptor {}: the value has 7 bytes, the map's values 8: Invalid argument \
             (EINVAL)",
            fd.0
        )
    );
    assert_eq!(kernel.map_lookup(Fd(-1), &[], 0).unwrap_err().errno, Errno::EBADF);
    let error = kernel.map_create(&map(MapType::Array, 3, 8, 10, 0)).unwrap_err();
    assert_eq!(
        said(error),
        "creating map `skep-test` (array, key 3 bytes, value 8 bytes, max_entries 10, flags 0x0): this map type does not \
         take these sizes or flags, or the kernel does not have it: Invalid argument (EINVAL)"
    );
    let error = kernel.prog_info(fd).unwrap_err();
    assert_eq!(
        said(error),
        format!("descriptor {} is of a map, not of a program: Invalid argument (EINVAL)", fd.0)
    );
    kernel.close(fd).unwrap();
    assert_eq!(kernel.close(fd).unwrap_err().errno, Errno::EBADF);
}
