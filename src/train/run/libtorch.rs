//! Which libtorch is loaded, and that it is the one this program was built for.
//!
//! libtorch's C++ interface has no promise between versions: another one is found out at link time at best,
//! and at worst computes something else. Its version stands in a file beside its libraries.

use std::fs;
use std::path::{Path, PathBuf};

use super::RunError;

/// What tch 0.26 is generated for.
pub const EXPECTED: &str = "2.13.0";

/// The version of the libtorch that this process has loaded, without its build (`+cpu`); `None` where no file says it.
///
/// # Errors
/// It is another than [`EXPECTED`].
pub fn check() -> Result<Option<String>, RunError> {
    let Some(library) = loaded() else { return Ok(None) };
    let Some(version) = library.parent().and_then(Path::parent).and_then(version_beside) else {
        return Ok(None);
    };
    if version == EXPECTED {
        return Ok(Some(version));
    }
    Err(RunError::Libtorch { library, got: version, expected: EXPECTED })
}

/// Where the library was loaded from, links followed.
fn loaded() -> Option<PathBuf> {
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    let path = maps.lines().filter_map(|line| line.find('/').map(|at| &line[at..]));
    path.map(PathBuf::from).find(|p| p.file_name().is_some_and(|name| name == "libtorch_cpu.so"))
}

/// Said in `version.py` of the Python package, or in `build-version` of the C++ one.
fn version_beside(root: &Path) -> Option<String> {
    let from_python = || {
        let text = fs::read_to_string(root.join("version.py")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("__version__ = "))?;
        Some(line.trim_matches(['\'', '"']).to_owned())
    };
    let said = fs::read_to_string(root.join("build-version")).ok().or_else(from_python)?;
    said.trim().split('+').next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_runs_the_expected_one() {
        tch::set_num_threads(1); // Something of the library is needed for it to be loaded.
        assert!(loaded().is_some());
        assert_eq!(check().unwrap().as_deref(), Some(EXPECTED));
    }

    #[test]
    fn both_packages_say_their_version() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(version_beside(dir.path()), None);
        fs::write(dir.path().join("version.py"), "x = 1\n__version__ = '2.12.1+cu130'\n").unwrap();
        assert_eq!(version_beside(dir.path()).as_deref(), Some("2.12.1"));
        fs::write(dir.path().join("build-version"), "2.13.0+cpu\n").unwrap();
        assert_eq!(version_beside(dir.path()).as_deref(), Some("2.13.0"));
    }
}
