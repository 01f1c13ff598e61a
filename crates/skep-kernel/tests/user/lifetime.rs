//! Every edge of the reference graph: what keeps an object, and that nothing keeps it longer.

use proptest::prelude::*;
use skep_catalog::MapType;
use skep_kernel::{Errno, Fd, Kernel, ObjectKind, UserKernel};

use crate::support::{attach, counts, errno, kernel, load, map, path, returning, tracepoint};

#[test]
fn a_descriptor_holds_its_object() {
    let kernel = kernel();
    let fd = kernel.map_create(&map(MapType::Hash)).unwrap();
    let other = kernel.dup(fd).unwrap();
    assert_ne!(fd, other);
    kernel.close(fd).unwrap();
    assert_eq!(counts(&kernel), [1, 0, 0, 0]);
    kernel.map_update(other, &[0; 4], &[1; 4], 0).unwrap();
    kernel.close(other).unwrap();
    assert_eq!(counts(&kernel), [0; 4]);
}

#[test]
fn descriptors_are_the_lowest_free_numbers() {
    let kernel = kernel();
    let fds: Vec<Fd> = (0..4).map(|_| kernel.map_create(&map(MapType::Array)).unwrap()).collect();
    let numbers: Vec<i32> = fds.iter().map(|fd| fd.0).collect();
    assert_eq!(numbers, [3, 4, 5, 6]);
    kernel.close(fds[2]).unwrap();
    kernel.close(fds[1]).unwrap();
    assert_eq!(kernel.dup(fds[0]).unwrap(), fds[1]);
    assert_eq!(kernel.dup(fds[0]).unwrap(), fds[2]);
    for bad in [fds[3].0 + 1, 0, 2, -1, i32::MIN, i32::MAX] {
        assert_eq!(errno(kernel.close(Fd(bad))), Some(Errno::EBADF), "{bad}");
        assert_eq!(errno(kernel.map_info(Fd(bad))), Some(Errno::EBADF), "{bad}");
    }
}

#[test]
fn descriptors_of_another_kind_are_refused() {
    let kernel = kernel();
    let map = kernel.map_create(&map(MapType::Hash)).unwrap();
    let prog = load(&kernel, &[]);
    assert_eq!(errno(kernel.map_lookup(prog, &[0; 4], 0)), Some(Errno::EINVAL));
    assert_eq!(errno(kernel.prog_info(map)), Some(Errno::EINVAL));
    assert_eq!(errno(kernel.link_info(map)), Some(Errno::EINVAL));
    assert_eq!(errno(kernel.btf_bytes(prog)), Some(Errno::EINVAL));
    assert_eq!(errno(attach(&kernel, map, "a")), Some(Errno::EINVAL));
}

#[test]
fn ids_find_objects_and_go_with_them() {
    let kernel = kernel();
    let fds: Vec<Fd> = (0..3).map(|_| kernel.map_create(&map(MapType::Hash)).unwrap()).collect();
    let ids: Vec<u32> = fds.iter().map(|fd| kernel.map_info(*fd).unwrap().id).collect();
    let listed = || {
        std::iter::successors(kernel.next_id(ObjectKind::Map, 0).unwrap(), |id| {
            kernel.next_id(ObjectKind::Map, *id).unwrap()
        })
        .collect::<Vec<u32>>()
    };
    assert_eq!(listed(), ids);
    kernel.close(fds[1]).unwrap();
    assert_eq!(listed(), [ids[0], ids[2]]);
    assert_eq!(errno(kernel.fd_by_id(ObjectKind::Map, ids[1])), Some(Errno::ENOENT));
    assert_eq!(errno(kernel.fd_by_id(ObjectKind::Map, 0)), Some(Errno::ENOENT));
    assert_eq!(errno(kernel.fd_by_id(ObjectKind::Link, ids[0])), Some(Errno::ENOENT));
    assert_eq!(kernel.next_id(ObjectKind::Map, u32::MAX).unwrap(), None);
    let fresh = kernel.map_create(&map(MapType::Hash)).unwrap();
    assert!(kernel.map_info(fresh).unwrap().id > ids[2], "ids of objects that are gone are not reused");
    let again = kernel.fd_by_id(ObjectKind::Map, ids[0]).unwrap();
    kernel.close(fds[0]).unwrap();
    assert_eq!(kernel.map_info(again).unwrap().id, ids[0]);
}

#[test]
fn a_program_holds_its_maps() {
    let kernel = kernel();
    let used = kernel.map_create(&map(MapType::Hash)).unwrap();
    let unused = kernel.map_create(&map(MapType::Hash)).unwrap();
    let id = kernel.map_info(used).unwrap().id;
    let prog = kernel
        .prog_load(&crate::support::program(
            skep_catalog::ProgramType::Tracepoint,
            returning(7, 1),
            &[used, unused, used],
        ))
        .unwrap();
    assert_eq!(kernel.prog_info(prog).unwrap().map_ids, [id], "each map that the instructions name, once");
    kernel.close(used).unwrap();
    kernel.close(unused).unwrap();
    assert_eq!(counts(&kernel), [1, 1, 0, 0]);
    let again = kernel.fd_by_id(ObjectKind::Map, id).unwrap();
    kernel.close(again).unwrap();
    kernel.close(prog).unwrap();
    assert_eq!(counts(&kernel), [0; 4]);
}

#[test]
fn a_link_holds_its_program_and_detaches_when_it_goes() {
    let kernel = kernel();
    let prog = load(&kernel, &[]);
    let link = attach(&kernel, prog, "a").unwrap();
    kernel.close(prog).unwrap();
    assert_eq!(counts(&kernel), [0, 1, 1, 0]);
    assert_eq!(kernel.hooks().programs(&tracepoint("a")).len(), 1);
    kernel.close(link).unwrap();
    assert_eq!(counts(&kernel), [0; 4]);
    assert!(kernel.hooks().points().is_empty());
}

#[test]
fn pins_hold_objects() {
    let kernel = kernel();
    let map = kernel.map_create(&map(MapType::Hash)).unwrap();
    let prog = load(&kernel, &[]);
    let link = attach(&kernel, prog, "a").unwrap();
    for (fd, name) in
        [(map, "/sys/fs/bpf/map"), (prog, "/sys/fs/bpf/dir/prog"), (link, "/sys/fs/bpf/dir/link")]
    {
        kernel.pin(fd, path(name)).unwrap();
        kernel.close(fd).unwrap();
    }
    assert_eq!(counts(&kernel), [1, 1, 1, 0]);
    let again = kernel.get_pinned(path("/sys/fs/bpf/./dir/../map")).unwrap();
    assert!(kernel.map_info(again).is_ok());
    kernel.unpin(path("/sys/fs/bpf/map")).unwrap();
    kernel.unpin(path("/sys/fs/bpf/dir/prog")).unwrap();
    assert_eq!(counts(&kernel), [1, 1, 1, 0], "the descriptor holds the map, the link the program");
    kernel.unpin(path("/sys/fs/bpf/dir/link")).unwrap();
    kernel.close(again).unwrap();
    assert_eq!(counts(&kernel), [0; 4]);
}

#[test]
fn pins_are_refused_as_by_a_file_system() {
    let kernel = kernel();
    let fd = kernel.map_create(&map(MapType::Hash)).unwrap();
    kernel.pin(fd, path("/a/b")).unwrap();
    let long = format!("/{}", "x".repeat(256));
    let table = [
        ("/a/b", Errno::EEXIST),
        ("/a", Errno::EEXIST),
        ("/", Errno::EEXIST),
        ("/a/b/c", Errno::ENOTDIR),
        ("/a.b", Errno::EPERM),
        ("a", Errno::EINVAL),
        ("", Errno::EINVAL),
        (&long, Errno::ENAMETOOLONG),
    ];
    for (name, expected) in table {
        assert_eq!(errno(kernel.pin(fd, path(name))), Some(expected), "{name}");
    }
    assert_eq!(errno(kernel.pin(Fd(99), path("/x"))), Some(Errno::EBADF));
    assert_eq!(errno(kernel.get_pinned(path("/x"))), Some(Errno::ENOENT));
    assert_eq!(errno(kernel.get_pinned(path("/a"))), Some(Errno::EACCES));
    assert_eq!(errno(kernel.unpin(path("/x"))), Some(Errno::ENOENT));
    assert_eq!(errno(kernel.unpin(path("/a"))), Some(Errno::EISDIR));
}

/// A program array holds its programs, and they hold it, until its last descriptor or pin goes.
#[test]
fn a_program_array_is_emptied_with_its_last_outside_reference() {
    let kernel = kernel();
    let array = kernel.map_create(&map(MapType::ProgArray)).unwrap();
    let prog = load(&kernel, &[array]);
    kernel.map_update(array, &0u32.to_ne_bytes(), &prog.0.to_ne_bytes(), 0).unwrap();
    kernel.close(prog).unwrap();
    assert_eq!(counts(&kernel), [1, 1, 0, 0]);
    kernel.pin(array, path("/array")).unwrap();
    kernel.close(array).unwrap();
    assert_eq!(counts(&kernel), [1, 1, 0, 0], "the pin is an outside reference");
    kernel.unpin(path("/array")).unwrap();
    assert_eq!(counts(&kernel), [0; 4], "a circle of map and program is broken");
}

/// A program that is attached keeps its program array, but not what is in it.
#[test]
fn an_attached_program_keeps_an_empty_array() {
    let kernel = kernel();
    let array = kernel.map_create(&map(MapType::ProgArray)).unwrap();
    let id = kernel.map_info(array).unwrap().id;
    let caller = load(&kernel, &[array]);
    let callee = load(&kernel, &[]);
    kernel.map_update(array, &1u32.to_ne_bytes(), &callee.0.to_ne_bytes(), 0).unwrap();
    let link = attach(&kernel, caller, "a").unwrap();
    for fd in [caller, callee] {
        kernel.close(fd).unwrap();
    }
    assert_eq!(counts(&kernel), [1, 2, 1, 0]);
    kernel.close(array).unwrap();
    assert_eq!(counts(&kernel), [1, 1, 1, 0]);
    let array = kernel.fd_by_id(ObjectKind::Map, id).unwrap();
    assert_eq!(errno(kernel.map_lookup(array, &1u32.to_ne_bytes(), 0)), Some(Errno::ENOENT));
    kernel.close(link).unwrap();
    assert_eq!(counts(&kernel), [1, 0, 0, 0]);
}

#[test]
fn a_ring_reader_holds_its_map() {
    let kernel = kernel();
    let fd = kernel.map_create(&map(MapType::Ringbuf)).unwrap();
    let mut reader = kernel.ring_reader(fd).unwrap();
    assert_eq!(errno(kernel.ring_reader(fd).map(drop)), Some(Errno::EBUSY));
    assert!(kernel.map(fd).unwrap().ring().unwrap().output(b"record", 0));
    kernel.close(fd).unwrap();
    let mut records = Vec::new();
    assert_eq!(reader.consume(&mut |record| records.push(record.to_vec())), Ok(1));
    assert_eq!(records, [b"record"]);
    assert_eq!(counts(&kernel), [1, 0, 0, 0]);
    drop(reader);
    assert_eq!(counts(&kernel), [0; 4]);
}

#[test]
fn a_kernel_that_goes_takes_its_links_off_the_hooks() {
    let kernel = kernel();
    let hooks = std::sync::Arc::clone(kernel.hooks());
    let prog = load(&kernel, &[]);
    let link = attach(&kernel, prog, "a").unwrap();
    kernel.pin(link, path("/link")).unwrap();
    assert_eq!(hooks.points().len(), 1);
    drop(kernel);
    assert!(hooks.points().is_empty());
}

/// What a user may do with references, in any order.
#[derive(Clone, Debug)]
enum Op {
    CreateMap(bool),
    /// With up to two of the maps there are.
    Load(usize, usize),
    Attach(usize),
    Update(usize, usize),
    Insert(usize, usize, u8),
    Dup(usize),
    Close(usize),
    Pin(usize, u8),
    GetPinned(u8),
    Unpin(u8),
    ById(usize),
    Detach(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let pick = || 0..8usize;
    prop_oneof![
        any::<bool>().prop_map(Op::CreateMap),
        (pick(), pick()).prop_map(|(a, b)| Op::Load(a, b)),
        pick().prop_map(Op::Attach),
        (pick(), pick()).prop_map(|(a, b)| Op::Update(a, b)),
        (pick(), pick(), 0..4u8).prop_map(|(a, b, index)| Op::Insert(a, b, index)),
        pick().prop_map(Op::Dup),
        pick().prop_map(Op::Close),
        (pick(), 0..4u8).prop_map(|(a, name)| Op::Pin(a, name)),
        (0..4u8).prop_map(Op::GetPinned),
        (0..4u8).prop_map(Op::Unpin),
        pick().prop_map(Op::ById),
        pick().prop_map(Op::Detach),
    ]
}

fn pick(fds: &[Fd], which: usize) -> Fd {
    fds.get(which % fds.len().max(1)).copied().unwrap_or(Fd(3))
}

fn apply(kernel: &UserKernel, fds: &mut Vec<Fd>, op: &Op) {
    let name = |number: u8| format!("/pins/{number}");
    let made = match *op {
        Op::CreateMap(array) => {
            kernel.map_create(&map(if array { MapType::ProgArray } else { MapType::Hash })).ok()
        }
        Op::Load(a, b) => {
            let maps: Vec<Fd> = [a, b]
                .iter()
                .map(|which| pick(fds, *which))
                .filter(|fd| kernel.map_info(*fd).is_ok())
                .collect();
            Some(load(kernel, &maps))
        }
        Op::Attach(a) => attach(kernel, pick(fds, a), "a").ok(),
        Op::Update(a, b) => {
            let _ = kernel.link_update(pick(fds, a), pick(fds, b));
            None
        }
        Op::Insert(a, b, index) => {
            let value = pick(fds, b).0.to_ne_bytes();
            let _ = kernel.map_update(pick(fds, a), &u32::from(index).to_ne_bytes(), &value, 0);
            None
        }
        Op::Dup(a) => kernel.dup(pick(fds, a)).ok(),
        Op::Close(a) => {
            if !fds.is_empty() {
                let fd = fds.swap_remove(a % fds.len());
                kernel.close(fd).unwrap();
            }
            None
        }
        Op::Pin(a, number) => {
            let _ = kernel.pin(pick(fds, a), name(number).as_ref());
            None
        }
        Op::GetPinned(number) => kernel.get_pinned(name(number).as_ref()).ok(),
        Op::Unpin(number) => {
            let _ = kernel.unpin(name(number).as_ref());
            None
        }
        Op::ById(a) => {
            kernel.map_info(pick(fds, a)).map(|info| kernel.fd_by_id(ObjectKind::Map, info.id).unwrap()).ok()
        }
        Op::Detach(a) => {
            let _ = kernel.link_detach(pick(fds, a));
            None
        }
    };
    fds.extend(made);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever was done, with the last descriptor and the last pin everything goes.
    #[test]
    fn nothing_leaks(ops in proptest::collection::vec(op(), 0..60)) {
        let kernel = kernel();
        let mut fds = Vec::new();
        for op in &ops {
            apply(&kernel, &mut fds, op);
            prop_assert_eq!(kernel.descriptor_count(), fds.len());
        }
        for number in 0..4 {
            let _ = kernel.unpin(format!("/pins/{number}").as_ref());
        }
        for fd in fds {
            kernel.close(fd).unwrap();
        }
        prop_assert_eq!(counts(&kernel), [0; 4]);
        prop_assert!(kernel.hooks().points().is_empty());
    }
}
