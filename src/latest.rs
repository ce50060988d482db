//! The newest-frame slots: places that cameras write, one each, and an inference thread empties.
//!
//! A perception node must answer for now, not for a backlog: what was not begun when a newer frame of the same
//! camera came is replaced, and counted. Which camera's is begun next is the reader's to say: it sees what waits,
//! and since when.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// One slot a camera, one reader. Writers never wait for it.
#[derive(Debug)]
pub struct Latest<T> {
    state: Mutex<State<T>>,
    arrived: Condvar,
}

#[derive(Debug)]
struct State<T> {
    slots: Vec<Slot<T>>,
    closed: bool,
}

#[derive(Debug)]
struct Slot<T> {
    value: Option<T>,
    /// When the first value came after one was last taken.
    since: Option<Instant>,
    replaced: u64,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { value: None, since: None, replaced: 0 }
    }
}

impl<T> Slot<T> {
    fn discard(&mut self) -> Option<T> {
        let waiting = self.value.take();
        self.replaced += u64::from(waiting.is_some());
        self.since = None;
        waiting
    }
}

/// A value that waits.
#[derive(Debug)]
pub struct Waiting<'a, T> {
    /// Whose it is.
    pub slot: usize,
    /// The newest.
    pub value: &'a T,
    /// Since when something has been waiting there, what was replaced included.
    pub since: Instant,
}

impl<T> State<T> {
    fn waiting(&self) -> impl Iterator<Item = Waiting<'_, T>> {
        self.slots.iter().enumerate().filter_map(|(slot, s)| {
            let (value, since) = (s.value.as_ref()?, s.since?);
            Some(Waiting { slot, value, since })
        })
    }

    fn take(&mut self, slot: usize) -> Option<(usize, T)> {
        let taken = self.slots.get_mut(slot)?;
        taken.since = None;
        taken.value.take().map(|value| (slot, value))
    }
}

impl<T> Latest<T> {
    /// So many slots, at least one.
    pub fn new(slots: usize) -> Self {
        let slots = (0..slots.max(1)).map(|_| Slot::default()).collect();
        Self { state: Mutex::new(State { slots, closed: false }), arrived: Condvar::new() }
    }

    // A panic elsewhere cannot leave a slot half written: every change is a few assignments.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a value in; one that was still there is dropped and counted. After [`Latest::close`] nothing is
    /// taken any more, nor is anything for a slot that there is not.
    pub fn put(&self, slot: usize, value: T, now: Instant) {
        let replaced = {
            let mut state = self.lock();
            if state.closed {
                return;
            }
            let Some(slot) = state.slots.get_mut(slot) else { return };
            let old = slot.value.replace(value);
            slot.since.get_or_insert(now);
            slot.replaced += u64::from(old.is_some());
            old
        };
        self.arrived.notify_one();
        drop(replaced); // outside the lock: freeing an image takes a while
    }

    /// Waits for a value, and takes the one that `rank` puts lowest, with whose it is. `None` once closed.
    pub fn take<K: Ord>(&self, mut rank: impl FnMut(&Waiting<'_, T>) -> K) -> Option<(usize, T)> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            let lowest = state.waiting().min_by_key(&mut rank).map(|waiting| waiting.slot);
            if let Some(taken) = lowest.and_then(|slot| state.take(slot)) {
                return Some(taken);
            }
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Drops what waits in a slot, and counts it as replaced: something else was done for it.
    pub fn discard(&self, slot: usize) {
        let waiting = self.lock().slots.get_mut(slot).and_then(Slot::discard);
        drop(waiting);
    }

    /// How many values were replaced in a slot before anyone took them.
    pub fn replaced(&self, slot: usize) -> u64 {
        self.lock().slots.get(slot).map_or(0, |s| s.replaced)
    }

    /// Wakes the reader for good.
    pub fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;

    /// Who has waited longest.
    fn take(slots: &Latest<i32>) -> Option<(usize, i32)> {
        slots.take(|waiting| waiting.since)
    }

    #[test]
    fn the_newest_wins_and_the_rest_is_counted() {
        let (slot, now) = (Latest::new(1), Instant::now());
        for i in 0..5 {
            slot.put(0, i, now);
        }
        assert_eq!(take(&slot), Some((0, 4)));
        assert_eq!(slot.replaced(0), 4);
        slot.discard(0);
        assert_eq!(slot.replaced(0), 4, "nothing waited");
        slot.put(0, 5, now);
        slot.discard(0);
        slot.put(0, 6, now);
        slot.put(1, 99, now);
        assert_eq!((take(&slot), slot.replaced(0), slot.replaced(1)), (Some((0, 6)), 5, 0));
        slot.put(0, 7, now);
        slot.close();
        slot.put(0, 8, now);
        assert_eq!(take(&slot), None);
    }

    #[test]
    fn what_was_replaced_has_waited_for_what_replaced_it() {
        let (slots, start) = (Latest::new(3), Instant::now());
        let at = |ms: u64| start + Duration::from_millis(ms);
        slots.put(2, 20, at(0));
        slots.put(1, 10, at(1));
        slots.put(2, 21, at(2));
        slots.put(0, 0, at(3));
        assert_eq!(take(&slots), Some((2, 21)), "its first came before all others");
        slots.put(2, 22, at(4));
        slots.discard(1);
        slots.put(1, 11, at(5));
        let order: Vec<_> = (0..3).map(|_| take(&slots)).collect();
        assert_eq!(order, [Some((0, 0)), Some((2, 22)), Some((1, 11))]);
        slots.put(1, 12, at(6));
        slots.put(2, 23, at(7));
        assert_eq!(slots.take(|waiting| -*waiting.value), Some((2, 23)), "by any rank");
    }

    #[test]
    fn a_waiting_reader_gets_what_comes_and_the_end() {
        let slot = Arc::new(Latest::new(1));
        let reader = {
            let slot = Arc::clone(&slot);
            std::thread::Builder::new().name("reader".into()).spawn(move || {
                let mut got = Vec::new();
                while let Some((_, v)) = take(&slot) {
                    got.push(v);
                }
                got
            })
        };
        for i in 0..1000 {
            slot.put(0, i, Instant::now());
        }
        while slot.lock().slots[0].value.is_some() {
            std::thread::yield_now();
        }
        slot.close();
        slot.put(0, 7, Instant::now());
        let got = reader.unwrap().join().unwrap();
        assert!(got.is_sorted() && got.last() == Some(&999), "{got:?}");
        assert_eq!(got.len() as u64 + slot.replaced(0), 1000);
    }
}
