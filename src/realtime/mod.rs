//! Real-time hygiene: which CPUs and which priority the inference thread has, and whether memory stays in RAM.
//!
//! Each is a wish, and what became of it is a report: the system may refuse, and then the node says what it refused,
//! why, and what to do about it, and goes on as without it. Only where the user says that the wishes are required do
//! they keep it from starting. Threads that the inference thread starts, the network's and those that score, inherit
//! its CPUs and its priority: so both are asked for before sessions are made. So does the thread that makes sessions
//! anew after a fault: with a priority on a single CPU, frames wait for it.
//!
//! Pure but for `system`, which asks the kernel. Deliberately does not know: ROS, models.

#[cfg(feature = "node")]
pub mod system;

use std::fmt;

/// Beyond it the C library's sets end.
pub const MOST_CPUS: usize = 1024;

/// CPU numbers, ascending, each once, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cpus(Vec<usize>);

impl Cpus {
    /// From numbers and ranges, as `taskset` writes them: `2,4-7`. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut cpus = Vec::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let number = |text: &str| text.trim().parse::<usize>().ok().filter(|n| *n < MOST_CPUS);
            let (first, last) = (number(first)?, number(last)?);
            if first > last {
                return None;
            }
            cpus.extend(first..=last);
        }
        cpus.sort_unstable();
        cpus.dedup();
        Self::of(cpus)
    }

    /// Those of the numbers, which are ascending; `None` where there is none.
    pub(crate) fn of(cpus: Vec<usize>) -> Option<Self> {
        (!cpus.is_empty()).then_some(Self(cpus))
    }

    /// The numbers, ascending.
    pub fn numbers(&self) -> &[usize] {
        &self.0
    }
}

impl fmt::Display for Cpus {
    /// As `parse` reads it, ranges where there are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, run) in self.0.chunk_by(|a, b| a + 1 == *b).enumerate() {
            let comma = if i > 0 { "," } else { "" };
            match run {
                [one] => write!(f, "{comma}{one}")?,
                [first, .., last] => write!(f, "{comma}{first}-{last}")?,
                [] => (),
            }
        }
        Ok(())
    }
}

/// What the user wants.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    /// Where the inference thread runs, and those that it starts; `None`: anywhere.
    pub cpus: Option<Cpus>,
    /// Of `SCHED_FIFO`, 1 to 99; `None`: the usual scheduling.
    pub priority: Option<i32>,
    /// Whether no page is ever swapped out or first touched under way.
    pub lock_memory: bool,
    /// Whether a refused wish ends the start.
    pub required: bool,
}

/// One wish.
#[derive(Debug, Clone, PartialEq)]
pub enum Wish {
    /// To run there only.
    Cpus(Cpus),
    /// To run before all that has a lower one.
    Priority(i32),
    /// To keep all pages in RAM.
    LockMemory,
}

impl Wish {
    /// As the parameter is called.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Cpus(_) => "realtime.cpus",
            Self::Priority(_) => "realtime.priority",
            Self::LockMemory => "realtime.lock_memory",
        }
    }

    /// What to do where the kernel refuses it with this error number.
    fn advice(&self, errno: i32) -> String {
        match (self, errno) {
            (Self::Cpus(_), EINVAL) => {
                "none of them is there or allowed: see Cpus_allowed_list in /proc/self/status, and the container's \
                 or service's own CPU set"
                    .into()
            }
            (Self::Priority(priority), EPERM) => format!(
                "allow it: ulimit -r {priority} or more (rtprio in /etc/security/limits.conf, LimitRTPRIO= of a \
                 service), or give the process CAP_SYS_NICE; in a container also --ulimit rtprio={priority}"
            ),
            (Self::LockMemory, EPERM | ENOMEM | EAGAIN) => {
                "allow it: ulimit -l unlimited (memlock in /etc/security/limits.conf, LimitMEMLOCK=infinity of a \
                 service), or give the process CAP_IPC_LOCK"
                    .into()
            }
            _ => format!("this kernel or container does not do it: leave {} out", self.name()),
        }
    }
}

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpus(cpus) => write!(f, "CPUs {cpus}"),
            Self::Priority(priority) => write!(f, "SCHED_FIFO {priority}"),
            Self::LockMemory => f.write_str("mlockall"),
        }
    }
}

// Linux's, on every architecture.
const EPERM: i32 = 1;
const EAGAIN: i32 = 11;
const ENOMEM: i32 = 12;
const EINVAL: i32 = 22;

/// What became of a wish.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It is so; with what is to be known of it, which may be nothing.
    Granted(String),
    /// It is not, or not all of it.
    Refused {
        /// In the kernel's words, with its number, where those are all.
        reason: String,
        /// What to do about it.
        advice: String,
    },
}

impl Outcome {
    /// What the kernel answered: nothing, or an error with its number.
    pub fn of(wish: &Wish, answer: std::io::Result<()>) -> Self {
        match answer {
            Ok(()) => Self::Granted(String::new()),
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or_default();
                Self::Refused { reason: error.to_string(), advice: wish.advice(errno) }
            }
        }
    }
}

/// What became of all that was asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report(Vec<(Wish, Outcome)>);

impl Report {
    /// Adds a wish and what became of it.
    pub fn add(&mut self, wish: Wish, outcome: Outcome) {
        self.0.push((wish, outcome));
    }

    /// A line for the log for each wish, and whether it was granted.
    pub fn lines(&self) -> impl Iterator<Item = (bool, String)> + '_ {
        self.0.iter().map(|(wish, outcome)| match outcome {
            Outcome::Granted(note) if note.is_empty() => (true, format!("{}: {wish} granted", wish.name())),
            Outcome::Granted(note) => (true, format!("{}: {wish} granted: {note}", wish.name())),
            Outcome::Refused { reason, advice } => {
                (false, format!("{}: {wish} refused: {reason}; {advice}", wish.name()))
            }
        })
    }

    /// Those that were refused, in a sentence; `None` where none was.
    pub fn refused(&self) -> Option<String> {
        let lines: Vec<_> = self.lines().filter(|(granted, _)| !granted).map(|(_, line)| line).collect();
        (!lines.is_empty()).then(|| lines.join("; "))
    }

    /// For statuses: by the parameter, what was asked for and what became of it.
    pub fn values(&self) -> impl Iterator<Item = (&'static str, String)> + '_ {
        self.0.iter().map(|(wish, outcome)| {
            let told = match outcome {
                Outcome::Granted(note) if note.is_empty() => format!("{wish}: granted"),
                Outcome::Granted(note) => format!("{wish}: granted: {note}"),
                Outcome::Refused { reason, .. } => format!("{wish}: refused: {reason}"),
            };
            (wish.name(), told)
        })
    }
}

#[cfg(test)]
mod tests;
