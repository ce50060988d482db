//! Work on many things by several threads, its results taken one after the other, in order.

use std::sync::mpsc::sync_channel;
use std::thread;

use anyhow::Context;

/// Does `work` on each item and hands the results to `take`, in the items' order, on the caller's thread.
///
/// Each thread has every n-th item and is at most one result ahead of what is taken: memory holds a few
/// results, however many items there are.
///
/// # Errors
/// The first of `take`, after which no more is done; or the system has no threads.
pub fn in_order<'a, T: Sync, R: Send>(
    items: &'a [T],
    work: impl Fn(&'a T) -> R + Sync,
    mut take: impl FnMut(R) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(items.len());
    let work = &work;
    thread::scope(|scope| {
        let mut results = Vec::new();
        for first in 0..threads {
            let (give, get) = sync_channel(1);
            let run = move || {
                for item in items.iter().skip(first).step_by(threads) {
                    if give.send(work(item)).is_err() {
                        return; // whoever took them has had an error
                    }
                }
            };
            let named = thread::Builder::new().name(format!("open_set-ahead-{first}"));
            named.spawn_scoped(scope, run).context("cannot start a thread")?;
            results.push(get);
        }
        for get in results.iter().cycle().take(items.len()) {
            take(get.recv().context("a thread has ended before its work")?)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::in_order;

    #[test]
    fn results_come_in_order_and_an_error_ends_it() {
        for count in [0, 1, 2, 3, 100] {
            let items: Vec<usize> = (0..count).collect();
            let mut taken = Vec::new();
            let take = |square| {
                taken.push(square);
                Ok(())
            };
            in_order(&items, |i| i * i, take).unwrap();
            assert_eq!(taken, items.iter().map(|i| i * i).collect::<Vec<_>>());
        }
        let mut taken = 0;
        let ended = in_order(
            &[(); 1000],
            |()| (),
            |()| {
                taken += 1;
                anyhow::ensure!(taken < 5, "enough");
                Ok(())
            },
        );
        assert_eq!((ended.unwrap_err().to_string().as_str(), taken), ("enough", 5));
    }
}
