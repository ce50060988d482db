//! The last so many measurements of one quantity, and their percentiles.

/// A ring of the newest values.
#[derive(Debug, Clone)]
pub struct Window {
    values: Vec<f64>,
    next: usize,
    capacity: usize,
}

/// Percentiles of a window, by nearest rank: each is a value that was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Percentiles {
    /// How many values they are over.
    pub count: usize,
    /// Median.
    pub p50: f64,
    /// 95th.
    pub p95: f64,
    /// 99th.
    pub p99: f64,
    /// Largest.
    pub max: f64,
}

impl Window {
    /// Keeps the newest `capacity` values (at least one).
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        Self { values: Vec::with_capacity(capacity), next: 0, capacity }
    }

    /// Adds a value; the oldest leaves a full window.
    pub fn push(&mut self, value: f64) {
        if self.values.len() < self.capacity {
            self.values.push(value);
        } else {
            self.values[self.next] = value;
        }
        self.next = (self.next + 1) % self.capacity;
    }

    /// `None` while empty.
    pub fn percentiles(&self) -> Option<Percentiles> {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = |p: f64| {
            let index = (p * sorted.len() as f64).ceil() as usize;
            sorted.get(index.clamp(1, sorted.len()) - 1).copied()
        };
        if sorted.is_empty() {
            return None;
        }
        Some(Percentiles {
            count: sorted.len(),
            p50: rank(0.50)?,
            p95: rank(0.95)?,
            p99: rank(0.99)?,
            max: *sorted.last()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_rank_over_the_newest() {
        let mut w = Window::new(100);
        assert_eq!(w.percentiles(), None);
        w.push(7.0);
        assert_eq!(
            w.percentiles().unwrap(),
            Percentiles { count: 1, p50: 7.0, p95: 7.0, p99: 7.0, max: 7.0 }
        );
        for v in 1..=150 {
            w.push(f64::from(v));
        }
        let p = w.percentiles().unwrap();
        assert_eq!((p.count, p.p50, p.p95, p.p99, p.max), (100, 100.0, 145.0, 149.0, 150.0));
    }
}
