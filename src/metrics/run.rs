//! Runs: files of keys in descending order of their upper halves, and partial results for other shards.
//!
//! A sealed file ([`super::sealed`]), numbers little-endian. First the head: bins (u32; 0 means exact, as all
//! runs here are), strata (u32), and for each stratum its scores and how many are NaN (u64 each). Then pieces
//! to the end: upper half (u16), stratum (u16), number of keys (u32), and the lower half of each key (u16).

use super::blocks::Tally;
use super::error::RankingError;
use super::sealed::{Reader, Writer};
use std::fs::File;
use std::path::{Path, PathBuf};

/// Keys read at once, and from how many on those waiting to be written are.
const PIECE: usize = 1 << 14;
/// More scores than anyone has: sums of counts from files stay far inside u64.
const MOST: u64 = 1 << 48;

/// What stands before the scores.
pub(super) struct Head {
    /// Bins of a histogram, or 0.
    pub(super) bins: u32,
    /// One for each stratum.
    pub(super) tallies: Vec<Tally>,
}

impl Head {
    pub(super) fn write(&self, out: &mut Writer) -> Result<(), RankingError> {
        out.write(&self.bins.to_le_bytes())?;
        out.write(&(self.tallies.len() as u32).to_le_bytes())?;
        for Tally { count, nan } in &self.tallies {
            out.write(&count.to_le_bytes())?;
            out.write(&nan.to_le_bytes())?;
        }
        Ok(())
    }

    pub(super) fn read(input: &mut Reader<'_>) -> Result<Self, RankingError> {
        let [bins, strata] = [read_u32(input)?, read_u32(input)?];
        if strata > u32::from(u16::MAX) {
            return Err(input.damaged("more strata than there are numbers for"));
        }
        let (mut tallies, mut total) = (Vec::new(), 0u64);
        for _ in 0..strata {
            let [count, nan] = [read_u64(input)?, read_u64(input)?];
            total = total.saturating_add(count);
            if total > MOST || nan > count {
                return Err(input.damaged("counts that cannot be"));
            }
            tallies.push(Tally { count, nan });
        }
        Ok(Self { bins, tallies })
    }
}

/// A file of keys.
pub(super) struct Run {
    file: File,
    path: PathBuf,
    tallies: Vec<Tally>,
}

impl Run {
    /// A run whose head has been read.
    pub(super) fn new(file: File, path: &Path, tallies: Vec<Tally>) -> Self {
        Self { file, path: path.into(), tallies }
    }

    pub(super) fn tallies(&self) -> &[Tally] {
        &self.tallies
    }

    /// A walk from its beginning. Two at once would share the file's position: hence `&mut`.
    pub(super) fn walk(&mut self) -> Result<Pieces<'_>, RankingError> {
        let mut input = Reader::new(&self.file, &self.path)?;
        if Head::read(&mut input)?.tallies != self.tallies {
            return Err(input.damaged("its counts are not those it had before"));
        }
        let left = self.tallies.iter().map(|tally| tally.count).collect();
        let mut pieces = Pieces { input, next: None, left, bytes: Vec::new(), keys: Vec::new() };
        pieces.next = pieces.head()?;
        Ok(pieces)
    }
}

/// The head of a piece.
#[derive(Clone, Copy)]
struct Piece {
    bucket: u16,
    stratum: u16,
    keys: u32,
}

/// What is left of a run in a walk from its highest keys down.
pub(super) struct Pieces<'a> {
    input: Reader<'a>,
    next: Option<Piece>,
    /// Keys of each stratum that must still come.
    left: Vec<u64>,
    bytes: Vec<u8>,
    keys: Vec<u32>,
}

impl Pieces<'_> {
    /// The upper half of the highest keys left.
    pub(super) fn bucket(&self) -> Option<u16> {
        self.next.map(|piece| piece.bucket)
    }

    /// Takes those of that upper half, some at a time.
    pub(super) fn take(
        &mut self,
        bucket: u16,
        visit: &mut impl FnMut(u16, &[u32]) -> Result<(), RankingError>,
    ) -> Result<(), RankingError> {
        while let Some(piece) = self.next.filter(|piece| piece.bucket == bucket) {
            let mut left = piece.keys as usize;
            while left > 0 {
                let now = left.min(PIECE);
                self.bytes.resize(2 * now, 0);
                self.input.read(&mut self.bytes)?;
                let lower = self.bytes.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]]));
                self.keys.clear();
                self.keys.extend(lower.map(|lower| u32::from(bucket) << 16 | u32::from(lower)));
                visit(piece.stratum, &self.keys)?;
                left -= now;
            }
            self.next = self.head()?;
        }
        Ok(())
    }

    fn head(&mut self) -> Result<Option<Piece>, RankingError> {
        if self.input.is_at_end() {
            let complete = self.left.iter().all(|left| *left == 0);
            return if complete {
                Ok(None)
            } else {
                Err(self.input.damaged("it has fewer scores than it says"))
            };
        }
        let mut head = [0; 8];
        self.input.read(&mut head)?;
        let [b0, b1, s0, s1, k0, k1, k2, k3] = head;
        let piece = Piece {
            bucket: u16::from_le_bytes([b0, b1]),
            stratum: u16::from_le_bytes([s0, s1]),
            keys: u32::from_le_bytes([k0, k1, k2, k3]),
        };
        if self.next.is_some_and(|before| piece.bucket > before.bucket) {
            return Err(self.input.damaged("its scores are not in order"));
        }
        let left = self.left.get_mut(usize::from(piece.stratum));
        match left.and_then(|left| left.checked_sub(u64::from(piece.keys)).map(|now| *left = now)) {
            Some(()) => Ok(Some(piece)),
            None => Err(self.input.damaged("it has more scores than it says")),
        }
    }

    /// Checks a walk that came to its end.
    pub(super) fn verify(self) -> Result<(), RankingError> {
        self.input.verify()
    }
}

/// Writes a run; pieces of one bucket and stratum that come one after the other become one.
pub(super) struct RunWriter {
    out: Writer,
    path: PathBuf,
    tallies: Vec<Tally>,
    piece: (u16, u16),
    lower: Vec<u8>,
}

impl RunWriter {
    /// Begins an empty file; `path` is for messages, `tallies` are of what will come.
    pub(super) fn new(file: File, path: &Path, tallies: Vec<Tally>) -> Result<Self, RankingError> {
        let mut out = Writer::new(file, path)?;
        let head = Head { bins: 0, tallies };
        head.write(&mut out)?;
        Ok(Self { out, path: path.into(), tallies: head.tallies, piece: (0, 0), lower: Vec::new() })
    }

    /// Adds keys of one upper half; buckets come in descending order.
    pub(super) fn add(&mut self, bucket: u16, stratum: u16, keys: &[u32]) -> Result<(), RankingError> {
        if self.piece != (bucket, stratum) || self.lower.len() >= 2 * PIECE {
            self.flush()?;
            self.piece = (bucket, stratum);
        }
        let before = self.lower.len();
        self.lower.resize(before + 2 * keys.len(), 0);
        for (lower, key) in self.lower[before..].chunks_exact_mut(2).zip(keys) {
            lower.copy_from_slice(&(*key as u16).to_le_bytes());
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), RankingError> {
        if !self.lower.is_empty() {
            let (bucket, stratum) = self.piece;
            self.out.write(&bucket.to_le_bytes())?;
            self.out.write(&stratum.to_le_bytes())?;
            self.out.write(&((self.lower.len() / 2) as u32).to_le_bytes())?;
            self.out.write(&self.lower)?;
            self.lower.clear();
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Run, RankingError> {
        self.flush()?;
        Ok(Run { file: self.out.seal()?, path: self.path, tallies: self.tallies })
    }
}

pub(super) fn read_u32(input: &mut Reader<'_>) -> Result<u32, RankingError> {
    let mut bytes = [0; 4];
    input.read(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

pub(super) fn read_u64(input: &mut Reader<'_>) -> Result<u64, RankingError> {
    let mut bytes = [0; 8];
    input.read(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}
