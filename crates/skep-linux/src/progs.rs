//! Programs: loading, test runs, information.

use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use skep_catalog::{AttachType, Command, ProgramType};
use skep_isa::{Endian, RawInsn, decode_slots, encode_slots};
use skep_kernel::{
    Errno, Fd, KernelError, LoadError, ObjectKind, ProgInfo, ProgLoad, Result, TestRun, TestRunResult,
};

use crate::explain::refused;
use crate::log::{count, with_log};
use crate::objects::{c_string, name_bytes, name_from};
use crate::sys::{address, address_mut, raw};
use crate::{LinuxKernel, attr, sys};

/// Times to try again when the kernel answers `EAGAIN`: a signal came while it verified.
const TRIES: usize = 5;

impl LinuxKernel {
    pub(crate) fn load_program(&self, load: &ProgLoad) -> Result<Fd, LoadError> {
        let license = c_string(load.license.as_bytes())?;
        // These hold the descriptors open during the call.
        let maps =
            load.maps.iter().map(|map| self.fds.get(*map, ObjectKind::Map)).collect::<Result<Vec<_>>>()?;
        let fds: Vec<i32> = maps.iter().map(|map| map.as_fd().as_raw_fd()).collect();
        let insns = encode_slots(&with_descriptors(&load.insns, &fds)?, Endian::HOST);
        let mut request = attr::ProgLoad {
            prog_type: load.prog_type.number(),
            insn_cnt: count(load.insns.len(), "instructions")?,
            insns: address(&insns),
            license: address(license.as_bytes_with_nul()),
            kern_version: load.kern_version,
            prog_flags: load.flags,
            prog_name: name_bytes(&load.name),
            expected_attach_type: load.expected_attach_type.map_or(0, AttachType::number),
            attach_btf_id: load.attach_btf_id,
            ..attr::ProgLoad::default()
        };
        let btf = load.btf.as_ref().map(|btf| self.fds.get(btf.fd, ObjectKind::Btf)).transpose()?;
        if let (Some(object), Some(info)) = (&btf, &load.btf) {
            request.prog_btf_fd = raw(object.as_fd());
            request.func_info_rec_size = info.func_info_rec_size;
            request.func_info_cnt = records(&info.func_info, info.func_info_rec_size, "function")?;
            request.func_info = address(&info.func_info);
            request.line_info_rec_size = info.line_info_rec_size;
            request.line_info_cnt = records(&info.line_info, info.line_info_rec_size, "line")?;
            request.line_info = address(&info.line_info);
        }
        let loaded = with_log(load.log_level, |log_level, log| {
            request.log_level = log_level;
            request.log_size = log.len() as u32;
            request.log_buf = address_mut(log);
            let mut result = Err(Errno::EAGAIN);
            for _ in 0..TRIES {
                // SAFETY: every array has the length that is given, the license is a zero-terminated string; the
                // command gives a descriptor.
                result = self.with_memlock(|| unsafe { sys::bpf_fd(Command::ProgLoad, &mut { request }) });
                if !matches!(result, Err(Errno::EAGAIN)) {
                    break;
                }
            }
            result
        });
        match loaded {
            Ok(fd) => Ok(self.fds.insert(fd, ObjectKind::Program)),
            Err((errno, log)) => {
                let what = format!(
                    "loading program `{}` ({}, {} instructions)",
                    load.name,
                    load.prog_type,
                    load.insns.len()
                );
                Err(LoadError { log, ..refused(Command::ProgLoad, errno, what).into() })
            }
        }
    }

    pub(crate) fn test_run(&self, prog: Fd, run: &TestRun) -> Result<TestRunResult> {
        let object = self.fds.get(prog, ObjectKind::Program)?;
        // The kernel would refuse such sizes, but only after the buffers are there.
        const MOST: u32 = 64 << 20;
        if run.data_out_size.max(run.ctx_out_size) > MOST {
            let what =
                format!("test run of descriptor {}: room for more than {MOST} bytes of output", prog.0);
            return Err(KernelError::new(Errno::EINVAL, what));
        }
        let mut data_out = vec![0; run.data_out_size as usize];
        let mut ctx_out = vec![0; run.ctx_out_size as usize];
        let mut request = attr::TestRun {
            prog_fd: raw(object.as_fd()),
            data_size_in: count(run.data_in.len(), "bytes of packet data")?,
            data_in: address(&run.data_in),
            data_size_out: run.data_out_size,
            data_out: address_mut(&mut data_out),
            ctx_size_in: count(run.ctx_in.len(), "bytes of context")?,
            ctx_in: address(&run.ctx_in),
            ctx_size_out: run.ctx_out_size,
            ctx_out: address_mut(&mut ctx_out),
            repeat: run.repeat,
            flags: run.flags,
            cpu: run.cpu,
            ..attr::TestRun::default()
        };
        // SAFETY: all four buffers have the lengths that are given.
        unsafe { sys::bpf(Command::ProgTestRun, &mut request) }.map_err(|errno| {
            let what = format!(
                "test run of the program with descriptor {} ({} bytes of data, {} of context)",
                prog.0,
                run.data_in.len(),
                run.ctx_in.len()
            );
            refused(Command::ProgTestRun, errno, what)
        })?;
        // Without a buffer the kernel still says how long the output was.
        data_out.truncate(request.data_size_out as usize);
        ctx_out.truncate(request.ctx_size_out as usize);
        Ok(TestRunResult {
            retval: request.retval,
            data_out,
            ctx_out,
            duration: Duration::from_nanos(request.duration.into()),
        })
    }

    pub(crate) fn info_of_program(&self, prog: Fd) -> Result<ProgInfo> {
        let object = self.fds.get(prog, ObjectKind::Program)?;
        let ask = |info: &mut attr::ProgInfo| {
            // SAFETY: the structure for programs; the buffers in it have the lengths that are given there.
            unsafe { sys::info(object.as_fd(), info) }.map_err(|errno| {
                let what = format!("asking about the program with descriptor {}", prog.0);
                refused(Command::ObjGetInfoByFd, errno, what)
            })
        };
        let mut sizes = attr::ProgInfo::default();
        ask(&mut sizes)?;
        // A program's maps and instructions do not change any more.
        let mut map_ids = vec![0_u32; sizes.nr_map_ids as usize];
        let mut xlated = vec![0_u8; sizes.xlated_prog_len as usize];
        let mut info = attr::ProgInfo {
            nr_map_ids: sizes.nr_map_ids,
            map_ids: address_mut(&mut map_ids),
            xlated_prog_len: sizes.xlated_prog_len,
            xlated_prog_insns: address_mut(&mut xlated),
            ..attr::ProgInfo::default()
        };
        ask(&mut info)?;
        let prog_type = ProgramType::from_number(info.prog_type).ok_or_else(|| {
            let what =
                format!("program {} has type {}, which is newer than this program", info.id, info.prog_type);
            KernelError::new(Errno::ENOTSUPP, what)
        })?;
        // Without privileges the kernel withholds instructions and clears their address.
        if info.xlated_prog_insns == 0 {
            xlated.clear();
        }
        let xlated = decode_slots(&xlated, Endian::HOST).map_err(|error| {
            KernelError::new(Errno::EIO, format!("instructions of program {}: {error}", info.id))
        })?;
        Ok(ProgInfo {
            id: info.id,
            prog_type,
            name: name_from(&info.name),
            tag: info.tag,
            gpl_compatible: info.gpl_compatible & 1 != 0,
            map_ids,
            btf_id: info.btf_id,
            xlated,
            run_time_ns: info.run_time_ns,
            run_cnt: info.run_cnt,
        })
    }
}

/// The instructions with maps named by descriptor (kinds 1 and 2), which every kernel knows; by index (kinds 5 and 6) came
/// with Linux 5.14.
fn with_descriptors(insns: &[RawInsn], fds: &[i32]) -> Result<Vec<RawInsn>> {
    // Source kinds of `ld_imm64` and of calls (linux/bpf.h).
    const PSEUDO_MAP_FD: u8 = 1;
    const PSEUDO_MAP_VALUE: u8 = 2;
    const PSEUDO_MAP_IDX: u8 = 5;
    const PSEUDO_MAP_IDX_VALUE: u8 = 6;
    const CALL: u8 = 0x85;
    const PSEUDO_KFUNC_CALL: u8 = 2;
    let mut insns = insns.to_vec();
    let mut slot = 0;
    while let Some(insn) = insns.get_mut(slot) {
        if insn.opcode == CALL && insn.src == PSEUDO_KFUNC_CALL && insn.off != 0 {
            let what =
                format!("slot {slot} calls a function of a kernel module, whose BTF the load does not bring");
            return Err(KernelError::new(Errno::EINVAL, what));
        }
        let kind = match insn.src {
            PSEUDO_MAP_IDX => Some(PSEUDO_MAP_FD),
            PSEUDO_MAP_IDX_VALUE => Some(PSEUDO_MAP_VALUE),
            _ => None,
        };
        if insn.is_wide()
            && let Some(kind) = kind
        {
            let fd = usize::try_from(insn.imm).ok().and_then(|index| fds.get(index));
            insn.imm = *fd.ok_or_else(|| {
                let what =
                    format!("slot {slot} names map {} of {} that the load brings", insn.imm, fds.len());
                KernelError::new(Errno::EINVAL, what)
            })?;
            insn.src = kind;
        }
        slot += if insn.is_wide() { 2 } else { 1 };
    }
    Ok(insns)
}

/// How many records these bytes are.
fn records(bytes: &[u8], size: u32, what: &str) -> Result<u32> {
    if bytes.is_empty() {
        return Ok(0);
    }
    if size == 0 || !bytes.len().is_multiple_of(size as usize) {
        let what =
            format!("{} bytes of {what} information are not whole records of {size} bytes", bytes.len());
        return Err(KernelError::new(Errno::EINVAL, what));
    }
    count(bytes.len() / size as usize, "records")
}
