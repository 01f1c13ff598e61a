//! Programs: loading, logs, test runs, information.

use skep_catalog::{MapType, ProgramType};
use skep_kernel::{Errno, Kernel, ProgBtf, TestRun};

use crate::common::{linux, map, program};

#[test]
fn programs_run_on_given_packets() {
    let Some(kernel) = linux() else { return };
    let text = "r6 = r1\n r0 = *(u8 *)skb[1]\n r0 += 1\n exit";
    let prog = kernel.prog_load(&program(ProgramType::SocketFilter, text, &[])).unwrap();
    let data = (0..64).collect::<Vec<u8>>();
    let run = TestRun { data_in: data.clone(), data_out_size: 100, repeat: 10, ..TestRun::default() };
    let result = kernel.prog_test_run(prog, &run).unwrap();
    // Socket filters see the packet behind the Ethernet header, which comes out as zeros.
    assert_eq!(result.retval, 16);
    assert_eq!(result.data_out, [vec![0; 14], data[14..].to_vec()].concat());

    let short = TestRun { data_in: vec![0; 13], ..TestRun::default() };
    let error = kernel.prog_test_run(prog, &short).unwrap_err();
    assert_eq!(error.errno, Errno::EINVAL);
    assert!(error.what.contains("14 bytes"), "{error}");

    let xdp = program(ProgramType::Xdp, "r2 = *(u32 *)(r1 + 4)\n r0 = *(u32 *)(r1 + 0)\n r0 = 2\n exit", &[]);
    let prog = kernel.prog_load(&xdp).unwrap();
    let result = kernel.prog_test_run(prog, &TestRun { data_in: data, ..TestRun::default() }).unwrap();
    assert_eq!((result.retval, result.data_out.len()), (2, 0));
}

#[test]
fn programs_use_the_maps_they_name() {
    let Some(kernel) = linux() else { return };
    let unused = kernel.map_create(&map(MapType::Array, 4, 4, 1, 0)).unwrap();
    let counts = kernel.map_create(&map(MapType::Array, 4, 16, 1, 0)).unwrap();
    let text = "r1 = map[idx:1][0]+0x8 ll\n r2 = 3\n lock *(u64 *)(r1 + 0) += r2\n r0 = 0\n exit";
    let load = program(ProgramType::SocketFilter, text, &[unused, counts]);
    let prog = kernel.prog_load(&load).unwrap();
    let run = TestRun { data_in: vec![0; 14], repeat: 5, ..TestRun::default() };
    kernel.prog_test_run(prog, &run).unwrap();
    assert_eq!(kernel.map_lookup(counts, &[0; 4], 0).unwrap()[8..], 15_u64.to_ne_bytes());

    let info = kernel.prog_info(prog).unwrap();
    assert_eq!((info.prog_type, info.name.as_str()), (ProgramType::SocketFilter, "skep_test"));
    assert!(info.gpl_compatible);
    assert_eq!(info.map_ids, [kernel.map_info(counts).unwrap().id]);
    assert_eq!(info.xlated.len(), load.insns.len());
    assert_ne!(info.tag, [0; 8]);

    let mut outside = load;
    outside.maps.pop();
    let error = kernel.prog_load(&outside).unwrap_err();
    assert_eq!(error.to_string(), "slot 0 names map 1 of 1 that the load brings: Invalid argument (EINVAL)");
}

#[test]
fn rejected_programs_come_with_the_log() {
    let Some(kernel) = linux() else { return };
    let error = kernel
        .prog_load(&program(ProgramType::SocketFilter, "r0 = *(u64 *)(r1 + 4096)\nexit", &[]))
        .unwrap_err();
    assert_eq!(error.errno, Errno::EACCES);
    assert_eq!(
        error.what,
        "loading program `skep_test` (socket_filter, 2 instructions): the verifier rejected the program; its log says where"
    );
    assert!(error.log.contains("invalid bpf_context access off=4096 size=8"), "{}", error.log);

    // A log that does not fit the first buffers: one line and more for each instruction, and then an error.
    let mut text = "r0 = 0\n".to_owned() + &"r0 += 1\n".repeat(20_000);
    text += "r0 = r9\nexit";
    let mut load = program(ProgramType::SocketFilter, &text, &[]);
    load.log_level = 2;
    let error = kernel.prog_load(&load).unwrap_err();
    assert!(error.log.len() > 256 << 10, "{}", error.log.len());
    assert!(error.log.contains("0: (b7) r0 = 0"), "from the start");
    assert!(error.log.contains("R9 !read_ok"), "to the end");
}

#[test]
fn function_and_line_information_go_along() {
    let Some(kernel) = linux() else { return };
    // `int`, a function type that returns it, and the function `run`.
    let words: [u32; 10] = [1, 1 << 24, 4, 1 << 24 | 32, 0, 13 << 24, 1, 5, 12 << 24, 2];
    let strings = b"\0int\0run\0a.c\0return 7;\0";
    let mut btf = Vec::new();
    for word in [0x0001_eb9f, 24, 0, 40, 40, strings.len() as u32].into_iter().chain(words) {
        btf.extend(word.to_ne_bytes());
    }
    btf.extend(strings);
    let info = |words: &[u32]| words.iter().flat_map(|word| word.to_ne_bytes()).collect::<Vec<_>>();
    let btf = ProgBtf {
        fd: kernel.btf_load(&btf).unwrap(),
        func_info: info(&[0, 3]),
        func_info_rec_size: 8,
        // Line 12, column 3.
        line_info: info(&[0, 9, 13, 12 << 10 | 3]),
        line_info_rec_size: 16,
    };
    let mut load = program(ProgramType::SocketFilter, "r0 = 7\nexit", &[]);
    load.btf = Some(btf.clone());
    let prog = kernel.prog_load(&load).unwrap();
    assert_ne!(kernel.prog_info(prog).unwrap().btf_id, 0);

    load.insns = program(ProgramType::SocketFilter, "r0 = r5\nexit", &[]).insns;
    let error = kernel.prog_load(&load).unwrap_err();
    assert!(error.log.contains("; return 7;"), "{}", error.log);

    load.btf = Some(ProgBtf { func_info: vec![0; 9], ..btf });
    let error = kernel.prog_load(&load).unwrap_err();
    assert_eq!(
        error.to_string(),
        "9 bytes of function information are not whole records of 8 bytes: Invalid argument (EINVAL)"
    );
}
