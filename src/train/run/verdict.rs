//! What a validation found.

use std::fmt;

use serde::Serialize;

use crate::score::Score;
use crate::train::losses::Objective;

/// Figures of a network, as fractions; a figure that is not defined (no such pixels) is `None`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Verdict {
    /// Of the known classes, where labelled frames were judged.
    pub closed_set: Option<ClosedSet>,
    /// Of each score, the hybrid one first, where frames with anomalies were.
    pub anomalies: Vec<Detection>,
    /// The validation took.
    pub seconds: f64,
}

/// Closed-set figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClosedSet {
    /// Mean over the classes.
    pub miou: Option<f64>,
    /// Class by class.
    pub iou: Vec<(String, Option<f64>)>,
}

/// How well a score tells anomalies, over all pixels of the set together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Detection {
    /// Which.
    pub score: Score,
    /// Average precision.
    pub ap: Option<f64>,
    /// False positives where 95 % of the anomalous pixels are found.
    pub fpr95: Option<f64>,
    /// Area under the ROC curve.
    pub auroc: Option<f64>,
}

impl Verdict {
    /// What the best checkpoint of a phase is the best by: mIoU; where anomalies are judged and the objective is
    /// not of known classes alone, the mean of mIoU and the AP of the objective's score.
    pub fn worth(&self, objective: &Objective) -> Option<f64> {
        let miou = self.closed_set.as_ref().and_then(|c| c.miou);
        let judged = self.anomalies.iter().find(|d| Some(d.score) == objective.score());
        let ap = judged.and_then(|d| d.ap);
        match (miou, ap) {
            (Some(miou), Some(ap)) => Some((miou + ap) / 2.0),
            (miou, ap) => miou.or(ap),
        }
    }

    /// Each figure by a name for curves.
    pub fn scalars(&self) -> Vec<(String, f64)> {
        let mut found = Vec::new();
        let mut add = |name: String, value: Option<f64>| found.extend(value.map(|v| (name, v)));
        if let Some(closed) = &self.closed_set {
            add("validation/miou".into(), closed.miou);
        }
        for d in &self.anomalies {
            add(format!("validation/{}/ap", d.score), d.ap);
            add(format!("validation/{}/fpr95", d.score), d.fpr95);
            add(format!("validation/{}/auroc", d.score), d.auroc);
        }
        found
    }

    /// In one line.
    pub fn line(&self) -> String {
        let mut parts = Vec::new();
        if let Some(closed) = &self.closed_set {
            parts.push(format!("mIoU {} %", Percent(closed.miou)));
        }
        for d in &self.anomalies {
            parts.push(format!("{} AP {} FPR95 {} %", d.score, Percent(d.ap), Percent(d.fpr95)));
        }
        parts.join(", ")
    }
}

/// As percent; a dash where it is not defined.
struct Percent(Option<f64>);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(share) => f.pad(&format!("{:.2}", share * 100.0)),
            None => f.pad("-"),
        }
    }
}

/// As a table.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(ClosedSet { miou, iou }) = &self.closed_set {
            writeln!(f, "mIoU {:>22} %", Percent(*miou))?;
            for (class, iou) in iou {
                writeln!(f, "  {class:<18} {:>6} %", Percent(*iou))?;
            }
        }
        if !self.anomalies.is_empty() {
            writeln!(f, "{:<16} {:>8} {:>8} {:>8}", "score", "AP %", "FPR95 %", "AUROC %")?;
        }
        for Detection { score, ap, fpr95, auroc } in &self.anomalies {
            let [ap, fpr95, auroc] = [ap, fpr95, auroc].map(|figure| Percent(*figure));
            writeln!(f, "{:<16} {ap:>8} {fpr95:>8} {auroc:>8}", score.name())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(miou: Option<f64>, ap: Option<f64>) -> Verdict {
        let detection = |score, ap| Detection { score, ap, fpr95: None, auroc: Some(0.5) };
        Verdict {
            closed_set: Some(ClosedSet { miou, iou: vec![("road".into(), miou)] }),
            anomalies: vec![detection(Score::Hybrid, ap), detection(Score::Generative, Some(0.25))],
            seconds: 0.0,
        }
    }

    #[test]
    fn the_best_is_by_what_is_trained() {
        let hybrid =
            Objective::Hybrid { beta1: 1.0, beta2: 0.3, beta3: 0.3, beta4: 0.03, floor: None, margin: None };
        let v = verdict(Some(0.5), Some(0.75));
        assert_eq!((v.worth(&Objective::ClosedSet), v.worth(&hybrid)), (Some(0.5), Some(0.625)));
        assert_eq!(verdict(None, Some(0.75)).worth(&Objective::ClosedSet), None);
        assert_eq!(verdict(None, Some(0.75)).worth(&hybrid), Some(0.75));
        assert_eq!(verdict(Some(0.5), None).worth(&hybrid), Some(0.5));
        assert_eq!(Verdict::default().worth(&hybrid), None);
        // Energies are the generative part of the score.
        let energy = Objective::EnergyMargin { inlier: -15.0, outlier: Some(-5.0), weight: 0.1 };
        assert_eq!(v.worth(&energy), Some(0.375));
    }

    #[test]
    fn figures_are_told() {
        let v = verdict(Some(0.5), None);
        assert_eq!(v.line(), "mIoU 50.00 %, hybrid AP - FPR95 - %, generative AP 25.00 FPR95 - %");
        let table = v.to_string();
        assert!(
            table.contains("road") && table.contains("generative          25.00        -    50.00"),
            "{table}"
        );
        let names: Vec<_> = v.scalars().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names[..2], ["validation/miou", "validation/hybrid/auroc"]);
    }
}
