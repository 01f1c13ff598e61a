//! `Btf::validate` accepts what `BPF_BTF_LOAD` accepts and refuses what it refuses.

use proptest::prelude::*;
use proptest::sample::Index;
use skep_btf::{Btf, Endian, testing};

/// What the kernel says about BTF: the last line of its log where it refuses.
fn load(bytes: &[u8]) -> Result<(), (i32, String)> {
    #[repr(C)]
    struct Attr {
        btf: u64,
        log_buf: u64,
        btf_size: u32,
        log_size: u32,
        log_level: u32,
        log_true_size: u32,
        flags: u32,
        token_fd: i32,
    }
    const BPF_BTF_LOAD: libc::c_long = 18;
    let mut log = vec![0u8; 1 << 16];
    let attr = Attr {
        btf: bytes.as_ptr() as u64,
        log_buf: log.as_mut_ptr() as u64,
        btf_size: bytes.len() as u32,
        log_size: log.len() as u32,
        log_level: 1,
        log_true_size: 0,
        flags: 0,
        token_fd: 0,
    };
    // SAFETY: `attr` is the BTF_LOAD form of union bpf_attr; both buffers outlive the call and have the stated sizes.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, BPF_BTF_LOAD, &raw const attr, size_of::<Attr>()) };
    if fd < 0 {
        let errno = std::io::Error::last_os_error().raw_os_error().unwrap();
        let text = String::from_utf8_lossy(&log);
        let text = text.trim_end_matches('\0').trim_end();
        return Err((errno, text.lines().last().unwrap_or_default().to_owned()));
    }
    // SAFETY: the descriptor was just made and belongs to nobody else.
    assert_eq!(unsafe { libc::close(fd as i32) }, 0);
    Ok(())
}

/// Whether this process may load BTF here.
fn may_load() -> bool {
    let smallest = testing::build(&[skep_btf::TypeDef::Ptr { target: 0 }], Endian::HOST).unwrap();
    match load(&smallest.to_bytes()) {
        Ok(()) => true,
        Err((libc::EPERM | libc::ENOSYS, _)) => {
            skep_testing::skip!("bpf(BPF_BTF_LOAD) is not permitted here");
            false
        }
        Err(other) => panic!("the smallest BTF is refused: {other:?}"),
    }
}

fn cases() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(300);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

#[test]
fn generated_btf_loads() {
    if !may_load() {
        return;
    }
    proptest!(cases(), |(defs in testing::defs(60))| {
        let btf = testing::build(&defs, Endian::HOST).unwrap();
        prop_assert_eq!(btf.validate(), Ok(()));
        if let Err(e) = load(&btf.to_bytes()) {
            return Err(TestCaseError::fail(format!("{e:?}\n{}", btf.raw())));
        }
    });
}

/// A change of one 32-bit word.
fn mutation() -> impl Strategy<Value = (Index, u32, bool)> {
    let small = 0u32..40;
    let value = prop_oneof![
        4 => small.clone(),
        2 => (0u32..20, small, any::<bool>()).prop_map(|(kind, vlen, flag)| u32::from(flag) << 31 | kind << 24 | vlen),
        1 => any::<u32>(),
        1 => (0u32..32).prop_map(|bit| 1 << bit),
    ];
    (any::<Index>(), value, any::<bool>())
}

/// Asks both and compares.
fn compare(bytes: &[u8]) -> Result<(), TestCaseError> {
    let ours = Btf::parse(bytes).and_then(|btf| btf.validate());
    let theirs = load(bytes);
    // Linux lets these pass where it meets the types in a certain order; see the documentation of `validate`.
    let stricter = ours.as_ref().is_err_and(|e| {
        let text = e.to_string();
        text.contains("made of itself") || text.contains("FUNC '") && text.contains("is not a type")
    });
    if ours.is_ok() != theirs.is_ok() && !stricter {
        let text = Btf::parse(bytes).map_or_else(|e| e.to_string(), |btf| btf.raw().to_string());
        return Err(TestCaseError::fail(format!("ours: {ours:?}\nkernel: {theirs:?}\n{text}\n{bytes:?}")));
    }
    Ok(())
}

#[test]
fn changed_types_get_the_kernels_verdict() {
    if !may_load() {
        return;
    }
    proptest!(cases(), |(defs in testing::defs(12), mutations in proptest::collection::vec(mutation(), 1..4))| {
        let btf = testing::build(&defs, Endian::HOST).unwrap();
        let mut bytes = btf.to_bytes();
        let types = btf.own_types().map(|ty| 12 + ty_len(ty)).sum::<usize>();
        for (at, value, xor) in mutations {
            let at = 24 + at.index(types / 4) * 4;
            let old = u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap());
            let new = if xor { old ^ value } else { value };
            bytes[at..at + 4].copy_from_slice(&new.to_ne_bytes());
        }
        compare(&bytes)?;
    });
}

#[test]
fn changed_headers_and_strings_get_the_kernels_verdict() {
    if !may_load() {
        return;
    }
    let change = (any::<bool>(), any::<Index>(), 0u8..70, any::<bool>());
    proptest!(cases(), |(
        defs in testing::defs(4),
        changes in proptest::collection::vec(change, 0..3),
        tail in proptest::option::weighted(0.2, 0usize..5),
        cut in proptest::option::weighted(0.2, 1usize..40),
    )| {
        let mut bytes = testing::build(&defs, Endian::HOST).unwrap().to_bytes();
        for (in_header, at, value, add) in changes {
            let at = if in_header { at.index(24) } else { bytes.len() - 1 - at.index(bytes.len().min(30)) };
            bytes[at] = if add { bytes[at].wrapping_add(value % 9).wrapping_sub(4) } else { value };
        }
        bytes.resize(bytes.len() + tail.unwrap_or(0), 0);
        bytes.truncate(bytes.len().saturating_sub(cut.unwrap_or(0)));
        compare(&bytes)?;
    });
}

fn ty_len(ty: skep_btf::Type<'_>) -> usize {
    use skep_btf::Kind;
    let vlen = usize::from(ty.vlen());
    match ty.kind() {
        Kind::Int | Kind::Var | Kind::DeclTag => 4,
        Kind::Array => 12,
        Kind::Enum | Kind::FuncProto => 8 * vlen,
        Kind::Struct | Kind::Union | Kind::Datasec | Kind::Enum64 => 12 * vlen,
        _ => 0,
    }
}

#[test]
fn the_kernels_own_btf_is_valid() {
    let Ok(bytes) = std::fs::read("/sys/kernel/btf/vmlinux") else {
        skep_testing::skip!("/sys/kernel/btf/vmlinux is not there");
        return;
    };
    Btf::parse(&bytes).unwrap().validate().unwrap();
}
