//! What is begun and what is published, at one input size.

use super::street::{Street, policy, rungs, work};
use super::*;

fn budget(policy: Policy) -> Budget {
    Budget::new(policy, rungs(&[1.0]))
}

/// One size; a load is milliseconds of the network.
fn street(over_budget: OverBudget) -> Street {
    Street::new(policy(over_budget), &[1.0])
}

/// With a good stamp, and new when it came.
fn birth() -> Birth {
    Birth::new(1_000_000_000, 1_000_000_000)
}

#[test]
fn without_a_budget_all_is_begun_and_nothing_is_late() {
    let none = Policy { budget_ms: None, ..policy(OverBudget::Drop) };
    let mut b = budget(none);
    b.worked(&work(1e6), Instant::now());
    assert_eq!(b.begin(&birth(), 1e12, Instant::now()), Ok(()));
    assert_eq!((b.finish(1e12), b.policy().is_over(1e12), b.resize(Instant::now())), (Ok(()), false, None));
}

#[test]
fn what_is_too_old_is_not_begun_under_either_policy() {
    for over_budget in [OverBudget::Drop, OverBudget::Flag] {
        let mut b = budget(policy(over_budget));
        let now = Instant::now();
        assert_eq!(b.begin(&birth(), 100.0, now), Ok(()));
        let error = b.begin(&birth(), 100.1, now).unwrap_err();
        assert_eq!(error, Refusal::OverAge { age_ms: 100.1, budget_ms: 100.0 });
        assert!(error.to_string().contains("100.1 ms old, over the budget of 100 ms"), "{error}");
    }
}

#[test]
fn a_younger_frame_is_waited_for_under_either_policy() {
    for over_budget in [OverBudget::Drop, OverBudget::Flag] {
        let mut b = budget(policy(over_budget));
        let now = Instant::now();
        let later = |ms: u64| now + Duration::from_millis(ms);
        assert_eq!(b.begin(&birth(), 30.0, now), Ok(()), "nothing is known");
        b.worked(&work(80.0), later(86));
        let error = b.begin(&birth(), 30.0, later(90)).unwrap_err();
        assert_eq!(error, Refusal::WouldMiss { age_ms: 30.0, work_ms: 86.0, budget_ms: 100.0 });
        assert!(error.to_string().contains("30.0 ms old and takes 86.0 ms more"), "{error}");
        assert_eq!(b.begin(&birth(), 14.0, later(90)), Ok(()));
    }
}

#[test]
fn work_in_vain_is_not_begun_but_probed_for() {
    let mut b = budget(policy(OverBudget::Drop));
    let now = Instant::now();
    let later = |ms: u64| now + Duration::from_millis(ms);
    b.worked(&work(120.0), now);
    assert!(b.begin(&birth(), 0.0, later(499)).is_err());
    assert_eq!(b.begin(&birth(), 0.0, later(500)), Ok(()));
    assert!(b.begin(&birth(), 0.0, later(501)).is_err());
}

#[test]
fn work_in_vain_is_begun_where_late_results_are_wanted() {
    let mut b = budget(policy(OverBudget::Flag));
    b.worked(&work(120.0), Instant::now());
    assert_eq!(b.begin(&birth(), 30.0, Instant::now()), Ok(()));
    assert_eq!((b.finish(1e3), b.policy().is_over(1e3), b.policy().is_over(100.0)), (Ok(()), true, false));
}

#[test]
fn a_late_result_is_dropped_and_publishing_takes_time_as_well() {
    let mut b = budget(policy(OverBudget::Drop));
    assert_eq!(b.finish(99.5), Ok(()));
    b.worked(&work(50.0), Instant::now());
    let error = b.finish(99.5).unwrap_err();
    assert_eq!(error, Late { age_ms: 99.5, labels_ms: 1.0, budget_ms: 100.0 });
    let said =
        "result is 99.5 ms old and takes 1.0 ms more to publish, over the budget of 100 ms: not published";
    assert_eq!(error.to_string(), said);
    assert_eq!(b.finish(99.0), Ok(()));
}

#[test]
fn a_prediction_is_the_sum_of_each_stage_s_p95() {
    let mut p = Predictor::default();
    assert_eq!((p.work_ms(), p.labels_ms(), p.count()), (None, 0.0, 0));
    for i in 1..=60 {
        p.add(&Work { preprocess: 1.0, inference: f64::from(i), score: 2.0, labels: None });
    }
    let p95_ms = |p: &Predictor| p.p95().map(|work| work.total_ms());
    assert_eq!((p95_ms(&p), p.work_ms()), (Some(60.0), Some(60.0)));
    assert_eq!(p.recent().map(|work| work.inference), Some(58.0));
    // The oldest are forgotten; the last counts where it was quicker.
    for _ in 0..10 {
        p.add(&work(1.0));
    }
    assert_eq!((p95_ms(&p), p.work_ms(), p.count()), (Some(2.0 + 57.0 + 3.0 + 1.0), Some(7.0), 60));
    p.resized();
    assert_eq!((p.p95(), p.recent(), p.labels_ms(), p.count()), (None, None, 1.0, 0));
}

#[test]
fn nothing_late_is_published_whatever_the_load_does() {
    let mut s = street(OverBudget::Drop);
    // Quiet, a jump over the budget, a slow way down, single slow frames.
    let load = |at: f64| match at {
        at if at < 10_000.0 => 50.0,
        at if at < 20_000.0 => 140.0,
        at if at < 40_000.0 => 140.0 - (at - 20_000.0) * 100.0 / 20_000.0,
        at if ((at / 37.0) as u64).is_multiple_of(25) => 130.0,
        _ => 60.0,
    };
    s.drive(60_000.0, 33.3, 5.0, load);
    assert!(s.oldest_ms() <= 100.0 + 1e-6, "{}", s.oldest_ms());
    assert!(s.published_between(0.0, 10_000.0) > 170, "quiet: all of some 178 fit");
    assert_eq!(s.published_between(11_000.0, 20_000.0), 0);
    // Single slow frames cost themselves and at most half a second each.
    assert!(s.published_between(40_000.0, 60_000.0) > 120, "{}", s.published_between(40_000.0, 60_000.0));
    assert!(s.changes.is_empty(), "there is one size: {:?}", s.changes);
}

#[test]
fn an_overload_is_left_within_a_second_of_its_end_and_costs_little_while_it_lasts() {
    let mut s = street(OverBudget::Drop);
    s.drive(20_000.0, 100.0, 5.0, |at| if at < 10_000.0 { 200.0 } else { 50.0 });
    // A probe every three quarters of a second: half of waiting, a fifth of work.
    assert!(s.begun - s.results.len() <= 20, "{} in vain", s.begun - s.results.len());
    assert!(s.refused > 30, "{}", s.refused);
    assert!(s.published_between(10_000.0, 11_000.0) >= 3);
    assert!(s.published_between(11_000.0, 20_000.0) >= 89, "all of them");
}

#[test]
fn the_age_on_arrival_counts() {
    let mut s = street(OverBudget::Drop);
    s.drive(10_000.0, 100.0, 70.0, |_| 50.0);
    assert!(s.results.is_empty(), "{:?}", s.results);
    let mut s = street(OverBudget::Flag);
    s.drive(10_000.0, 100.0, 70.0, |_| 50.0);
    assert!(s.results.len() > 90 && s.results.iter().all(|(_, age)| *age > 100.0));
}

#[test]
fn what_came_too_late_for_any_network_does_not_make_it_smaller() {
    let (mut b, now) = (Budget::new(policy(OverBudget::Drop), rungs(&[57.0, 30.0])), Instant::now());
    let of = |arrival_ms: i64| Birth::new(1_000_000_000, 1_000_000_000 + arrival_ms * 1_000_000);
    assert!(matches!(b.begin(&of(200), 200.0, now), Err(Refusal::OverAge { .. })));
    for _ in 0..10 {
        assert_eq!(b.begin(&of(2), 2.0, now), Ok(()));
        b.worked(&work(57.0), now);
        assert_eq!(b.resize(now), None);
    }
}

#[test]
fn a_late_result_still_takes_time_to_publish() {
    let mut p = Predictor::default();
    p.add(&work(50.0));
    p.add(&Work { labels: None, ..work(50.0) });
    assert_eq!(p.work_ms(), Some(56.0));
}

#[test]
fn a_stamp_is_judged_by_the_arrival() {
    const MS: i64 = 1_000_000;
    let of = |stamp_ms: i64, arrived_ms: i64| Birth::new(stamp_ms * MS, arrived_ms * MS);
    let at = |b: Birth, now_ms: i64| (b.stamp, b.arrival_ms(), b.age_ms(now_ms * MS));
    assert_eq!(at(of(1000, 1020), 1100), (Stamp::Good, 20.0, 100.0));
    // A little ahead is two clocks; the age is then that since the arrival.
    assert_eq!(at(of(1030, 1000), 1100), (Stamp::Good, 0.0, 100.0));
    assert_eq!(at(of(1051, 1000), 1100), (Stamp::Ahead { ms: 51.0 }, 0.0, 100.0));
    assert_eq!(at(of(0, 1000), 1100), (Stamp::Zero, 0.0, 100.0));
    // The clock was set back while the image waited, or before it came.
    assert_eq!(at(of(1000, 1020), 10), (Stamp::Good, 20.0, 0.0));
    assert_eq!(at(of(900_000, 10), 30), (Stamp::Ahead { ms: 899_990.0 }, 0.0, 20.0));
    // No pair of numbers overflows.
    for stamp in [i64::MIN, -1, 0, i64::MAX] {
        for arrived in [i64::MIN, 0, i64::MAX] {
            assert!(Birth::new(stamp, arrived).age_ms(i64::MAX) >= 0.0);
        }
    }
}

#[test]
fn a_stamp_that_tells_no_age_is_dropped_where_that_is_asked_for() {
    let drop = Policy { bad_stamps: BadStamps::Drop, budget_ms: None, over_budget: OverBudget::Drop };
    let zero = Birth::new(0, 1_000_000_000);
    let ahead = Birth::new(3_000_000_000, 1_000_000_000);
    let error = budget(drop).begin(&zero, 0.0, Instant::now()).unwrap_err();
    assert_eq!(error.to_string(), "stamps are zero: not begun, as bad_stamps is drop");
    let error = budget(drop).begin(&ahead, 0.0, Instant::now()).unwrap_err();
    assert!(error.to_string().contains("2000.0 ms ahead of the clock"), "{error}");
    assert_eq!(budget(drop).begin(&birth(), 1e9, Instant::now()), Ok(()));
    let mut arrival = budget(policy(OverBudget::Drop));
    assert_eq!(arrival.begin(&zero, 20.0, Instant::now()), Ok(()));
    assert!(arrival.begin(&ahead, 101.0, Instant::now()).is_err());
}
