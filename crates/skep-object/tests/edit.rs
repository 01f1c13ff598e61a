//! Editing an object between reading and linking.

mod common;

use common::show_linked;
use expect_test::expect;
use skep_object::{CoreRelocations, Endian, ExternValue, KernelFacts, Object};

fn object(name: &str) -> Object {
    let path = format!("{}/tests/objects/{name}", env!("CARGO_MANIFEST_DIR"));
    Object::parse(&std::fs::read(path).unwrap(), "globals.bpf.o").unwrap()
}

#[test]
fn variables_are_read_and_set_in_both_byte_orders() {
    for (name, little) in [("globals.el.o", true), ("globals.eb.o", false)] {
        let mut object = object(name);
        let bytes = |value: u32| if little { value.to_le_bytes() } else { value.to_be_bytes() };
        assert_eq!(object.get_int("limit").unwrap(), -5);
        assert_eq!(object.get("name").unwrap(), b"abc\0\0\0\0\0");
        object.set("target_pid", &bytes(1234)).unwrap();
        assert_eq!(object.get_int("target_pid").unwrap(), 1234);
        object.set_int("verbose", 1).unwrap();
        object.set_int("limit", -1 << 40).unwrap();
        object.set_int("mode", 200).unwrap();
        object.set("name", b"xyz12345").unwrap();
        assert_eq!(object.map(".rodata").unwrap().initial_value()[0x18..0x20], *b"xyz12345");
        assert_eq!(object.get_int("limit").unwrap(), -1 << 40);
        // A variable of .bss takes memory only once it is set.
        assert!(object.map(".bss").unwrap().data.is_empty());
        object.set_int("seen", 0).unwrap();
        assert!(object.map(".bss").unwrap().data.is_empty());
        object.set_int("calls", 3).unwrap();
        assert_eq!(object.map(".bss").unwrap().data, bytes(3));
        assert_eq!(object.map(".bss").unwrap().initial_value().len(), 16);
    }
}

#[test]
fn values_that_do_not_fit_are_refused() {
    let mut object = object("globals.el.o");
    let cases = [
        (
            object.set("target_pid", &[1, 2]),
            expect!["globals.bpf.o: symbol target_pid: it has 4 bytes, not 2 as the new value"],
        ),
        (
            object.set_int("target_pid", -1),
            expect![
                "globals.bpf.o: symbol target_pid: -1 does not fit unsigned int, which holds 0 to 4294967295"
            ],
        ),
        (
            object.set_int("verbose", 2),
            expect!["globals.bpf.o: symbol verbose: 2 does not fit _Bool, which holds 0 to 1"],
        ),
        (
            object.set_int("deltas", 1),
            expect![
                "globals.bpf.o: symbol deltas: it is not a number but of type ARRAY '(anon)'; set its bytes instead"
            ],
        ),
        (
            object.set_int("nothing", 1),
            expect![
                "globals.bpf.o: symbol nothing: there is no such variable; there are target_pid, limit, verbose, mode, name, total, deltas, tuning, salt, seen, scratch"
            ],
        ),
        (
            object.set_int("CONFIG_HZ", 1),
            expect![
                "globals.bpf.o: symbol CONFIG_HZ: it is an extern, whose value the kernel gives, not a variable of the object"
            ],
        ),
        (
            object.set_kconfig("CONFIG_HZ", "\"x\""),
            expect![[r#"globals.bpf.o: symbol CONFIG_HZ: it is a number, so it cannot be "x""#]],
        ),
        (
            object.set_kconfig("CONFIG_HZ", "fast"),
            expect![[
                r#"globals.bpf.o: symbol CONFIG_HZ: fast is not a value of a kernel configuration (y, n, m, a number, "text")"#
            ]],
        ),
        (
            object.set_kconfig("CONFIG_NONE", "y"),
            expect!["globals.bpf.o: symbol CONFIG_NONE: the object has no kconfig extern of this name"],
        ),
        (
            object.set_kconfig("LINUX_HAS_BPF_COOKIE", "m"),
            expect!["globals.bpf.o: symbol LINUX_HAS_BPF_COOKIE: 2 does not fit _Bool, which holds 0 to 1"],
        ),
    ];
    for (result, expected) in cases {
        expected.assert_eq(&result.unwrap_err().to_string());
    }
}

#[test]
fn externs_get_values() {
    if Endian::HOST == Endian::Big {
        return;
    }
    let mut object = object("globals.el.o");
    object
        .set_kernel_facts(&KernelFacts {
            version: 0x06_0c_05,
            has_bpf_cookie: true,
            has_syscall_wrapper: true,
        })
        .unwrap();
    object.set_kconfig("CONFIG_HZ", "250").unwrap();
    object.set_kconfig("CONFIG_MODULES", "m").unwrap();
    object.set_kconfig("CONFIG_DEFAULT_HOSTNAME", "\"much too long\"").unwrap();
    let names: Vec<_> = object.unresolved_externs().map(|symbol| symbol.name.clone()).collect();
    assert_eq!(names, ["kernel_function", "some_table"]);
    for symbol in &mut object.externs {
        match symbol.name.as_str() {
            "kernel_function" => symbol.value = ExternValue::Btf { id: 77, module: 0 },
            "some_table" => symbol.value = ExternValue::Address(0xffff_ffff_8123_4560),
            _ => {}
        }
    }
    assert_eq!(
        object.map(".kconfig").unwrap().initial_value(),
        [&250_u64.to_le_bytes()[..], &2_u32.to_le_bytes(), &0x06_0c_05_u32.to_le_bytes(), &[1], b"much to\0"]
            .concat()
    );
    let mut text = String::new();
    for name in ["config", "symbols"] {
        let program = object.program_index(name).unwrap();
        text += &show_linked(&object.link_program(program, CoreRelocations::Refuse).unwrap());
    }
    expect![[r#"
        config: 22 slots, maps [6], 1 func_info, 10 line_info
        0..22 config
          0: r1 = kind 6 0 12
          4: r1 = kind 6 0 16
          8: r1 = kind 6 0 8
          11: r2 = kind 6 0 0
          15: r1 = kind 6 0 17
        symbols: 13 slots, maps [], 1 func_info, 5 line_info
        0..13 symbols
          0: r1 = kind 0 0 0
          4: call helper 2002000005
          6: call kind 2 imm 77 off 0
          7: r1 = kind 0 0 0
          9: r0 = kind 0 -2128394912 -1
        poison 4 absent_function
    "#]]
    .assert_eq(&text);
}

#[test]
fn a_resolver_changes_the_instructions_of_core_relocations() {
    if Endian::HOST == Endian::Big {
        return;
    }
    let path = format!("{}/tests/objects/core.el.o", env!("CARGO_MANIFEST_DIR"));
    let object = Object::parse(&std::fs::read(path).unwrap(), "core.bpf.o").unwrap();
    let program = object.program_index("on_switch").unwrap();
    let kept = object.link_program(program, CoreRelocations::KeepLocal).unwrap();
    let mut seen = Vec::new();
    let mut resolve = |site: &skep_object::CoreSite<'_>, insns: &mut [skep_isa::RawInsn]| {
        let btf = site.object.btf.as_ref().ok_or("no BTF")?;
        seen.push((site.slot, site.relo.access_str(btf).unwrap_or_default().to_owned()));
        insns[0].off += 100;
        if site.source().is_some_and(|line| line.line == 38) { Ok(()) } else { Ok::<(), String>(()) }
    };
    let linked = object.link_program(program, CoreRelocations::Resolve(&mut resolve)).unwrap();
    assert_eq!(seen, [(4, "0:1:1".to_owned()), (9, "0:0".to_owned()), (10, "0:1:3".to_owned())]);
    for (slot, (before, after)) in kept.insns.iter().zip(&linked.insns).enumerate() {
        let moved = if seen.iter().any(|(at, _)| *at == slot) { 100 } else { 0 };
        assert_eq!(before.off + moved, after.off, "slot {slot}");
    }
    let mut refuse = |_: &skep_object::CoreSite<'_>, _: &mut [skep_isa::RawInsn]| {
        Err("the kernel's struct task_struct has no member comm".to_owned())
    };
    let error = object.link_program(program, CoreRelocations::Resolve(&mut refuse)).unwrap_err();
    expect!["core.bpf.o: program on_switch, instruction 4 (./core.bpf.c:43:29): the kernel's struct task_struct has no member comm"]
        .assert_eq(&error.to_string());
}
