//! The newest-frame slot: one place that a camera writes and an inference thread empties.
//!
//! A perception node must answer for now, not for a backlog: what was not begun when a newer frame came is
//! replaced, and counted.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// One slot. Writers never wait for readers.
#[derive(Debug)]
pub struct Latest<T> {
    state: Mutex<State<T>>,
    arrived: Condvar,
}

#[derive(Debug)]
struct State<T> {
    value: Option<T>,
    replaced: u64,
    closed: bool,
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        let state = State { value: None, replaced: 0, closed: false };
        Self { state: Mutex::new(state), arrived: Condvar::new() }
    }
}

impl<T> Latest<T> {
    // A panic elsewhere cannot leave the slot half written: every change is one assignment.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a value in; one that was still there is dropped and counted. After [`Latest::close`] nothing is
    /// taken any more.
    pub fn put(&self, value: T) {
        let replaced = {
            let mut state = self.lock();
            if state.closed {
                return;
            }
            let old = state.value.replace(value);
            state.replaced += u64::from(old.is_some());
            old
        };
        self.arrived.notify_one();
        drop(replaced); // outside the lock: freeing an image takes a while
    }

    /// Waits for a value; `None` once closed.
    pub fn take(&self) -> Option<T> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(value) = state.value.take() {
                return Some(value);
            }
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Drops what waits, and counts it as replaced: something else was done for it.
    pub fn discard(&self) {
        let waiting = {
            let mut state = self.lock();
            let waiting = state.value.take();
            state.replaced += u64::from(waiting.is_some());
            waiting
        };
        drop(waiting);
    }

    /// How many values were replaced before anyone took them.
    pub fn replaced(&self) -> u64 {
        self.lock().replaced
    }

    /// Takes values again after [`Latest::close`]; what waited then is dropped.
    pub fn open(&self) {
        self.discard();
        self.lock().closed = false;
    }

    /// Wakes the reader, for good or until it is opened again.
    pub fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn the_newest_wins_and_the_rest_is_counted() {
        let slot = Latest::default();
        for i in 0..5 {
            slot.put(i);
        }
        assert_eq!(slot.take(), Some(4));
        assert_eq!(slot.replaced(), 4);
        slot.discard();
        assert_eq!(slot.replaced(), 4, "nothing waited");
        slot.put(5);
        slot.discard();
        slot.put(6);
        assert_eq!((slot.take(), slot.replaced()), (Some(6), 5));
        slot.put(7);
        slot.close();
        slot.put(8);
        assert_eq!(slot.take(), None);
        slot.open();
        slot.put(9);
        assert_eq!(slot.take(), Some(9));
    }

    #[test]
    fn a_waiting_reader_gets_what_comes_and_the_end() {
        let slot = Arc::new(Latest::default());
        let reader = {
            let slot = Arc::clone(&slot);
            std::thread::Builder::new().name("reader".into()).spawn(move || {
                let mut got = Vec::new();
                while let Some(v) = slot.take() {
                    got.push(v);
                }
                got
            })
        };
        for i in 0..1000 {
            slot.put(i);
        }
        while slot.lock().value.is_some() {
            std::thread::yield_now();
        }
        slot.close();
        slot.put(7);
        let got = reader.unwrap().join().unwrap();
        assert!(got.is_sorted() && got.last() == Some(&999), "{got:?}");
        assert_eq!(got.len() as u64 + slot.replaced(), 1000);
    }
}
