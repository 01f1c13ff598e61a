//! Classic BPF: text forms, checks, the interpreter, and the translation against the interpreter.

mod cbpf_eval;

use proptest::prelude::*;
use skep_isa::Endian;
use skep_isa::cbpf::{self, Device, Extension, Insn, Packet, SeccompFilter, SocketFilter, Vlan};

/// Sections of a test file: title, and the lines below it up to the next.
fn sections(text: &str) -> Vec<(&str, Vec<&str>)> {
    let mut sections: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("== "), sections.last_mut()) {
            (Some(title), _) => sections.push((title, Vec::new())),
            (None, Some((_, lines))) => lines.push(line),
            (None, None) => {}
        }
    }
    sections
}

#[test]
fn forms_of_tcpdump_are_read_and_written() {
    for (title, lines) in sections(include_str!("cbpf/tcpdump.txt")) {
        let [decimal, c, listing] = lines
            .split(|line| *line == "--")
            .map(|part| part.join("\n") + "\n")
            .collect::<Vec<_>>()
            .try_into()
            .unwrap();
        let insns = cbpf::parse(&decimal).unwrap();
        assert_eq!(cbpf::to_decimal(&insns), decimal, "{title}");
        assert_eq!(cbpf::to_c(&insns), c, "{title}");
        assert_eq!(cbpf::parse(&c).unwrap(), insns, "{title}");
        assert_eq!(cbpf::to_tcpdump(&insns), listing, "{title}");
        assert_eq!(cbpf::parse(&cbpf::to_line(&insns)).unwrap(), insns, "{title}");
        let canonical: Vec<_> = insns.iter().map(|insn| insn.canonical()).collect();
        assert_eq!(cbpf::parse(&listing).unwrap(), canonical, "{title}");
        assert_eq!(cbpf::parse(&cbpf::to_asm(&insns)).unwrap(), canonical, "{title}");
    }
}

#[test]
fn asm_is_what_the_documentation_says() {
    #[rustfmt::skip]
    let cases: &[(&str, &str)] = &[
        ("ldh [12]\njne #0x806, drop\nret #-1\ndrop: ret #0", "40 0 0 12,21 0 1 2054,6 0 0 4294967295,6 0 0 0"),
        ("ldb [23]\njneq #6, drop\nret #-1\ndrop: ret #0", "48 0 0 23,21 0 1 6,6 0 0 4294967295,6 0 0 0"),
        ("# sample\nld rand\nmod #4\nret a", "32 0 0 4294963256,148 0 0 4,22 0 0 0"),
        ("  ld [4] /* arch */ ; x\n\n ret #0x7fff0000 ; allow", "32 0 0 4,6 0 0 2147418112"),
        ("ld #len\nld len\nldx #len\nldx len", "128 0 0 0,128 0 0 0,129 0 0 0,129 0 0 0"),
        ("ldh proto\nldh #proto\nldb type\nld vlan_avail", "40 0 0 4294963200,40 0 0 4294963200,48 0 0 4294963204,32 0 0 4294963248"),
        ("ld [x + 4]\nldh [%x+4]\nldb [x]\nld [x - 4]", "64 0 0 4,72 0 0 4,80 0 0 0,64 0 0 4294967292"),
        ("ldi #010\nldxi #0x10\nldx #16", "0 0 0 8,1 0 0 16,1 0 0 16"),
        ("ldxb 4*([14]&0xf)\nldx 4 * ( [14] & 0xf )", "177 0 0 14,177 0 0 14"),
        ("ld [-0x100000 + 9]\nld [-1048567]", "32 0 0 4293918729,32 0 0 4293918729"),
        ("ld M[3]\nldx M[4]\nst M[5]\nstx M[6]", "96 0 0 3,97 0 0 4,2 0 0 5,3 0 0 6"),
        ("add x\nadd %x\nadd #5\nneg\ntax\ntxa\nret %a\nret a", "12 0 0 0,12 0 0 0,4 0 0 5,132 0 0 0,7 0 0 0,135 0 0 0,22 0 0 0,22 0 0 0"),
        ("jeq x, L, M\nL: ret #0\nM: ret #1", "29 0 1 0,6 0 0 0,6 0 0 1"),
        ("jset #1, M, L\nL: ret #0\nM: ret #1", "69 1 0 1,6 0 0 0,6 0 0 1"),
        ("jgt #1, M\nret #0\nM: ret #1", "37 1 0 1,6 0 0 0,6 0 0 1"),
        ("jle #1, M\nret #0\nM: ret #1", "37 0 1 1,6 0 0 0,6 0 0 1"),
        ("jge #1, M\nret #0\nM: ret #1", "53 1 0 1,6 0 0 0,6 0 0 1"),
        ("jlt %x, M\nret #0\nM: ret #1", "61 0 1 0,6 0 0 0,6 0 0 1"),
        ("jmp M\nret #0\nK: M:\nret #1", "5 0 0 1,6 0 0 0,6 0 0 1"),
        (".insn 0x1234, 1, 2, 0xffffffff", "4660 1 2 4294967295"),
    ];
    for (text, line) in cases {
        let count = line.matches(',').count() + 1;
        assert_eq!(cbpf::to_line(&cbpf::parse(text).unwrap()), format!("{count},{line}"), "{text}");
    }
    assert_eq!(cbpf::parse("1,6 0 0 0,\n").unwrap(), [Insn::new(6, 0)], "bpf_asm ends with a comma");
}

#[test]
fn errors_say_where() {
    for (text, lines) in sections(include_str!("cbpf/errors.txt")) {
        let error = cbpf::parse(&text.replace("\\n", "\n")).unwrap_err();
        assert_eq!(format!("-- {error}"), lines[0], "{text}");
    }
}

#[test]
fn long_lines_take_time_in_proportion() {
    let sum = "0+".repeat(500_000);
    assert_eq!(cbpf::assemble(&format!("ret #{sum}7")).unwrap(), [Insn::new(6, 7)]);
    let labels: String = (0..100_000).map(|n| format!("L{n}: ")).collect();
    assert_eq!(cbpf::assemble(&format!("ja L99999\n{labels} ret #7")).unwrap()[1], Insn::new(6, 7));
}

#[test]
fn far_conditions_are_assembled_with_jumps() {
    // Both sides of every condition are out of reach of 8 bits, and the jumps that makes push the last ones further.
    let mut text = String::from("ldx #0\n");
    for n in 0..300 {
        text += &format!("ld [0]\njgt #{n}, above, below\n");
    }
    text += "below: ret #1\nabove: ret #2\n";
    let filter = SocketFilter::new(cbpf::assemble(&text).unwrap()).unwrap();
    assert_eq!(filter.insns()[2], Insn { code: 0x25, jt: 0, jf: 1, k: 0 });
    let run = |word: u32| filter.run(&Packet::new(&word.to_be_bytes()));
    assert_eq!((run(0), run(1)), (1, 2));
    assert_eq!(cbpf::assemble(&cbpf::to_asm(filter.insns())).unwrap(), filter.insns());
}

#[test]
fn the_longest_program_translates() {
    let mut insns = vec![Insn::new(0x05, 4094)];
    insns.extend([Insn::new(0xb1, 0); 4094]);
    insns.push(Insn::new(0x06, 7));
    let filter = SocketFilter::new(insns.clone()).unwrap();
    assert_eq!(cbpf_eval::run(&filter.to_ebpf().unwrap(), &Packet::new(&[])), 7);

    // The same reachable: a jump over 4092 of the operations that become most instructions.
    insns[0] = Insn { code: 0x15, jt: 1, jf: 0, k: 0 };
    insns[1] = Insn::new(0x05, 0);
    insns[2] = Insn::new(0x05, 4092);
    let filter = SocketFilter::new(insns.clone()).unwrap();
    assert_eq!(cbpf_eval::run(&filter.to_ebpf().unwrap(), &Packet::new(&[])), 7);
    insns[0].jf = 2;
    let filter = SocketFilter::new(insns.clone()).unwrap();
    assert!(filter.to_ebpf().unwrap().len() > 24_500);
    assert_eq!(cbpf_eval::run(&filter.to_ebpf().unwrap(), &Packet::new(&[])), 7);

    insns.insert(0, Insn::new(0, 0));
    assert!(SocketFilter::new(insns).unwrap_err().to_string().starts_with("4097 instructions"));
    assert!(SocketFilter::new(Vec::new()).unwrap_err().to_string().starts_with("no instructions"));
}

#[test]
fn checks_are_those_of_linux() {
    for (title, lines) in sections(include_str!("cbpf/validate.txt")) {
        let end = lines.iter().position(|line| line.starts_with("-- ")).unwrap();
        let insns = cbpf::assemble(&lines[..end].join("\n")).unwrap();
        let verdict = &lines[end][3..];
        let seccomp = lines.get(end + 1).and_then(|line| line.strip_prefix("seccomp: ")).unwrap_or(verdict);
        let said =
            |result: Result<(), cbpf::ValidateError>| result.err().map_or("ok".into(), |e| e.to_string());
        assert_eq!(said(SocketFilter::new(insns.clone()).map(drop)), verdict, "{title}");
        assert_eq!(said(SeccompFilter::new(insns).map(drop)), seccomp, "{title}");
    }
}

#[test]
fn filters_see_packets() {
    let attributes = [12_u16, 7, 8, 3, 0, 0, 8, 1, 0, 0].map(u16::to_ne_bytes).concat();
    let bytes: Vec<u8> = (0..32).collect();
    let packet = Packet {
        buffer: &bytes,
        data: 14,
        network_header: 20,
        mac_header: Some(0),
        protocol: 0x800,
        pkt_type: 4,
        device: Some(Device { ifindex: 3, hatype: 772 }),
        mark: 5,
        queue: 6,
        rxhash: 7,
        cpu: 8,
        vlan: Some(Vlan { tci: 9, tpid: 0x8100 }),
        payload_offset: 10,
        random: 11,
    };
    let netlink = Packet::new(&attributes);
    #[rustfmt::skip]
    let cases: &[(&str, &Packet<'_>, u32)] = &[
        ("ld [0]\nret a", &packet, 0x0e0f_1011),
        ("ldh [1]\nret a", &packet, 0x0f10),
        ("ldb [17]\nret a", &packet, 31),
        ("ldb [18]\nret #9", &packet, 0),
        ("ld [15]\nret #9", &packet, 0),
        ("ldx #3\nldh [x + -2]\nret a", &packet, 0x0f10),
        ("ldx #3\nldb [x + -4]\nret #9", &packet, 0),
        ("ldb [-0x100000]\nret a", &packet, 20),
        ("ldx #1\nldb [x + -0x100000]\nret a", &packet, 21),
        ("ldb [-0x200000]\nret a", &packet, 0),
        ("ldb [-0x200000 + 13]\nret a", &packet, 13),
        ("ldb [-0x200001]\nret #9", &packet, 0),
        ("ldb [-0x200000]\nret #9", &netlink, 0),
        ("ldxb 4*([1]&0xf)\ntxa\nret a", &packet, 60),
        ("ld len\nret a", &packet, 18),
        ("ldh proto\nret a", &packet, 0x800),
        ("ld type\nret a", &packet, 4),
        ("ld ifidx\nret a", &packet, 3),
        ("ld #77\nld ifidx\nret #1", &netlink, 77),
        ("ld hatype\nret a", &packet, 772),
        ("ld #77\nld hatype\nret #1", &netlink, 77),
        ("ld mark\nret a", &packet, 5),
        ("ld queue\nret a", &packet, 6),
        ("ld rxhash\nret a", &packet, 7),
        ("ld cpu\nret a", &packet, 8),
        ("ld vlan_tci\nret a", &packet, 9),
        ("ld vlan_avail\nret a", &packet, 1),
        ("ld vlan_tpid\nret a", &packet, 0x8100),
        ("ld vlan_avail\nret a", &netlink, 0),
        ("ld poff\nret a", &packet, 10),
        ("ld rand\nret a", &packet, 11),
        ("ld #5\nldx #3\nld xor_x\nret a", &packet, 6),
        ("ld #0\nldx #1\nld nla\nret a", &netlink, 12),
        ("ld #0\nldx #3\nld nla\nret a", &netlink, 0),
        ("ld #0\nldx #3\nld nlan\nret a", &netlink, 4),
        ("ld #0\nldx #1\nld nlan\nret a", &netlink, 0),
        ("ld #17\nldx #1\nld nla\nret a", &netlink, 0),
        ("ld #-1\nldx #1\nld nla\nret a", &netlink, 0),
        ("ld #1\nsub #2\nret a", &packet, u32::MAX),
        ("ld #1\nldx #33\nlsh x\nret a", &packet, 2),
        ("ld #7\ndiv x\nret #9", &packet, 0),
        ("ld #7\nmod x\nret #9", &packet, 0),
        ("ld #1\nneg\nret a", &packet, u32::MAX),
        ("ld #-1\njgt #5, L\nret #0\nL: ret #1", &packet, 1),
    ];
    for (text, packet, result) in cases {
        let filter = SocketFilter::new(cbpf::assemble(text).unwrap()).unwrap();
        assert_eq!(filter.run(packet), *result, "{text}");
        match filter.to_ebpf() {
            Ok(ebpf) => assert_eq!(cbpf_eval::run(&ebpf, packet), *result, "{text}"),
            Err(error) => {
                let untranslatable =
                    [Extension::NlAttr, Extension::NlAttrNest, Extension::PayOffset, Extension::Hatype];
                assert!(untranslatable.contains(&error.extension), "{error}");
            }
        }
    }
}

#[test]
fn seccomp_filters_see_system_calls() {
    let data: [u8; 64] = std::array::from_fn(|n| n as u8);
    let word = |at: usize| u32::from_ne_bytes(data[at..at + 4].try_into().unwrap());
    for (text, result) in [
        ("ld [0]\nret a", word(0)),
        ("ld [60]\nret a", word(60)),
        ("ld len\nret a", 64),
        ("ldx len\ntxa\nret a", 64),
        ("ld [4]\njeq #0, no\nret #0x7fff0000\nno: ret #0", 0x7fff_0000),
        ("ldx #0\ndiv x\nret #1", 0),
    ] {
        let filter = SeccompFilter::new(cbpf::assemble(text).unwrap()).unwrap();
        assert_eq!(filter.run(&data), result, "{text}");
        assert_eq!(cbpf_eval::run_on_context(&filter.to_ebpf(), &data), result, "{text}");
    }
}

#[test]
fn what_ebpf_lacks_is_named() {
    let filter = SocketFilter::new(cbpf::assemble("ld #0\nld poff\nret a").unwrap()).unwrap();
    assert_eq!(
        filter.to_ebpf().unwrap_err().to_string(),
        "instruction 1: `poff` cannot be translated: no helper gives the offset of the payload; parse the headers"
    );
}

/// Extensions that translate and whose value is the same for the interpreter and the evaluator.
const TRANSLATED: &[Extension] = &[
    Extension::Protocol,
    Extension::PktType,
    Extension::Ifindex,
    Extension::Mark,
    Extension::Queue,
    Extension::Rxhash,
    Extension::Cpu,
    Extension::AluXorX,
    Extension::VlanTci,
    Extension::VlanAvail,
    Extension::VlanTpid,
    Extension::Random,
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_form_round_trips(insns in prop::collection::vec(cbpf::testing::insn(), 0..40)) {
        let again = cbpf::assemble(&cbpf::to_asm(&insns)).unwrap();
        prop_assert_eq!(again.len(), insns.len());
        for (again, insn) in again.iter().zip(&insns) {
            prop_assert!(again == insn || *again == insn.canonical(), "{insn:?} became {again:?}");
        }
        prop_assert_eq!(&cbpf::parse_c(&cbpf::to_c(&insns)).unwrap(), &insns);
        prop_assert_eq!(&cbpf::parse_decimal(&cbpf::to_decimal(&insns)).unwrap(), &insns);
        prop_assert_eq!(&cbpf::parse_line(&cbpf::to_line(&insns)).unwrap(), &insns);
        for endian in [Endian::Little, Endian::Big] {
            prop_assert_eq!(&cbpf::decode(&cbpf::encode(&insns, endian), endian).unwrap(), &insns);
        }
    }

    #[test]
    fn operations_round_trip(insn in cbpf::testing::insn()) {
        if let Some(op) = insn.op() {
            prop_assert_eq!(Insn::from(op).op(), Some(op));
            prop_assert_eq!(Insn::from(op).code, insn.code);
        }
    }

    #[test]
    fn listings_round_trip(filter in cbpf::testing::socket_filter(40, 100, Extension::ALL, true)) {
        let insns = filter.insns();
        prop_assert_eq!(cbpf::parse_tcpdump(&cbpf::to_tcpdump(insns)).unwrap(), insns);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "([a-z]{1,4}|[#\\[\\](){}:,;x%*&+/ \n-]|M\\[|0x[0-9a-f]{1,9}|[0-9]{1,11}){0,30}") {
        if let Ok(insns) = cbpf::parse(&text) {
            prop_assert_eq!(cbpf::assemble(&cbpf::to_asm(&insns)).unwrap(), insns);
        }
    }

    #[test]
    fn any_program_is_accepted_or_refused(insns in prop::collection::vec(cbpf::testing::insn(), 0..12)) {
        if let Ok(filter) = SocketFilter::new(insns) {
            let packet = Packet::new(b"any");
            let result = filter.run(&packet);
            if let Ok(ebpf) = filter.to_ebpf() {
                prop_assert_eq!(cbpf_eval::run(&ebpf, &packet), result);
            }
        }
    }

    #[test]
    fn translation_keeps_the_meaning(
        filter in cbpf::testing::socket_filter(60, 80, TRANSLATED, true),
        bytes in prop::collection::vec(any::<u8>(), 20..120),
        (device, mark, rxhash, random) in any::<(Option<u8>, u32, u32, u32)>(),
        vlan in any::<Option<(u16, u16)>>(),
    ) {
        let packet = Packet {
            buffer: &bytes,
            data: 14,
            network_header: 18,
            mac_header: Some(0),
            protocol: 0x86dd,
            device: device.map(|n| Device { ifindex: u32::from(n) + 1, hatype: 1 }),
            vlan: vlan.map(|(tci, tpid)| Vlan { tci, tpid }),
            mark,
            rxhash,
            random,
            queue: 3,
            cpu: 1,
            ..Packet::default()
        };
        prop_assert_eq!(cbpf_eval::run(&filter.to_ebpf().unwrap(), &packet), filter.run(&packet));
    }
}
