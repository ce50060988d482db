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
    write_with(path, |beside| fs::File::create(beside)?.write_all(bytes))
}

/// As [`write`], and the bytes are on the disk before the name is theirs: a machine that loses its power leaves
/// the old file or the new one. It waits for the disk: for what hours went into.
///
/// # Errors
/// As [`write`].
pub fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_with(path, |beside| {
        let mut file = fs::File::create(beside)?;
        file.write_all(bytes)?;
        file.sync_all()
    })?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // The name is the folder's. Not every file system lets folders be synced: then it has done what it can.
    fs::File::open(folder).map_or(Ok(()), |folder| folder.sync_all().or(Ok(())))
}

/// As [`write`], for who makes the file by its path.
///
/// # Errors
/// Those of `make`; a path that cannot be written.
pub fn write_with<E: From<io::Error>>(
    path: &Path,
    make: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), E> {
    let mut beside = path.as_os_str().to_owned();
    // The process's id keeps two runs into one folder apart.
    beside.push(format!(".{}{PART}", std::process::id()));
    let beside = Path::new(&beside);
    let written = make(beside).and_then(|()| Ok(fs::rename(beside, path)?));
    written.inspect_err(|_| {
        // Best effort: the error that matters is the one above.
        let _ = fs::remove_file(beside);
    })
}

/// Removes what killed writers left beside their files in a folder that no one else writes into.
///
/// # Errors
/// The folder cannot be read, or a file not removed.
#[cfg(feature = "train")]
pub fn sweep(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(PART) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Ends the name of a file that is being written.
const PART: &str = ".part";

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
        write_durably(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        let failed =
            write_with(&path, |beside| fs::write(beside, b"half").and(Err(io::Error::other("full"))));
        assert_eq!(failed.unwrap_err().to_string(), "full");
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "no half file");
    }
}
