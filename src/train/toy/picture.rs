//! The three heat-maps side by side.

use super::data::Point;
use super::letters;

/// Side of a panel, and the room above and around it, in pixels.
pub(super) const SIDE: usize = 400;
const MARGIN: usize = 12;
const TITLE: usize = 56;
/// The plane shown: ± this in both directions.
pub(super) const SHOWN: f32 = 2.6;
/// How many points of each kind are drawn: more would hide the map.
const DRAWN: usize = 150;

const PAPER: [u8; 3] = [255, 255, 255];
const INK: [u8; 3] = [24, 24, 28];
/// From normal to anomalous.
const RAMP: [[u8; 3]; 5] = [[16, 42, 92], [74, 126, 182], [236, 232, 214], [226, 132, 70], [134, 18, 26]];
const INLIER: [u8; 3] = [110, 225, 120];
const NEGATIVE: [u8; 3] = [255, 225, 60];
const OUTLIER: [u8; 3] = [240, 240, 245];

/// A heat-map and what stands over it.
pub(super) struct Panel {
    pub(super) title: String,
    /// Of each cell, 0..1: the share of all test points with a lower score.
    pub(super) shares: Vec<f32>,
    /// The share at which 5 % of the test inliers are above: drawn as a line.
    pub(super) line: f32,
}

/// Points that are drawn over each panel.
pub(super) struct Points<'a> {
    pub(super) inliers: &'a [Point],
    pub(super) negatives: &'a [Point],
    pub(super) outliers: &'a [Point],
}

/// Tight RGB with its width and height.
pub(super) struct Picture {
    pub(super) data: Vec<u8>,
    pub(super) width: usize,
    pub(super) height: usize,
}

/// Draws the panels in a row, and below them what the dots are.
pub(super) fn draw(panels: &[Panel], points: &Points<'_>) -> Picture {
    let width = MARGIN + panels.len() * (SIDE + MARGIN);
    let height = TITLE + SIDE + TITLE;
    let mut picture = Picture { data: PAPER.repeat(width * height), width, height };
    let kinds = [
        ("INLIERS", points.inliers, INLIER),
        ("NEGATIVES", points.negatives, NEGATIVE),
        ("TEST OUTLIERS", points.outliers, OUTLIER),
    ];
    for (i, panel) in panels.iter().enumerate() {
        let left = MARGIN + i * (SIDE + MARGIN);
        picture.write(left, (TITLE - 2 * letters::HEIGHT) / 2, &panel.title);
        picture.map(left, panel);
        for (_, points, color) in kinds {
            for [x, y] in points.iter().take(DRAWN).filter(|p| p.iter().all(|v| v.abs() < SHOWN * 0.98)) {
                let at = |v: f32| ((v / SHOWN + 1.0) / 2.0 * SIDE as f32) as usize;
                picture.dot(left + at(*x), TITLE + at(-y), color);
            }
        }
    }
    let (mut x, y) = (MARGIN, TITLE + SIDE + TITLE / 2);
    for (name, _, color) in kinds {
        picture.dot(x + 4, y, color);
        x = picture.write(x + 14, y - letters::HEIGHT, name) + 28;
    }
    picture
}

impl Picture {
    fn set(&mut self, x: usize, y: usize, color: [u8; 3]) {
        if x < self.width && y < self.height {
            let at = (y * self.width + x) * 3;
            self.data[at..at + 3].copy_from_slice(&color);
        }
    }

    fn map(&mut self, left: usize, panel: &Panel) {
        let above = |x: usize, y: usize| panel.shares[y * SIDE + x] > panel.line;
        for y in 0..SIDE {
            for x in 0..SIDE {
                let here = above(x, y);
                let edge =
                    (x + 1 < SIDE && above(x + 1, y) != here) || (y + 1 < SIDE && above(x, y + 1) != here);
                let color = if edge { INK } else { shade(panel.shares[y * SIDE + x]) };
                self.set(left + x, TITLE + y, color);
            }
        }
    }

    /// A dot of five pixels with a dark rim, its middle at the place.
    fn dot(&mut self, x: usize, y: usize, color: [u8; 3]) {
        for dy in 0..7usize {
            for dx in 0..7usize {
                let far = dx.abs_diff(3).pow(2) + dy.abs_diff(3).pow(2);
                if far <= 10 {
                    let color = if far <= 4 { color } else { INK };
                    self.set((x + dx).saturating_sub(3), (y + dy).saturating_sub(3), color);
                }
            }
        }
    }

    /// Letters of twice their dots, from a corner on; gives where the next would be.
    fn write(&mut self, left: usize, top: usize, text: &str) -> usize {
        for (i, letter) in text.chars().enumerate() {
            for (row, bits) in letters::rows(letter).into_iter().enumerate() {
                for column in (0..letters::WIDTH).filter(|c| bits >> (letters::WIDTH - 1 - c) & 1 == 1) {
                    for [dx, dy] in [[0, 0], [1, 0], [0, 1], [1, 1]] {
                        let x = left + 2 * (i * (letters::WIDTH + 1) + column) + dx;
                        self.set(x, top + 2 * row + dy, INK);
                    }
                }
            }
        }
        left + 2 * (letters::WIDTH + 1) * text.chars().count()
    }
}

fn shade(share: f32) -> [u8; 3] {
    let t = share.clamp(0.0, 1.0) * (RAMP.len() - 1) as f32;
    let i = (t as usize).min(RAMP.len() - 2);
    let f = t - i as f32;
    [0, 1, 2].map(|c| (f32::from(RAMP[i][c]) * (1.0 - f) + f32::from(RAMP[i + 1][c]) * f).round() as u8)
}
