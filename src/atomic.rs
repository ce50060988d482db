//! Files that are written whole or not at all.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// Puts `bytes` at `path` all or not at all: written beside it, then renamed. A run that is killed leaves
/// no half file that a later one would take for a result.
///
/// # Errors
/// A path that cannot be written: no such folder, no rights, a full disk.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    // The process's id keeps two runs into one folder apart.
    beside.push(format!(".{}.part", std::process::id()));
    let beside = Path::new(&beside);
    let written = fs::File::create(beside)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| fs::rename(beside, path));
    written.inspect_err(|_| {
        // Best effort: the error that matters is the one above.
        let _ = fs::remove_file(beside);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_written_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        assert!(write(&dir.path().join("no/such/a.png"), b"x").is_err());

        let taken = dir.path().join("taken");
        fs::create_dir(&taken).unwrap();
        assert!(write(&taken, b"x").is_err(), "a folder stands there");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);

        let path = dir.path().join("a");
        write(&path, b"old").unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }
}
