//! What section names say.

use skep_catalog::{ProgramType, sections};
use skep_object::{AttachTarget, SectionKind};

#[test]
fn targets_are_typed() {
    let table = [
        ("tp/sched/sched_switch", r#"Tracepoint { category: "sched", name: "sched_switch" }"#),
        (
            "tracepoint/syscalls/sys_enter_openat",
            r#"Tracepoint { category: "syscalls", name: "sys_enter_openat" }"#,
        ),
        ("tp/sched", r#"Malformed { text: "sched", form: "CATEGORY/NAME" }"#),
        ("tp", "None"),
        ("raw_tp/sys_enter", r#"RawTracepoint { name: "sys_enter" }"#),
        ("raw_tracepoint.w/nbd_send_request", r#"RawTracepoint { name: "nbd_send_request" }"#),
        ("kprobe/do_unlinkat", r#"Kprobe { function: "do_unlinkat", offset: 0, retprobe: false }"#),
        ("kprobe/tcp.cold+0x1f", r#"Kprobe { function: "tcp.cold", offset: 31, retprobe: false }"#),
        ("kretprobe/do_unlinkat", r#"Kprobe { function: "do_unlinkat", offset: 0, retprobe: true }"#),
        ("kprobe/a b", r#"Malformed { text: "a b", form: "FUNCTION or FUNCTION+OFFSET" }"#),
        ("kprobe/", "None"),
        ("kprobe.multi/tcp_*", r#"KprobeMulti { pattern: "tcp_*", retprobe: false, session: false }"#),
        ("kprobe.session/bpf_?", r#"KprobeMulti { pattern: "bpf_?", retprobe: false, session: true }"#),
        ("ksyscall/openat", r#"Ksyscall { name: "openat", retprobe: false }"#),
        ("kretsyscall/openat", r#"Ksyscall { name: "openat", retprobe: true }"#),
        (
            "uprobe//usr/lib/libc.so.6:malloc+8",
            r#"Uprobe { path: "/usr/lib/libc.so.6", function: "malloc", offset: 8, retprobe: false }"#,
        ),
        ("uretprobe/libc:free", r#"Uprobe { path: "libc", function: "free", offset: 0, retprobe: true }"#),
        ("uprobe/a.out:0x1234", r#"Uprobe { path: "a.out", function: "", offset: 4660, retprobe: false }"#),
        ("uprobe/nothing", r#"Malformed { text: "nothing", form: "PATH:FUNCTION or PATH:FUNCTION+OFFSET" }"#),
        (
            "uretprobe.multi.s/libc.so.6:mal*",
            r#"UprobeMulti { path: "libc.so.6", pattern: "mal*", retprobe: true, session: false }"#,
        ),
        ("usdt/libc.so.6:libc:setjmp", r#"Usdt { path: "libc.so.6", provider: "libc", name: "setjmp" }"#),
        ("usdt/libc.so.6:libc", r#"Malformed { text: "libc.so.6:libc", form: "PATH:PROVIDER:NAME" }"#),
        ("fentry/do_unlinkat", r#"Btf { name: "do_unlinkat" }"#),
        ("tp_btf/sched_switch", r#"Btf { name: "sched_switch" }"#),
        ("lsm.s/file_open", r#"Btf { name: "file_open" }"#),
        ("lsm_cgroup/socket_bind", r#"Btf { name: "socket_bind" }"#),
        ("freplace/pass", r#"Btf { name: "pass" }"#),
        ("iter/bpf_map_elem", r#"Iter { name: "bpf_map_elem" }"#),
        ("struct_ops/bpf_cubic_init", r#"StructOps { name: "bpf_cubic_init" }"#),
        ("xdp.frags", "None"),
        ("?fexit.s/do_unlinkat", r#"Btf { name: "do_unlinkat" }"#),
    ];
    for (section, target) in table {
        let kind = SectionKind::of(section);
        assert!(kind.prog_type.is_some(), "{section}");
        assert_eq!(format!("{:?}", kind.target), target, "{section}");
    }
}

#[test]
fn every_row_of_the_table_gives_its_type_and_flags() {
    for row in sections::SECTIONS {
        let kind = SectionKind::of(row.name);
        assert_eq!(kind.prog_type, Some(row.prog_type), "{}", row.name);
        assert_eq!(kind.attach_type, row.attach_type, "{}", row.name);
        assert_eq!(kind.is_sleepable(), row.name.ends_with(".s") || row.name == "syscall", "{}", row.name);
        assert_eq!(kind.prog_flags & 1 << 5 != 0, row.name.starts_with("xdp.frags"), "{}", row.name);
        assert_eq!(kind.target, AttachTarget::None, "{}", row.name);
    }
}

#[test]
fn other_names_say_nothing_but_may_be_guessed() {
    let table = [
        ("xdp_filter", Some(ProgramType::Xdp)),
        ("socket1", Some(ProgramType::SocketFilter)),
        ("classifier/main", Some(ProgramType::SchedCls)),
        ("cgroup/connect4_extra", Some(ProgramType::CgroupSockAddr)),
        ("2/0", None),
    ];
    for (section, guess) in table {
        assert_eq!(SectionKind::of(section), SectionKind::UNKNOWN, "{section}");
        assert_eq!(SectionKind::legacy_guess(section), guess, "{section}");
    }
}
