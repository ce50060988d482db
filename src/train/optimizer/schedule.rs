//! How the learning rate goes over a phase.

use serde::Deserialize;

/// The share of the base learning rate that a step has: a warm-up, then a decay.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// How it decays.
    pub kind: Decay,
    /// The rate rises linearly over so many steps; 0: none.
    #[serde(default)]
    pub warmup_steps: u64,
    /// What the decay ends at, a share of the base rate in 0..1.
    #[serde(default, rename = "final")]
    pub last: f64,
    /// Of [`Decay::Poly`]: the exponent, above 0.
    #[serde(default = "poly_power")]
    pub power: f64,
}

/// The shape of the decay; t runs from 0 to 1 over the phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decay {
    /// ½(1 + cos πt)
    Cosine,
    /// (1 − t)^power
    Poly,
    /// 1
    Constant,
}

fn poly_power() -> f64 {
    0.9
}

impl Default for Schedule {
    fn default() -> Self {
        Self { kind: Decay::Constant, warmup_steps: 0, last: 0.0, power: poly_power() }
    }
}

impl Schedule {
    /// `min(1, (step + 1)/warmup) · (final + (1 − final)·decay(step/steps))`, for `step` in `0..steps`.
    pub fn factor(&self, step: u64, steps: u64) -> f64 {
        let warm = (step + 1) as f64 / self.warmup_steps.max(1) as f64;
        let t = step as f64 / steps.max(1) as f64;
        let decay = match self.kind {
            Decay::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * t).cos()),
            Decay::Poly => (1.0 - t).max(0.0).powf(self.power),
            Decay::Constant => return warm.min(1.0),
        };
        warm.min(1.0) * (self.last + (1.0 - self.last) * decay)
    }

    /// What serde's types cannot say.
    ///
    /// # Errors
    /// Both sides of what is impossible in a phase of `steps` steps.
    pub fn check(&self, steps: u64) -> Result<(), String> {
        if self.warmup_steps > steps {
            return Err(format!(
                "warmup_steps is {}, but the phase has {steps} steps: at most as many",
                self.warmup_steps
            ));
        }
        if !(0.0..=1.0).contains(&self.last) {
            return Err(format!("final is {}: a share of the base rate, 0 to 1", self.last));
        }
        if !(self.power.is_finite() && self.power > 0.0) {
            return Err(format!("power is {}: a number above 0", self.power));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(kind: Decay, warmup_steps: u64, last: f64) -> Schedule {
        Schedule { kind, warmup_steps, last, power: 2.0 }
    }

    #[track_caller]
    fn check(schedule: &Schedule, steps: u64, expected: &[f64]) {
        for (step, expected) in expected.iter().enumerate() {
            let got = schedule.factor(step as u64, steps);
            assert!((got - expected).abs() < 1e-12, "step {step}: {got}, not {expected}");
        }
    }

    #[test]
    fn decays_by_hand() {
        check(&schedule(Decay::Cosine, 0, 0.0), 4, &[1.0, 0.853_553_390_593, 0.5, 0.146_446_609_407]);
        check(&schedule(Decay::Cosine, 2, 0.2), 2, &[0.5, 0.6]);
        check(&schedule(Decay::Poly, 0, 0.0), 4, &[1.0, 0.5625, 0.25, 0.0625]);
        check(&schedule(Decay::Constant, 4, 0.0), 9, &[0.25, 0.5, 0.75, 1.0, 1.0]);
    }

    #[test]
    fn impossible_values_are_refused() {
        let says = |s: Schedule, part: &str| {
            let error = s.check(10).unwrap_err();
            assert!(error.contains(part), "{error}");
        };
        says(schedule(Decay::Cosine, 11, 0.0), "warmup_steps is 11");
        says(schedule(Decay::Cosine, 0, 1.5), "final is 1.5");
        says(Schedule { power: 0.0, ..schedule(Decay::Poly, 0, 0.0) }, "power is 0");
        assert_eq!(schedule(Decay::Poly, 10, 1.0).check(10), Ok(()));
    }
}
