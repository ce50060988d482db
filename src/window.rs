//! The last so many measurements of one quantity, and their percentiles.

/// The newest values, in the order they came and in the order of their size: asking costs nothing and
/// allocates nothing.
#[derive(Debug, Clone)]
pub struct Window {
    /// A ring.
    values: Vec<f64>,
    /// The same, ascending.
    sorted: Vec<f64>,
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
        let room = || Vec::with_capacity(capacity);
        Self { values: room(), sorted: room(), next: 0, capacity }
    }

    /// Adds a value; the oldest leaves a full window.
    pub fn push(&mut self, value: f64) {
        if self.values.len() < self.capacity {
            self.values.push(value);
        } else {
            let oldest = std::mem::replace(&mut self.values[self.next], value);
            let place = self.place(oldest);
            self.sorted.remove(place);
        }
        let place = self.place(value);
        self.sorted.insert(place, value);
        self.next = (self.next + 1) % self.capacity;
    }

    /// Where the first value that is not below this one stands, or would stand.
    fn place(&self, value: f64) -> usize {
        self.sorted.partition_point(|v| v.total_cmp(&value).is_lt())
    }

    /// How many values it holds.
    pub fn count(&self) -> usize {
        self.values.len()
    }

    /// The value that a share `q` of all do not exceed, by nearest rank; `None` while empty.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let count = self.sorted.len();
        let rank = (q * count as f64).ceil() as usize;
        self.sorted.get(rank.clamp(1, count.max(1)) - 1).copied()
    }

    /// `None` while empty.
    pub fn percentiles(&self) -> Option<Percentiles> {
        Some(Percentiles {
            count: self.count(),
            p50: self.quantile(0.50)?,
            p95: self.quantile(0.95)?,
            p99: self.quantile(0.99)?,
            max: *self.sorted.last()?,
        })
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.values.clear();
        self.sorted.clear();
        self.next = 0;
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
        assert_eq!(w.count(), 100);
        w.clear();
        assert_eq!((w.count(), w.percentiles()), (0, None));
        w.push(3.0);
        assert_eq!((w.quantile(0.0), w.quantile(1.0)), (Some(3.0), Some(3.0)));
    }

    #[test]
    fn what_leaves_is_what_came_first_also_among_equals() {
        let mut w = Window::new(3);
        for v in [2.0, 1.0, 2.0, f64::NAN, 0.5, 0.5] {
            w.push(v);
        }
        // NaN, 0.5, 0.5 are left; NaN is the largest of all.
        assert_eq!(w.quantile(0.5), Some(0.5));
        assert!(w.quantile(1.0).unwrap().is_nan());
        w.push(7.0);
        assert_eq!(w.quantile(1.0), Some(7.0));
    }
}
