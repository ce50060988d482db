//! The figures for people: percent, thresholds, and what is undefined in a sentence.

use std::fmt::{Display, Formatter, Result};

use super::super::figures::{AtTpr, Percent, Ranked};
use super::report::{Components, Report};

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{} frames", self.frames)?;
        if !self.failed.is_empty() {
            write!(f, " and {} that failed", self.failed.len())?;
        }
        let Self { pixels, positives, ignored, nan, .. } = self;
        writeln!(f, "; {pixels} pixels judged, {positives} of them anomalies, {ignored} ignored")?;
        if *nan > 0 {
            writeln!(f, "{nan} scores are NaN, and count as the most anomalous")?;
        }
        let Ranked { ap, auroc, fpr95, fpr95_threshold, best_f1, best_f1_threshold, .. } = &self.ranked;
        let bounds = self.ranked.histogram.as_ref();
        row(f, "AP", *ap, None, bounds.map(|b| b.ap))?;
        row(f, "AUROC", *auroc, None, bounds.map(|b| b.auroc))?;
        row(f, "FPR95", *fpr95, *fpr95_threshold, bounds.map(|b| b.fpr95))?;
        if let Some(AtTpr { tpr, fpr, threshold }) = &self.ranked.fpr_at_tpr {
            row(f, &format!("FPR{}", tpr * 100.0), *fpr, *threshold, None)?;
        }
        row(f, "best F1", *best_f1, *best_f1_threshold, bounds.map(|b| b.best_f1))?;
        if let Some(components) = &self.components {
            write!(f, "{components}")?;
        }
        if let Some(per_image) = &self.per_image {
            write!(f, "{per_image}")?;
        }
        self.by_distance.iter().try_for_each(|at| write!(f, "{at}"))?;
        write!(f, "{}", self.undefined)
    }
}

impl Display for Components {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Self { objects, predictions, .. } = self;
        writeln!(f, "components: {objects} objects, {predictions} predictions")?;
        row(f, "sIoU", self.siou_gt, self.threshold, None)?;
        row(f, "PPV", self.ppv, None, None)?;
        row(f, "F1*", self.f1_star, None, None)?;
        if let (Some(tp), Some(fn_), Some(fp)) = (self.tp, self.fn_, self.fp) {
            writeln!(f, "  TP {tp:.2}, FN {fn_:.2}, FP {fp:.2}: means over the levels .25 to .75")?;
        }
        Ok(())
    }
}

fn row(
    f: &mut Formatter<'_>,
    name: &str,
    value: Option<f64>,
    threshold: Option<f32>,
    bounds: Option<(f64, f64)>,
) -> Result {
    write!(f, "  {name:<10}{} %", Percent(value))?;
    if let Some(threshold) = threshold {
        write!(f, "   scores over {threshold}")?;
    }
    if let Some((low, high)) = bounds {
        write!(f, "   exactly between {:.2} and {:.2}", low * 100.0, high * 100.0)?;
    }
    writeln!(f)
}
