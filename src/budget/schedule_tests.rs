//! Several cameras at one network, in simulated time.

use super::schedule::Turn;
use super::street::{policy, rungs, work};
use super::*;
use crate::latest::Latest;

/// A camera that sends at a regular pace, or is dead.
struct Camera {
    period_ms: f64,
    /// When its first image is taken.
    phase_ms: f64,
    /// What a run takes on its frames at a time, all else beside.
    run_ms: fn(f64) -> f64,
    budget: Budget,
    sent: u32,
    begun: u32,
    /// Ages of its labels.
    ages_ms: Vec<f64>,
    /// When they were published.
    at_ms: Vec<f64>,
}

fn camera(period_ms: f64, phase_ms: f64, run_ms: fn(f64) -> f64) -> Camera {
    let budget = Budget::new(policy(OverBudget::Drop), rungs(&[run_ms(0.0)]));
    Camera { period_ms, phase_ms, run_ms, budget, sent: 0, begun: 0, ages_ms: Vec::new(), at_ms: Vec::new() }
}

/// All of them at one network for so long, images without transport.
fn drive<const N: usize>(mut cameras: [Camera; N], end_ms: f64) -> [Camera; N] {
    let (slots, start) = (Latest::new(N), Instant::now());
    let instant = |ms: f64| start + Duration::from_secs_f64(ms / 1e3);
    let ns = |ms: f64| 1_000_000_000 + (ms * 1e6) as i64;
    let mut now_ms = 0.0;
    let mut waits = [false; N];
    while now_ms < end_ms {
        let mut next_ms = f64::INFINITY;
        for (place, c) in cameras.iter_mut().enumerate() {
            let mut stamp_ms = c.phase_ms + f64::from(c.sent) * c.period_ms;
            while stamp_ms <= now_ms {
                slots.put(place, stamp_ms, instant(stamp_ms));
                waits[place] = true;
                c.sent += 1;
                stamp_ms = c.phase_ms + f64::from(c.sent) * c.period_ms;
            }
            next_ms = next_ms.min(stamp_ms);
        }
        if !waits.contains(&true) {
            now_ms = next_ms;
            continue;
        }
        let turn =
            slots.take(|w| Turn::new(&cameras[w.slot].budget, now_ms - w.value, w.since, instant(now_ms)));
        let Some((place, stamp_ms)) = turn else { break };
        waits[place] = false;
        let c = &mut cameras[place];
        let birth = Birth::new(ns(stamp_ms), ns(stamp_ms));
        if c.budget.begin(&birth, now_ms - stamp_ms, instant(now_ms)).is_err() {
            continue;
        }
        c.begun += 1;
        let done = work((c.run_ms)(now_ms));
        now_ms += done.total_ms();
        if c.budget.finish(now_ms - stamp_ms - 1.0).is_ok() {
            c.ages_ms.push(now_ms - stamp_ms);
            c.at_ms.push(now_ms);
        }
        c.budget.worked(&done, instant(now_ms));
    }
    cameras
}

#[test]
fn cameras_have_equal_shares_of_a_network_that_is_too_slow_for_all() {
    for phases in [[0.0, 0.0, 0.0], [0.0, 5.0, 10.0], [3.0, 2.0, 1.0], [0.0, 1.0, 30.0]] {
        let cameras = drive(phases.map(|phase_ms| camera(33.3, phase_ms, |_| 44.0)), 30_000.0);
        // Runs of 50 ms, all else counted: twenty a second, of ninety images.
        for c in &cameras {
            assert!((180..=220).contains(&c.ages_ms.len()), "phases {phases:?}: {}", c.ages_ms.len());
            assert!(c.ages_ms.iter().all(|age| *age <= 100.0), "{:?}", c.ages_ms);
        }
    }
}

#[test]
fn a_dead_camera_costs_the_others_nothing() {
    let alone = drive([camera(33.3, 0.0, |_| 20.0)], 10_000.0);
    let [alive, dead] = drive([camera(33.3, 0.0, |_| 20.0), camera(33.3, f64::INFINITY, |_| 20.0)], 10_000.0);
    assert_eq!((&alive.ages_ms, dead.begun), (&alone[0].ages_ms, 0));
    assert!(alive.ages_ms.len() > 295, "all of them: {}", alive.ages_ms.len());
}

#[test]
fn a_camera_that_cannot_make_its_budget_waits_behind_those_that_can() {
    let [quick, hopeless] = drive([camera(33.3, 0.0, |_| 20.0), camera(33.3, 5.0, |_| 150.0)], 20_000.0);
    assert!(hopeless.ages_ms.is_empty() && (10..=40).contains(&hopeless.begun), "{}", hopeless.begun);
    // A probe every two thirds of a second takes five images' time.
    assert!(quick.ages_ms.len() > 400, "{} of 600", quick.ages_ms.len());
}

#[test]
fn after_a_load_cameras_have_equal_shares_again_though_neither_leaves_a_gap() {
    // Three seconds in which no frame makes its budget. One of the two is then the first to see that it is over.
    let loaded = |ms: f64| if (3_000.0..6_000.0).contains(&ms) { 150.0 } else { 44.0 };
    for budgets_ms in [[Some(100.0), Some(100.0)], [Some(100.0), None], [None, Some(100.0)]] {
        let cameras = [0.0, 5.0].map(|phase_ms| camera(33.3, phase_ms, loaded));
        let mut budgets_of_each = budgets_ms.into_iter();
        let cameras = drive(
            cameras.map(|mut c| {
                let budget_ms = budgets_of_each.next().flatten();
                c.budget.change(Policy { budget_ms, ..policy(OverBudget::Drop) });
                c
            }),
            20_000.0,
        );
        // From 8 s on: twenty a second between them.
        let shares = cameras.map(|c| c.at_ms.iter().filter(|ms| **ms > 8_000.0).count());
        assert!(shares.iter().all(|n| (96..=144).contains(n)), "{budgets_ms:?}: {shares:?}");
    }
}

#[test]
fn the_order_is_by_waiting_among_those_that_can_still_make_it() {
    let (mut b, start) = (Budget::new(policy(OverBudget::Drop), rungs(&[1.0])), Instant::now());
    b.worked(&work(74.0), start);
    let turn = |age_ms: f64, ms: u64| Turn::new(&b, age_ms, start + Duration::from_millis(ms), start);
    assert!(b.can_make(20.0) && !b.can_make(20.1));
    assert!(turn(20.0, 3) < turn(10.0, 5), "both can: who has waited longer");
    assert!(turn(20.0, 9) < turn(20.1, 0), "one can");
    assert!(turn(50.0, 3) < turn(30.0, 5), "neither");
    let later = start + PROBE_AFTER;
    let due = |age_ms: f64, ms: u64| Turn::new(&b, age_ms, start + Duration::from_millis(ms), later);
    assert!(due(50.0, 3) < due(20.0, 5), "one cannot, as far as is known, but is due to show it");
    assert!(due(100.1, 3) > due(20.0, 5), "too old is too old");
}
