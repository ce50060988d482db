use super::*;
use proptest::prelude::*;
use std::io::Error;

#[test]
fn cpu_lists_are_read_as_taskset_writes_them() {
    let parsed = |text: &str| Cpus::parse(text).map(|c| c.numbers().to_vec());
    assert_eq!(parsed("0"), Some(vec![0]));
    assert_eq!(parsed("2,4-6"), Some(vec![2, 4, 5, 6]));
    assert_eq!(parsed(" 7 , 1-2,2 "), Some(vec![1, 2, 7]));
    assert_eq!(parsed("1023"), Some(vec![1023]));
    for bad in ["", ",", "1,", "a", "-1", "1-", "3-2", "1024", "0-99999999999999999999", "1 2", "0x3"] {
        assert_eq!(parsed(bad), None, "{bad}");
    }
    assert_eq!(Cpus::parse("6,4,5,0,9-10").unwrap().to_string(), "0,4-6,9-10");
}

#[test]
fn a_refusal_says_why_and_what_to_do() {
    let line = |wish: Wish, errno: i32| {
        let outcome = Outcome::of(&wish, Err(Error::from_raw_os_error(errno)));
        let mut report = Report::default();
        report.add(wish, outcome);
        report.refused().unwrap()
    };
    let says = |line: String, parts: &[&str]| {
        assert!(parts.iter().all(|part| line.contains(part)), "{line}");
    };
    says(
        line(Wish::Priority(50), EPERM),
        &["realtime.priority: SCHED_FIFO 50 refused: ", "os error 1)", "ulimit -r 50", "CAP_SYS_NICE"],
    );
    says(
        line(Wish::LockMemory, ENOMEM),
        &["mlockall refused: ", "os error 12)", "ulimit -l", "CAP_IPC_LOCK"],
    );
    says(line(Wish::Cpus(Cpus(vec![900])), EINVAL), &["CPUs 900 refused: ", "Cpus_allowed_list"]);
    says(line(Wish::Priority(50), 38), &["os error 38)", "leave realtime.priority out"]);
}

#[test]
fn what_is_granted_is_told_too() {
    let mut report = Report::default();
    assert_eq!(report.refused(), None);
    report.add(Wish::Cpus(Cpus(vec![2, 3])), Outcome::of(&Wish::LockMemory, Ok(())));
    report.add(Wish::LockMemory, Outcome::Granted("what is there now".into()));
    let lines: Vec<_> = report.lines().collect();
    assert_eq!(lines[0], (true, "realtime.cpus: CPUs 2-3 granted".into()));
    assert_eq!(lines[1], (true, "realtime.lock_memory: mlockall granted: what is there now".into()));
    assert_eq!(report.refused(), None);
    report.add(Wish::Priority(9), Outcome::of(&Wish::Priority(9), Err(Error::from_raw_os_error(EPERM))));
    let values: Vec<_> = report.values().collect();
    assert_eq!(values[0], ("realtime.cpus", "CPUs 2-3: granted".into()));
    assert!(values[2].1.starts_with("SCHED_FIFO 9: refused: "), "{values:?}");
    assert_eq!(report.refused().unwrap().matches("refused").count(), 1);
}

proptest! {
    #[test]
    fn what_is_shown_is_read_back(numbers in prop::collection::btree_set(0..MOST_CPUS, 1..40)) {
        let cpus = Cpus::of(numbers.into_iter().collect()).unwrap();
        prop_assert_eq!(Cpus::parse(&cpus.to_string()), Some(cpus));
    }

    #[test]
    fn no_text_panics(text in "[0-9,\\- a]{0,20}") {
        if let Some(cpus) = Cpus::parse(&text) {
            prop_assert!(cpus.numbers().is_sorted());
        }
    }
}
