//! What is refused, and in which words.

use skep_btf::{Btf, BtfError, Endian};

/// The strings of all cases and their offsets.
const STRINGS: &[u8] = b"\0int\0s\0x\x001a\0a-b\0.x\x01\0";
const INT: u32 = 1;
const S: u32 = 5;
const X: u32 = 7;
const DIGIT_FIRST: u32 = 9;
const DASH: u32 = 12;
const UNPRINTABLE: u32 = 16;

/// The word `info`.
const fn info(kind: u32, vlen: u32) -> u32 {
    kind << 24 | vlen
}
/// The same with kind_flag.
const fn flagged(kind: u32, vlen: u32) -> u32 {
    1 << 31 | kind << 24 | vlen
}

/// `int`, 4 bytes, signed; type 1 of most cases.
const AN_INT: &[u32] = &[INT, info(1, 0), 4, 0x0100_0020];

fn header(type_len: u32, str_off: u32, str_len: u32) -> Vec<u8> {
    let mut out = vec![0x9f, 0xeb, 1, 0];
    out.extend([24, 0, type_len, str_off, str_len].iter().flat_map(|w: &u32| w.to_le_bytes()));
    out
}

fn file(types: &[&[u32]], strings: &[u8]) -> Vec<u8> {
    let words: Vec<u8> = types.iter().copied().flatten().flat_map(|w| w.to_le_bytes()).collect();
    let mut out = header(words.len() as u32, words.len() as u32, strings.len() as u32);
    out.extend(words);
    out.extend(strings);
    out
}

fn outcome(bytes: &[u8]) -> Result<(), BtfError> {
    Btf::parse(bytes)?.validate()
}

fn refusal(bytes: &[u8]) -> String {
    outcome(bytes).expect_err("it is malformed").to_string()
}

#[test]
fn types() {
    let cases: &[(&[&[u32]], &str)] = &[
        // Records.
        (&[&[0, info(2, 0)]], "byte 24: [1] PTR '(anon)': the record is cut off: 8 bytes are left"),
        (&[&[0]], "byte 24: [1] UNKNOWN '(anon)': the record is cut off: 4 bytes are left, 12 are needed"),
        (
            &[&[S, info(4, 2), 8, X, 1, 0]],
            "[1] STRUCT 's': the record is cut off: 24 bytes are left, 36 are needed",
        ),
        (&[&[S, info(0, 0), 0]], "[1] UNKNOWN 's': kind 0 is not known (1 to 19 are)"),
        (&[&[S, info(20, 0), 0]], "[1] UNKNOWN 's': kind 20 is not known (1 to 19 are)"),
        (
            &[&[1000, info(7, 0), 0]],
            "[1] FWD '(anon)': its name is at string offset 1000, beyond the 20 bytes of strings",
        ),
        (
            &[AN_INT, &[0, info(2, 0), 3]],
            "byte 40: [2] PTR '(anon)': what it refers to is type id 3, which does not exist (the last id is 2)",
        ),
        (
            &[AN_INT, &[0, info(3, 0), 0, 9, 1, 1]],
            "[2] ARRAY '(anon)': its element is type id 9, which does not exist",
        ),
        (
            &[AN_INT, &[0, info(3, 0), 0, 1, 9, 1]],
            "[2] ARRAY '(anon)': its index is type id 9, which does not exist",
        ),
        (
            &[AN_INT, &[S, info(4, 1), 4, 999, 1, 0]],
            "[2] STRUCT 's': the name of member 0 is at string offset 999",
        ),
        (&[AN_INT, &[S, info(4, 1), 4, X, 7, 0]], "[2] STRUCT 's': the type of member 0 is type id 7"),
        (&[&[S, info(6, 1), 4, 999, 1]], "[1] ENUM 's': the name of enumerator 0 is at string offset 999"),
        (
            &[&[0, info(13, 1), 0, 999, 0]],
            "[1] FUNC_PROTO '(anon)': the name of parameter 0 is at string offset 999",
        ),
        (&[&[0, info(13, 1), 0, X, 5]], "[1] FUNC_PROTO '(anon)': the type of parameter 0 is type id 5"),
        (&[&[S, info(15, 1), 4, 5, 0, 4]], "[1] DATASEC 's': the type of variable 0 is type id 5"),
        (
            &[&[0, info(2, 0) | 0x20_0000, 0]],
            "[1] PTR '(anon)': info 0x02200000 has bits set that mean nothing",
        ),
        (&[&[0, info(2, 1), 0]], "[1] PTR '(anon)': vlen is 1, it must be 0"),
        (
            &[&[0, flagged(10, 0), 0]],
            "[1] CONST '(anon)': kind_flag is set, which means nothing for this kind",
        ),
        // Names.
        (&[&[0, info(7, 0), 0]], "[1] FWD '(anon)': a name is required"),
        (&[&[S, info(2, 0), 0]], "[1] PTR 's': a type of this kind has no name"),
        (
            &[&[DIGIT_FIRST, info(7, 0), 0]],
            "[1] FWD '1a': the name is not an identifier because of '1' at position 0",
        ),
        (
            &[AN_INT, &[DASH, info(8, 0), 1]],
            "[2] TYPEDEF 'a-b': the name is not an identifier because of '-' at position 1",
        ),
        (
            &[&[UNPRINTABLE, info(4, 0), 0]],
            "[1] STRUCT '.x\u{1}': the name is not an identifier because of byte 0x01 at position 2",
        ),
        (
            &[&[UNPRINTABLE, info(15, 0), 4]],
            "[1] DATASEC '.x\u{1}': the name has byte 0x01 at position 2, which is not printable",
        ),
        (&[AN_INT, &[0, info(18, 0), 1]], "[2] TYPE_TAG '(anon)': a name is required"),
        (
            &[AN_INT, &[S, info(4, 1), 4, DASH, 1, 0]],
            "[2] STRUCT 's': member 0 'a-b': the name is not an identifier",
        ),
        (&[&[S, info(6, 1), 4, 0, 1]], "[1] ENUM 's': enumerator 0 '(anon)': a name is required"),
        // Integers and floats.
        (
            &[&[INT, info(1, 0), 4, 0x1100_0020]],
            "[1] INT 'int': its description 0x11000020 has bits set that mean nothing",
        ),
        (
            &[&[INT, info(1, 0), 4, 0x0300_0020]],
            "[1] INT 'int': encoding 3 is not one of 0, SIGNED (1), CHAR (2), BOOL (4)",
        ),
        (
            &[&[INT, info(1, 0), 4, 33]],
            "[1] INT 'int': offset and width make 33 bits, which do not fit 4 bytes",
        ),
        (
            &[&[INT, info(1, 0), 99, 0x0002_0080]],
            "[1] INT 'int': offset and width make 130 bits, more than 128",
        ),
        (&[&[INT, info(16, 0), 5]], "[1] FLOAT 'int': size 5 is not one of 2, 4, 8, 12, 16"),
        // Arrays.
        (&[AN_INT, &[0, info(3, 0), 4, 1, 1, 1]], "[2] ARRAY '(anon)': the size field is 4, it must be 0"),
        (&[AN_INT, &[0, info(3, 0), 0, 0, 1, 1]], "[2] ARRAY '(anon)': its elements are void"),
        (&[AN_INT, &[0, info(3, 0), 0, 1, 0, 1]], "[2] ARRAY '(anon)': its index is void"),
        (
            &[AN_INT, &[0, info(2, 0), 0], &[0, info(3, 0), 0, 1, 2, 1]],
            "[3] ARRAY '(anon)': its index, type id 2, is not an integer",
        ),
        (
            &[AN_INT, &[S, info(7, 0), 0], &[0, info(3, 0), 0, 2, 1, 1]],
            "[3] ARRAY '(anon)': its element, type id 2, has no size",
        ),
        (
            &[AN_INT, &[0, info(3, 0), 0, 1, 1, 0x4000_0000]],
            "[2] ARRAY '(anon)': 1073741824 elements of 4 bytes are more than 4 GiB",
        ),
        (
            &[AN_INT, &[0, info(3, 0), 0, 1, 1, 1 << 15], &[0, info(3, 0), 0, 2, 1, 1 << 15]],
            "[3] ARRAY '(anon)': 32768 elements of 131072 bytes are more than 4 GiB",
        ),
        (
            &[AN_INT, &[INT, info(1, 0), 1, 3], &[0, info(3, 0), 0, 2, 1, 1]],
            "[3] ARRAY '(anon)': its element, [2] INT 'int', is an integer that is no whole number of bytes",
        ),
        // Structures and unions.
        (&[AN_INT, &[S, info(4, 1), 4, X, 0, 0]], "[2] STRUCT 's': member 0 'x': its type is void"),
        (
            &[AN_INT, &[S, info(4, 1), 4, X, 1, 32]],
            "[2] STRUCT 's': member 0 'x': it ends at bit 64, behind the 4 bytes of its parent",
        ),
        (
            &[AN_INT, &[S, info(4, 1), 4, X, 1, 33]],
            "[2] STRUCT 's': member 0 'x': it is at bit offset 33, behind the end of the 4 bytes",
        ),
        (
            &[AN_INT, &[S, info(4, 2), 8, X, 1, 32, S, 1, 0]],
            "[2] STRUCT 's': member 1 's': it is at bit offset 0, before the member in front of it at 32",
        ),
        (
            &[AN_INT, &[S, info(5, 1), 8, X, 1, 8]],
            "[2] UNION 's': member 0 'x': it is at bit offset 8 of a union, not at 0",
        ),
        (
            &[AN_INT, &[S, info(7, 0), 0], &[S, info(4, 1), 4, X, 2, 0]],
            "[3] STRUCT 's': member 0 'x': its type, [2] FWD 's', has no size",
        ),
        (
            &[AN_INT, &[0, info(2, 0), 0], &[S, info(4, 1), 16, X, 2, 4]],
            "[3] STRUCT 's': member 0 'x': it is at bit offset 4, not at a whole byte",
        ),
        (
            &[AN_INT, &[0, info(2, 0), 0], &[S, flagged(4, 1), 16, X, 2, 3 << 24]],
            "[3] STRUCT 's': member 0 'x': it is a bitfield of 3 bits, but its type is [2] PTR '(anon)'",
        ),
        (
            &[AN_INT, &[S, flagged(4, 1), 8, X, 1, 33 << 24]],
            "[2] STRUCT 's': member 0 'x': it is a bitfield of 33 bits of a type that has 32",
        ),
        (
            &[&[INT, info(16, 0), 8], &[S, info(4, 1), 16, X, 1, 32]],
            "[2] STRUCT 's': member 0 'x': it is at bit offset 32, not at a multiple of 64",
        ),
        // Enumerations.
        (&[&[S, info(6, 0), 3]], "[1] ENUM 's': size 3 is not one of 1, 2, 4, 8"),
        (&[&[S, info(19, 0), 16]], "[1] ENUM64 's': size 16 is not one of 1, 2, 4, 8"),
        // Functions.
        (&[&[S, info(7, 0), 5]], "[1] FWD 's': the size field is 5, it must be 0"),
        (
            &[AN_INT, &[S, info(12, 0), 1]],
            "[2] FUNC 's': it refers to [1] INT 'int', which is not a prototype",
        ),
        (
            &[&[0, info(13, 0), 0], &[S, info(12, 2), 1]],
            "[2] FUNC 's': linkage 2 (extern) is neither static nor global",
        ),
        (
            &[AN_INT, &[0, info(13, 1), 0, 0, 1], &[S, info(12, 1), 2]],
            "[3] FUNC 's': parameter 0 of its prototype [2] has no name",
        ),
        (
            &[AN_INT, &[0, info(13, 2), 0, X, 0, S, 1]],
            "[2] FUNC_PROTO '(anon)': parameter 0 'x': it is void and not the last one",
        ),
        (
            &[AN_INT, &[0, info(13, 1), 0, X, 0]],
            "[2] FUNC_PROTO '(anon)': parameter 0 'x': it is void and has a name",
        ),
        (
            &[&[S, info(7, 0), 0], &[0, info(13, 0), 1]],
            "[2] FUNC_PROTO '(anon)': its return type, [1] FWD 's', has no size",
        ),
        (
            &[&[S, info(7, 0), 0], &[0, info(13, 1), 0, X, 1]],
            "[2] FUNC_PROTO '(anon)': parameter 0 'x': its type, [1] FWD 's', has no size",
        ),
        (
            &[&[0, info(13, 0), 0], &[S, info(12, 0), 1], &[0, info(2, 0), 2]],
            "[3] PTR '(anon)': it refers to [2] FUNC 's', which is not a type",
        ),
        // Variables and sections.
        (&[AN_INT, &[S, info(14, 0), 1, 3]], "[2] VAR 's': linkage 3 is not known (0 to 2 are)"),
        (&[AN_INT, &[S, info(14, 0), 1, 2]], "[2] VAR 's': linkage 2 (extern) is neither static nor global"),
        (&[&[S, info(14, 0), 0, 1]], "[1] VAR 's': its type is void"),
        (&[&[S, info(7, 0), 0], &[S, info(14, 0), 1, 1]], "[2] VAR 's': its type, [1] FWD 's', has no size"),
        (&[AN_INT, &[S, info(15, 0), 0]], "[2] DATASEC 's': its size is 0"),
        (
            &[AN_INT, &[S, info(15, 1), 4, 1, 0, 4]],
            "[2] DATASEC 's': variable 0 ([1] INT 'int'): it is not a variable",
        ),
        (
            &[AN_INT, &[X, info(14, 0), 1, 1], &[S, info(15, 1), 4, 2, 0, 2]],
            "[3] DATASEC 's': variable 0 ([2] VAR 'x'): 2 bytes are less than the 4 of its type",
        ),
        (
            &[AN_INT, &[X, info(14, 0), 1, 1], &[S, info(15, 1), 4, 2, 0, 5]],
            "[3] DATASEC 's': variable 0 (type id 2): 5 bytes at offset 0 go beyond the 4 bytes of the section",
        ),
        (
            &[AN_INT, &[X, info(14, 0), 1, 1], &[S, info(15, 2), 8, 2, 0, 4, 2, 3, 4]],
            "[3] DATASEC 's': variable 1 (type id 2): it is at offset 3, before the end of the one in front of it at 4",
        ),
        (
            &[AN_INT, &[X, info(14, 0), 1, 1], &[S, info(15, 1), 4, 2, 4, 4]],
            "[3] DATASEC 's': variable 0 (type id 2): it is at offset 4, behind the end of the 4 bytes",
        ),
        (
            &[AN_INT, &[X, info(14, 0), 1, 1], &[S, info(15, 1), 4, 2, 0, 0]],
            "[3] DATASEC 's': variable 0 (type id 2): its size is 0",
        ),
        // Tags.
        (
            &[AN_INT, &[S, info(17, 0), 1, u32::MAX]],
            "[2] DECL_TAG 's': it is attached to [1] INT 'int', not to a structure",
        ),
        (
            &[AN_INT, &[S, info(4, 1), 4, X, 1, 0], &[S, info(17, 0), 2, 1]],
            "[3] DECL_TAG 's': component index 1 is too large: [2] STRUCT 's' has 1 components",
        ),
        (
            &[AN_INT, &[S, info(14, 0), 1, 1], &[S, info(17, 0), 2, 0]],
            "[3] DECL_TAG 's': component index 0 is too large",
        ),
        (
            &[AN_INT, &[S, info(14, 0), 1, 1], &[S, info(17, 0), 2, -2i32 as u32]],
            "[3] DECL_TAG 's': component index -2 is less than -1",
        ),
        (
            &[AN_INT, &[0, info(10, 0), 3], &[S, info(18, 0), 1]],
            "[2] CONST '(anon)': it stands before the type tag [3] TYPE_TAG 's'; tags must come first",
        ),
        // Circles.
        (&[&[0, info(10, 0), 1]], "[1] CONST '(anon)': it is made of itself: [1] -> [1]"),
        (
            &[&[0, info(2, 0), 2], &[0, info(10, 0), 1]],
            "[1] PTR '(anon)': it is made of itself: [1] -> [2] -> [1]",
        ),
        (&[AN_INT, &[S, info(4, 1), 4, X, 2, 0]], "[2] STRUCT 's': it is made of itself: [2] -> [2]"),
        (&[AN_INT, &[0, info(3, 0), 0, 2, 1, 1]], "[2] ARRAY '(anon)': it is made of itself: [2] -> [2]"),
        (
            &[AN_INT, &[S, info(8, 0), 3], &[0, info(3, 0), 0, 4, 1, 2], &[S, info(4, 1), 4, X, 2, 0]],
            "[2] TYPEDEF 's': it is made of itself: [2] -> [3] -> [4] -> [2]",
        ),
        // A pointer looks through the typedef first; Linux 6.18 then does not look through it again.
        (
            &[
                AN_INT,
                &[0, info(2, 0), 3],
                &[S, info(8, 0), 4],
                &[0, info(3, 0), 0, 5, 1, 1],
                &[S, info(4, 1), 4, X, 3, 0],
            ],
            "[3] TYPEDEF 's': it is made of itself: [3] -> [4] -> [5] -> [3]",
        ),
    ];
    let mut wrong = Vec::new();
    for (types, expected) in cases {
        let text = refusal(&file(types, STRINGS));
        if !text.starts_with(".BTF types, byte ") || !text.contains(expected) {
            wrong.push(format!("expected {expected}\n     got {text}\n"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.concat());
}

#[test]
fn files() {
    let good = file(&[AN_INT], STRINGS);
    assert_eq!(outcome(&good), Ok(()));
    let with = |at: usize, bytes: &[u8]| {
        let mut file = good.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        file
    };
    let word = |at: usize, value: u32| with(at, &value.to_le_bytes());
    let longer_header = |extra: u8| {
        let mut file = word(4, 28);
        file.splice(24..24, [0, 0, extra, 0]);
        file
    };
    let gap = {
        let mut file = word(16, 20);
        file.splice(40..40, [0; 4]);
        file
    };
    let cases: &[(Vec<u8>, &str)] = &[
        (Vec::new(), ".BTF header, byte 0: the section has 0 bytes, the header alone needs 24"),
        (vec![0; 24], ".BTF header, byte 0: magic bytes 00 00 are not 0xeb9f in either byte order"),
        (with(2, &[2]), ".BTF header, byte 2: version 2 is not supported, only version 1 is"),
        (with(3, &[4]), ".BTF header, byte 3: flags 0x4 are not supported, none are defined"),
        (word(4, 20), ".BTF header, byte 4: hdr_len 20 is less than 24"),
        (word(4, 999), ".BTF header, byte 4: hdr_len 999 goes beyond the section, which has 60 bytes"),
        (word(8, 2), ".BTF header, byte 8: type_off 2 is not a multiple of 4"),
        (word(12, 15), ".BTF header, byte 12: type_len 15 is not a multiple of 4"),
        (
            word(12, 999),
            ".BTF header, byte 8: the type section (999 bytes at offset 0 behind the header) goes beyond the end: 36 bytes follow the header",
        ),
        (
            word(20, u32::MAX),
            ".BTF header, byte 16: the string section (4294967295 bytes at offset 16 behind the header) goes beyond the end",
        ),
        (
            word(16, 15),
            ".BTF header, byte 16: the string section (15..35 behind the header) overlaps the type section (0..16)",
        ),
        (
            file(&[AN_INT], b""),
            ".BTF strings, byte 40: the section is empty, it must hold at least the empty string",
        ),
        (
            file(&[AN_INT], b"x\0"),
            ".BTF strings, byte 40: the section does not start with the empty string (a NUL byte)",
        ),
        (file(&[AN_INT], b"\0int"), ".BTF strings, byte 43: the last string does not end with a NUL byte"),
        (file(&[], b"\0"), ".BTF header, byte 12: there are no types"),
        (
            longer_header(1),
            ".BTF header, byte 26: the header is longer than 24 bytes and what follows is not zero",
        ),
        (
            gap,
            ".BTF header, byte 16: the string section starts at 20 behind the header, the type section ends at 16",
        ),
        ([&good[..], &[0]].concat(), ".BTF header, byte 20: 1 bytes follow the string section"),
    ];
    for (bytes, expected) in cases {
        let text = refusal(bytes);
        assert!(text.starts_with(expected), "expected {expected}\n     got {text}");
    }
    assert_eq!(outcome(&longer_header(0)), Ok(()), "a longer header is fine while it holds zeros");
}

#[test]
fn gaps_are_read_and_written_back() {
    let good = file(&[AN_INT], STRINGS);
    let mut odd = good.clone();
    odd[4] = 28;
    odd.splice(24..24, [1, 2, 3, 4]);
    odd.extend([5, 6, 7]);
    let btf = Btf::parse(&odd).unwrap();
    assert_eq!(btf.get(1).unwrap().name(), "int");
    assert_eq!(btf.to_bytes(), odd);
}

/// Deep nesting is refused or accepted, but never followed on the call stack.
#[test]
fn depth() {
    const DEPTH: u32 = 50_000;
    let chain = |kind: u32| -> Vec<u8> {
        let mut words: Vec<u32> = (1..DEPTH).flat_map(|id| [0, info(kind, 0), id + 1]).collect();
        words.extend(AN_INT);
        file(&[&words], STRINGS)
    };
    for kind in [2, 10] {
        let btf = Btf::parse(&chain(kind)).unwrap();
        let text = btf.validate().unwrap_err().to_string();
        assert!(text.contains("[1]") && text.contains("nested more than 32 deep"), "{text}");
        assert_eq!(btf.validate_object(), Ok(()));
    }
    // Structures in structures, each later one inside the one before it.
    let mut words: Vec<u32> = (1..DEPTH).flat_map(|id| [0, info(4, 1), 4, X, id + 1, 0]).collect();
    words.extend(AN_INT);
    let btf = Btf::parse(&file(&[&words], STRINGS)).unwrap();
    assert!(btf.validate().is_err());
    assert_eq!(btf.validate_object(), Ok(()));
    assert_eq!(btf.align_of(1), Ok(4));
    assert!(btf.field(1, "absent").unwrap().is_none());
    // The same, closed to a circle.
    let last = words.len() - 4;
    words.truncate(last);
    words[last - 2] = 1;
    let btf = Btf::parse(&file(&[&words], STRINGS)).unwrap();
    let text = btf.validate_object().unwrap_err().to_string();
    assert!(
        text.contains("it is made of itself: [1] -> [2] ->") && text.ends_with("-> ... -> [1]"),
        "{text}"
    );
    let text = btf.align_of(1).unwrap_err().to_string();
    assert!(text.contains("it contains itself"), "{text}");
}

/// A structure whose anonymous members double at every level has 2^40 members, and is searched in no time.
#[test]
fn doubling() {
    let mut words: Vec<u32> =
        (1..40u32).flat_map(|id| [0, info(4, 2), 1 << 20, 0, id + 1, 0, 0, id + 1, 0]).collect();
    words.extend([0, info(4, 0), 0]);
    let btf = Btf::parse(&file(&[&words], STRINGS)).unwrap();
    assert!(btf.field(1, "absent").unwrap().is_none());
    assert_eq!(btf.align_of(1), Ok(1));
}

/// One long name that every type shares is not looked at as a whole once for each.
#[test]
fn long_names() {
    const TYPES: usize = 100_000;
    let mut strings = vec![0];
    strings.resize(1 << 20, b'a');
    strings.push(0);
    let words: Vec<u32> = (0..TYPES as u32).flat_map(|id| [1 + id, info(7, 0), 0]).collect();
    let btf = Btf::parse(&file(&[&words], &strings)).unwrap();
    let text = btf.validate().unwrap_err().to_string();
    assert!(text.contains("...': the name has more than 512 bytes"), "{text}");
    assert_eq!(btf.validate_object(), Ok(()));
    assert_eq!(btf.by_name("aaaa").count(), 0);
}

#[test]
fn both_byte_orders_are_refused_alike() {
    let mut big = vec![0xeb, 0x9f, 1, 0];
    let fields = [24u32, 0, 12, 12, 1];
    let record = [0u32, info(10, 0), 1];
    big.extend(fields.iter().chain(&record).flat_map(|w| w.to_be_bytes()));
    big.push(0);
    let btf = Btf::parse(&big).unwrap();
    assert_eq!(btf.endian(), Endian::Big);
    assert!(btf.validate().unwrap_err().to_string().contains("[1] CONST '(anon)': it is made of itself"));
}
