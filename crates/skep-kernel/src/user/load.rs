//! `BPF_PROG_LOAD`: what the kernel checks before and after the verifier, and the program's tag.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use sha2::{Digest, Sha256};
use skep_catalog::{AttachType, ProgramType};
use skep_isa::{Endian, RawInsn};
use skep_maps::Map;

use crate::error::{Errno, KernelError, LoadError};
use crate::interp::SourceLine;
use crate::kernel::{Fd, ProgBtf, ProgInfo, ProgLoad, Result};
use crate::program::{Program, ProgramSpec};

use super::UserKernel;
use super::fds::Handle;
use super::object::{BtfObject, MapObject, ProgObject, TailCallKind};

/// Instruction slots of a program at most (`BPF_COMPLEXITY_LIMIT_INSNS`).
const MAX_INSNS: usize = 1_000_000;
/// Load flags that Linux 6.18 knows: strict and any alignment, the three test flags, sleepable, XDP fragments and device
/// binding, register invariants, token.
const KNOWN_FLAGS: u32 = 0xff | 1 << 16;
/// Maps that a program names at most (`MAX_USED_MAPS`).
const MAX_USED_MAPS: usize = 64;
/// Bytes that the file names and texts of a program's source lines take at most; lines beyond show their numbers only. No
/// compiler comes near, but records may all name the longest string of a large BTF object.
const MAX_LINE_TEXT: usize = 64 << 20;
/// Sizes of a record of function information (`struct bpf_func_info` and the kernel's limit).
const FUNC_INFO_SIZES: std::ops::RangeInclusive<u32> = 8..=252;
/// Sizes of a record of line information (`struct bpf_line_info` and the kernel's limit).
const LINE_INFO_SIZES: std::ops::RangeInclusive<u32> = 16..=252;

/// Source kinds of `ld_imm64` that name maps.
const MAP_FD: u8 = 1;
const MAP_VALUE: u8 = 2;
const MAP_IDX: u8 = 5;
const MAP_IDX_VALUE: u8 = 6;

impl UserKernel {
    pub(super) fn load_program(&self, load: &ProgLoad) -> Result<Fd, LoadError> {
        let refuse = |errno, why: String| KernelError::new(errno, format!("program {}: {why}", load.name));
        let unknown = load.flags & !KNOWN_FLAGS;
        if unknown != 0 {
            return Err(refuse(Errno::EINVAL, format!("load flags {unknown:#x} do not exist")).into());
        }
        if load.insns.is_empty() || load.insns.len() > MAX_INSNS {
            let count = load.insns.len();
            return Err(
                refuse(Errno::E2BIG, format!("{count} instructions, 1 to {MAX_INSNS} are allowed")).into()
            );
        }
        let expected = default_attach_type(load.prog_type, load.expected_attach_type);
        check_attach_type(load.prog_type, expected, load.attach_btf_id)
            .map_err(|(errno, why)| refuse(errno, why))?;
        let name = super::names::checked(&load.name)?;
        let maps = self.program_maps(load)?;
        let btf = load.btf.as_ref().map(|btf| self.program_btf(load, btf)).transpose()?;
        let lines = match (&load.btf, &btf) {
            (Some(info), Some(object)) => source_lines(info, object),
            _ => Vec::new(),
        };
        let program = Program::load(ProgramSpec {
            prog_type: load.prog_type,
            expected_attach_type: expected,
            insns: &load.insns,
            maps: maps.iter().map(|map| Arc::clone(&map.map) as Arc<dyn Map>).collect(),
            license: &load.license,
            name: &name,
            flags: load.flags,
            lines,
            trace: Arc::clone(&self.trace),
        })?;
        let used = used_maps(&load.insns, &maps);
        if used.len() > MAX_USED_MAPS {
            let count = used.len();
            return Err(
                refuse(Errno::E2BIG, format!("names {count} maps, {MAX_USED_MAPS} are allowed")).into()
            );
        }
        let kind = TailCallKind { prog_type: load.prog_type, expected_attach_type: expected };
        for map in used.iter().filter(|map| map.map.prog_array().is_some()) {
            map.admit(kind)?;
        }
        let object = self.programs.create(|id| ProgObject {
            id,
            gpl_compatible: program.gpl_compatible(),
            program: Arc::new(program),
            kind,
            name,
            tag: tag(&load.insns),
            xlated: with_map_ids(&load.insns, &maps),
            maps: used,
            btf,
            stats: Arc::clone(&self.stats),
            run_cnt: AtomicU64::new(0),
            run_time_ns: AtomicU64::new(0),
        });
        let object = object.ok_or_else(|| refuse(Errno::ENOSPC, "all program ids are in use".to_owned()))?;
        Ok(self.fds.open(Handle::Program(object))?)
    }

    fn program_maps(&self, load: &ProgLoad) -> Result<Vec<Arc<MapObject>>, LoadError> {
        let resolve = |fd: &Fd| {
            self.fds.map(*fd).map(|(map, _)| Arc::clone(map.object())).map_err(|error| LoadError {
                errno: error.errno,
                what: format!("program {}: {}", load.name, error.what),
                log: format!("fd {} is not pointing to valid bpf_map\n", fd.0),
            })
        };
        load.maps.iter().map(resolve).collect()
    }

    fn program_btf(&self, load: &ProgLoad, info: &ProgBtf) -> Result<Arc<BtfObject>> {
        let object = self.fds.btf(info.fd)?;
        let tables = [
            ("func_info", &info.func_info, info.func_info_rec_size, FUNC_INFO_SIZES),
            ("line_info", &info.line_info, info.line_info_rec_size, LINE_INFO_SIZES),
        ];
        for (name, records, size, sizes) in tables {
            check_records(name, records, size, &sizes, load.insns.len())
                .map_err(|why| KernelError::new(Errno::EINVAL, format!("program {}: {why}", load.name)))?;
        }
        Ok(object)
    }

    pub(super) fn info_of_program(&self, fd: Fd) -> Result<ProgInfo> {
        use std::sync::atomic::Ordering::Relaxed;
        let object = self.fds.program(fd)?;
        Ok(ProgInfo {
            id: object.id.number(),
            prog_type: object.kind.prog_type,
            name: object.name.clone(),
            tag: object.tag,
            gpl_compatible: object.gpl_compatible,
            map_ids: object.maps.iter().map(|map| map.id.number()).collect(),
            btf_id: object.btf.as_ref().map_or(0, |btf| btf.id.number()),
            xlated: object.xlated.clone(),
            run_time_ns: object.run_time_ns.load(Relaxed),
            run_cnt: object.run_cnt.load(Relaxed),
        })
    }
}

/// The attach type that a program has when it names none, in the two types that once had only one.
fn default_attach_type(prog_type: ProgramType, expected: Option<AttachType>) -> Option<AttachType> {
    // Number 0 is a type of its own and also how "none" is said.
    let named = expected.filter(|attach| attach.number() != 0);
    match prog_type {
        ProgramType::CgroupSock => named.or(Some(AttachType::CgroupInetSockCreate)),
        ProgramType::SkReuseport => named.or(Some(AttachType::SkReuseportSelect)),
        _ => expected,
    }
}

/// The attach types of program types that check them when they are loaded (6.18); the others take any.
fn attach_types(prog_type: ProgramType) -> Option<&'static [AttachType]> {
    use AttachType as A;
    Some(match prog_type {
        ProgramType::CgroupSkb => &[A::CgroupInetIngress, A::CgroupInetEgress],
        ProgramType::CgroupSock => &[
            A::CgroupInetSockCreate,
            A::CgroupInetSockRelease,
            A::CgroupInet4PostBind,
            A::CgroupInet6PostBind,
        ],
        ProgramType::CgroupSockAddr => &[
            A::CgroupInet4Bind,
            A::CgroupInet6Bind,
            A::CgroupInet4Connect,
            A::CgroupInet6Connect,
            A::CgroupUnixConnect,
            A::CgroupInet4Getpeername,
            A::CgroupInet6Getpeername,
            A::CgroupUnixGetpeername,
            A::CgroupInet4Getsockname,
            A::CgroupInet6Getsockname,
            A::CgroupUnixGetsockname,
            A::CgroupUdp4Sendmsg,
            A::CgroupUdp6Sendmsg,
            A::CgroupUnixSendmsg,
            A::CgroupUdp4Recvmsg,
            A::CgroupUdp6Recvmsg,
            A::CgroupUnixRecvmsg,
        ],
        ProgramType::CgroupSockopt => &[A::CgroupGetsockopt, A::CgroupSetsockopt],
        ProgramType::SkLookup => &[A::SkLookup],
        ProgramType::SkReuseport => &[A::SkReuseportSelect, A::SkReuseportSelectOrMigrate],
        ProgramType::Netfilter => &[A::Netfilter],
        ProgramType::Syscall | ProgramType::Ext => &[A::CgroupInetIngress],
        _ => return None,
    })
}

fn check_attach_type(
    prog_type: ProgramType,
    expected: Option<AttachType>,
    attach_btf_id: u32,
) -> std::result::Result<(), (Errno, String)> {
    use ProgramType::{Ext, Lsm, StructOps, Tracing, Unspec};
    let name = prog_type.uapi_name();
    let takes_target = matches!(prog_type, Tracing | Lsm | StructOps | Ext);
    if prog_type == Unspec {
        return Err((Errno::EINVAL, format!("{name} is not a type to load")));
    }
    if attach_btf_id != 0 && !takes_target {
        return Err((Errno::EINVAL, format!("programs of type {name} have no attach_btf_id")));
    }
    // Number 0, the first of all attach types, also stands for none.
    let attach = expected.unwrap_or(AttachType::CgroupInetIngress);
    if attach_types(prog_type).is_some_and(|allowed| !allowed.contains(&attach)) {
        return Err((Errno::EINVAL, format!("{} is not an attach type of {name}", attach.uapi_name())));
    }
    if takes_target && attach_btf_id == 0 {
        return Err((
            Errno::EINVAL,
            format!("programs of type {name} name what they attach to by attach_btf_id"),
        ));
    }
    if takes_target {
        let why = "has no BTF of its own that attach_btf_id could name; the linux target has";
        return Err((Errno::EOPNOTSUPP, format!("type {name}: the user-space kernel {why}")));
    }
    Ok(())
}

/// Checks the table of func_info or line_info records: their size, and that the slots they name rise.
fn check_records(
    name: &str,
    records: &[u8],
    size: u32,
    sizes: &std::ops::RangeInclusive<u32>,
    slots: usize,
) -> std::result::Result<(), String> {
    if records.is_empty() {
        return Ok(());
    }
    if !sizes.contains(&size) || !size.is_multiple_of(4) || !records.len().is_multiple_of(size as usize) {
        return Err(format!("{name}: {} bytes in records of {size} bytes", records.len()));
    }
    let mut last = None;
    for (number, record) in records.chunks_exact(size as usize).enumerate() {
        let slot = record.first_chunk().map_or(0, |bytes| u32::from_ne_bytes(*bytes));
        let rises = match last {
            None => slot == 0,
            Some(before) => slot > before,
        };
        if !rises || slot as usize >= slots {
            return Err(format!("{name}: record {number} names instruction {slot}"));
        }
        last = Some(slot);
    }
    Ok(())
}

fn source_lines(info: &ProgBtf, object: &BtfObject) -> Vec<SourceLine> {
    let mut room = MAX_LINE_TEXT;
    SourceLine::parse(&info.line_info, info.line_info_rec_size as usize, |offset| {
        within(&mut room, object.btf.str(offset).unwrap_or_default())
    })
}

/// A copy of `text` as long as there is room; empty from then on.
fn within(room: &mut usize, text: &str) -> String {
    match room.checked_sub(text.len()) {
        Some(left) => {
            *room = left;
            text.to_owned()
        }
        None => {
            *room = 0;
            String::new()
        }
    }
}

/// Slots that name a map by index, with the index.
fn map_references(insns: &[RawInsn]) -> impl Iterator<Item = (usize, u32)> + '_ {
    let mut second = false;
    insns.iter().enumerate().filter_map(move |(slot, insn)| {
        let first = !second && insn.is_wide();
        second = first;
        let names_map = first && matches!(insn.src, MAP_IDX | MAP_IDX_VALUE);
        names_map.then(|| u32::try_from(insn.imm).ok().map(|index| (slot, index))).flatten()
    })
}

/// Maps that the instructions name, each once, in the order in which they come.
fn used_maps(insns: &[RawInsn], maps: &[Arc<MapObject>]) -> Vec<Arc<MapObject>> {
    let mut used: Vec<Arc<MapObject>> = Vec::new();
    let mut seen = vec![false; maps.len()];
    for (_, index) in map_references(insns) {
        let index = index as usize;
        if let (Some(map), Some(false)) = (maps.get(index), seen.get(index)) {
            seen[index] = true;
            if !used.iter().any(|other| Arc::ptr_eq(other, map)) {
                used.push(Arc::clone(map));
            }
        }
    }
    used
}

/// The instructions with maps named by id, as the kernel shows them.
fn with_map_ids(insns: &[RawInsn], maps: &[Arc<MapObject>]) -> Vec<RawInsn> {
    let mut shown = insns.to_vec();
    for (slot, index) in map_references(insns) {
        if let (Some(insn), Some(map)) = (shown.get_mut(slot), maps.get(index as usize)) {
            insn.src = if insn.src == MAP_IDX { MAP_FD } else { MAP_VALUE };
            insn.imm = map.id.number() as i32;
        }
    }
    shown
}

/// First 8 bytes of the SHA-256 of the instructions, the immediates of maps named by descriptor zeroed (SHA-1 before Linux
/// 6.18).
pub(super) fn tag(insns: &[RawInsn]) -> [u8; 8] {
    let mut hash = Sha256::new();
    // The first slot of an ld_imm64 came just before; whether it names a map.
    let mut wide: Option<bool> = None;
    for insn in insns {
        let mut insn = *insn;
        match wide.take() {
            Some(true) => insn.imm = 0,
            Some(false) => {}
            None if insn.is_wide() => {
                let map = matches!(insn.src, MAP_FD | MAP_VALUE);
                if map {
                    insn.imm = 0;
                }
                wide = Some(map);
            }
            None => {}
        }
        hash.update(insn.to_bytes(Endian::HOST));
    }
    let digest = hash.finalize();
    std::array::from_fn(|at| digest.get(at).copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(text: &[(u8, u8, u8, i32)]) -> Vec<RawInsn> {
        text.iter().map(|&(opcode, dst, src, imm)| RawInsn { opcode, dst, src, off: 0, imm }).collect()
    }

    #[test]
    fn text_ends_where_the_room_ends() {
        let mut room = 10;
        let texts = ["abcdef", "abcd", "a", ""].map(|text| within(&mut room, text));
        assert_eq!(texts, ["abcdef", "abcd", "", ""]);
    }

    /// Tags that Linux 6.18 gave.
    #[test]
    fn tags_are_those_of_linux() {
        let hex = |tag: [u8; 8]| tag.map(|byte| format!("{byte:02x}")).concat();
        let end = [(0xb7, 0, 0, 7), (0x95, 0, 0, 0)];
        assert_eq!(hex(tag(&slots(&end))), "9efe8873120741b3");
        let table = [
            (MAP_FD, 4, 0, "6751555a61820a41"),
            (MAP_VALUE, 4, 0, "b68374b750a30f8c"),
            (MAP_VALUE, 9, 4, "b68374b750a30f8c"),
            (MAP_IDX, 0, 0, "e71fa7612a68064c"),
            (MAP_IDX_VALUE, 0, 0, "2cc88284b8eb9ee4"),
            (MAP_IDX_VALUE, 0, 4, "ca22c8350e053d93"),
        ];
        for (kind, low, high, expected) in table {
            let mut program = slots(&[(0x18, 1, kind, low), (0, 0, 0, high)]);
            program.extend(slots(&end));
            assert_eq!(hex(tag(&program)), expected, "kind {kind}, offset {high}");
        }
    }
}
