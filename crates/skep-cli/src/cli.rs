//! The command line: what can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

/// The whole eBPF system: load, attach, watch and debug eBPF programs, in user space or in the kernel
#[derive(Parser)]
#[command(name = "skep", version, arg_required_else_help = true, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// When to colour what is printed
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub(crate) color: Color,
}

/// When to use colours.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    Always,
    Never,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Load an object, attach its programs, and print what they send
    ///
    /// Opens FILE, loads it, attaches every program where its section's name says, then runs COMMAND (or follows the
    /// processes given with -p) and prints trace-pipe lines and ring-buffer records as they come. Ends with COMMAND's exit
    /// status; Ctrl-C ends it too.
    Run(RunArgs),
    /// Assemble eBPF text (LLVM's syntax) into instructions
    Asm(AsmArgs),
    /// Disassemble an object, or raw instructions, into eBPF text (LLVM's syntax)
    Disasm(DisasmArgs),
    /// Look into object files
    #[command(subcommand, arg_required_else_help = true)]
    Object(ObjectCommand),
    /// Print a completion script for a shell
    Completion {
        /// Shell
        shell: clap_complete::Shell,
    },
    /// Write the manual pages into a folder
    Man {
        /// Folder, made if it is not there
        #[arg(value_hint = ValueHint::DirPath)]
        folder: PathBuf,
    },
}

#[derive(Args)]
pub(crate) struct RunArgs {
    /// Object file, as clang -target bpf makes it
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,

    /// Follow this process and what it starts, instead of a command
    #[arg(short, long, value_name = "PID", conflicts_with = "command")]
    pub(crate) pid: Option<i32>,

    /// The kernel to run in: skep's own, or the running Linux kernel (needs privileges; sees the whole system)
    #[arg(long, value_enum, default_value_t = Target::User, env = "SKEP_TARGET")]
    pub(crate) target: Target,

    /// Load and attach only this program; may be given more than once
    #[arg(long = "program", value_name = "NAME")]
    pub(crate) programs: Vec<String>,

    /// Set a global variable before loading; may be given more than once
    #[arg(long = "set", value_name = "VARIABLE=NUMBER")]
    pub(crate) set: Vec<String>,

    /// Type of a ring buffer's records, where it is not found by name; may be given more than once
    #[arg(long = "type", value_name = "MAP=TYPE")]
    pub(crate) types: Vec<String>,

    /// Take every type to be laid out as the object was compiled, where it has CO-RE relocations
    #[arg(long)]
    pub(crate) assume_local_layout: bool,

    /// Print the contents of the object's maps at the end
    #[arg(long)]
    pub(crate) maps: bool,

    /// Print the contents of this map at the end; may be given more than once
    #[arg(long = "map", value_name = "NAME")]
    pub(crate) map: Vec<String>,

    /// Sort the elements of maps by this column, the greatest first; without it by key
    #[arg(long, value_name = "COLUMN")]
    pub(crate) sort: Option<String>,

    /// Print one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,

    /// Command to run, with its arguments
    #[arg(last = true, value_name = "COMMAND", value_hint = ValueHint::CommandWithArguments)]
    pub(crate) command: Vec<std::ffi::OsString>,
}

/// Where programs run.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Target {
    /// Inside skep, without privileges
    User,
    /// In the running Linux kernel
    Linux,
}

/// Byte order of raw instructions.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ByteOrder {
    Little,
    Big,
}

#[derive(Args)]
pub(crate) struct AsmArgs {
    /// Text to assemble, - for standard input
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,

    /// Where to write; standard output for binary forms must not be a terminal
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,

    /// What to write
    #[arg(short, long, value_enum, default_value_t = AsmFormat::Hex)]
    pub(crate) format: AsmFormat,

    /// Byte order
    #[arg(long, value_enum, default_value_t = ByteOrder::Little)]
    pub(crate) endian: ByteOrder,
}

/// What `skep asm` writes.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AsmFormat {
    /// Eight bytes an instruction slot, as hexadecimal text
    Hex,
    /// The same bytes, raw
    Bin,
    /// An array of C structures (struct bpf_insn)
    C,
    /// An object file, which every loader reads
    Elf,
    /// One JSON object
    Json,
}

#[derive(Args)]
pub(crate) struct DisasmArgs {
    /// An object, or raw instructions; - for standard input
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,

    /// Only this function
    #[arg(long, value_name = "NAME")]
    pub(crate) function: Option<String>,

    /// Take hexadecimal text (as `skep asm` prints it) instead of raw bytes
    #[arg(long)]
    pub(crate) hex: bool,

    /// Write text that `skep asm` reads back: one instruction a line, without addresses and bytes
    #[arg(long, conflicts_with_all = ["no_show_raw_insn", "reloc", "source", "json"])]
    pub(crate) asm: bool,

    /// Leave the bytes of the instructions out
    #[arg(long)]
    pub(crate) no_show_raw_insn: bool,

    /// Show the relocation under each instruction that has one
    #[arg(short, long)]
    pub(crate) reloc: bool,

    /// Show the source line before the instructions that it became
    #[arg(short = 'S', long)]
    pub(crate) source: bool,

    /// Write loads and stores as for this processor: from v3 on narrow ones name w registers
    #[arg(long, value_enum, default_value_t = Cpu::V1)]
    pub(crate) mcpu: Cpu,

    /// Byte order of raw instructions; objects say their own
    #[arg(long, value_enum, default_value_t = ByteOrder::Little)]
    pub(crate) endian: ByteOrder,

    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// LLVM's names of the versions of the instruction set.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Cpu {
    V1,
    V2,
    V3,
    V4,
}

#[derive(Subcommand)]
pub(crate) enum ObjectCommand {
    /// Show an object's programs, maps, variables and what it needs
    Show {
        /// Object file
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}
