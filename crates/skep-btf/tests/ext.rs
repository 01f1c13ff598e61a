//! `.BTF.ext`: what is read, kept and refused.

use skep_btf::{Btf, BtfBuilder, BtfExt, CoreRelo, Endian, FuncInfo, LineInfo, TypeDef, kernel_records};

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|w| w.to_le_bytes()).collect()
}

/// A section with `header` words behind the magic word and `body` behind the header.
fn section(header: &[u32], body: &[u32]) -> Vec<u8> {
    [vec![0x9f, 0xeb, 1, 0], words(header), words(body)].concat()
}

/// One function record of 8 bytes, with the header of 24 bytes that LLVM 7 wrote.
fn old() -> Vec<u8> {
    section(&[24, 0, 20, 20, 0], &[8, 1, 1, 0, 2])
}

#[test]
fn header_without_relocations() {
    let ext = BtfExt::parse(&old()).unwrap();
    let sections = ext.func_info().sections();
    assert_eq!(sections.len(), 1);
    assert_eq!(sections[0].name_off, 1);
    assert_eq!(sections[0].records().collect::<Vec<_>>(), [FuncInfo { insn_off: 0, type_id: 2 }]);
    assert!(ext.core_relo().sections().is_empty());
    assert_eq!(ext.to_bytes(), old());
}

#[test]
fn longer_records_are_kept() {
    // Function records of 12 bytes: one word more than is known.
    let bytes = section(&[32, 0, 36, 36, 0, 36, 0], &[12, 1, 2, 0, 2, 77, 8, 3, 78]);
    let mut ext = BtfExt::parse(&bytes).unwrap();
    let records: Vec<_> = ext.func_info().sections()[0].records().collect();
    assert_eq!(records, [FuncInfo { insn_off: 0, type_id: 2 }, FuncInfo { insn_off: 8, type_id: 3 }]);
    assert_eq!(ext.to_bytes(), bytes);
    // New records get zeros in the words that are not known.
    ext.func_info_mut().push_section(9, &[FuncInfo { insn_off: 16, type_id: 4 }]);
    let expected = section(&[32, 0, 56, 56, 0, 56, 0], &[12, 1, 2, 0, 2, 77, 8, 3, 78, 9, 1, 16, 4, 0]);
    assert_eq!(ext.to_bytes(), expected);
}

#[test]
fn odd_layouts_are_kept() {
    // Line records before function records, a gap between them, a longer header, bytes at the end.
    let body = [8, 1, 1, 0, 2];
    let lines = [16, 1, 1, 0, 3, 4, 7 << 10 | 5];
    let mut bytes = section(&[36, 32, 20, 0, 28, 0, 0, 0xabcd], &[&lines[..], &[99], &body].concat());
    bytes.push(1);
    let ext = BtfExt::parse(&bytes).unwrap();
    assert_eq!(ext.func_info().sections()[0].records().len(), 1);
    let line = ext.line_info().sections()[0].records().next().unwrap();
    assert_eq!((line.line(), line.column(), line.file_name_off, line.line_off), (7, 5, 3, 4));
    assert_eq!(ext.to_bytes(), bytes);
}

#[test]
fn malformed() {
    let with = |at: usize, value: u32| {
        let mut bytes = old();
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        bytes
    };
    let cases: &[(Vec<u8>, &str)] = &[
        (Vec::new(), ".BTF.ext header, byte 0: the section has 0 bytes, the shortest header needs 24"),
        (vec![0; 24], ".BTF.ext header, byte 0: magic bytes 00 00 are not 0xeb9f in either byte order"),
        (with(0, 0x0002_eb9f), ".BTF.ext header, byte 2: version 2 is not supported, only version 1 is"),
        (with(0, 0x0101_eb9f), ".BTF.ext header, byte 3: flags 0x1 are not supported, none are defined"),
        (with(4, 16), ".BTF.ext header, byte 4: hdr_len 16 is less than 24"),
        (with(4, 99), ".BTF.ext header, byte 4: hdr_len 99 goes beyond the section, which has 44 bytes"),
        (with(8, 2), ".BTF.ext func_info, byte 8: its offset 2 is not a multiple of 4"),
        (
            with(12, 24),
            ".BTF.ext func_info, byte 8: 24 bytes at offset 0 behind the header go beyond the end: 20 bytes follow",
        ),
        (
            with(12, u32::MAX),
            ".BTF.ext func_info, byte 8: 4294967295 bytes at offset 0 behind the header go beyond the end",
        ),
        (
            with(20, 4),
            ".BTF.ext line_info, byte 16: 4 bytes at offset 20 behind the header go beyond the end",
        ),
        (with(12, 3), ".BTF.ext func_info, byte 24: 3 bytes are too few for the record size"),
        (with(12, 4), ".BTF.ext func_info, byte 28: there is a record size but no records"),
        (
            with(12, 8),
            ".BTF.ext func_info, byte 28: the header of a section is cut off: 4 bytes are left, 8 are needed",
        ),
        (with(24, 4), ".BTF.ext func_info, byte 24: record size 4 is not a multiple of 4 from 8 upwards"),
        (with(24, 10), ".BTF.ext func_info, byte 24: record size 10 is not a multiple of 4 from 8 upwards"),
        (with(32, 0), ".BTF.ext func_info, byte 32: a section states 0 records"),
        (
            with(32, 2),
            ".BTF.ext func_info, byte 32: a section states 2 records of 8 bytes, but only 8 bytes are left",
        ),
        (with(32, u32::MAX), ".BTF.ext func_info, byte 32: a section states 4294967295 records of 8 bytes"),
    ];
    for (bytes, expected) in cases {
        let text = BtfExt::parse(bytes).unwrap_err().to_string();
        assert!(text.starts_with(expected), "expected {expected}\n     got {text}");
    }
    for end in 0..old().len() {
        assert!(BtfExt::parse(&old()[..end]).is_err(), "cut at {end}");
    }
}

/// BTF with the strings "", "xdp" (offset 1), and a function as type 2.
fn btf() -> Btf {
    let mut builder = BtfBuilder::new(Endian::Little);
    builder.add_str("xdp").unwrap();
    builder.add(&TypeDef::FuncProto { ret: 0, params: Vec::new() }).unwrap();
    let linkage = skep_btf::FuncLinkage::Global;
    builder.add(&TypeDef::Func { name: "f".into(), proto: 1, linkage }).unwrap();
    builder.finish().unwrap()
}

#[test]
fn references_into_btf() {
    let btf = btf();
    let check = |change: &dyn Fn(&mut BtfExt)| {
        let mut ext = BtfExt::new(Endian::Little);
        change(&mut ext);
        ext.check(&btf).map_err(|e| e.to_string())
    };
    let func = |name_off, type_id| {
        check(&|ext| ext.func_info_mut().push_section(name_off, &[FuncInfo { insn_off: 8, type_id }]))
    };
    assert_eq!(func(1, 2), Ok(()));
    let error = func(1, 3).unwrap_err();
    assert!(
        error.contains("section 'xdp', record 0 (instruction at byte 8): type id 3 does not exist"),
        "{error}"
    );
    let error = func(1, 1).unwrap_err();
    assert!(error.contains("type [1] is FUNC_PROTO, not FUNC"), "{error}");
    let error = func(100, 2).unwrap_err();
    assert!(
        error.contains("section '(string offset 100)', record 0 (instruction at byte 8): the name of the section lies beyond the 7 bytes"),
        "{error}"
    );
    let line = LineInfo { insn_off: 0, file_name_off: 1, line_off: 50, line_col: 0 };
    let error = check(&|ext| ext.line_info_mut().push_section(1, &[line])).unwrap_err();
    assert!(error.contains("the source text is at string offset 50, beyond the strings"), "{error}");
    let relo = CoreRelo { insn_off: 0, type_id: 2, access_str_off: 1, kind: 13 };
    let error = check(&|ext| ext.core_relo_mut().push_section(1, &[relo])).unwrap_err();
    assert!(error.contains("relocation kind 13 is not known"), "{error}");
}

#[test]
fn records_for_the_kernel() {
    let records = [FuncInfo { insn_off: 0, type_id: 2 }, FuncInfo { insn_off: 5, type_id: 3 }];
    assert_eq!(kernel_records(&records, Endian::Little), words(&[0, 2, 5, 3]));
    assert_eq!(kernel_records(&records[1..], Endian::Big), [0, 0, 0, 5, 0, 0, 0, 3]);
}
