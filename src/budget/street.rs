//! A camera and a machine in simulated time: nothing sleeps, an hour is a loop.

use super::*;

/// What every frame takes beside the network: 5 before and 1 to publish.
pub(super) const OTHERS_MS: f64 = 6.0;

pub(super) fn policy(over_budget: OverBudget) -> Policy {
    Policy { budget_ms: Some(100.0), over_budget, bad_stamps: BadStamps::Arrival }
}

pub(super) fn work(inference: f64) -> Work {
    Work { preprocess: 2.0, inference, score: 3.0, labels: Some(1.0) }
}

/// Sizes 640x480, 480x360 and so on, and what a run took at each at the warm-up.
pub(super) fn rungs(run_ms: &[f64]) -> Vec<Rung> {
    let size = |i: usize| Size { width: 640 - 160 * i, height: 480 - 120 * i };
    run_ms.iter().enumerate().map(|(i, ms)| Rung { size: size(i), run_ms: *ms }).collect()
}

pub(super) struct Street {
    pub budget: Budget,
    sizes: Vec<Size>,
    /// What a run takes at each without load: usually as at the warm-up.
    pub truth: Vec<f64>,
    /// By so large a share runs are shorter or longer, any as likely as any other.
    pub noise: f64,
    dice: u64,
    start: Instant,
    /// Since then, in milliseconds.
    pub now_ms: f64,
    /// When, and at which age.
    pub results: Vec<(f64, f64)>,
    pub begun: usize,
    pub refused: usize,
    /// When, and from which size to which, as places in the list.
    pub changes: Vec<(f64, usize, usize)>,
    /// Time spent at the largest size that fits.
    pub right_ms: f64,
}

impl Street {
    pub fn new(policy: Policy, run_ms: &[f64]) -> Self {
        let rungs = rungs(run_ms);
        Self {
            sizes: rungs.iter().map(|r| r.size).collect(),
            budget: Budget::new(policy, rungs),
            truth: run_ms.to_vec(),
            noise: 0.0,
            dice: 1,
            start: Instant::now(),
            now_ms: 0.0,
            results: Vec::new(),
            begun: 0,
            refused: 0,
            changes: Vec::new(),
            right_ms: 0.0,
        }
    }

    /// The place of the size in use.
    pub fn current(&self) -> usize {
        self.place(self.budget.size())
    }

    fn place(&self, size: Size) -> usize {
        self.sizes.iter().position(|s| *s == size).unwrap()
    }

    fn instant(&self) -> Instant {
        self.start + Duration::from_secs_f64(self.now_ms / 1e3)
    }

    /// From -1 to 1.
    fn roll(&mut self) -> f64 {
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.dice >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    /// The largest size whose every frame makes the budget, were it begun as it comes.
    fn right(&self, transport_ms: f64, load: f64) -> usize {
        let budget_ms = self.budget.policy().budget_ms.unwrap();
        let fits = |run_ms: &f64| transport_ms + OTHERS_MS + run_ms * load * (1.0 + self.noise) <= budget_ms;
        self.truth.iter().position(fits).unwrap_or(self.truth.len() - 1)
    }

    /// The camera sends an image every `period_ms`, each is `transport_ms` old when it comes, the newest is
    /// taken, and `load` stretches the runs as it says of that time; until `end_ms`.
    pub fn drive(&mut self, end_ms: f64, period_ms: f64, transport_ms: f64, load: impl Fn(f64) -> f64) {
        let mut taken = -1.0;
        let mut seen_ms = self.now_ms;
        while self.now_ms < end_ms {
            let newest = ((self.now_ms - transport_ms) / period_ms).floor();
            if newest <= taken {
                self.now_ms = (taken + 1.0) * period_ms + transport_ms + 1e-6;
                continue;
            }
            taken = newest;
            let stamp_ms = newest * period_ms;
            if self.right(transport_ms, load(self.now_ms)) == self.current() {
                self.right_ms += self.now_ms - seen_ms;
            }
            seen_ms = self.now_ms;

            let ns = |ms: f64| 1_000_000_000 + (ms * 1e6) as i64;
            let birth = Birth::new(ns(stamp_ms), ns(stamp_ms + transport_ms));
            if self.budget.begin(&birth, self.now_ms - stamp_ms, self.instant()).is_err() {
                self.refused += 1;
                continue;
            }
            self.begun += 1;
            let stretch = load(self.now_ms) * (1.0 + self.noise * self.roll());
            let mut done = work(self.truth[self.current()] * stretch);
            self.now_ms += done.total_ms() - 1.0;
            if self.budget.finish(self.now_ms - stamp_ms).is_ok() {
                self.now_ms += 1.0;
                self.results.push((self.now_ms, self.now_ms - stamp_ms));
            } else {
                done.labels = None;
            }
            self.budget.worked(&done, self.instant());
            if let Some(change) = self.budget.resize(self.instant()) {
                assert_eq!(change.to, self.budget.size());
                self.changes.push((self.now_ms, self.place(change.from), self.place(change.to)));
            }
        }
    }

    pub fn published_between(&self, from_ms: f64, to_ms: f64) -> usize {
        self.results.iter().filter(|(at, _)| (from_ms..to_ms).contains(at)).count()
    }

    /// Of the results, but for the very first, of which no one knew how long publishing takes.
    pub fn oldest_ms(&self) -> f64 {
        self.results.iter().skip(1).map(|(_, age)| *age).fold(0.0, f64::max)
    }
}
