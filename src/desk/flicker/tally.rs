//! What labels of one kind come to, frame after frame.

use serde::Serialize;

use crate::labels::IGNORE;
use crate::metrics::confusion::Confusion;

/// Labels of one kind, frame after frame.
pub struct Labels {
    /// Of the frame before, where this one follows it.
    last: Option<Vec<u8>>,
    /// Pixels that are judged in two frames that follow one another.
    pairs: u64,
    /// Of those, known in one and unknown in the other.
    changes: u64,
    pixels: u64,
    unknown: u64,
    confusion: Option<Confusion>,
}

impl Labels {
    /// With a confusion, where there is truth of so many known classes.
    pub fn new(classes: Option<usize>) -> Self {
        let confusion = classes.map(Confusion::new);
        Self { last: None, pairs: 0, changes: 0, pixels: 0, unknown: 0, confusion }
    }

    /// A frame's labels; whether it `follows` the one before. K is the unknown one.
    pub fn add(&mut self, labels: &[u8], truth: Option<&[u8]>, k: u8, follows: bool) -> anyhow::Result<()> {
        let judged = labels.iter().filter(|l| **l != IGNORE);
        self.pixels += judged.clone().count() as u64;
        self.unknown += judged.filter(|l| **l == k).count() as u64;
        if let Some(last) = self.last.as_ref().filter(|last| follows && last.len() == labels.len()) {
            for (before, now) in last.iter().zip(labels).filter(|(a, b)| **a != IGNORE && **b != IGNORE) {
                self.pairs += 1;
                self.changes += u64::from((*before == k) != (*now == k));
            }
        }
        if let (Some(confusion), Some(truth)) = (&mut self.confusion, truth) {
            for (truth, label) in truth.iter().zip(labels) {
                if *truth != IGNORE && *label != IGNORE {
                    confusion.add(usize::from(*truth), usize::from(*label), 1)?;
                }
            }
        }
        let last = self.last.get_or_insert_default();
        last.clear();
        last.extend_from_slice(labels);
        Ok(())
    }

    pub fn figures(&self) -> Figures {
        let share = |part: u64, of: u64| (of > 0).then(|| part as f64 / of as f64);
        let (mut tpr, mut fpr) = (None, None);
        if let Some(confusion) = &self.confusion {
            let k = confusion.classes();
            let rows = confusion.counts().chunks_exact(k + 1);
            let of = |row: &[u64]| (row.iter().sum::<u64>(), row.last().copied().unwrap_or(0));
            let (known, alarms) = rows.clone().take(k).map(of).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
            let (anomalous, found) = rows.last().map(of).unwrap_or_default();
            (tpr, fpr) = (share(found, anomalous), share(alarms, known));
        }
        Figures {
            flicker: share(self.changes, self.pairs),
            unknown_share: share(self.unknown, self.pixels),
            open_miou: self.confusion.as_ref().and_then(Confusion::open_miou),
            tpr,
            fpr,
        }
    }
}

/// What one kind of labels is worth; null where it is not defined.
#[derive(Debug, Serialize)]
pub struct Figures {
    /// Share of pixels whose label changes between known and unknown from one frame to the next.
    pub flicker: Option<f64>,
    pub unknown_share: Option<f64>,
    pub open_miou: Option<f64>,
    pub tpr: Option<f64>,
    pub fpr: Option<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_counted_between_frames_that_follow() {
        let mut labels = Labels::new(None);
        for (frame, follows) in
            [([0, 2, 255, 1], false), ([2, 2, 2, 1], true), ([1, 0, 2, 255], true), ([2; 4], false)]
        {
            labels.add(&frame, None, 2, follows).unwrap();
        }
        // Of 3 pixels one changed, of 3 two did; the last frame follows none.
        assert_eq!((labels.pairs, labels.changes), (6, 3));
        assert_eq!((labels.pixels, labels.unknown), (14, 1 + 3 + 1 + 4));
        assert_eq!(labels.figures().flicker, Some(0.5));
        assert_eq!(labels.figures().tpr, None);
    }

    #[test]
    fn found_and_false_alarms_are_read_off_the_confusion() {
        let mut labels = Labels::new(Some(2));
        labels.add(&[0, 1, 2, 2, 0, 255], Some(&[0, 1, 1, 2, 2, 2]), 2, false).unwrap();
        let figures = labels.figures();
        assert_eq!((figures.tpr, figures.fpr), (Some(0.5), Some(1.0 / 3.0)));
        // Class 0: 1 right, one missed anomaly taken for it; class 1: 1 right, one called unknown.
        assert_eq!(figures.open_miou, Some(0.5));
    }
}
