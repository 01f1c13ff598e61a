//! Attached programs, each filtered to this process, and what they send to user space.

use std::time::Duration;

use skep_catalog::{MapType, ProgramType};
use skep_kernel::{AttachPoint, Errno, Fd, Kernel, LinkCreate, ObjectKind};
use skep_linux::LinuxKernel;

use crate::common::{linux, map, only_this_process, program};

const PAGE: u32 = 4096;

/// getppid(2), which nothing else here calls.
fn getppid() {
    let _ = std::os::unix::process::parent_id();
}

fn attach(kernel: &LinuxKernel, prog: Fd, point: AttachPoint, cookie: u64) -> Fd {
    kernel.link_create(&LinkCreate { prog, point, cookie }).unwrap()
}

fn tracepoint(category: &str, name: &str) -> AttachPoint {
    AttachPoint::Tracepoint { category: category.into(), name: name.into() }
}

#[test]
fn tracepoints_run_programs() {
    let Some(kernel) = linux() else { return };
    let counts = kernel.map_create(&map(MapType::Array, 4, 16, 1, 0)).unwrap();
    // Counts in the first word; the cookie into the second.
    let text = format!(
        "r6 = r1
         {filter}
         r1 = r6
         call 174
         r1 = map[idx:0][0]+0x0 ll
         *(u64 *)(r1 + 8) = r0
         r2 = 1
         lock *(u64 *)(r1 + 0) += r2
         out: r0 = 0
         exit",
        filter = only_this_process()
    );
    let prog = kernel.prog_load(&program(ProgramType::Tracepoint, &text, &[counts])).unwrap();
    let point = tracepoint("syscalls", "sys_enter_getppid");
    let link = attach(&kernel, prog, point.clone(), 0x1234_5678_9abc);
    for _ in 0..7 {
        getppid();
    }
    let value = [7_u64.to_ne_bytes(), 0x1234_5678_9abc_u64.to_ne_bytes()].concat();
    assert_eq!(kernel.map_lookup(counts, &[0; 4], 0).unwrap(), value);

    let info = kernel.link_info(link).unwrap();
    assert_eq!(info.point, Some(point));
    assert_eq!(info.prog_id, kernel.prog_info(prog).unwrap().id);
    assert_eq!(kernel.next_id(ObjectKind::Link, info.id - 1).unwrap(), Some(info.id));
    let error = kernel.link_detach(link).unwrap_err();
    assert!(error.what.contains("close or unpin it"), "{error}");

    kernel.close(link).unwrap();
    getppid();
    assert_eq!(
        kernel.map_lookup(counts, &[0; 4], 0).unwrap(),
        value,
        "nothing runs after the link is closed"
    );

    let error = kernel
        .link_create(&LinkCreate { prog, point: tracepoint("syscalls", "no_such"), cookie: 0 })
        .unwrap_err();
    assert_eq!(error.errno, Errno::ENOENT);
    assert!(error.what.ends_with("this kernel has no such tracepoint"), "{error}");
    let error =
        kernel.link_create(&LinkCreate { prog, point: tracepoint("..", "x"), cookie: 0 }).unwrap_err();
    assert_eq!(error.errno, Errno::EINVAL);
}

#[test]
fn ring_buffers_bring_records_in_order() {
    let Some(kernel) = linux() else { return };
    let ring = kernel.map_create(&map(MapType::Ringbuf, 0, 0, PAGE, 0)).unwrap();
    let next = kernel.map_create(&map(MapType::Array, 4, 8, 1, 0)).unwrap();
    // A record of 24 bytes with its number for every getppid(2); every third one is discarded.
    let text = format!(
        "r6 = *(u64 *)(r1 + 8)
         {filter}
         if r6 != {getppid} goto out
         r1 = map[idx:0] ll
         r2 = 24
         r3 = 0
         call 131
         if r0 == 0 goto out
         r1 = map[idx:1][0]+0x0 ll
         r7 = *(u64 *)(r1 + 0)
         r2 = r7
         r2 += 1
         *(u64 *)(r1 + 0) = r2
         *(u64 *)(r0 + 0) = r7
         *(u64 *)(r0 + 8) = r7
         *(u64 *)(r0 + 16) = 77
         r1 = r0
         r2 = 0
         r7 %= 3
         if r7 == 0 goto discard
         call 132
         goto out
         discard: call 133
         out: r0 = 0
         exit",
        filter = only_this_process(),
        getppid = libc::SYS_getppid,
    );
    let prog = kernel.prog_load(&program(ProgramType::RawTracepoint, &text, &[ring, next])).unwrap();
    let point = AttachPoint::RawTracepoint { name: "sys_enter".into() };
    let link = attach(&kernel, prog, point.clone(), 0);
    assert_eq!(kernel.link_info(link).unwrap().point, Some(point));

    let mut reader = kernel.ring_reader(ring).unwrap();
    assert!(!reader.wait(Duration::ZERO).unwrap());
    let mut seen = Vec::new();
    // Twenty times round the buffer.
    for _ in 0..1000 {
        for _ in 0..3 {
            getppid();
        }
        assert!(reader.wait(Duration::from_secs(10)).unwrap());
        let count = reader
            .consume(&mut |record| {
                let words: Vec<_> =
                    record.chunks(8).map(|word| u64::from_ne_bytes(word.try_into().unwrap())).collect();
                assert_eq!((words.len(), words[0], words[2]), (3, words[1], 77));
                seen.push(words[0]);
            })
            .unwrap();
        assert_eq!(count, 2);
    }
    assert_eq!(seen, (0..3000).filter(|n| n % 3 != 0).collect::<Vec<_>>());
    assert_eq!(reader.consume(&mut |_| panic!("nothing is left")).unwrap(), 0);

    let error = kernel.link_create(&LinkCreate {
        prog,
        point: AttachPoint::RawTracepoint { name: "no_such".into() },
        cookie: 0,
    });
    assert!(error.unwrap_err().what.ends_with("this kernel has no raw tracepoint of that name"));
    assert!(kernel.ring_reader(next).err().unwrap().what.contains("is not a ring buffer"));
}

#[test]
fn printk_lines_come_through_the_trace_pipe() {
    let Some(kernel) = linux() else { return };
    let mut pipe = match kernel.trace_pipe() {
        Ok(pipe) => pipe,
        Err(error) if error.errno == Errno::EBUSY => return skep_testing::skip!("{error}"),
        Err(error) => panic!("{error}"),
    };
    // "n %d\n" on the stack, and an argument.
    let text = format!(
        "r6 = *(u64 *)(r1 + 8)
         {filter}
         if r6 != {getuid} goto out
         r1 = {text:#x} ll
         *(u64 *)(r10 - 8) = r1
         r1 = r10
         r1 += -8
         r2 = 6
         r3 = 42
         call 6
         out: r0 = 0
         exit",
        filter = only_this_process(),
        getuid = libc::SYS_getuid,
        text = u64::from_ne_bytes(*b"n %d\n\0\0\0"),
    );
    let prog = kernel.prog_load(&program(ProgramType::RawTracepoint, &text, &[])).unwrap();
    let _link = attach(&kernel, prog, AttachPoint::RawTracepoint { name: "sys_enter".into() }, 0);
    let _ = rustix::process::getuid();
    let own = format!("-{} ", rustix::thread::gettid().as_raw_nonzero());
    // Lines of others come too.
    let line = loop {
        let line = pipe.next_line(Duration::from_secs(10)).unwrap().expect("a line of this thread");
        if line.contains(&own) && line.contains("bpf_trace_printk") {
            break line;
        }
    };
    assert!(line.ends_with("bpf_trace_printk: n 42"), "{line}");
}

#[test]
fn kernels_without_kprobes_say_so() {
    let Some(kernel) = linux() else { return };
    let counts = kernel.map_create(&map(MapType::Array, 4, 8, 1, 0)).unwrap();
    let text = format!(
        "{filter} r1 = map[idx:0][0]+0x0 ll\n r2 = 1\n lock *(u64 *)(r1 + 0) += r2\n out: r0 = 0\n exit",
        filter = only_this_process()
    );
    let prog = kernel.prog_load(&program(ProgramType::Kprobe, &text, &[counts])).unwrap();
    for retprobe in [false, true] {
        let point = AttachPoint::Kprobe { symbol: "__x64_sys_getppid".into(), offset: 0, retprobe };
        match kernel.link_create(&LinkCreate { prog, point: point.clone(), cookie: 0 }) {
            Ok(link) => {
                let before = kernel.map_lookup(counts, &[0; 4], 0).unwrap();
                getppid();
                assert_ne!(kernel.map_lookup(counts, &[0; 4], 0).unwrap(), before);
                assert_eq!(kernel.link_info(link).unwrap().point, Some(point));
            }
            Err(error) => {
                assert!(
                    !std::path::Path::new("/sys/bus/event_source/devices/kprobe/type").exists(),
                    "{error}"
                );
                assert_eq!(error.errno, Errno::ENOENT);
                assert!(error.what.contains("CONFIG_KPROBE_EVENTS"), "{error}");
            }
        }
    }
}
