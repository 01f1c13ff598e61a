//! What can be created, and what Linux 6.18 answers to the rest: measured with `bpf(2)`, one case a line.

use skep_catalog::MapType;
use skep_maps::{CreateError, MapSpec, create};

/// Type, key size, value size, max_entries, flags, map_extra, errno.
const TABLE: &str = "
hash 4 8 100 0 0 ok
hash 1 1 1 1 0 ok
hash 0 4 4 0 0 EINVAL
hash 4 0 4 0 0 EINVAL
hash 4 4 0 0 0 EINVAL
hash 4194204 4 4 1 0 ok
hash 4194304 4 4 1 0 E2BIG
hash 4294967295 4294967295 4 1 0 E2BIG
hash 4 4194104 1 1 0 ok
hash 4 4194304 1 1 0 E2BIG
hash 4 4 134217728 1 0 ok
hash 4 4 134217728 0 0 ok
hash 4 4 134217729 1 0 E2BIG
hash 4 4 4294967295 1 0 E2BIG
hash 4 4 4 2 0 EINVAL
hash 4 4 4 4 0 ok
hash 4 4 4 8 0 ok
hash 4 4 4 16 0 ok
hash 4 4 4 24 0 EINVAL
hash 4 4 4 32 0 EINVAL
hash 4 4 4 64 0 ok
hash 4 4 4 128 0 ok
hash 4 4 4 256 0 ok
hash 4 4 4 384 0 EINVAL
hash 4 4 4 512 0 EINVAL
hash 4 4 4 1024 0 EINVAL
hash 4 4 4 0 1 EINVAL
percpu_hash 4 32768 1 0 0 ok
percpu_hash 4 32769 1 0 0 E2BIG
percpu_hash 4 4 4 4 0 EINVAL
percpu_hash 4 4 4 65 0 ok
percpu_hash 4 4 134217729 1 0 E2BIG
array 4 4 4 0 0 ok
array 8 4 4 0 0 EINVAL
array 0 4 4 0 0 EINVAL
array 4 0 4 0 0 EINVAL
array 4 4 0 0 0 EINVAL
array 4 1073741824 1 0 0 ok
array 4 2147483648 1 0 0 E2BIG
array 4 4 4 1 0 EINVAL
array 4 4 4 64 0 EINVAL
array 4 4 4 1024 0 ok
array 4 4 4 4096 0 ok
array 4 4 4 2048 0 EINVAL
array 4 4 4 412 0 EINVAL
array 4 4 4 0 1 EINVAL
percpu_array 4 32768 1 0 0 ok
percpu_array 4 32769 1 0 0 E2BIG
percpu_array 4 40000 1 1 0 EINVAL
percpu_array 4 4 4 4 0 EINVAL
percpu_array 4 4 4 1024 0 EINVAL
prog_array 4 4 4 0 0 ok
prog_array 4 8 4 0 0 EINVAL
prog_array 8 4 4 0 0 EINVAL
prog_array 4 4 0 0 0 EINVAL
prog_array 4 4 268435456 0 0 ok
prog_array 4 4 4 128 0 EINVAL
prog_array 4 4 4 12 0 ok
ringbuf 0 0 4096 0 0 ok
ringbuf 0 0 8192 4 0 ok
ringbuf 0 0 0 0 0 EINVAL
ringbuf 0 0 1 0 0 EINVAL
ringbuf 0 0 4097 0 0 EINVAL
ringbuf 0 0 12288 0 0 EINVAL
ringbuf 4 0 4096 0 0 EINVAL
ringbuf 0 4 4096 0 0 EINVAL
ringbuf 0 0 4096 8 0 EINVAL
ringbuf 0 0 4096 1 0 EINVAL
ringbuf 0 0 4096 0 1 EINVAL
";

#[test]
fn attributes() {
    for line in TABLE.lines().filter(|line| !line.is_empty()) {
        let fields: Vec<&str> = line.split(' ').collect();
        let &[name, key, value, max, flags, extra, expected] = fields.as_slice() else { panic!("{line}") };
        let number = |field: &str| field.parse::<u32>().unwrap();
        let map_type = MapType::from_uapi_name(&format!("BPF_MAP_TYPE_{}", name.to_uppercase())).unwrap();
        let spec = MapSpec {
            map_type,
            key_size: number(key),
            value_size: number(value),
            max_entries: number(max),
            flags: number(flags),
            extra: u64::from(number(extra)),
            possible_cpus: 2,
        };
        let errno = match create(&spec) {
            Ok(map) => {
                assert_eq!(map.spec(), &spec);
                "ok"
            }
            Err(error) => match error.errno() {
                22 => "EINVAL",
                7 => "E2BIG",
                _ => "another",
            },
        };
        assert_eq!(errno, expected, "{line}");
    }
}

#[test]
fn unsupported_types_are_named() {
    let spec = MapSpec { map_type: MapType::LpmTrie, key_size: 8, ..MapSpec::default() };
    let error = create(&spec).err().unwrap();
    assert_eq!(error, CreateError::Unsupported(MapType::LpmTrie));
    assert_eq!(error.errno(), 95);
    assert!(error.to_string().contains("BPF_MAP_TYPE_LPM_TRIE"), "{error}");
}
