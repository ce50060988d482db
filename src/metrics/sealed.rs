//! Files that are whole or are refused: length and SHA-256 of all that follows stand in front, written last.

use super::error::RankingError;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The last byte is the version.
const MAGIC: [u8; 8] = *b"os-rank\x01";
/// Magic, bytes that follow the seal, their SHA-256.
const SEAL: usize = 8 + 8 + 32;

/// A file in the making. Unsealed it has no magic, so that what was interrupted is never taken for whole.
pub(super) struct Writer {
    out: BufWriter<File>,
    path: PathBuf,
    digest: Sha256,
    bytes: u64,
}

impl Writer {
    /// Begins an empty file; `path` is for messages.
    pub(super) fn new(file: File, path: &Path) -> Result<Self, RankingError> {
        let out = BufWriter::with_capacity(1 << 16, file);
        let mut writer = Self { out, path: path.into(), digest: Sha256::new(), bytes: 0 };
        writer.raw(&[0; SEAL])?;
        Ok(writer)
    }

    fn raw(&mut self, bytes: &[u8]) -> Result<(), RankingError> {
        self.out.write_all(bytes).map_err(|source| failed_to_write(&self.path, source))
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), RankingError> {
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
        self.raw(bytes)
    }

    /// Writes the seal; the file to read from.
    pub(super) fn seal(mut self) -> Result<File, RankingError> {
        let digest = std::mem::take(&mut self.digest).finalize();
        let mut seal = [0; SEAL];
        seal[..8].copy_from_slice(&MAGIC);
        seal[8..16].copy_from_slice(&self.bytes.to_le_bytes());
        seal[16..].copy_from_slice(&digest);
        // Seeking writes out the buffer first.
        self.out.seek(SeekFrom::Start(0)).map_err(|source| failed_to_write(&self.path, source))?;
        self.raw(&seal)?;
        self.out.into_inner().map_err(|e| failed_to_write(&self.path, e.into_error()))
    }
}

/// A sealed file, read from its beginning.
pub(super) struct Reader<'a> {
    input: BufReader<&'a File>,
    path: &'a Path,
    digest: Sha256,
    promised: [u8; 32],
    left: u64,
}

impl<'a> Reader<'a> {
    /// Checks the magic and the length.
    pub(super) fn new(mut file: &'a File, path: &'a Path) -> Result<Self, RankingError> {
        let failed = |source| RankingError::Read { path: path.into(), source };
        let foreign = || RankingError::Foreign { path: path.into() };
        let got = file.metadata().map_err(failed)?.len();
        if got < SEAL as u64 {
            return Err(foreign());
        }
        let mut seal = [0; SEAL];
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        file.read_exact(&mut seal).map_err(failed)?;
        let (mut left, mut promised) = ([0; 8], [0; 32]);
        left.copy_from_slice(&seal[8..16]);
        promised.copy_from_slice(&seal[16..]);
        let left = u64::from_le_bytes(left);
        if seal[..8] != MAGIC {
            return Err(foreign());
        }
        let expected = left.saturating_add(SEAL as u64);
        if got != expected {
            return Err(RankingError::CutOff { path: path.into(), got, expected });
        }
        let input = BufReader::with_capacity(1 << 16, file);
        Ok(Self { input, path, digest: Sha256::new(), promised, left })
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.left == 0
    }

    /// Fills the buffer.
    pub(super) fn read(&mut self, bytes: &mut [u8]) -> Result<(), RankingError> {
        let left = self.left.checked_sub(bytes.len() as u64);
        self.left = left.ok_or_else(|| self.damaged("it ends in the midst of a record"))?;
        let read = self.input.read_exact(bytes);
        read.map_err(|source| RankingError::Read { path: self.path.into(), source })?;
        self.digest.update(bytes);
        Ok(())
    }

    /// Checks, at the end, that all that was read is what was written.
    pub(super) fn verify(self) -> Result<(), RankingError> {
        if self.left == 0 && self.digest.clone().finalize()[..] != self.promised {
            return Err(self.damaged("its bytes do not make the SHA-256 it carries"));
        }
        Ok(())
    }

    pub(super) fn damaged(&self, what: &'static str) -> RankingError {
        RankingError::Damaged { path: self.path.into(), what }
    }
}

fn failed_to_write(path: &Path, source: std::io::Error) -> RankingError {
    RankingError::Write { path: path.into(), source }
}
