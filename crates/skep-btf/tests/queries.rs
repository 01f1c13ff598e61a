//! Sizes, alignments, members and names, on the types of a small C program.

use std::sync::Arc;

use skep_btf::{Btf, BtfBuilder, Endian, IntEncoding, Kind, MemberDef, Secinfo, TypeDef, VarLinkage};

/// The id of a type that is added.
fn add(builder: &mut BtfBuilder, def: &TypeDef) -> u32 {
    builder.add(def).unwrap()
}

fn member(name: &str, type_id: u32, bit_offset: u32) -> MemberDef {
    MemberDef::new(name, type_id, bit_offset)
}

struct Program {
    btf: Btf,
    int: u32,
    pointer: u32,
    alias: u32,
    matrix: u32,
    outer: u32,
    packed: u32,
    bits: u32,
    proto: u32,
    func: u32,
    func_pointer: u32,
    var: u32,
    section: u32,
    fwd: u32,
}

/// ```c
/// typedef const int alias;
/// int matrix[3][5];
/// struct outer { char c; struct { int a; union { long b; char d; }; }; alias *p; };
/// struct __attribute__((packed)) packed { char c; long l; };
/// struct bits { int x:3; int y:29; };
/// int func(int first, ...);
/// ```
fn program() -> Program {
    let mut builder = BtfBuilder::new(Endian::Little);
    let b = &mut builder;
    let int = add(b, &TypeDef::int("int", 4, IntEncoding::SIGNED));
    let char = add(b, &TypeDef::int("char", 1, IntEncoding::SIGNED));
    let long = add(b, &TypeDef::int("long", 8, IntEncoding::SIGNED));
    let constant = add(b, &TypeDef::Const { target: int });
    let alias = add(b, &TypeDef::Typedef { name: "alias".into(), target: constant });
    let pointer = add(b, &TypeDef::Ptr { target: alias });
    let row = add(b, &TypeDef::Array { element: int, index: int, len: 5 });
    let matrix = add(b, &TypeDef::Array { element: row, index: int, len: 3 });
    let union = TypeDef::Composite {
        union: true,
        name: String::new(),
        size: 8,
        members: vec![member("b", long, 0), member("d", char, 0)],
    };
    let union = add(b, &union);
    let inner = add(b, &TypeDef::structure("", 16, vec![member("a", int, 0), member("", union, 64)]));
    let volatile_inner = add(b, &TypeDef::Volatile { target: inner });
    let members = vec![member("c", char, 0), member("", volatile_inner, 64), member("p", pointer, 192)];
    let outer = add(b, &TypeDef::structure("outer", 32, members));
    let packed = add(b, &TypeDef::structure("packed", 9, vec![member("c", char, 0), member("l", long, 8)]));
    let bitfields = [("x", 0, 3), ("y", 3, 29)].map(|(name, bit_offset, bitfield_size)| MemberDef {
        name: name.into(),
        type_id: int,
        bit_offset,
        bitfield_size,
    });
    let bits = add(b, &TypeDef::structure("bits", 4, bitfields.into()));
    let params = vec![("first".into(), int), (String::new(), 0)];
    let proto = add(b, &TypeDef::FuncProto { ret: int, params });
    let linkage = skep_btf::FuncLinkage::Global;
    let func = add(b, &TypeDef::Func { name: "func".into(), proto, linkage });
    let func_pointer = add(b, &TypeDef::Ptr { target: proto });
    let var = add(b, &TypeDef::Var { name: "m".into(), target: matrix, linkage: VarLinkage::Global });
    let vars = vec![Secinfo { type_id: var, offset: 0, size: 60 }];
    let section = add(b, &TypeDef::Datasec { name: ".bss".into(), size: 60, vars });
    let fwd = add(b, &TypeDef::Fwd { name: "outer".into(), kind: skep_btf::FwdKind::Struct });
    let btf = builder.finish().unwrap();
    btf.validate().unwrap();
    Program {
        btf,
        int,
        pointer,
        alias,
        matrix,
        outer,
        packed,
        bits,
        proto,
        func,
        func_pointer,
        var,
        section,
        fwd,
    }
}

#[test]
fn sizes_and_alignments() {
    let p = program();
    for (id, size, align) in [
        (p.int, 4, 4),
        (p.pointer, 8, 8),
        (p.alias, 4, 4),
        (p.matrix, 60, 4),
        (p.outer, 32, 8),
        (p.packed, 9, 1),
        (p.bits, 4, 4),
        (p.var, 60, 4),
    ] {
        assert_eq!((p.btf.size_of(id), p.btf.align_of(id)), (Ok(size), Ok(align)), "{:?}", p.btf.get(id));
    }
    assert_eq!(p.btf.size_of(p.section), Ok(60));
    for (id, text) in [
        (0, "[0] VOID '(anon)': a type of this kind has no size"),
        (p.fwd, "FWD 'outer': a type of this kind has no size"),
        (p.func, "FUNC 'func': a type of this kind has no size"),
        (99, "BTF has no type [99]: its ids end at [20]"),
    ] {
        let error = p.btf.size_of(id).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
}

#[test]
fn resolving() {
    let p = program();
    assert_eq!(p.btf.resolve(p.alias).unwrap().id(), p.int);
    assert_eq!(p.btf.resolve(p.pointer).unwrap().kind(), Kind::Ptr);
    assert_eq!(p.btf.resolve(0).unwrap().kind(), Kind::Void);
    for id in [p.func, p.proto, p.func_pointer] {
        assert_eq!(p.btf.func_proto(id).unwrap().id(), p.proto);
    }
    assert!(
        p.btf.func_proto(p.int).unwrap_err().to_string().contains("neither a function nor a pointer to one")
    );
    let params: Vec<(&str, u32)> =
        p.btf.get(p.proto).unwrap().params().map(|param| (param.name(), param.type_id)).collect();
    assert_eq!(params, [("first", p.int), ("", 0)]);
}

#[test]
fn members() {
    let p = program();
    let offset = |id, name| p.btf.field(id, name).unwrap().map(|field| field.bit_offset);
    let names = [("c", Some(0)), ("a", Some(64)), ("b", Some(128)), ("d", Some(128)), ("p", Some(192))];
    for (name, expected) in names {
        assert_eq!(offset(p.outer, name), expected, "{name}");
    }
    assert_eq!(offset(p.outer, "x"), None);
    assert_eq!(offset(p.outer, ""), None);
    let y = p.btf.field(p.bits, "y").unwrap().unwrap();
    assert_eq!((y.bit_offset, y.member.bitfield_size, y.parent.name()), (3, 29, "bits"));
    let error = p.btf.field(p.int, "x").unwrap_err().to_string();
    assert!(error.contains("INT 'int': only structures and unions have members"), "{error}");
}

#[test]
fn names() {
    let p = program();
    let ids: Vec<u32> = p.btf.by_name("outer").map(skep_btf::Type::id).collect();
    assert_eq!(ids, [p.outer, p.fwd]);
    assert_eq!(p.btf.find("outer", Kind::Fwd).unwrap().id(), p.fwd);
    assert!(p.btf.find("outer", Kind::Union).is_none());
    assert_eq!(p.btf.by_name("oute").count(), 0);
    assert_eq!(p.btf.by_name("").count(), 0);
    // Split BTF sees the names of its base first.
    let base = Arc::new(p.btf);
    let mut builder = BtfBuilder::split(&base);
    let own = builder.add(&TypeDef::structure("outer", 0, Vec::new())).unwrap();
    let split = builder.finish().unwrap();
    let ids: Vec<u32> = split.by_name("outer").map(skep_btf::Type::id).collect();
    assert_eq!(ids, [p.outer, p.fwd, own]);
    assert_eq!(split.find("outer", Kind::Struct).unwrap().id(), p.outer);
    assert_eq!(split.to_bytes().len(), 24 + 12, "the string of the base is not stored again");
}

/// What a loader does to the BTF of an object before the kernel takes it.
#[test]
fn section_fix_ups() {
    let mut builder = BtfBuilder::new(Endian::Big);
    let int = add(&mut builder, &TypeDef::int("int", 4, IntEncoding::SIGNED));
    let [a, b] = ["a", "b"].map(|name| {
        add(&mut builder, &TypeDef::Var { name: name.into(), target: int, linkage: VarLinkage::Static })
    });
    let vars = [a, b].map(|type_id| Secinfo { type_id, offset: 0, size: 4 });
    let section = add(&mut builder, &TypeDef::Datasec { name: ".data".into(), size: 0, vars: vars.into() });
    let compiled = builder.finish().unwrap();
    assert_eq!(compiled.validate_object(), Ok(()));
    assert!(compiled.validate().unwrap_err().to_string().contains("DATASEC '.data': its size is 0"));

    let mut builder = BtfBuilder::from(compiled);
    builder.set_size(section, 8).unwrap();
    let vars = [(b, 0), (a, 4)].map(|(type_id, offset)| Secinfo { type_id, offset, size: 4 });
    builder.set_secinfos(section, &vars).unwrap();
    let btf = Btf::parse(&builder.finish().unwrap().to_bytes()).unwrap();
    assert_eq!(btf.validate(), Ok(()));
    assert_eq!(btf.get(section).unwrap().secinfos().collect::<Vec<_>>(), vars);
}

#[test]
fn what_cannot_be_built() {
    let mut builder = BtfBuilder::new(Endian::Little);
    let too_many = TypeDef::FuncProto { ret: 0, params: vec![(String::new(), 0); 65_536] };
    let wide_value = TypeDef::Enum {
        wide: false,
        name: "e".into(),
        size: 8,
        signed: false,
        values: vec![("A".into(), 1 << 32)],
    };
    let far_bitfield = MemberDef { name: "m".into(), type_id: 0, bit_offset: 1 << 24, bitfield_size: 1 };
    for (def, expected) in [
        (too_many, "cannot build BTF: FUNC_PROTO '(anon)': 65536 items are more than 65535"),
        (wide_value, "cannot build BTF: ENUM 'e': the value of 'A' does not fit 32 bits"),
        (
            TypeDef::structure("s", 0, vec![far_bitfield]),
            "cannot build BTF: STRUCT 's': member 'm': offset 16777216 or width 1 does not fit",
        ),
        (
            TypeDef::Float { name: "a\0b".into(), size: 4 },
            "cannot build BTF: string 'a\0b': it contains a NUL byte",
        ),
    ] {
        let error = builder.add(&def).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    builder.add(&TypeDef::Ptr { target: 7 }).unwrap();
    let error = builder.finish().unwrap_err().to_string();
    assert!(
        error.contains("[1] PTR '(anon)': what it refers to is type id 7, which does not exist"),
        "{error}"
    );
}

#[test]
fn strings_that_are_not_utf8() {
    let mut builder = BtfBuilder::new(Endian::Little);
    let plain = builder.add_str("plain").unwrap();
    let odd = builder.add_str_bytes(b"od\xffd").unwrap();
    let btf = builder.finish().unwrap();
    assert_eq!((btf.str(plain), btf.str(odd)), (Some("plain"), Some("od?d")));
    assert_eq!(btf.str_bytes(odd), Some(&b"od\xffd"[..]));
    let again = Btf::parse(&btf.to_bytes()).unwrap();
    assert_eq!(again.str(odd), Some("od?d"));
    assert_eq!(again.to_bytes(), btf.to_bytes());
}
