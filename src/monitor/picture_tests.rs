//! Made-up cameras: streets with noise, and what can go wrong with them.

use super::*;

const LIMITS: Limits = Limits {
    frozen_after: Some(Duration::from_secs(2)),
    black_share: Some(0.95),
    bright_share: Some(0.7),
    blocked_share: Some(0.8),
};

const SIDE: usize = 256;

/// A gray picture from its pixels.
fn picture(of: impl Fn(usize, usize) -> u8) -> Vec<u8> {
    (0..SIDE * SIDE).map(|i| of(i % SIDE, i / SIDE)).collect()
}

/// Bits that look thrown.
fn noise(x: usize, y: usize, seed: usize) -> u8 {
    let mixed = (x * 0x9E37 + y * 0x85EB + seed * 0xC2B3).wrapping_mul(2_654_435_761);
    (mixed >> 16) as u8
}

/// Something bright above, something dark below, and a sensor's noise of so many levels on it.
fn street(seed: usize, levels: u8) -> Vec<u8> {
    picture(|x, y| {
        let scene = if y < SIDE / 3 { 190 } else { 90 + (x / 8 % 5) as u8 * 12 };
        scene + noise(x, y, seed) % levels.max(1)
    })
}

fn mono(data: &[u8]) -> Frame<'_> {
    Frame::new(crate::frame::Encoding::Mono8, SIDE, SIDE, SIDE, data).unwrap()
}

fn look(data: &[u8]) -> Findings {
    Watch::default().look(&mono(data), None, None, Instant::now())
}

fn check(data: &[u8], fault: Option<&str>) {
    let found = look(data);
    let faults = found.faults(&LIMITS);
    match fault {
        Some(word) => assert!(faults.len() == 1 && faults[0].starts_with(word), "{faults:?}, {found:?}"),
        None => assert!(faults.is_empty(), "{faults:?}, {found:?}"),
    }
}

#[test]
fn a_street_is_well_by_day_and_by_night() {
    check(&street(1, 12), None);
    check(&picture(|x, y| 8 + noise(x, y, 1) % 14), None);
}

#[test]
fn faults_have_their_names() {
    check(&picture(|_, _| 3), Some("black: 100 % of the picture is dark"));
    check(&picture(|_, _| 255), Some("over-exposed: 100 % of the picture is white"));
    check(&picture(|_, _| 128), Some("blocked: 100 % of the picture has no texture"));
    // A hand over seven eighths of the lens, a sun over four fifths of it.
    check(&picture(|x, y| if x < 224 { 60 } else { 90 + noise(x, y, 1) % 30 }), Some("blocked: "));
    check(&picture(|x, y| if x < 205 { 254 } else { noise(x, y, 1) }), Some("over-exposed: "));
    // Half of the lens is not mostly.
    check(&picture(|x, y| if x < 128 { 60 } else { 90 + noise(x, y, 1) % 30 }), None);
}

#[test]
fn no_limit_no_fault() {
    let none = Limits { frozen_after: None, black_share: None, bright_share: None, blocked_share: None };
    assert!(look(&picture(|_, _| 0)).faults(&none).is_empty());
}

#[test]
fn a_picture_that_stays_the_same_is_frozen_and_thaws() {
    let (mut watch, start) = (Watch::default(), Instant::now());
    let mut at = |s: f64, data: &[u8]| {
        watch.look(&mono(data), None, None, start + Duration::from_secs_f64(s)).faults(&LIMITS)
    };
    // A camera that looks at a wall has noise; one level of it on some pixels is enough.
    for i in 0..50 {
        assert!(at(f64::from(i) / 10.0, &street(i as usize, 2)).is_empty(), "frame {i}");
    }
    let still = street(7, 12);
    assert!([5.0, 6.0, 7.0].into_iter().all(|s| at(s, &still).is_empty()));
    assert_eq!(at(7.5, &still), ["frozen: the same picture for 2.5 s"]);
    assert!(at(7.6, &street(8, 12)).is_empty());
    assert!(at(7.7, &still).is_empty(), "it counts anew");
    assert!(at(3600.0, &still).is_empty(), "an hour that no one looked does not count");
}

#[test]
fn only_what_is_segmented_is_looked_at() {
    // The lower half is a black bonnet.
    let data = picture(|x, y| if y < SIDE / 2 { 90 + noise(x, y, 1) % 30 } else { 0 });
    let whole = look(&data);
    assert!((whole.dark_share - 0.5).abs() < 0.01 && (whole.flat_share - 0.5).abs() < 0.01, "{whole:?}");
    let region = Rect { x: 0, y: 0, width: SIDE, height: SIDE / 2 };
    let within = |region, mask: Option<&Gray>| {
        let found = Watch::default().look(&mono(&data), region, mask, Instant::now());
        (found.dark_share, found.flat_share)
    };
    assert_eq!(within(Some(region), None), (0.0, 0.0));
    let bonnet = picture(|_, y| u8::from(y >= SIDE / 2));
    let mask = Gray { width: SIDE, height: SIDE, data: bonnet };
    assert_eq!(within(None, Some(&mask)), (0.0, 0.0));
    let all = Gray { width: SIDE, height: SIDE, data: vec![1; SIDE * SIDE] };
    assert_eq!(within(None, Some(&all)), (0.0, 0.0), "nothing to look at, nothing wrong");
    let anothers = Gray { width: 2, height: 2, data: vec![1; 4] };
    assert_eq!(within(None, Some(&anothers)).1, whole.flat_share);
}

#[test]
fn any_size_is_looked_at() {
    for (width, height) in [(1, 1), (3, 2), (65, 7), (1920, 2)] {
        let data = vec![200; width * height];
        let frame = Frame::new(crate::frame::Encoding::Mono8, width, height, width, &data).unwrap();
        let beyond = Some(Rect { x: 5, y: 5, width: 4000, height: 4000 });
        for region in [None, beyond] {
            let found = Watch::default().look(&frame, region, None, Instant::now());
            assert_eq!((found.dark_share, found.bright_share), (0.0, 0.0));
        }
    }
}
