//! Mean and deviation of the largest logit by predicted class, of as many pixels as come: what
//! [`Score::Sml`](super::Score::Sml) is standardised by.

/// The largest logits seen so far, by the class that has them.
#[derive(Debug, Clone)]
pub struct MaxLogitMoments {
    classes: Vec<Moments>,
    all: Moments,
}

/// What [`MaxLogitMoments`] come to.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassStatistics {
    /// `[K]`.
    pub mean: Vec<f32>,
    /// `[K]`, each above 0.
    pub deviation: Vec<f32>,
    /// Classes with too few pixels, or too equal ones, to have a deviation: they were given mean and
    /// deviation of all pixels together.
    pub pooled: Vec<usize>,
}

/// Why there are no statistics.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MomentsError {
    /// Nothing to learn from.
    #[error("no known pixel was seen")]
    Empty,
    /// A deviation of 0 standardises nothing.
    #[error("the largest logit is the same at every known pixel: it has no deviation")]
    Constant,
}

impl MaxLogitMoments {
    /// Of `classes` classes, without pixels.
    pub fn new(classes: usize) -> Self {
        Self { classes: vec![Moments::default(); classes], all: Moments::default() }
    }

    /// One more pixel whose largest logit is that of `class`; of a class beyond K, or a logit that is not
    /// finite, none.
    pub fn add(&mut self, class: u8, max_logit: f32) {
        if let Some(moments) = self.classes.get_mut(usize::from(class)).filter(|_| max_logit.is_finite()) {
            moments.add(max_logit.into());
            self.all.add(max_logit.into());
        }
    }

    /// How many pixels were seen.
    pub fn count(&self) -> u64 {
        self.all.count
    }

    /// Means and deviations, those of the pixels themselves and not of a population they were drawn from.
    ///
    /// # Errors
    /// No pixel, or none that differs.
    pub fn statistics(&self) -> Result<ClassStatistics, MomentsError> {
        if self.all.count == 0 {
            return Err(MomentsError::Empty);
        }
        let known = |moments: &Moments| moments.deviation() > 0.0;
        if !known(&self.all) {
            return Err(MomentsError::Constant);
        }
        let of = |moments| if known(moments) { moments } else { &self.all };
        Ok(ClassStatistics {
            mean: self.classes.iter().map(|m| of(m).mean as f32).collect(),
            deviation: self.classes.iter().map(|m| of(m).deviation()).collect(),
            pooled: (0..self.classes.len()).filter(|k| !known(&self.classes[*k])).collect(),
        })
    }
}

/// Running mean and sum of squared distances from it (Welford): no large sums that cancel.
#[derive(Debug, Clone, Default)]
struct Moments {
    count: u64,
    mean: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, x: f64) {
        self.count += 1;
        let before = x - self.mean;
        self.mean += before / self.count as f64;
        self.squares += before * (x - self.mean);
    }

    /// 0 without a pixel.
    fn deviation(&self) -> f32 {
        (self.squares / self.count.max(1) as f64).sqrt() as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn moments(pixels: &[(u8, f32)], classes: usize) -> MaxLogitMoments {
        let mut moments = MaxLogitMoments::new(classes);
        pixels.iter().for_each(|(class, v)| moments.add(*class, *v));
        moments
    }

    #[test]
    fn hand_worked_classes() {
        // Class 0: 1, 3: mean 2, deviation 1. Class 1: none; class 2: one. All: 1, 3, 5: mean 3, deviation √(8/3).
        let m = moments(&[(0, 1.0), (2, 5.0), (0, 3.0), (3, 9.0), (255, 9.0), (0, f32::NAN)], 3);
        let all = (8f32 / 3.0).sqrt();
        let want =
            ClassStatistics { mean: vec![2.0, 3.0, 3.0], deviation: vec![1.0, all, all], pooled: vec![1, 2] };
        assert_eq!((m.count(), m.statistics()), (3, Ok(want)));
    }

    #[test]
    fn nothing_to_learn_from_is_an_error() {
        assert_eq!(moments(&[(7, 1.0)], 2).statistics(), Err(MomentsError::Empty));
        assert_eq!(moments(&[(0, 1.0), (1, 1.0)], 2).statistics(), Err(MomentsError::Constant));
    }

    proptest! {
        #[test]
        fn moments_are_those_of_two_passes(
            values in prop::collection::vec(-1.0f32..1.0, 2..200), offset in -1e5f32..1e5,
        ) {
            let values: Vec<f32> = values.iter().map(|v| v + offset).collect();
            let pixels: Vec<_> = values.iter().map(|v| (0, *v)).collect();
            let n = values.len() as f64;
            let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
            let variance = values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / n;
            if let Ok(got) = moments(&pixels, 2).statistics() {
                prop_assert!((f64::from(got.mean[0]) - mean).abs() <= 1e-7 * mean.abs().max(1.0));
                prop_assert!((f64::from(got.deviation[0]).powi(2) - variance).abs() <= 1e-6 * variance + 1e-9);
            } else {
                prop_assert!(variance < 1e-9);
            }
        }
    }
}
