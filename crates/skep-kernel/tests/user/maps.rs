//! Maps through descriptors: errors that Linux 6.18 gives, measured with `bpf(2)`.

use skep_catalog::MapType;
use skep_kernel::{Errno, Fd, Kernel, MapBtf, MapCreate, UserKernel};

use crate::support::{errno, kernel, load, map};

/// For each map type one line an operation: what it does to the element 1 of a new map of four, and the answer.
const TABLE: &str = "
hash lookup 0 ENOENT
hash lookup 1 EINVAL
hash lookup 4 EINVAL
hash update 0 ok
hash update 1 ok
hash update 2 ENOENT
hash update 3 EINVAL
hash update 4 EINVAL
hash update 8 EINVAL
hash delete 0 ENOENT
hash lookup_and_delete 0 ENOENT
hash lookup_and_delete 1 EINVAL
hash next 0 ENOENT
array lookup 0 ok
array lookup 4 EINVAL
array update 0 ok
array update 1 EEXIST
array update 2 ok
array update 3 EINVAL
array delete 0 EINVAL
array lookup_and_delete 0 ENOTSUPP
array lookup_and_delete 1 EINVAL
array next 0 ok
percpu_hash update 2 ENOENT
percpu_hash lookup_and_delete 0 ENOENT
percpu_array lookup 0 ok
percpu_array update 1 EEXIST
percpu_array delete 0 EINVAL
prog_array lookup 0 ENOENT
prog_array update 0 EBADF
prog_array update 1 EINVAL
prog_array update 2 EINVAL
prog_array update 4 EINVAL
prog_array delete 0 ENOENT
prog_array lookup_and_delete 0 ENOTSUPP
prog_array next 0 ok
ringbuf lookup 0 ENOTSUPP
ringbuf update 0 ENOTSUPP
ringbuf delete 0 ENOTSUPP
ringbuf next 0 ENOTSUPP
ringbuf lookup_and_delete 0 ENOTSUPP
";

fn of_type(name: &str) -> MapCreate {
    map(MapType::from_uapi_name(&format!("BPF_MAP_TYPE_{}", name.to_uppercase())).unwrap())
}

#[test]
fn operations() {
    for line in TABLE.lines().filter(|line| !line.is_empty()) {
        let fields: Vec<&str> = line.split(' ').collect();
        let kernel = kernel();
        let fd = kernel.map_create(&of_type(fields[0])).unwrap();
        let storage = kernel.map(fd).unwrap();

        let key = 1u32.to_ne_bytes();
        let key = if storage.spec().key_size == 0 { &key[..0] } else { &key[..] };
        // As a descriptor, 0x01010101 is not open.
        let value = vec![1; storage.value_bytes()];
        let flags = fields[2].parse().unwrap();
        let result = match fields[1] {
            "lookup" => kernel.map_lookup(fd, key, flags).map(drop),
            "update" => kernel.map_update(fd, key, &value, flags),
            "delete" => kernel.map_delete(fd, key),
            "lookup_and_delete" => kernel.map_lookup_and_delete(fd, key, flags).map(drop),
            "next" => kernel.map_next_key(fd, None).map(drop),
            other => panic!("{other}"),
        };
        let answer = result.map_or_else(|error| format!("{:?}", error.errno), |()| "ok".to_owned());
        assert_eq!(answer, fields[3], "{line}");
    }
}

#[test]
fn sizes_of_keys_and_values() {
    let kernel = kernel();
    let fd = kernel.map_create(&map(MapType::Hash)).unwrap();
    for key in [&[][..], &[0; 3], &[0; 5]] {
        assert_eq!(errno(kernel.map_lookup(fd, key, 0)), Some(Errno::EINVAL));
        assert_eq!(errno(kernel.map_update(fd, key, &[0; 4], 0)), Some(Errno::EINVAL));
        assert_eq!(errno(kernel.map_delete(fd, key)), Some(Errno::EINVAL));
        assert_eq!(errno(kernel.map_next_key(fd, Some(key))), Some(Errno::EINVAL));
    }
    assert_eq!(errno(kernel.map_update(fd, &[0; 4], &[0; 8], 0)), Some(Errno::EINVAL));
}

#[test]
fn frozen_maps_are_read_only_from_outside() {
    for name in ["hash", "array", "percpu_array", "prog_array"] {
        let kernel = kernel();
        let fd = kernel.map_create(&of_type(name)).unwrap();
        let value = vec![0; kernel.map(fd).unwrap().value_bytes()];
        assert!(!kernel.map_info(fd).unwrap().frozen);
        kernel.map_freeze(fd).unwrap();
        assert!(kernel.map_info(fd).unwrap().frozen);
        assert_eq!(errno(kernel.map_freeze(fd)), Some(Errno::EPERM));
        assert_eq!(errno(kernel.map_update(fd, &[0; 4], &value, 99)), Some(Errno::EPERM), "{name}");
        assert_eq!(errno(kernel.map_delete(fd, &[0; 4])), Some(Errno::EPERM));
        assert_eq!(errno(kernel.map_lookup_and_delete(fd, &[0; 4], 0)), Some(Errno::EPERM));
        assert_ne!(errno(kernel.map_lookup(fd, &[0; 4], 0)), Some(Errno::EPERM));
    }
}

#[test]
fn descriptors_have_a_mode() {
    let kernel = kernel();
    let key = [0; 4];
    let create = |flags| kernel.map_create(&MapCreate { flags, ..map(MapType::Hash) }).unwrap();
    let (read_only, write_only) = (create(8), create(16));
    assert_eq!(errno(kernel.map_update(read_only, &key, &key, 99)), Some(Errno::EPERM));
    assert_eq!(errno(kernel.map_lookup(read_only, &key, 0)), Some(Errno::ENOENT));
    assert_eq!(errno(kernel.map_lookup_and_delete(read_only, &key, 0)), Some(Errno::EPERM));
    assert_eq!(errno(kernel.map_freeze(read_only)), Some(Errno::EPERM));
    assert_eq!(errno(kernel.map_update(write_only, &key, &key, 0)), None);
    assert_eq!(errno(kernel.map_lookup(write_only, &key, 0)), Some(Errno::EPERM));
    assert_eq!(errno(kernel.map_lookup_and_delete(write_only, &key, 0)), Some(Errno::EPERM));
    assert_eq!(errno(kernel.map_next_key(write_only, None)), Some(Errno::EPERM));
    assert_eq!(kernel.map_info(read_only).unwrap().flags, 0, "the mode is not the map's");
    // The mode is the descriptor's: another one of the same map has its own.
    let copy = kernel.dup(read_only).unwrap();
    assert_eq!(errno(kernel.map_update(copy, &key, &key, 0)), Some(Errno::EPERM));
    let id = kernel.map_info(read_only).unwrap().id;
    let full = kernel.fd_by_id(skep_kernel::ObjectKind::Map, id).unwrap();
    assert_eq!(errno(kernel.map_update(full, &key, &key, 0)), None);
}

#[test]
fn program_arrays_take_programs_of_one_kind() {
    let kernel = kernel();
    let array = kernel.map_create(&map(MapType::ProgArray)).unwrap();
    let put = |index: u32, fd: Fd| kernel.map_update(array, &index.to_ne_bytes(), &fd.0.to_ne_bytes(), 0);
    let (first, second) = (load(&kernel, &[]), load(&kernel, &[]));
    put(1, first).unwrap();
    let id = kernel.prog_info(first).unwrap().id;
    assert_eq!(kernel.map_lookup(array, &1u32.to_ne_bytes(), 0).unwrap(), id.to_ne_bytes());
    put(1, second).unwrap();
    assert_eq!(errno(put(4, first)), Some(Errno::E2BIG));
    assert_eq!(errno(put(0, array)), Some(Errno::EINVAL));
    let socket = crate::support::program(
        skep_catalog::ProgramType::SocketFilter,
        crate::support::returning(0, 0),
        &[],
    );
    let other = kernel.prog_load(&socket).unwrap();
    assert_eq!(errno(put(0, other)), Some(Errno::EINVAL), "another type");
    let user = skep_kernel::ProgLoad { insns: crate::support::returning(0, 1), maps: vec![array], ..socket };
    let error = kernel.prog_load(&user).unwrap_err();
    assert_eq!(error.errno, Errno::EINVAL, "a program of another type cannot use it either");
    kernel.map_delete(array, &1u32.to_ne_bytes()).unwrap();
    assert_eq!(errno(kernel.map_delete(array, &1u32.to_ne_bytes())), Some(Errno::ENOENT));
    assert_eq!(errno(kernel.map_delete(array, &4u32.to_ne_bytes())), Some(Errno::E2BIG));
}

#[test]
fn names() {
    let kernel = kernel();
    let named = |name: &str| {
        let fd = kernel.map_create(&MapCreate { name: name.to_owned(), ..map(MapType::Array) })?;
        kernel.map_info(fd).map(|info| info.name)
    };
    assert_eq!(named("counts.of_1234567").unwrap(), "counts.of_12345");
    assert_eq!(errno(named("a-b")), Some(Errno::EINVAL));
}

/// An int of 4 bytes, a struct of 8, a section of global data of 8: raw BTF.
fn btf() -> Vec<u8> {
    let strings = b"\0int\0pair\0v\0.data\0a\0b\0";
    let at = |name: &[u8]| {
        let found = strings
            .windows(name.len() + 1)
            .position(|part| part[..name.len()] == *name && part[name.len()] == 0);
        u32::try_from(found.unwrap()).unwrap()
    };
    let kind = |kind: u32, len: u32| kind << 24 | len;
    let types: Vec<u32> = [
        // 1: int, 32 bits, signed.
        vec![at(b"int"), kind(1, 0), 4, 1 << 24 | 32],
        // 2: struct pair { int a; int b; }
        vec![at(b"pair"), kind(4, 2), 8, at(b"a"), 1, 0, at(b"b"), 1, 32],
        // 3: global variable v, a pair.
        vec![at(b"v"), kind(14, 0), 2, 1],
        // 4: section .data with v.
        vec![at(b".data"), kind(15, 1), 8, 3, 0, 8],
    ]
    .concat();
    let type_len = u32::try_from(types.len() * 4).unwrap();
    let mut bytes = Vec::new();
    bytes.extend(0xeb9fu16.to_ne_bytes());
    bytes.extend([1, 0]);
    for word in [24, 0, type_len, type_len, u32::try_from(strings.len()).unwrap()].iter().chain(&types) {
        bytes.extend(word.to_ne_bytes());
    }
    bytes.extend(strings);
    bytes
}

fn with_btf(kernel: &UserKernel, base: MapCreate, key: u32, value: u32) -> Result<Fd, Errno> {
    let fd = kernel.btf_load(&btf()).unwrap();
    let btf = Some(MapBtf { fd, key_type_id: key, value_type_id: value });
    let made = kernel.map_create(&MapCreate { btf, ..base }).map_err(|error| error.errno);
    kernel.close(fd).unwrap();
    made
}

#[test]
fn types_of_keys_and_values() {
    let hash = || MapCreate { value_size: 8, ..map(MapType::Hash) };
    let array = || MapCreate { value_size: 8, max_entries: 1, ..map(MapType::Array) };
    let table = [
        (hash(), 1, 2, true),
        (hash(), 2, 2, false),
        (hash(), 1, 1, false),
        (hash(), 0, 2, false),
        (hash(), 1, 99, false),
        (array(), 1, 2, true),
        (array(), 0, 4, true),
        (array(), 0, 2, false),
        (MapCreate { max_entries: 2, ..array() }, 0, 4, false),
    ];
    for (base, key, value, good) in table {
        let kernel = kernel();
        let what = format!("{:?} {key} {value}", base.map_type);
        match with_btf(&kernel, base, key, value) {
            Ok(fd) => {
                assert!(good, "{what}");
                let info = kernel.map_info(fd).unwrap();
                assert_eq!((info.btf_key_type_id, info.btf_value_type_id), (key, value));
                assert_eq!(kernel.object_count(skep_kernel::ObjectKind::Btf), 1, "the map holds its BTF");
                let again = kernel.fd_by_id(skep_kernel::ObjectKind::Btf, info.btf_id).unwrap();
                assert_eq!(kernel.btf_bytes(again).unwrap(), btf());
                kernel.close(again).unwrap();
                kernel.close(fd).unwrap();
            }
            Err(errno) => assert_eq!((errno, good), (Errno::EINVAL, false), "{what}"),
        }
        assert_eq!(crate::support::counts(&kernel), [0; 4]);
    }
}

#[test]
fn btf_that_is_none_is_refused_with_a_log() {
    let kernel = kernel();
    for bytes in [&[][..], &[0x9f, 0xeb], &btf()[..60]] {
        let error = kernel.btf_load(bytes).unwrap_err();
        assert_eq!(error.errno, Errno::EINVAL);
        assert!(!error.log.is_empty());
    }
}
