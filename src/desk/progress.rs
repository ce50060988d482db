//! The bar on stderr, and failures named above it.

use indicatif::{ProgressBar, ProgressStyle};

use super::Failure;

/// Counts pictures, and keeps what failed. On something that is no terminal only failures are seen.
pub struct Progress {
    bar: ProgressBar,
    failures: Vec<Failure>,
}

impl Progress {
    /// `count` is how many pictures will come, if that is known.
    pub fn new(count: Option<u64>) -> Self {
        let (bar, template) = match count {
            Some(count) => (ProgressBar::new(count), "{bar:40} {pos}/{len}  {per_sec}  {eta} left"),
            None => (ProgressBar::no_length(), "{spinner} {pos}  {per_sec}"),
        };
        // The templates are right; were they not, the default bar would do as well.
        let style = ProgressStyle::with_template(template);
        Self {
            bar: bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())),
            failures: Vec::new(),
        }
    }

    /// One more picture is over; a failure is named at once, and kept.
    pub fn done(&mut self, input: String, result: anyhow::Result<()>) {
        if let Err(error) = result {
            let error = error.to_string();
            // What could not be read names itself; what failed later does not know where it came from.
            let named = if error.contains(&input) { error.clone() } else { format!("{input}: {error}") };
            self.bar.suspend(|| eprintln!("failed: {named}"));
            self.failures.push(Failure { input, error });
        }
        self.bar.inc(1);
    }

    /// Takes the bar away and hands out what failed.
    pub fn finish(self) -> Vec<Failure> {
        self.bar.finish_and_clear();
        self.failures
    }
}
