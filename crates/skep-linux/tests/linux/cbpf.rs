//! Classic BPF against Linux: what is attached, what filters answer, and what their translation answers.

use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use skep_catalog::ProgramType;
use skep_isa::Endian;
use skep_isa::cbpf::{self, Device, Extension, Insn, Packet, SeccompFilter, SocketFilter};
use skep_kernel::{Kernel, TestRun};

use crate::common::{linux, raw_program};

fn cases(cases: u32) -> TestRunner {
    TestRunner::new(ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() })
}

/// `struct sock_fprog`: the program must outlive its use.
fn fprog(bytes: &mut [u8]) -> libc::sock_fprog {
    libc::sock_fprog { len: (bytes.len() / Insn::SIZE) as u16, filter: bytes.as_mut_ptr().cast() }
}

/// `SO_ATTACH_FILTER`. Needs no privileges.
fn attach(socket: &UnixDatagram, insns: &[Insn]) -> std::io::Result<()> {
    let mut bytes = cbpf::encode(insns, Endian::HOST);
    let program = fprog(&mut bytes);
    // SAFETY: the option takes a sock_fprog, whose instructions live until after the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size_of::<libc::sock_fprog>() as u32,
        )
    };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

/// What Linux makes of a filter on a packet of at least 257 bytes: the lengths of packets received with filters whose
/// returns keep one byte more than one byte of the result. None when the filter ended otherwise.
fn observe(insns: &[Insn], packet: &[u8]) -> Option<u32> {
    let (sender, receiver) = UnixDatagram::pair().unwrap();
    receiver.set_nonblocking(true).unwrap();
    let text = cbpf::to_asm(insns);
    let mut result = None;
    for byte in 0..4 {
        let mut observed = String::new();
        for line in text.lines() {
            let (label, statement) = line.split_at(8);
            match statement.strip_prefix("ret ") {
                Some("a") => observed += &format!("{label}ja end\n"),
                Some(value) => observed += &format!("{label}ld {value}\n ja end\n"),
                None => observed += &format!("{line}\n"),
            }
        }
        observed += &format!("end: rsh #{}\n and #0xff\n add #1\n ret a\n", 8 * byte);
        attach(&receiver, &cbpf::assemble(&observed).unwrap()).unwrap();
        sender.send(packet).unwrap();
        let received = receiver.recv(&mut [0; 512]).ok()?;
        assert!((1..=256).contains(&received), "{received} bytes of {observed}");
        *result.get_or_insert(0) |= (received as u32 - 1) << (8 * byte);
    }
    result
}

/// Extensions that have a value (0, mostly) where the packet comes through a Unix socket.
const OF_UNIX_PACKETS: &[Extension] = &[
    Extension::Protocol,
    Extension::PktType,
    Extension::NlAttr,
    Extension::NlAttrNest,
    Extension::Mark,
    Extension::Queue,
    Extension::Rxhash,
    Extension::AluXorX,
    Extension::VlanTci,
    Extension::VlanAvail,
    Extension::VlanTpid,
    Extension::PayOffset,
];

#[test]
fn filters_answer_as_in_linux() {
    let packets = prop::collection::vec(any::<u8>(), 257..300);
    let filters = cbpf::testing::socket_filter(60, 280, OF_UNIX_PACKETS, false);
    cases(700)
        .run(&(filters, packets), |(filter, packet)| {
            let observed = observe(filter.insns(), &packet);
            let result = filter.run(&Packet::new(&packet));
            prop_assert_eq!(observed.unwrap_or(0), result, "{}", cbpf::to_asm(filter.insns()));
            Ok(())
        })
        .unwrap();
}

#[test]
fn netlink_attributes_are_found_as_in_linux() {
    // Attributes of small types, some of lengths that do not fit, some nested by accident; and where to look for what.
    let attribute = (0_u16..5, prop_oneof![6 => 4_u16..24, 1 => 0_u16..4, 1 => any::<u16>()]);
    let input = (prop::collection::vec(attribute, 60..80), 0_u32..400, 0_u32..5, any::<bool>());
    cases(2000)
        .run(&input, |(attributes, offset, kind, nested)| {
            let mut packet = Vec::new();
            for (kind, len) in attributes {
                packet.extend([len.to_ne_bytes(), kind.to_ne_bytes()].concat());
                packet.resize(packet.len() + usize::from(len % 8 / 4 * 4), 0);
            }
            packet.resize(300, 0);
            let word = if nested { "nlan" } else { "nla" };
            let text = format!("ld #{}\nldx #{kind}\nld {word}\nret a", offset & !3);
            let filter = SocketFilter::new(cbpf::assemble(&text).unwrap()).unwrap();
            prop_assert_eq!(observe(filter.insns(), &packet), Some(filter.run(&Packet::new(&packet))));
            Ok(())
        })
        .unwrap();
}

/// Programs that are nearly valid: jumps and scratch words are small, and a return is at the end.
fn nearly_valid() -> impl Strategy<Value = Vec<Insn>> {
    let insn = (cbpf::testing::insn(), 0_u8..6, 0_u8..6, prop_oneof![3 => 0_u32..18, 1 => any::<u32>()]);
    let shaped = insn.prop_map(|(insn, jt, jf, k)| match insn.code & 7 {
        5 => Insn { jt, jf, k, ..insn },
        1..=3 => Insn { k, ..insn },
        _ => insn,
    });
    // Mostly known codes.
    let known =
        shaped.prop_map(|insn| if insn.op().is_some() || insn.k == 7 { insn } else { Insn::new(4, insn.k) });
    (prop::collection::vec(known, 0..10), any::<bool>()).prop_map(|(mut insns, returns)| {
        insns.extend(returns.then_some(Insn::new(6, 0)));
        insns
    })
}

#[test]
fn checks_accept_what_linux_attaches() {
    let (_sender, receiver) = UnixDatagram::pair().unwrap();
    let accepted = std::cell::Cell::new(0);
    cases(20_000)
        .run(&nearly_valid(), |insns| {
            let verdict = SocketFilter::new(insns.clone());
            let attached = attach(&receiver, &insns);
            prop_assert_eq!(
                verdict.is_ok(),
                attached.is_ok(),
                "{:?} {:?}\n{}",
                verdict.err(),
                attached,
                cbpf::to_asm(&insns)
            );
            accepted.set(accepted.get() + u32::from(attached.is_ok()));
            Ok(())
        })
        .unwrap();
    assert!(accepted.get() > 2000, "{} accepted", accepted.get());
}

/// Puts a filter on this thread behind a return that allows everything, so that it is checked and never runs.
fn check_seccomp(insns: &[Insn]) -> std::io::Result<()> {
    const SECCOMP_RET_ALLOW: u32 = 0x7fff_0000;
    let mut harmless = vec![Insn::new(6, SECCOMP_RET_ALLOW)];
    harmless.extend(insns);
    let mut bytes = cbpf::encode(&harmless, Endian::HOST);
    let program = fprog(&mut bytes);
    // SAFETY: takes no address; only this thread is affected.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
    // SAFETY: takes a sock_fprog, whose instructions live until after the call.
    let result =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

#[test]
fn checks_accept_what_seccomp_takes() {
    // A thread takes some hundred filters, each of which costs its later system calls.
    for _ in 0..10 {
        let thread = std::thread::spawn(|| {
            let mut accepted = 0;
            let mut runner = cases(1);
            for _ in 0..300 {
                let insns = nearly_valid().new_tree(&mut runner).unwrap().current();
                if insns.is_empty() {
                    continue;
                }
                let (verdict, taken) = (SeccompFilter::new(insns.clone()), check_seccomp(&insns));
                assert_eq!(
                    verdict.is_ok(),
                    taken.is_ok(),
                    "{:?} {taken:?}\n{}",
                    verdict.err(),
                    cbpf::to_asm(&insns)
                );
                accepted += u32::from(taken.is_ok());
            }
            accepted
        });
        assert!(thread.join().unwrap() > 10);
    }
}

/// Extensions that a test run gives a value that is known.
const OF_TEST_RUNS: &[Extension] = &[
    Extension::Protocol,
    Extension::PktType,
    Extension::Ifindex,
    Extension::Mark,
    Extension::Queue,
    Extension::Rxhash,
    Extension::AluXorX,
    Extension::VlanTci,
    Extension::VlanAvail,
    Extension::VlanTpid,
];

#[test]
fn translations_answer_as_filters_do() {
    let Some(kernel) = linux() else { return };
    let packets = prop::collection::vec(any::<u8>(), 14..120);
    let filters = cbpf::testing::socket_filter(60, 80, OF_TEST_RUNS, true);
    cases(2000)
        .run(&(filters, packets, any::<u32>()), |(filter, mut bytes, mark)| {
            // To the loopback device, of a protocol that the kernel does not look into.
            bytes[..14].copy_from_slice(&[0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 0x88, 0xb5]);
            let packet = Packet {
                buffer: &bytes,
                data: 14,
                network_header: 14,
                mac_header: Some(0),
                protocol: 0x88b5,
                device: Some(Device { ifindex: 1, hatype: 772 }),
                mark,
                ..Packet::default()
            };
            let text = cbpf::to_asm(filter.insns());
            let insns = filter.to_ebpf().unwrap();
            let prog = kernel.prog_load(&raw_program(ProgramType::SocketFilter, insns));
            let prog =
                prog.map_err(|error| TestCaseError::fail(format!("{error}\n{}\n{text}", error.log)))?;
            let mut ctx_in = vec![0; 192];
            ctx_in[8..12].copy_from_slice(&mark.to_ne_bytes());
            let run = TestRun { data_in: bytes.clone(), ctx_in, ..TestRun::default() };
            let result = kernel.prog_test_run(prog, &run).unwrap();
            kernel.close(prog).unwrap();
            prop_assert_eq!(result.retval, filter.run(&packet), "{}", text);
            Ok(())
        })
        .unwrap();
}
