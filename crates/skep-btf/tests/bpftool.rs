//! The raw and JSON forms are those of bpftool, byte for byte.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use skep_btf::Btf;

const KERNEL: &str = "/sys/kernel/btf/vmlinux";

/// What bpftool prints for a file; `None` where bpftool is not installed.
fn bpftool(flags: &[&str], file: &Path) -> Option<String> {
    let output = Command::new("bpftool").args(flags).args(["btf", "dump", "file"]).arg(file).output();
    let output = match output {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return None,
        other => other.unwrap(),
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

fn assert_same(ours: &str, theirs: &str) {
    for (i, (ours, theirs)) in ours.lines().zip(theirs.lines()).enumerate() {
        assert_eq!(ours, theirs, "line {}", i + 1);
    }
    assert_eq!(ours.len(), theirs.len());
}

#[test]
fn kernel_btf() {
    let Ok(bytes) = std::fs::read(KERNEL) else {
        eprintln!("skipped: {KERNEL} is not there");
        return;
    };
    let btf = Btf::parse(&bytes).unwrap();
    assert!(btf.last_id() > 10_000);
    assert!(btf.to_bytes() == bytes, "write∘read is the identity");
    let Some(raw) = bpftool(&[], Path::new(KERNEL)) else {
        eprintln!("skipped: bpftool is not there");
        return;
    };
    assert_same(&btf.raw().to_string(), &raw);
    let json = bpftool(&["-j"], Path::new(KERNEL)).unwrap();
    let ours = btf.json().to_string();
    assert_same(&ours.replace("},{", "},\n{"), &json.trim_end().replace("},{", "},\n{"));
    let _ = Arc::new(btf);
}
