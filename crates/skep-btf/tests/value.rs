//! Values read from bytes by their type, in both byte orders.

use skep_btf::{BtfBuilder, Endian, IntEncoding, MemberDef, TypeDef, Value, ValueError};

fn int(name: &str, size: u32, encoding: IntEncoding) -> TypeDef {
    TypeDef::Int { name: name.into(), size, encoding, bit_offset: 0, bits: (size * 8) as u8 }
}

fn member(name: &str, type_id: u32, bit_offset: u32) -> MemberDef {
    MemberDef { name: name.into(), type_id, bit_offset, bitfield_size: 0 }
}

/// Ids of the types that the tests use: built in this order.
const INT: u32 = 1;
const CHAR: u32 = 2;
const BOOL: u32 = 3;
const COMM: u32 = 4;
const STATE: u32 = 5;
const EVENT: u32 = 6;
const POINTER: u32 = 7;
const FLAGS: u32 = 8;
const U64: u32 = 9;

fn builder(endian: Endian) -> BtfBuilder {
    let mut btf = BtfBuilder::new(endian);
    let mut add = |def: TypeDef| btf.add(&def).unwrap();
    add(int("int", 4, IntEncoding::SIGNED));
    add(int("char", 1, IntEncoding::SIGNED));
    add(int("_Bool", 1, IntEncoding::BOOL));
    add(TypeDef::Array { element: CHAR, index: INT, len: 4 });
    add(TypeDef::Enum {
        wide: false,
        name: "state".into(),
        size: 4,
        signed: true,
        values: vec![("BROKEN".into(), u64::MAX), ("READY".into(), 1)],
    });
    add(TypeDef::Composite {
        union: false,
        name: "event".into(),
        size: 16,
        members: vec![
            member("pid", INT, 0),
            member("comm", COMM, 32),
            member("state", STATE, 64),
            member("ok", BOOL, 96),
        ],
    });
    add(TypeDef::Ptr { target: 0 });
    add(TypeDef::Composite {
        union: false,
        name: "flags".into(),
        size: 4,
        members: vec![
            MemberDef { bitfield_size: 3, ..member("low", INT, 0) },
            MemberDef { bitfield_size: 13, ..member("high", INT, 3) },
        ],
    });
    add(int("u64", 8, IntEncoding::UNSIGNED));
    btf
}

#[test]
fn a_structure_reads_as_a_c_initialiser_with_names() {
    let bytes = [&(-7i32).to_le_bytes()[..], b"ls\0x", &(-1i32).to_le_bytes(), &[1, 0, 0, 0]].concat();
    let value = builder(Endian::Little).finish().unwrap().read_value(EVENT, &bytes).unwrap();
    assert_eq!(value.to_string(), r#"{pid: -7, comm: "ls", state: BROKEN, ok: true}"#);
}

#[test]
fn byte_order_is_that_of_the_btf() {
    let bytes = [&(-7i32).to_be_bytes()[..], b"bash", &5i32.to_be_bytes(), &[0, 0, 0, 0]].concat();
    let value = builder(Endian::Big).finish().unwrap().read_value(EVENT, &bytes).unwrap();
    assert_eq!(value.to_string(), r#"{pid: -7, comm: "bash", state: 5, ok: false}"#);
}

#[test]
fn integers_keep_all_their_bits() {
    let btf = builder(Endian::Little).finish().unwrap();
    assert_eq!(btf.read_value(U64, &u64::MAX.to_le_bytes()), Ok(Value::Int(i128::from(u64::MAX))));
    assert_eq!(btf.read_value(POINTER, &0xdead_beefu64.to_le_bytes()), Ok(Value::Ptr(0xdead_beef)));
}

#[test]
fn bitfields_are_cut_out_and_sign_extended() {
    // low = -3 (0b101), high = 2047 (0b0_0111_1111_1111), in the order in which compilers lay bitfields out.
    let little = (0b101u32 | 2047 << 3).to_le_bytes();
    let value = builder(Endian::Little).finish().unwrap().read_value(FLAGS, &little).unwrap();
    assert_eq!(value.to_string(), "{low: -3, high: 2047}");
    let big = (0b101u32 << 29 | 2047 << 16).to_be_bytes();
    let value = builder(Endian::Big).finish().unwrap().read_value(FLAGS, &big).unwrap();
    assert_eq!(value.to_string(), "{low: -3, high: 2047}");
}

#[test]
fn too_few_bytes_are_an_error_that_says_how_many() {
    let error = builder(Endian::Little).finish().unwrap().read_value(EVENT, &[0; 15]).unwrap_err();
    assert_eq!(error.to_string(), "type 'event' takes 16 bytes, and there are 15");
}

#[test]
fn unions_of_unions_end() {
    let mut btf = builder(Endian::Little);
    let mut inner = INT;
    for level in 0..30 {
        let members = vec![member("left", inner, 0), member("right", inner, 0)];
        inner = btf
            .add(&TypeDef::Composite { union: true, name: format!("u{level}"), size: 4, members })
            .unwrap();
    }
    let btf = btf.finish().unwrap();
    assert_eq!(btf.read_value(inner, &[0; 4]), Err(ValueError::TooMany));
}
