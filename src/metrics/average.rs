//! Per-image figures, averaged over a data set (as StreetHazards' results were published).
//!
//! A figure that an image does not define, such as the AP of one without anomalies, is left out of the mean
//! and counted: the mean of few images is not that of all.

use super::sum::Sum;

/// The mean of a figure over those images where it is defined.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Average {
    sum: Sum,
    /// Images that have the figure.
    pub defined: u64,
    /// Images that do not, and that the mean says nothing about.
    pub undefined: u64,
}

impl Average {
    /// Takes one image's figure.
    pub fn add(&mut self, figure: Option<f64>) {
        match figure {
            Some(figure) => {
                self.sum.add(figure);
                self.defined += 1;
            }
            None => self.undefined += 1,
        }
    }

    /// `None` where no image defined it.
    pub fn mean(&self) -> Option<f64> {
        (self.defined > 0).then(|| self.sum.total() / self.defined as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::Average;

    #[test]
    fn images_without_the_figure_are_counted_apart() {
        let mut average = Average::default();
        assert_eq!(average.mean(), None);
        for figure in [Some(0.25), None, Some(0.75), None, None] {
            average.add(figure);
        }
        assert_eq!((average.mean(), average.defined, average.undefined), (Some(0.5), 2, 3));
    }
}
