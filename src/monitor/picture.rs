//! The camera's picture: frozen, black, over-exposed, or mostly blocked.

use crate::frame::{Frame, Size};
use crate::images::Gray;
use crate::preprocess::geometry::Rect;
use std::time::{Duration, Instant};

/// Samples along each side.
const SAMPLES: usize = 64;

/// Blocks along each side, in which texture is looked for.
const BLOCKS: usize = 8;

/// Brightness below which a sample is dark: what a sensor gives of nothing at all.
const DARK: u8 = 16;

/// Brightness from which a sample is saturated.
const BRIGHT: u8 = 250;

/// Variance below which a block has no texture: two levels of deviation, less than a sensor's noise on a street.
const TEXTURE: f64 = 4.0;

/// What counts at most between two pictures that are the same: for longer no one looked.
const LONGEST_GAP: Duration = Duration::from_secs(1);

/// Samples that a block needs to be judged.
const ENOUGH: u64 = 4;

/// From when on a picture is at fault, shares from 0 to 1; `None`: never.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// The very same picture for longer than this.
    pub frozen_after: Option<Duration>,
    /// A larger share of it is dark.
    pub black_share: Option<f64>,
    /// A larger share of it is saturated.
    pub bright_share: Option<f64>,
    /// A larger share of it is without texture: dirt, water, a lens cap, fog.
    pub blocked_share: Option<f64>,
}

/// What a picture looks like.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Findings {
    /// For how long it has been the same.
    pub unchanged: Duration,
    /// Of the samples, 0 to 1.
    pub dark_share: f64,
    /// Of the samples, 0 to 1.
    pub bright_share: f64,
    /// Of the blocks, those without texture, 0 to 1.
    pub flat_share: f64,
}

impl Findings {
    /// What is wrong with it, in words; nothing where all is well.
    pub fn faults(&self, limits: &Limits) -> Vec<String> {
        let mut faults = Vec::new();
        if limits.frozen_after.is_some_and(|limit| self.unchanged > limit) {
            faults.push(format!("frozen: the same picture for {:.1} s", self.unchanged.as_secs_f64()));
        }
        let over = |share: f64, limit: Option<f64>| limit.is_some_and(|limit| share > limit);
        let percent = |share: f64| share * 100.0;
        // What is all black or white has no texture either: one reason is enough.
        if over(self.dark_share, limits.black_share) {
            faults.push(format!("black: {:.0} % of the picture is dark", percent(self.dark_share)));
        } else if over(self.bright_share, limits.bright_share) {
            faults.push(format!("over-exposed: {:.0} % of the picture is white", percent(self.bright_share)));
        } else if over(self.flat_share, limits.blocked_share) {
            faults.push(format!("blocked: {:.0} % of the picture has no texture", percent(self.flat_share)));
        }
        faults
    }
}

/// Looks at a camera's pictures, one after the other.
#[derive(Debug, Default)]
pub struct Watch {
    last: Option<Last>,
}

/// The last picture.
#[derive(Debug, Clone, Copy)]
struct Last {
    /// Of its samples.
    hash: u64,
    at: Instant,
    /// For how long it had been the same.
    unchanged: Duration,
}

/// Of a block's samples.
#[derive(Debug, Clone, Copy, Default)]
struct Block {
    count: u64,
    sum: u64,
    squares: u64,
}

impl Block {
    fn variance(&self) -> f64 {
        let count = self.count as f64;
        let mean = self.sum as f64 / count;
        self.squares as f64 / count - mean * mean
    }
}

impl Watch {
    /// Looks at the part of a picture that is segmented: the region, without what is masked. A region or mask of
    /// another camera is none.
    pub fn look(
        &mut self,
        frame: &Frame<'_>,
        region: Option<Rect>,
        mask: Option<&Gray>,
        now: Instant,
    ) -> Findings {
        let size = Size { width: frame.width(), height: frame.height() };
        let whole = Rect { x: 0, y: 0, width: size.width, height: size.height };
        let region = region.filter(|r| r.is_inside(size)).unwrap_or(whole);
        let mask = mask.filter(|m| (m.width, m.height) == (size.width, size.height));
        // The centre of cell i of `cells` along an axis.
        let centre =
            |i: usize, cells: usize, from: usize, length: usize| from + (2 * i + 1) * length / (2 * cells);
        let (columns, rows) = (region.width.min(SAMPLES), region.height.min(SAMPLES));

        let mut blocks = [[Block::default(); BLOCKS]; BLOCKS];
        let (mut count, mut dark, mut bright) = (0u32, 0u32, 0u32);
        let mut hash = Fnv::default();
        for row in 0..rows {
            let y = centre(row, rows, region.y, region.height);
            for column in 0..columns {
                let x = centre(column, columns, region.x, region.width);
                if mask.is_some_and(|m| m.data.get(y * m.width + x).is_some_and(|v| *v != 0)) {
                    continue;
                }
                let luma = frame.luma(x, y);
                hash.add(luma);
                count += 1;
                dark += u32::from(luma < DARK);
                bright += u32::from(luma >= BRIGHT);
                let block = &mut blocks[row * BLOCKS / rows][column * BLOCKS / columns];
                block.count += 1;
                block.sum += u64::from(luma);
                block.squares += u64::from(luma) * u64::from(luma);
            }
        }
        let judged = || blocks.iter().flatten().filter(|b| b.count >= ENOUGH);
        let flat = judged().filter(|b| b.variance() < TEXTURE).count();
        let share = |part: f64, of: f64| if of > 0.0 { part / of } else { 0.0 };
        Findings {
            unchanged: self.unchanged(hash.0, now),
            dark_share: share(f64::from(dark), f64::from(count)),
            bright_share: share(f64::from(bright), f64::from(count)),
            flat_share: share(flat as f64, judged().count() as f64),
        }
    }

    fn unchanged(&mut self, hash: u64, now: Instant) -> Duration {
        let unchanged = match self.last {
            Some(last) if last.hash == hash => last.unchanged + now.duration_since(last.at).min(LONGEST_GAP),
            _ => Duration::ZERO,
        };
        self.last = Some(Last { hash, at: now, unchanged });
        unchanged
    }
}

/// FNV-1a: two pictures of a living sensor differ in some sample, and then in this.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn add(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
}

#[cfg(test)]
#[path = "picture_tests.rs"]
mod tests;
