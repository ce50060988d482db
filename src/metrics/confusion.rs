//! What was taken for what: a (K+1)×(K+1) matrix of pixels, and the figures of segmentation read from it.
//!
//! Rows are the truth, columns the prediction; index K is the unknown: in a row an anomaly, in a column a
//! pixel labelled UNKNOWN. Closed-set figures come from a matrix of the classes with the largest logit, over
//! pixels of known truth; open-set figures from one of the K+1 labels, over all annotated pixels.
//!
//! Open-IoU (eq. 19, 20) of a known class k is `TP / (TP + FP + FN)`, where FP counts every pixel wrongly
//! labelled k, a missed anomaly among them, and FN every pixel of k labelled as anything else, a false alarm
//! among them. Open-mIoU is its mean over the K known classes; UNKNOWN itself is not one of them. So it is
//! exactly the mIoU where anomalies are detected perfectly, and what it lacks to that is what anomalies cost.
//!
//! # Worked by hand
//! Twelve pixels, road (0) and car (1), two of them an anomaly (2). Closed-set, one road pixel is taken for
//! car. With the threshold, one anomaly is found; the other stays road, and one car pixel becomes UNKNOWN.
//!
//! | truth   | → road | → car | → unknown |
//! |---------|--------|-------|-----------|
//! | road    | 5      | 1     | 0         |
//! | car     | 0      | 3     | 1         |
//! | anomaly | 1      | 0     | 1         |
//!
//! ```
//! use open_set::metrics::confusion::Confusion;
//!
//! let closed = Confusion::from_counts(2, vec![5, 1, 0, /* car */ 0, 4, 0, /* anomaly */ 0, 0, 0])?;
//! assert_eq!(closed.closed_iou(), [Some(5.0 / 6.0), Some(4.0 / 5.0)]); // mIoU 49/60
//!
//! let open = Confusion::from_counts(2, vec![5, 1, 0, /* car */ 0, 3, 1, /* anomaly */ 1, 0, 1])?;
//! // Road: the missed anomaly is a false positive, 5 / (5 + 1 + 1). Car: the false alarm is a false
//! // negative, 3 / (3 + 1 + 1).
//! assert_eq!(open.open_iou(), [Some(5.0 / 7.0), Some(3.0 / 5.0)]); // open-mIoU 23/35
//!
//! let gap = closed.miou().unwrap() - open.open_miou().unwrap();
//! assert!((gap - (49.0 / 60.0 - 23.0 / 35.0)).abs() < 1e-15); // 67/420: about 0.16
//! # Ok::<(), open_set::metrics::confusion::ConfusionError>(())
//! ```

/// Counts of pixels by truth and prediction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confusion {
    classes: usize,
    /// `[truth][predicted]`, (K+1)².
    counts: Vec<u64>,
}

/// Why counts were not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfusionError {
    /// A label that is neither a known class nor unknown.
    #[error(
        "{what} class {got}, but a matrix of {classes} known classes has 0 to {classes} ({classes}: unknown)"
    )]
    Class {
        /// Truth or prediction.
        what: &'static str,
        /// The label that came.
        got: usize,
        /// K.
        classes: usize,
    },
    /// A matrix of another size.
    #[error("{got} counts, but {classes} known classes and unknown make {expected}")]
    Counts {
        /// How many came.
        got: usize,
        /// (K+1)².
        expected: usize,
        /// K.
        classes: usize,
    },
    /// Matrices over different classes.
    #[error("a matrix of {theirs} known classes cannot be added to one of {ours}")]
    Merge {
        /// K of the one that was to grow.
        ours: usize,
        /// K of the other.
        theirs: usize,
    },
}

impl Confusion {
    /// An empty matrix over K = `classes` known classes.
    pub fn new(classes: usize) -> Self {
        Self { classes, counts: vec![0; (classes + 1) * (classes + 1)] }
    }

    /// A matrix of given counts, row by row.
    ///
    /// # Errors
    /// Other than (K+1)² counts.
    pub fn from_counts(classes: usize, counts: Vec<u64>) -> Result<Self, ConfusionError> {
        let (got, expected) = (counts.len(), (classes + 1) * (classes + 1));
        if got != expected {
            return Err(ConfusionError::Counts { got, expected, classes });
        }
        Ok(Self { classes, counts })
    }

    /// The counts, row by row: `[truth][predicted]`.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// K.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Adds `n` pixels of one truth and prediction, each in `0..=K`. Ignored pixels have no place here.
    ///
    /// # Errors
    /// A label beyond K; nothing is added then.
    pub fn add(&mut self, truth: usize, predicted: usize, n: u64) -> Result<(), ConfusionError> {
        let classes = self.classes;
        for (what, got) in [("truth", truth), ("predicted", predicted)] {
            if got > classes {
                return Err(ConfusionError::Class { what, got, classes });
            }
        }
        self.counts[truth * (classes + 1) + predicted] += n;
        Ok(())
    }

    /// Adds another matrix, of another shard or fold.
    ///
    /// # Errors
    /// It is over another number of classes.
    pub fn merge(&mut self, other: &Self) -> Result<(), ConfusionError> {
        if self.classes != other.classes {
            return Err(ConfusionError::Merge { ours: self.classes, theirs: other.classes });
        }
        for (ours, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *ours += theirs;
        }
        Ok(())
    }

    /// Closed-set IoU of each known class, over pixels of known truth. `None`: neither annotated nor predicted.
    pub fn closed_iou(&self) -> Vec<Option<f64>> {
        (0..self.classes).map(|k| self.outcome(k, self.classes).iou()).collect()
    }

    /// The mean of [`Confusion::closed_iou`] over the classes that have one.
    pub fn miou(&self) -> Option<f64> {
        mean(&self.closed_iou())
    }

    /// Open-IoU of each known class, eq. (19, 20). `None`: neither annotated nor predicted.
    pub fn open_iou(&self) -> Vec<Option<f64>> {
        (0..self.classes).map(|k| self.outcome(k, self.classes + 1).iou()).collect()
    }

    /// Open-mIoU: the mean of [`Confusion::open_iou`] over the classes that have one.
    pub fn open_miou(&self) -> Option<f64> {
        mean(&self.open_iou())
    }

    /// F1 of each known class over the same pixels as [`Confusion::open_iou`].
    pub fn f1(&self) -> Vec<Option<f64>> {
        (0..self.classes).map(|k| self.outcome(k, self.classes + 1).f1()).collect()
    }

    /// The mean of [`Confusion::f1`] over the classes that have one.
    pub fn mean_f1(&self) -> Option<f64> {
        mean(&self.f1())
    }

    /// IoU of each of the K+1 labels, the unknown last.
    pub fn iou_all(&self) -> Vec<Option<f64>> {
        (0..=self.classes).map(|k| self.outcome(k, self.classes + 1).iou()).collect()
    }

    /// The mean of [`Confusion::iou_all`] over the labels that have one: IoU-21 where K = 20.
    pub fn iou_open(&self) -> Option<f64> {
        mean(&self.iou_all())
    }

    /// Class `k` against the rest, over the first `rows` kinds of truth.
    fn outcome(&self, k: usize, rows: usize) -> Outcome {
        let side = self.classes + 1;
        let hits = self.counts[k * side + k];
        let annotated: u64 = self.counts[k * side..][..side].iter().sum();
        let predicted: u64 = (0..rows).map(|truth| self.counts[truth * side + k]).sum();
        Outcome { hits, misses: annotated - hits, false_alarms: predicted - hits }
    }
}

/// One class against all others.
struct Outcome {
    hits: u64,
    misses: u64,
    false_alarms: u64,
}

impl Outcome {
    fn iou(&self) -> Option<f64> {
        share(self.hits, self.hits + self.misses + self.false_alarms)
    }

    fn f1(&self) -> Option<f64> {
        share(2 * self.hits, 2 * self.hits + self.misses + self.false_alarms)
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn mean(figures: &[Option<f64>]) -> Option<f64> {
    let defined = figures.iter().flatten().count();
    (defined > 0).then(|| figures.iter().flatten().sum::<f64>() / defined as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The module's example, counted pixel by pixel, with all other figures.
    #[test]
    fn a_missed_anomaly_and_a_false_alarm_by_hand() {
        let truth = [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2];
        let closed_labels = [0, 0, 0, 0, 0, 1, 1, 1, 1, 1];
        let open_labels = [0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 0];
        let (mut closed, mut open) = (Confusion::new(2), Confusion::new(2));
        for (t, p) in truth.iter().zip(closed_labels) {
            closed.add(*t, p, 1).unwrap();
        }
        for (t, p) in truth.iter().zip(open_labels) {
            open.add(*t, p, 1).unwrap();
        }
        assert_eq!(open.counts(), [5, 1, 0, 0, 3, 1, 1, 0, 1]);
        assert_eq!(closed.closed_iou(), [Some(5.0 / 6.0), Some(4.0 / 5.0)]);
        assert_eq!(closed.miou(), Some((5.0 / 6.0 + 4.0 / 5.0) / 2.0));
        assert_eq!(open.open_iou(), [Some(5.0 / 7.0), Some(3.0 / 5.0)]);
        assert_eq!(open.closed_iou(), [Some(5.0 / 6.0), Some(3.0 / 5.0)], "pixels of known truth only");
        assert_eq!(open.open_miou(), Some((5.0 / 7.0 + 3.0 / 5.0) / 2.0));
        // Road 2·5 / (10 + 1 + 1), car 2·3 / (6 + 1 + 1); unknown: one found, one missed, one false alarm.
        assert_eq!(open.f1(), [Some(10.0 / 12.0), Some(6.0 / 8.0)]);
        assert_eq!(open.mean_f1(), Some((10.0 / 12.0 + 6.0 / 8.0) / 2.0));
        assert_eq!(open.iou_all(), [Some(5.0 / 7.0), Some(3.0 / 5.0), Some(1.0 / 3.0)]);
        assert_eq!(open.iou_open(), Some((5.0 / 7.0 + 3.0 / 5.0 + 1.0 / 3.0) / 3.0));
    }

    #[test]
    fn a_class_that_never_occurs_has_no_figure() {
        let mut c = Confusion::new(3);
        assert_eq!((c.miou(), c.open_miou(), c.mean_f1(), c.iou_open()), (None, None, None, None));
        c.add(0, 0, 3).unwrap();
        c.add(0, 1, 1).unwrap();
        assert_eq!(c.closed_iou(), [Some(0.75), Some(0.0), None], "1 was predicted, so it counts");
        assert_eq!(c.miou(), Some(0.375));
        assert_eq!(c.iou_all()[3], None);
    }

    #[test]
    fn labels_and_sizes_that_do_not_fit_are_refused() {
        let mut c = Confusion::new(2);
        assert!(c.add(3, 0, 1).unwrap_err().to_string().contains("truth class 3"));
        assert!(c.add(0, 255, 1).unwrap_err().to_string().contains("predicted class 255"));
        assert!(c.merge(&Confusion::new(3)).is_err());
        assert!(Confusion::from_counts(2, vec![0; 4]).unwrap_err().to_string().contains("make 9"));
        assert_eq!(c, Confusion::new(2), "nothing was added");
    }

    proptest! {
        #[test]
        fn perfect_anomaly_detection_gives_the_miou_itself(
            known in prop::collection::vec(0u64..50, 25),
            anomalies in 0u64..1000,
        ) {
            let (mut closed, mut open) = (Confusion::new(5), Confusion::new(5));
            for (i, n) in known.iter().enumerate() {
                closed.add(i / 5, i % 5, *n).unwrap();
                open.add(i / 5, i % 5, *n).unwrap();
            }
            open.add(5, 5, anomalies).unwrap();
            prop_assert_eq!(open.open_miou().map(f64::to_bits), closed.miou().map(f64::to_bits));
            prop_assert_eq!(open.open_iou(), closed.closed_iou());
        }

        #[test]
        fn shards_add_up(
            counts in prop::collection::vec((0usize..4, 0usize..4, 0u64..9), 0..40),
            cut in 0usize..40,
        ) {
            let cut = cut.min(counts.len());
            let fill = |part: &[(usize, usize, u64)]| {
                let mut c = Confusion::new(3);
                part.iter().for_each(|(t, p, n)| c.add(*t, *p, *n).unwrap());
                c
            };
            let mut merged = fill(&counts[..cut]);
            merged.merge(&fill(&counts[cut..])).unwrap();
            prop_assert_eq!(&merged, &fill(&counts));
            prop_assert_eq!(Confusion::from_counts(3, merged.counts().to_vec()).unwrap(), merged);
        }
    }
}
