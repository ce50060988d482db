//! In which order samples come: one shuffle of the set after another, without an end.

use rand::seq::SliceRandom;

use super::random::generator;

/// Position p of the sequence is entry p mod n of the shuffle of epoch ⌊p/n⌋: batches run over the ends of
/// epochs, and nothing is left out.
#[derive(Debug)]
pub(super) struct Order {
    len: usize,
    seed: u64,
    phase: String,
    /// The epoch that was asked for last, and its shuffle.
    epoch: Option<(u64, Vec<usize>)>,
}

impl Order {
    /// `len` is 1 or more.
    pub(super) fn new(len: usize, seed: u64, phase: &str) -> Self {
        Self { len, seed, phase: phase.into(), epoch: None }
    }

    /// The sample at a position, then those that stand in for it where it is damaged: the rest of its epoch,
    /// round to its beginning.
    pub(super) fn at(&mut self, position: u64) -> impl Iterator<Item = usize> {
        let (epoch, offset) = (position / self.len as u64, (position % self.len as u64) as usize);
        if self.epoch.as_ref().is_none_or(|(of, _)| *of != epoch) {
            let mut shuffle: Vec<usize> = (0..self.len).collect();
            shuffle.shuffle(&mut generator(self.seed, [&self.phase, "order"], epoch));
            self.epoch = Some((epoch, shuffle));
        }
        let shuffle = self.epoch.as_ref().map_or(&[][..], |(_, shuffle)| shuffle);
        let (before, from) = shuffle.split_at(offset.min(shuffle.len()));
        from.iter().chain(before).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(order: &mut Order, position: u64) -> usize {
        order.at(position).next().unwrap()
    }

    #[test]
    fn an_epoch_holds_each_sample_once_and_differs_from_the_next() {
        let mut order = Order::new(50, 3, "closed");
        let epochs: Vec<Vec<usize>> =
            (0..3).map(|e| (0..50).map(|i| first(&mut order, e * 50 + i)).collect()).collect();
        for epoch in &epochs {
            let mut sorted = epoch.clone();
            sorted.sort();
            assert_eq!(sorted, (0..50).collect::<Vec<_>>());
        }
        assert!(epochs[0] != epochs[1] && epochs[1] != epochs[2]);
        assert_ne!(epochs[0], (0..50).collect::<Vec<_>>());
    }

    #[test]
    fn a_position_has_its_sample_whatever_was_asked_before() {
        let (mut one, mut other) = (Order::new(7, 1, "a"), Order::new(7, 1, "a"));
        let forward: Vec<_> = (0..40).map(|p| first(&mut one, p)).collect();
        let backward: Vec<_> = (0..40).rev().map(|p| first(&mut other, p)).collect();
        assert!(forward.iter().eq(backward.iter().rev()));
    }

    #[test]
    fn each_of_the_epoch_may_stand_in() {
        let mut order = Order::new(5, 1, "a");
        let mut all: Vec<_> = order.at(13).collect();
        assert_eq!(all[1], first(&mut order, 14));
        all.sort();
        assert_eq!(all, [0, 1, 2, 3, 4]);
    }
}
