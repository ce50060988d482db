//! An evaluation for people: percent, one line an idea.

use std::fmt;

use super::report::{FoldReport, Open, Report, ScoreReport};
use crate::desk::figures::{Bounds, Percent, Ranked};

const SCORES: &str = "score                     AP   AUROC   FPR95  best F1 | threshold      TPR     FPR  open-mIoU    F1  IoU K+1";

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.heading(f)?;
        writeln!(f, "\n{SCORES}, %")?;
        for score in [&self.first].into_iter().chain(&self.scores) {
            row(f, &score.title(), &score.ranked, &score.open)?;
            for fold in &score.folds {
                row(f, &fold.title(), &fold.ranked, &fold.open)?;
            }
        }
        if let Some(Bounds { bins, ap, auroc, fpr95, best_f1 }) = &self.first.ranked.histogram {
            let between = |(low, high): &(f64, f64)| format!("{:.2} to {:.2}", low * 100.0, high * 100.0);
            write!(f, "in {bins} bins; exactly: AP {}, AUROC {}", between(ap), between(auroc))?;
            writeln!(f, ", FPR95 {}, best F1 {} %", between(fpr95), between(best_f1))?;
        }
        writeln!(f, "threshold: {}", self.first.open.threshold_from)?;
        let mut all = [&self.first].into_iter().chain(&self.scores).map(|score| &score.open);
        let one = self.first.folds.is_empty();
        if all.clone().any(|open| one && open.in_sample.is_none()) {
            writeln!(f, "? chosen on frames of a set of this name: these may have been among them")?;
        }
        if all.any(|open| open.in_sample == Some(true) && open.threshold.is_some()) {
            writeln!(
                f,
                "* chosen on the very pixels it is judged on: no other drive is promised these figures"
            )?;
        }
        self.per_class(f)?;
        self.rest(f)
    }
}

fn row(f: &mut fmt::Formatter<'_>, title: &str, ranked: &Ranked, open: &Open) -> fmt::Result {
    let Ranked { ap, auroc, fpr95, best_f1, .. } = ranked;
    write!(
        f,
        "{title:<20} {} {} {}  {} |",
        Percent(*ap),
        Percent(*auroc),
        Percent(*fpr95),
        Percent(*best_f1)
    )?;
    match open.threshold {
        Some(threshold) => write!(
            f,
            " {threshold:>9.4}{}",
            match open.in_sample {
                Some(true) => '*',
                Some(false) => ' ',
                None => '?',
            }
        )?,
        None => write!(f, " {:>9} ", "-")?,
    }
    let Open { tpr, fpr, open_miou, f1, iou_open, .. } = open;
    writeln!(
        f,
        " {} {}    {}{}  {}",
        Percent(*tpr),
        Percent(*fpr),
        Percent(*open_miou),
        Percent(*f1),
        Percent(*iou_open)
    )
}

impl ScoreReport {
    fn title(&self) -> String {
        if self.temperature == 1.0 {
            self.score.into()
        } else {
            format!("{} (T {})", self.score, self.temperature)
        }
    }
}

impl FoldReport {
    fn title(&self) -> String {
        format!("  {} ({})", self.fold, self.frames)
    }
}

impl Report {
    fn heading(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} frames", self.dataset, self.frames)?;
        if !self.failed.is_empty() {
            write!(f, ", {} failed", self.failed.len())?;
        }
        writeln!(
            f,
            ", {} pixels, {} of them anomalous, {} ignored",
            self.pixels, self.anomalous, self.ignored
        )?;
        if self.non_finite > 0 {
            writeln!(f, "{} pixels have NaN scores: counted as most anomalous", self.non_finite)?;
        }
        if let Some(setup) = &self.setup {
            writeln!(f, "{} on {} at {}", setup.model, setup.provider, setup.input_size)?;
        }
        Ok(())
    }

    fn per_class(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.iou.is_empty() {
            return Ok(());
        }
        writeln!(f, "\nclass                   IoU  open-IoU       F1, %")?;
        for (k, class) in self.classes.iter().enumerate() {
            let of = |figures: &[Option<f64>]| Percent(figures.get(k).copied().flatten());
            let open = &self.first.open;
            writeln!(
                f,
                "{class:<20} {}   {}  {}",
                of(&self.iou),
                of(&open.open_iou),
                of(&open.f1_per_class)
            )?;
        }
        let Open { open_miou, gap, f1, iou_unknown, .. } = &self.first.open;
        writeln!(
            f,
            "{:<20} {}   {}  {}   gap {}",
            "mean",
            Percent(self.miou),
            Percent(*open_miou),
            Percent(*f1),
            Percent(*gap)
        )?;
        writeln!(f, "{:<20} {:>7}   {}", "unknown", "", Percent(*iou_unknown))
    }

    fn rest(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(per_image) = &self.per_image {
            write!(f, "\n{per_image}")?;
        }
        self.by_distance.iter().try_for_each(|at| write!(f, "{at}"))?;
        if self.ece.is_some() {
            writeln!(f, "\nP(d_out|x): expected calibration error {} %", Percent(self.ece))?;
        }
        write!(f, "{}", self.undefined)?;
        write!(f, "\n{:.1} s", self.wall_s)?;
        if let Some(latency) = &self.latency_ms {
            write!(f, "; a frame p50 {:.1} ms, p99 {:.1} ms", latency.p50, latency.p99)?;
        }
        writeln!(f, "; {:.0} % of the time in the network", self.network_share * 100.0)
    }
}
