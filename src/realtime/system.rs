//! The kernel's side: the sole user of `libc`.
//!
//! The calls are few and have no safe form among the crates that are here already.
#![allow(unsafe_code)] // calls of the C library

use super::{Cpus, MOST_CPUS, Outcome, Report, Settings, Wish};
use std::io;

/// So many CPUs are in a word of a set.
const WORD: usize = libc::c_ulong::BITS as usize;

type Set = [libc::c_ulong; MOST_CPUS / WORD];

/// Asks for what concerns the calling thread, and those that it starts from now on.
pub fn thread(settings: &Settings, report: &mut Report) {
    if let Some(cpus) = &settings.cpus {
        let wish = Wish::Cpus(cpus.clone());
        let outcome = match run_on(cpus) {
            Ok(got) if got == *cpus => Outcome::Granted(String::new()),
            Ok(got) => Outcome::Refused {
                reason: format!("CPUs {got} only are there and allowed"),
                advice: "it runs on these; name no others".into(),
            },
            Err(error) => Outcome::of(&wish, Err(error)),
        };
        report.add(wish, outcome);
    }
    if let Some(priority) = settings.priority {
        let wish = Wish::Priority(priority);
        let outcome = Outcome::of(&wish, be_fifo(priority));
        report.add(wish, outcome);
    }
}

/// Asks for what concerns the whole process: once all that a frame needs is there.
pub fn process(settings: &Settings, report: &mut Report) {
    if settings.lock_memory {
        let wish = Wish::LockMemory;
        let outcome = match lock_memory() {
            Ok(Locked::All) => Outcome::Granted(String::new()),
            Ok(Locked::Present) => Outcome::Granted(
                "what is there now; what comes later is not, since ulimit -l is finite and must not make memory \
                 run out"
                    .into(),
            ),
            Err(error) => Outcome::of(&wish, Err(error)),
        };
        report.add(wish, outcome);
    }
}

/// What the C library answered with.
fn checked(answer: libc::c_int) -> io::Result<()> {
    if answer == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Sets the calling thread's CPUs; gives those that it then has.
fn run_on(cpus: &Cpus) -> io::Result<Cpus> {
    let mut set: Set = [0; MOST_CPUS / WORD];
    for cpu in cpus.numbers() {
        set[cpu / WORD] |= 1 << (cpu % WORD);
    }
    // SAFETY: 0 is the calling thread; the set is of the size that is said and is read only.
    checked(unsafe { libc::sched_setaffinity(0, size_of::<Set>(), set.as_ptr().cast()) })?;
    // SAFETY: as above; the set is written, and every bit pattern of it is a number.
    checked(unsafe { libc::sched_getaffinity(0, size_of::<Set>(), set.as_mut_ptr().cast()) })?;
    let has = |cpu: &usize| (set[cpu / WORD] >> (cpu % WORD)) & 1 == 1;
    Cpus::of((0..MOST_CPUS).filter(has).collect()).ok_or_else(|| io::Error::other("no CPU is left"))
}

/// Gives the calling thread this priority of `SCHED_FIFO`.
fn be_fifo(priority: i32) -> io::Result<()> {
    let parameter = libc::sched_param { sched_priority: priority };
    // SAFETY: 0 is the calling thread; the parameter is read only.
    checked(unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameter) })
}

enum Locked {
    All,
    Present,
}

/// Keeps all pages in RAM; with a finite limit those that are there, since beyond it every later allocation would
/// fail.
fn lock_memory() -> io::Result<Locked> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the limit is written, and every bit pattern of it is a number.
    checked(unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &raw mut limit) })?;
    let (flags, locked) = if limit.rlim_cur == libc::RLIM_INFINITY {
        (libc::MCL_CURRENT | libc::MCL_FUTURE, Locked::All)
    } else {
        (libc::MCL_CURRENT, Locked::Present)
    };
    // SAFETY: takes no memory of ours.
    checked(unsafe { libc::mlockall(flags) })?;
    Ok(locked)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On a thread of its own, which takes with it what it was given.
    fn on_a_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("asking".into());
            thread.spawn_scoped(scope, work).unwrap().join().unwrap()
        })
    }

    fn asked(settings: &Settings) -> Vec<(bool, String)> {
        on_a_thread(|| {
            let mut report = Report::default();
            thread(settings, &mut report);
            report.lines().collect()
        })
    }

    /// Those this thread may run on.
    fn allowed() -> Cpus {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let list = status.lines().find_map(|l| l.strip_prefix("Cpus_allowed_list:")).unwrap();
        Cpus::parse(list.trim()).unwrap()
    }

    #[test]
    fn a_cpu_that_is_there_is_granted_and_inherited() {
        let first = Cpus::of(vec![allowed().numbers()[0]]).unwrap();
        let of_a_child = on_a_thread(|| {
            let mut report = Report::default();
            thread(&Settings { cpus: Some(first.clone()), ..Settings::default() }, &mut report);
            assert_eq!(report.refused(), None);
            on_a_thread(allowed)
        });
        assert_eq!(of_a_child, first);
    }

    #[test]
    fn cpus_that_are_not_there_are_refused() {
        let cpus = |list: String| Settings { cpus: Cpus::parse(&list), ..Settings::default() };
        let (granted, line) = asked(&cpus("1023".into())).remove(0);
        assert!(!granted && line.contains("Cpus_allowed_list"), "{line}");
        let first = allowed().numbers()[0];
        let (granted, line) = asked(&cpus(format!("{first},1023"))).remove(0);
        assert!(!granted && line.contains(&format!("CPUs {first} only")), "{line}");
    }

    #[test]
    fn a_priority_is_granted_or_refused_with_its_number() {
        let wish = Settings { priority: Some(1), ..Settings::default() };
        let (granted, line) = asked(&wish).remove(0);
        assert!(granted || line.contains("os error "), "{line}");
        // The kernel has none of 100: config refuses it before.
        let (granted, line) = asked(&Settings { priority: Some(100), ..Settings::default() }).remove(0);
        assert!(!granted && line.contains("os error "), "{line}");
    }

    #[test]
    fn nothing_is_asked_for_without_a_wish() {
        let mut report = Report::default();
        thread(&Settings::default(), &mut report);
        process(&Settings::default(), &mut report);
        assert_eq!(report, Report::default());
    }
}
