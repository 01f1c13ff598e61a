//! The helper table against the C headers of the machine, where there are any, and against itself.

use std::collections::BTreeSet;

use skep_catalog::{
    ArgFlags, ArgKind, AttachType, Helper, KernelVersion, MapType, ProgramType, ReturnKind, helpers_of,
};

#[test]
fn ids_run_from_one_without_a_gap_and_names_are_unique() {
    let ids: Vec<u32> = Helper::all().map(|helper| helper.id).collect();
    assert_eq!(ids, (1..=Helper::MAX_ID).collect::<Vec<_>>());
    assert_eq!(Helper::all().map(|helper| helper.name).collect::<BTreeSet<_>>().len(), ids.len());
    for helper in Helper::all() {
        assert_eq!(Helper::by_id(helper.id), Some(helper));
        assert_eq!(Helper::by_name(helper.name), Some(helper));
        assert_eq!(Helper::by_name(&helper.c_name()), Some(helper));
    }
    for id in [0, Helper::MAX_ID + 1, 299, 300, u32::MAX] {
        assert_eq!(Helper::by_id(id), None);
    }
    assert_eq!(Helper::by_id(skep_catalog::id::r#loop).map(|helper| helper.name), Some("loop"));
}

/// New helpers were always added at the end, so versions never go back.
#[test]
fn versions_rise_with_the_numbers() {
    for (earlier, later) in Helper::all().zip(Helper::all().skip(1)) {
        assert!(earlier.since <= later.since, "{} {}", earlier.name, later.name);
    }
    assert!(Helper::all().all(|helper| helper.since >= KernelVersion::new(3, 19)));
}

#[test]
fn every_helper_may_be_called_by_someone() {
    for helper in Helper::all() {
        assert!(helper.program_types().next().is_some(), "{}", helper.name);
    }
}

/// The numbers that the kernel gave, by type and attach type, before those it hid in lockdown.
#[test]
fn lists_are_as_long_as_measured() {
    use AttachType as A;
    use ProgramType as P;
    let measured = [
        (P::SocketFilter, None, 88),
        (P::Kprobe, None, 81 + 2),
        (P::SchedCls, None, 139),
        (P::Tracepoint, None, 81 + 1),
        (P::Xdp, None, 104),
        (P::PerfEvent, None, 83 + 1),
        (P::RawTracepoint, None, 81 + 1),
        (P::CgroupSockAddr, Some(A::CgroupInet4Connect), 97),
        (P::CgroupSockAddr, Some(A::CgroupInet4Bind), 96),
        (P::CgroupSockAddr, Some(A::CgroupUdp4Recvmsg), 94),
        (P::CgroupSockopt, Some(A::CgroupGetsockopt), 82),
        (P::CgroupSockopt, Some(A::CgroupSetsockopt), 84),
        (P::Tracing, Some(A::TraceRawTp), 95 + 1),
        (P::Tracing, Some(A::TraceIter), 100 + 1),
        (P::StructOps, None, 80),
        (P::Netfilter, None, 74),
        (P::Ext, None, 0),
    ];
    for (program, attach, count) in measured {
        assert_eq!(helpers_of(program, attach).iter().count(), count, "{program} {attach:?}");
    }
}

#[test]
fn arguments_agree_with_each_other() {
    for helper in Helper::all() {
        let name = helper.name;
        for program in ProgramType::ALL {
            let args = helper.args_for(*program);
            assert!(args.len() <= 5, "{name}");
            for (index, arg) in args.iter().enumerate() {
                let before = index.checked_sub(1).map(|index| args[index].ty.kind);
                match arg.ty.kind {
                    // A size follows its memory, a key or value follows its map.
                    ArgKind::ConstSize | ArgKind::ConstSizeOrZero => {
                        assert_eq!(before, Some(ArgKind::PtrToMem), "{name}: {}", arg.name);
                    }
                    ArgKind::PtrToMem => assert!(
                        matches!(
                            args.get(index + 1).map(|arg| arg.ty.kind),
                            Some(ArgKind::ConstSize | ArgKind::ConstSizeOrZero)
                        ),
                        "{name}: {}",
                        arg.name
                    ),
                    ArgKind::PtrToMapKey | ArgKind::PtrToMapValue => {
                        assert!(
                            args[..index].iter().any(|arg| arg.ty.kind == ArgKind::ConstMapPtr),
                            "{name}"
                        );
                    }
                    _ => {}
                }
                // Only pointers may be null or are read or written.
                if !arg.ty.flags.is_empty() {
                    assert!(arg.c_type.ends_with('*'), "{name}: {} {}", arg.c_type, arg.name);
                }
                let both = ArgFlags::RDONLY | ArgFlags::WRITE;
                assert!(!arg.ty.flags.contains(both), "{name}: {}", arg.name);
            }
        }
        let returns_pointer = !matches!(helper.ret.kind, ReturnKind::Integer | ReturnKind::Void);
        // The prototypes of two print pointers as numbers.
        let as_number = ["get_current_task_btf", "task_pt_regs"].contains(&name);
        assert!(returns_pointer == helper.c_return.ends_with('*') || as_number, "{name}");
    }
}

#[test]
fn only_helpers_with_a_map_argument_take_maps() {
    for helper in Helper::all() {
        let has_map = helper.args.iter().any(|arg| arg.ty.kind == ArgKind::ConstMapPtr);
        match helper.map_types() {
            Some(types) => assert!(has_map && !types.is_empty(), "{}", helper.name),
            None => assert!(!has_map || helper.name == "timer_init", "{}", helper.name),
        }
    }
    let push = Helper::by_name("map_push_elem").unwrap();
    assert_eq!(push.map_types().unwrap(), [MapType::Queue, MapType::Stack, MapType::BloomFilter]);
}

/// `static RET (* const bpf_NAME)(ARGS) = (void *) ID;`: every line must equal what the table says.
#[test]
fn prototypes_agree_with_the_header() {
    let Ok(header) = std::fs::read_to_string("/usr/include/bpf/bpf_helper_defs.h") else {
        skep_testing::skip!("no bpf/bpf_helper_defs.h");
        return;
    };
    let mut compared = 0;
    for line in header.lines().filter(|line| line.starts_with("static ")) {
        let (declaration, id) = line.trim_end_matches(';').split_once(" = (void *) ").unwrap();
        let theirs = declaration
            .trim_start_matches("static ")
            .trim_start_matches("__bpf_fastcall ")
            .replacen("(* const ", "", 1)
            .replacen("(*", "", 1)
            .replacen(")(", "(", 1);
        let Some(helper) = Helper::by_id(id.parse().unwrap()) else {
            panic!("{line}: not in the table");
        };
        assert_eq!(helper.prototype(), theirs);
        compared += 1;
    }
    assert!(compared > 150, "the header was not understood: {compared} prototypes");
}

/// The enumerations of `linux/bpf.h` that are written out there: every enumerator the header has must have the same number.
#[test]
fn numbers_agree_with_the_header() {
    let Ok(header) = std::fs::read_to_string("/usr/include/linux/bpf.h") else {
        skep_testing::skip!("no linux/bpf.h");
        return;
    };
    let enumerators = |name: &str| -> Vec<(String, u32)> {
        let (_, rest) = header.split_once(&format!("\nenum {name} {{\n")).unwrap();
        let (body, _) = rest.split_once("\n};").unwrap();
        let mut next = 0;
        let mut list = Vec::new();
        for line in body.lines() {
            let code = line.split("/*").next().unwrap().trim().trim_end_matches(',');
            if !code.starts_with("BPF_") {
                continue;
            }
            let (name, value) = code.split_once(" = ").unwrap_or((code, ""));
            let value = value.parse().ok().or_else(|| list.iter().find(|(n, _)| n == value).map(|(_, v)| *v));
            let number = value.unwrap_or(next);
            next = number + 1;
            list.push((name.to_owned(), number));
        }
        assert!(list.len() > 5, "enum {name} was not understood");
        list
    };
    macro_rules! compare {
        ($c_name:literal, $rust:ty, $synonyms:expr) => {
            for (name, number) in enumerators($c_name) {
                let ours =
                    <$rust>::from_number(number).unwrap_or_else(|| panic!("{name} = {number} is missing"));
                let synonyms: &[&str] = $synonyms;
                assert!(ours.uapi_name() == name || synonyms.contains(&&*name), "{name} = {number}");
            }
        };
    }
    compare!("bpf_prog_type", ProgramType, &[]);
    compare!("bpf_attach_type", AttachType, &[]);
    compare!(
        "bpf_map_type",
        MapType,
        &["BPF_MAP_TYPE_CGROUP_STORAGE_DEPRECATED", "BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE_DEPRECATED"]
    );
    compare!("bpf_link_type", skep_catalog::LinkType, &[]);
    compare!("bpf_cmd", skep_catalog::Command, &["BPF_PROG_RUN"]);

    // One `FN(name)` a line, by number from `unspec` = 0; newer headers write `FN(name, number, ...)`.
    let names = header.lines().filter_map(|line| line.trim_start().strip_prefix("FN("));
    let names: Vec<&str> = names.map(|rest| rest.split([')', ',']).next().unwrap()).collect();
    assert!(names.len() > 150, "the list of helpers was not understood");
    for (id, name) in (0..).zip(names).skip(1) {
        assert_eq!(Helper::by_id(id).map(|helper| helper.name), Some(name));
    }
}
