//! Reading an object file: one pass for each kind of thing in it, in the order in which they need each other.

mod btf;
mod data;
mod ext;
mod externs;
mod functions;
mod maps_btf;
mod maps_legacy;
mod references;

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};

use skep_btf::Btf;

use crate::code::{self, CodeSection};
use crate::elf::{Definition, Elf};
use crate::error::{ErrorKind, ObjectError, Result};
use crate::object::Object;
use crate::program::FuncRef;
use crate::section::Role;

/// What is known while a file is read.
pub(crate) struct Reader<'a> {
    elf: Elf<'a>,
    /// By ELF section.
    roles: Vec<Role>,
    object: Object,
    btf: Option<Btf>,
    code: Vec<CodeSection>,
    /// For each code section and function in it.
    functions: Vec<Vec<FuncRef>>,
    /// Position in `code` by ELF section.
    code_of: HashMap<usize, usize>,
    /// Maps by ELF section and offset of their definition.
    map_at: BTreeMap<(usize, u64), usize>,
    /// Byte offset of `values` in the definition of a map.
    values_at: HashMap<usize, u64>,
    /// The one map of an ELF section: global data, and `maps/NAME`.
    map_of: HashMap<usize, usize>,
    /// Symbols by the ELF section that defines them.
    symbols_in: HashMap<usize, Vec<usize>>,
    /// Externs by symbol.
    extern_of: HashMap<usize, usize>,
    /// Bytes that names and data may still take in memory.
    budget: Cell<usize>,
}

/// Warnings that are kept.
const MAX_WARNINGS: usize = 100;

/// The beginning of a name, for warnings: names in hostile files can be as long as the file.
fn short(name: &str) -> &str {
    const LENGTH: usize = 128;
    let end = (0..=LENGTH.min(name.len())).rev().find(|&end| name.is_char_boundary(end));
    &name[..end.unwrap_or(0)]
}

/// What an object may take in memory, in multiples of its file and in bytes. Real ones take less than their file; a hostile
/// one can name the same long string over and over.
const BUDGET_FACTOR: usize = 16;
const BUDGET_BASE: usize = 1 << 20;

pub(crate) fn read(bytes: &[u8], file: &str) -> Result<Object> {
    let elf = Elf::read(bytes)?;
    let roles = elf.sections.iter().map(Role::of).collect();
    let code = code::cut(&elf)?;
    let code_of = code.iter().enumerate().map(|(position, section)| (section.index, position)).collect();
    let mut symbols_in: HashMap<usize, Vec<usize>> = HashMap::new();
    for (number, symbol) in elf.symbols.iter().enumerate() {
        if let Definition::Section(section) = symbol.definition {
            symbols_in.entry(section).or_default().push(number);
        }
    }
    let mut object = Object::empty(file);
    object.endian = elf.endian;
    let mut reader = Reader {
        elf,
        roles,
        object,
        btf: None,
        code,
        functions: Vec::new(),
        code_of,
        map_at: BTreeMap::new(),
        values_at: HashMap::new(),
        map_of: HashMap::new(),
        symbols_in,
        extern_of: HashMap::new(),
        budget: Cell::new(bytes.len().saturating_mul(BUDGET_FACTOR).saturating_add(BUDGET_BASE)),
    };
    reader.read_license_and_version()?;
    reader.read_btf()?;
    reader.read_functions()?;
    reader.read_legacy_maps()?;
    reader.read_btf_maps()?;
    reader.read_data_maps()?;
    reader.read_kconfig_map();
    reader.read_struct_ops()?;
    reader.read_variables()?;
    reader.read_references()?;
    reader.read_map_slots()?;
    reader.read_ext()?;
    reader.object.btf = reader.btf;
    Ok(reader.object)
}

impl Reader<'_> {
    fn read_license_and_version(&mut self) -> Result<()> {
        for (section, role) in self.elf.sections.iter().zip(&self.roles) {
            match role {
                Role::License => {
                    let text = section.data.split(|&byte| byte == 0).next().unwrap_or_default();
                    self.object.license = String::from_utf8_lossy(text).into_owned();
                }
                Role::Version => {
                    let Ok(bytes) = <[u8; 4]>::try_from(section.data) else {
                        return Err(ObjectError::new(
                            ErrorKind::Elf,
                            format!("a kernel version has 4 bytes, this section has {}", section.data.len()),
                        )
                        .section(section.name));
                    };
                    self.object.version = self.u32(bytes);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A 32-bit number in the object's byte order.
    fn u32(&self, bytes: [u8; 4]) -> u32 {
        match self.elf.endian {
            skep_isa::Endian::Little => u32::from_le_bytes(bytes),
            skep_isa::Endian::Big => u32::from_be_bytes(bytes),
        }
    }

    /// A 64-bit number in the object's byte order; zero beyond the end.
    fn u64_at(&self, data: &[u8], offset: u64) -> u64 {
        let at = usize::try_from(offset).ok();
        let bytes =
            at.and_then(|at| data.get(at..at.checked_add(8)?)).and_then(|b| <[u8; 8]>::try_from(b).ok());
        match (bytes, self.elf.endian) {
            (Some(bytes), skep_isa::Endian::Little) => u64::from_le_bytes(bytes),
            (Some(bytes), skep_isa::Endian::Big) => u64::from_be_bytes(bytes),
            (None, _) => 0,
        }
    }

    /// Sections that play a part, in the order of the file.
    fn sections(&self, role: impl Fn(Role) -> bool) -> Vec<usize> {
        (1..self.roles.len()).filter(|&index| role(self.roles[index])).collect()
    }

    /// The function that begins at a slot of an ELF section.
    fn function_at(&self, address: code::CodeAddress) -> Option<FuncRef> {
        let position = *self.code_of.get(&address.section)?;
        let span = self.code[position].starting_at(usize::try_from(address.slot).ok()?)?;
        self.functions[position].get(span).copied()
    }

    /// Takes bytes from the budget for copies of names and data.
    fn spend(&self, bytes: usize) -> Result<()> {
        let left = self.budget.get().checked_sub(bytes).ok_or_else(|| {
            ObjectError::new(
                ErrorKind::Elf,
                format!(
                    "its tables name the same bytes over and over: in memory it would take more than {BUDGET_FACTOR} times its size"
                ),
            )
        })?;
        self.budget.set(left);
        Ok(())
    }

    fn warn(&mut self, text: impl Into<String>) {
        // A hostile file can be odd in as many places as it has bytes; nobody reads more than these.
        if self.object.warnings.len() < MAX_WARNINGS {
            self.object.warnings.push(text.into());
        }
    }
}
