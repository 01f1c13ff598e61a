//! What several tests share: a text form of objects, and a writer of ELF files that can also write wrong ones.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::fmt::Write as _;

use skep_object::{
    Endian, ExternKind, FuncRef, LinkedProgram, MapDef, MapOrigin, Object, Relocation, SlotValue, Target,
};

/// Everything an object says, one thing a line.
pub fn show(object: &Object) -> String {
    let mut out = String::new();
    let o = &mut out;
    let _ = writeln!(
        o,
        "object {} {:?} license {:?} version {:#x}",
        object.name, object.endian, object.license, object.version
    );
    for p in &object.programs {
        let kind = p.kind.prog_type.map_or("?".into(), |t| format!("{t:?}"));
        let _ = write!(o, "program {} {:?} [{}] {kind}", p.name, p.linkage, p.section);
        if let Some(attach) = p.kind.attach_type {
            let _ = write!(o, " {attach:?}");
        }
        if p.kind.prog_flags != 0 {
            let _ = write!(o, " flags {:#x}", p.kind.prog_flags);
        }
        if p.kind.target != skep_object::AttachTarget::None {
            let _ = write!(o, " {:?}", p.kind.target);
        }
        if !p.autoload {
            let _ = write!(o, " autoload off");
        }
        show_code(o, object, &p.code);
    }
    for p in &object.subprograms {
        let _ = write!(o, "subprogram {} {:?} [{}]", p.name, p.linkage, p.section);
        show_code(o, object, &p.code);
    }
    for map in &object.maps {
        show_map(o, object, map, "map");
    }
    for v in &object.variables {
        let _ = write!(
            o,
            "variable {} {:?} {}+{:#x} size {} type {}",
            v.name,
            v.linkage,
            object.maps[v.map].name,
            v.offset,
            v.size,
            type_name(object, v.type_id)
        );
        match object.get_int(&v.name) {
            Ok(value) => {
                let _ = writeln!(o, " = {value}");
            }
            Err(_) => {
                let _ = writeln!(o);
            }
        }
    }
    for e in &object.externs {
        let kind = match e.kind {
            ExternKind::Kconfig { map, offset, size } => {
                format!("kconfig {}+{offset:#x} size {size}", object.maps[map].name)
            }
            other => format!("{other:?}"),
        };
        let _ = writeln!(o, "extern {}{} {kind} {:?}", if e.weak { "weak " } else { "" }, e.name, e.value);
    }
    for w in &object.warnings {
        let _ = writeln!(o, "warning: {w}");
    }
    out
}

fn type_name(object: &Object, id: u32) -> String {
    let Some(ty) = object.btf.as_ref().and_then(|btf| btf.get(id)) else { return "-".into() };
    if id == 0 { "-".into() } else { format!("{} {}", ty.kind(), ty.name_or_anon()) }
}

fn show_code(o: &mut String, object: &Object, code: &skep_object::Code) {
    let _ = writeln!(
        o,
        ": {} slots at {:#x}, type {}, {} lines, {} co-re",
        code.insns.len(),
        code.section_offset,
        code.func_type.map_or("-".into(), |id| type_name(object, id)),
        code.line_info.len(),
        code.core_relos.len()
    );
    for r in &code.relocations {
        let _ = writeln!(o, "  {}", show_relocation(object, r));
    }
    for p in &code.problems {
        let _ = writeln!(o, "  {}: problem {:?} {}: {}", p.slot, p.kind, p.symbol, p.reason);
    }
}

pub fn show_relocation(object: &Object, r: &Relocation) -> String {
    let target = match r.target {
        Target::Map(map) => format!("map {}", object.maps[map].name),
        Target::MapValue { map, offset } => format!("{}+{offset:#x}", object.maps[map].name),
        Target::Function(f) => format!("function {}", function(object, f)),
        Target::Extern(e) => format!("extern {}", object.externs[e].name),
    };
    format!("{}: {target}", r.slot)
}

fn function(object: &Object, f: FuncRef) -> String {
    object.function_name(f).unwrap_or("?").to_owned()
}

fn show_map(o: &mut String, object: &Object, map: &MapDef, what: &str) {
    let _ = write!(
        o,
        "{what} {} [{}+{:#x}] {} key {} value {} max {} flags {:#x}",
        map.name,
        map.section,
        map.section_offset,
        map.type_name().trim_start_matches("BPF_MAP_TYPE_"),
        map.key_size,
        map.value_size,
        map.max_entries,
        map.map_flags
    );
    if map.numa_node != 0 {
        let _ = write!(o, " numa {}", map.numa_node);
    }
    if map.map_extra != 0 {
        let _ = write!(o, " extra {}", map.map_extra);
    }
    if map.pinning.number() != 0 {
        let _ = write!(o, " pinning {:?}", map.pinning);
    }
    if map.key_type_id != 0 || map.value_type_id != 0 {
        let _ = write!(
            o,
            " types {} / {}",
            type_name(object, map.key_type_id),
            type_name(object, map.value_type_id)
        );
    }
    if map.frozen {
        let _ = write!(o, " frozen");
    }
    match &map.origin {
        MapOrigin::Btf => {}
        MapOrigin::Legacy(r) => {
            let _ = write!(o, " legacy {} id {} inner {} at {}", r.size, r.id, r.inner_id, r.inner_idx);
        }
        MapOrigin::Data(kind) => {
            let _ = write!(o, " {kind:?}, {} bytes given", map.data.len());
        }
        MapOrigin::StructOps(ops) => {
            let _ = write!(o, " {}", ops.type_name);
            for &(offset, f) in &ops.members {
                let _ = write!(o, " +{offset:#x}={}", function(object, f));
            }
            let _ = write!(o, " link {} autocreate {}", ops.link, ops.autocreate);
        }
    }
    for slot in &map.slots {
        let value = match slot.value {
            SlotValue::Map(map) => &object.maps[map].name,
            SlotValue::Program(program) => &object.programs[program].name,
        };
        let _ = write!(o, " [{}]={value}", slot.index);
    }
    let _ = writeln!(o);
    if let Some(inner) = &map.inner {
        show_map(o, object, inner, "  inner");
    }
}

/// The calls and 64-bit immediates of a linked program, with functions as headings.
pub fn show_linked(linked: &LinkedProgram) -> String {
    let mut out = String::new();
    let o = &mut out;
    let _ = writeln!(
        o,
        "{}: {} slots, maps {:?}, {} func_info, {} line_info",
        linked.name,
        linked.insns.len(),
        linked.maps,
        linked.func_info.len() / linked.func_info_rec_size as usize,
        linked.line_info.len() / linked.line_info_rec_size as usize
    );
    let mut slot = 0;
    while slot < linked.insns.len() {
        if let Some((function, 0)) = linked.function_at(slot) {
            let _ = writeln!(o, "{}..{} {}", function.start, function.end, function.name);
        }
        let insn = linked.insns[slot];
        let target = |imm: i32| {
            let target = (slot as i64 + 1 + i64::from(imm)) as usize;
            linked.function_at(target).map_or("?".into(), |(f, at)| format!("{}+{at}", f.name))
        };
        match (insn.opcode, insn.src) {
            (0x85, 0) => {
                let _ = writeln!(o, "  {slot}: call helper {}", insn.imm);
            }
            (0x85, 1) => {
                let _ = writeln!(o, "  {slot}: call {}", target(insn.imm));
            }
            (0x85, kind) => {
                let _ = writeln!(o, "  {slot}: call kind {kind} imm {} off {}", insn.imm, insn.off);
            }
            (0x18, 4) => {
                let _ = writeln!(o, "  {slot}: r{} = address of {}", insn.dst, target(insn.imm));
            }
            (0x18, kind) => {
                let next = linked.insns[slot + 1].imm;
                let _ = writeln!(o, "  {slot}: r{} = kind {kind} {} {next}", insn.dst, insn.imm);
            }
            _ => {}
        }
        slot += if insn.opcode == 0x18 { 2 } else { 1 };
    }
    for poison in &linked.poisons {
        let _ = writeln!(o, "poison {} {}", poison.slot, poison.symbol);
    }
    out
}

/// An ELF file to be: sections and symbols in the order they were added.
pub struct ElfFile {
    pub endian: Endian,
    pub machine: u16,
    pub sections: Vec<Sec>,
    pub symbols: Vec<Sym>,
}

pub struct Sec {
    pub name: String,
    pub kind: u32,
    pub flags: u64,
    pub data: Vec<u8>,
    /// Size to state instead of the data's.
    pub size: Option<u64>,
    pub link: u32,
    pub info: u32,
    pub entsize: u64,
}

pub struct Sym {
    pub name: String,
    pub section: u16,
    pub value: u64,
    pub size: u64,
    pub info: u8,
    pub other: u8,
}

pub const PROGBITS: u32 = 1;
pub const NOBITS: u32 = 8;
pub const REL: u32 = 9;
pub const ALLOC: u64 = 2;
pub const EXEC: u64 = 6;
pub const FUNC: u8 = 2;
pub const OBJECT: u8 = 1;
pub const NOTYPE: u8 = 0;
pub const SECTION: u8 = 3;
pub const LOCAL: u8 = 0;
pub const GLOBAL: u8 = 0x10;
pub const WEAK: u8 = 0x20;

impl ElfFile {
    pub fn new(endian: Endian) -> Self {
        ElfFile { endian, machine: 247, sections: Vec::new(), symbols: Vec::new() }
    }

    /// Adds a section and returns its number.
    pub fn section(&mut self, name: &str, kind: u32, flags: u64, data: Vec<u8>) -> u16 {
        self.sections.push(Sec {
            name: name.into(),
            kind,
            flags,
            data,
            size: None,
            link: 0,
            info: 0,
            entsize: 0,
        });
        self.sections.len() as u16
    }

    pub fn code(&mut self, name: &str, insns: &[[u8; 8]]) -> u16 {
        let data = insns.iter().flat_map(|insn| self.insn(*insn)).collect();
        self.section(name, PROGBITS, EXEC, data)
    }

    /// An instruction, given as little-endian bytes, in the file's order.
    fn insn(&self, insn: [u8; 8]) -> [u8; 8] {
        skep_isa::RawInsn::from_bytes(insn, Endian::Little).to_bytes(self.endian)
    }

    /// Adds a symbol and returns its number.
    pub fn symbol(&mut self, name: &str, section: u16, value: u64, size: u64, info: u8) -> u32 {
        self.symbols.push(Sym { name: name.into(), section, value, size, info, other: 0 });
        self.symbols.len() as u32
    }

    /// Adds the relocations of a section: offset, symbol, type.
    pub fn relocations(&mut self, section: u16, list: &[(u64, u32, u32)]) {
        let mut data = Vec::new();
        for &(offset, symbol, kind) in list {
            data.extend(self.u64(offset));
            data.extend(self.u64(u64::from(symbol) << 32 | u64::from(kind)));
        }
        let name = format!(".rel{}", self.sections[section as usize - 1].name);
        let number = self.section(&name, REL, 0, data);
        let header = &mut self.sections[number as usize - 1];
        header.info = u32::from(section);
        header.entsize = 16;
    }

    pub fn u32(&self, value: u32) -> [u8; 4] {
        if self.endian == Endian::Big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    pub fn u64(&self, value: u64) -> [u8; 8] {
        if self.endian == Endian::Big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn u16(&self, value: u16) -> [u8; 2] {
        if self.endian == Endian::Big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    pub fn words(&self, words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|&word| self.u32(word)).collect()
    }

    /// The bytes: header, section data, section headers. Symbol and string tables come last.
    pub fn bytes(&self) -> Vec<u8> {
        let count = self.sections.len() as u32;
        let (symtab, strtab) = (count + 1, count + 2);
        let mut strings = vec![0u8];
        let mut known = std::collections::HashMap::from([(String::new(), 0)]);
        let mut intern = |name: &str| {
            *known.entry(name.to_owned()).or_insert_with(|| {
                let at = strings.len() as u32;
                strings.extend(name.bytes().chain([0]));
                at
            })
        };
        let mut symbols = vec![0u8; 24];
        for s in &self.symbols {
            symbols.extend(self.u32(intern(&s.name)));
            symbols.extend([s.info, s.other]);
            symbols.extend(self.u16(s.section));
            symbols.extend(self.u64(s.value));
            symbols.extend(self.u64(s.size));
        }
        let names: Vec<u32> = self.sections.iter().map(|s| intern(&s.name)).collect();
        let (symtab_name, strtab_name) = (intern(".symtab"), intern(".strtab"));
        let mut out = vec![0u8; 64];
        let mut headers = vec![0u8; 64];
        let mut add = |out: &mut Vec<u8>, name: u32, s: &Sec| {
            out.resize(out.len().next_multiple_of(8), 0);
            let offset = out.len() as u64;
            out.extend(&s.data);
            let size = s.size.unwrap_or(s.data.len() as u64);
            let link = if s.kind == REL { symtab } else { s.link };
            headers.extend(self.u32(name));
            headers.extend(self.u32(s.kind));
            for word in [s.flags, 0, offset, size] {
                headers.extend(self.u64(word));
            }
            headers.extend(self.u32(link));
            headers.extend(self.u32(s.info));
            headers.extend(self.u64(8));
            headers.extend(self.u64(s.entsize));
        };
        for (s, &name) in self.sections.iter().zip(&names) {
            add(&mut out, name, s);
        }
        let table = |kind, data: Vec<u8>, link, entsize| Sec {
            name: String::new(),
            kind,
            flags: 0,
            data,
            size: None,
            link,
            info: 1,
            entsize,
        };
        add(&mut out, symtab_name, &table(2, symbols, strtab, 24));
        add(&mut out, strtab_name, &table(3, strings, 0, 0));
        out.resize(out.len().next_multiple_of(8), 0);
        let shoff = out.len() as u64;
        out.extend(&headers);
        let class = if self.endian == Endian::Big { 2 } else { 1 };
        let mut header = vec![0x7f, b'E', b'L', b'F', 2, class, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        header.extend(self.u16(1));
        header.extend(self.u16(self.machine));
        header.extend(self.u32(1));
        header.extend(self.u64(0));
        header.extend(self.u64(0));
        header.extend(self.u64(shoff));
        header.extend(self.u32(0));
        for half in [64, 0, 0, 64, count as u16 + 3, strtab as u16] {
            header.extend(self.u16(half));
        }
        out[..64].copy_from_slice(&header);
        out
    }
}

/// Instructions as little-endian bytes.
pub mod insn {
    pub const EXIT: [u8; 8] = [0x95, 0, 0, 0, 0, 0, 0, 0];
    pub const ZERO: [u8; 8] = [0xb7, 0, 0, 0, 0, 0, 0, 0];

    /// `r0 = imm`
    pub const fn mov(imm: u8) -> [u8; 8] {
        [0xb7, 0, 0, 0, imm, 0, 0, 0]
    }

    /// `call` of a subprogram.
    pub const fn call(imm: i32) -> [u8; 8] {
        let [a, b, c, d] = imm.to_le_bytes();
        [0x85, 0x10, 0, 0, a, b, c, d]
    }

    /// `r1 = imm ll`, first and second slot.
    pub const fn wide(kind: u8, imm: i32) -> [[u8; 8]; 2] {
        let [a, b, c, d] = imm.to_le_bytes();
        [[0x18, 1 | kind << 4, 0, 0, a, b, c, d], [0; 8]]
    }
}
