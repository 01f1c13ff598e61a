//! Ids, duplicates, pins, BTF.

use std::path::PathBuf;

use skep_catalog::{MapType, ProgramType};
use skep_kernel::{Errno, Kernel, ObjectKind};

use crate::common::{linux, map, program};

#[test]
fn objects_are_found_by_id() {
    let Some(kernel) = linux() else { return };
    let map = kernel.map_create(&map(MapType::Array, 4, 4, 1, 0)).unwrap();
    let prog = kernel.prog_load(&program(ProgramType::SocketFilter, "r0 = 0\nexit", &[])).unwrap();
    let map_id = kernel.map_info(map).unwrap().id;
    let prog_id = kernel.prog_info(prog).unwrap().id;
    for (kind, id) in [(ObjectKind::Map, map_id), (ObjectKind::Program, prog_id)] {
        assert_eq!(kernel.next_id(kind, id - 1).unwrap(), Some(id));
        assert_eq!(kernel.next_id(kind, u32::MAX - 1).unwrap(), None);
        kernel.fd_by_id(kind, id).unwrap();
        assert_eq!(kernel.fd_by_id(kind, u32::MAX).unwrap_err().errno, Errno::ENOENT);
    }
    let again = kernel.fd_by_id(ObjectKind::Map, map_id).unwrap();
    assert_ne!(again, map);
    kernel.map_update(again, &[0; 4], &[9; 4], 0).unwrap();
    let duplicate = kernel.dup(map).unwrap();
    kernel.close(map).unwrap();
    assert_eq!(kernel.map_lookup(duplicate, &[0; 4], 0).unwrap(), [9; 4]);
}

/// A path in the bpf file system that goes when the test ends.
struct Pin(PathBuf);

impl Drop for Pin {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn pins_keep_objects() {
    let Some(kernel) = linux() else { return };
    if !std::fs::read_to_string("/proc/mounts")
        .unwrap()
        .lines()
        .any(|line| line.contains(" /sys/fs/bpf bpf "))
    {
        skep_testing::skip!("no bpf file system at /sys/fs/bpf");
        return;
    }
    let pin = Pin(format!("/sys/fs/bpf/skep_test_{}", std::process::id()).into());
    let fd = kernel.map_create(&map(MapType::Array, 4, 4, 1, 0)).unwrap();
    kernel.map_update(fd, &[0; 4], &[5; 4], 0).unwrap();
    kernel.pin(fd, &pin.0).unwrap();
    let twice = kernel.pin(fd, &pin.0).unwrap_err();
    assert_eq!(twice.errno, Errno::EEXIST);
    kernel.close(fd).unwrap();
    drop(kernel);

    let kernel = linux().unwrap();
    let fd = kernel.get_pinned(&pin.0).unwrap();
    assert_eq!(kernel.map_lookup(fd, &[0; 4], 0).unwrap(), [5; 4]);
    assert_eq!(kernel.get_pinned("/sys/fs/bpf/skep_no_such".as_ref()).unwrap_err().errno, Errno::ENOENT);
    let elsewhere = kernel.pin(fd, &std::env::temp_dir().join("skep_test_pin")).unwrap_err();
    assert!(elsewhere.what.contains("bpf file system"), "{elsewhere}");
}

#[test]
fn btf_is_loaded_and_read_back() {
    let Some(kernel) = linux() else { return };
    // Header (magic, version, flags, length; types at 0 for 16 bytes, strings at 16 for 5), `int` of 4 bytes, signed.
    let mut btf = vec![];
    for word in [0x0001_eb9f_u32, 24, 0, 16, 16, 5, 1, 1 << 24, 4, 1 << 24 | 32] {
        btf.extend(word.to_ne_bytes());
    }
    btf.extend(b"\0int\0");
    let fd = kernel.btf_load(&btf).unwrap();
    assert_eq!(kernel.btf_bytes(fd).unwrap(), btf);

    // A size of 3 bytes is none of an integer.
    btf[32] = 3;
    let error = kernel.btf_load(&btf).unwrap_err();
    assert_eq!(error.errno, Errno::EINVAL);
    assert!(error.log.contains("INT int size=3"), "{}", error.log);

    let mut spec = map(MapType::Array, 4, 4, 1, 0);
    spec.btf = Some(skep_kernel::MapBtf { fd, key_type_id: 1, value_type_id: 1 });
    let map = kernel.map_create(&spec).unwrap();
    let info = kernel.map_info(map).unwrap();
    assert_eq!((info.btf_key_type_id, info.btf_value_type_id), (1, 1));
    let by_id = kernel.fd_by_id(ObjectKind::Btf, info.btf_id).unwrap();
    assert_eq!(kernel.btf_bytes(by_id).unwrap()[..4], btf[..4]);
}
