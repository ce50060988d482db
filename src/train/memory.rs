//! The C library's allocator, set for a program that asks for the same gigabytes at every step.
//!
//! libtorch takes each large tensor from `malloc`, which by default maps it anew from the system and gives it back
//! when it is dropped: some 400,000 page faults a step. Kept instead, in large pages where there are some, a step of
//! the shipped network takes about four fifths of the time (`benches/training.py` tells).

use std::env;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Where glibc reads what is set; whoever set it already is left in peace.
const VARIABLE: &str = "GLIBC_TUNABLES";

/// Nothing is mapped by itself, and nothing is given back before the end.
const TUNABLES: &str = "glibc.malloc.hugetlb=1:glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=68719476736:\
                        glibc.malloc.top_pad=268435456";

/// Begins the program again with these settings, which glibc reads only then; comes back if they are set, or if
/// that fails, since a slower training is one too.
pub fn settle() {
    if env::var_os(VARIABLE).is_some() {
        return;
    }
    let Ok(program) = env::current_exe() else { return };
    let mut arguments = env::args_os();
    let name = arguments.next().unwrap_or_else(|| program.clone().into());
    let error = Command::new(program).arg0(name).args(arguments).env(VARIABLE, TUNABLES).exec();
    tracing::warn!("cannot begin again with {VARIABLE} set, training is slower: {error}");
}
