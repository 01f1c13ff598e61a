//! Compiled objects: what is read from them, and what linking makes of their programs.

mod common;

use std::path::Path;
use std::process::Command;

use common::{show, show_linked};
use expect_test::expect_file;
use skep_object::{CoreRelocations, Endian, Object};

const NAMES: [&str; 4] = ["maps", "globals", "calls", "core"];

fn path(name: &str) -> String {
    format!("{}/tests/objects/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn object(name: &str) -> Object {
    let bytes = std::fs::read(path(&format!("{name}.el.o"))).unwrap();
    Object::parse(&bytes, &format!("{name}.bpf.o")).unwrap()
}

#[test]
fn objects_are_read() {
    for name in NAMES {
        expect_file![path(&format!("{name}.txt"))].assert_eq(&show(&object(name)));
    }
}

#[test]
fn big_endian_objects_say_the_same() {
    for name in NAMES {
        let bytes = std::fs::read(path(&format!("{name}.eb.o"))).unwrap();
        let object = Object::parse(&bytes, &format!("{name}.bpf.o")).unwrap();
        assert_eq!(object.endian, Endian::Big);
        assert_eq!(show(&object).replacen("Big", "Little", 1), show(&self::object(name)), "{name}");
    }
}

#[test]
fn programs_are_linked() {
    if Endian::HOST == Endian::Big {
        return;
    }
    for name in NAMES {
        let object = object(name);
        let mut text = String::new();
        for program in 0..object.programs.len() {
            text += &match object.link_program(program, CoreRelocations::Refuse) {
                Ok(linked) => show_linked(&linked),
                Err(error) => format!("{error}\n"),
            };
        }
        expect_file![path(&format!("{name}.linked.txt"))].assert_eq(&text);
    }
}

#[test]
fn objects_are_current() {
    if Command::new("clang-19").arg("--version").output().is_err() {
        skep_testing::skip!("clang-19 is not installed");
        return;
    }
    let directory = path("");
    for name in NAMES {
        for order in ["el", "eb"] {
            let out =
                std::env::temp_dir().join(format!("skep-object-{}-{name}.{order}.o", std::process::id()));
            compile(&directory, &format!("{name}.bpf.c"), order, &out);
            let new = std::fs::read(&out).unwrap();
            std::fs::remove_file(&out).unwrap();
            let old = std::fs::read(path(&format!("{name}.{order}.o"))).unwrap();
            assert!(new == old, "{name}.{order}.o is not what clang-19 makes of {name}.bpf.c");
        }
    }
}

fn compile(directory: &str, source: &str, order: &str, out: &Path) {
    let target = format!("bpf{order}");
    let arguments =
        ["-g", "-O2", "-mcpu=v3", "-target", &target, "-fdebug-compilation-dir=.", "-c", source, "-o"];
    let clang = Command::new("clang-19").args(arguments).arg(out).current_dir(directory).status().unwrap();
    let strip = Command::new("llvm-strip-19").arg("-g").arg(out).status().unwrap();
    assert!(clang.success() && strip.success(), "{source}");
}
