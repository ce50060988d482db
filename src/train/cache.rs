//! What was decoded, kept as long as it fits.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// A slot for each of a fixed number of things. What does not fit is made anew each time: what is in the
/// cache never changes what is seen, only when.
#[derive(Debug)]
pub(crate) struct Cache<T> {
    slots: Vec<OnceLock<Arc<T>>>,
    bytes_left: AtomicUsize,
}

impl<T> Cache<T> {
    pub(crate) fn new(slots: usize, megabytes: usize) -> Self {
        Self {
            slots: (0..slots).map(|_| OnceLock::new()).collect(),
            bytes_left: AtomicUsize::new(megabytes.saturating_mul(1 << 20)),
        }
    }

    /// The thing of that slot, made by `make` where it is not there. Two threads may both make it.
    pub(crate) fn get<E>(
        &self,
        slot: usize,
        bytes: impl FnOnce(&T) -> usize,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        if let Some(kept) = self.slots.get(slot).and_then(OnceLock::get) {
            return Ok(Arc::clone(kept));
        }
        let made = Arc::new(make()?);
        let size = bytes(&made);
        let fits = |left: usize| left.checked_sub(size);
        if let Some(empty) = self.slots.get(slot)
            && self.bytes_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok()
            && empty.set(Arc::clone(&made)).is_err()
        {
            self.bytes_left.fetch_add(size, Ordering::Relaxed); // Another thread was faster.
        }
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    #[test]
    fn what_fits_is_made_once_and_the_rest_each_time() {
        let cache = Cache::<usize>::new(3, 1);
        let mut made = 0;
        for slot in [0, 1, 0, 1, 1, 7] {
            let got = cache.get(
                slot,
                |_| 700 << 10,
                || {
                    made += 1;
                    Ok::<_, Infallible>(slot * 10)
                },
            );
            assert_eq!(*got.unwrap(), slot * 10);
        }
        assert_eq!(made, 1 + 3 + 1, "0 is kept; 1 does not fit; 7 has no slot");
    }

    #[test]
    fn what_cannot_be_made_is_not_kept() {
        let cache = Cache::<u8>::new(1, 1);
        assert_eq!(cache.get(0, |_| 1, || Err("no")), Err("no"));
        assert_eq!(cache.get(0, |_| 1, || Ok::<_, &str>(5)).as_deref(), Ok(&5));
    }
}
