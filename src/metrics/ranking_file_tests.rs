//! Rankings on disk: the same figures from there, and nothing but an error from files that are not whole.

use super::tests::{LEVELS, Pixels, STRATA, bits, pixels, side};
use super::*;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn memory_disk_and_shards_agree_to_the_bit(
        pixels in pixels(),
        parts in prop::collection::vec((any::<bool>(), any::<bool>()), 1..5),
        seed: u64,
        keys_in_memory in 1usize..40,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let limits = Limits { keys_in_memory, spill: folder.path().join("spill") };
        std::fs::create_dir(&limits.spill).unwrap();
        // Each part gets any of the pixels, and has them in memory, spilled, or saved and loaded.
        let mut shards: Vec<_> = parts.iter().map(|_| Pixels::default()).collect();
        for (i, (stratum, score)) in pixels.strata.iter().zip(&pixels.scores).enumerate() {
            let shard = &mut shards[(seed.rotate_left(i as u32 * 7) % parts.len() as u64) as usize];
            shard.strata.push(*stratum);
            shard.scores.push(*score);
        }
        let mut merged = Ranking::new(STRATA, limits.clone());
        for (i, (shard, (spilled, saved))) in shards.iter().zip(&parts).enumerate() {
            let limits = if *spilled { limits.clone() } else { Limits::default() };
            let mut ranking = shard.fill(Ranking::new(STRATA, limits.clone()));
            if *saved {
                let file = folder.path().join(i.to_string());
                ranking.save(&file).unwrap();
                ranking = Ranking::load(&file, limits).unwrap();
            }
            merged.merge(ranking).unwrap();
        }
        let mut whole = pixels.in_memory();
        let expected = whole.curve(side, &LEVELS).unwrap();
        prop_assert_eq!(bits(&merged.curve(side, &LEVELS).unwrap()), bits(&expected));
        prop_assert_eq!(merged.above(-1.0).unwrap(), whole.above(-1.0).unwrap());
        let q = [0.1, 0.5, 0.9];
        let text = |quantiles: Option<Vec<f32>>| format!("{quantiles:?}");
        prop_assert_eq!(
            text(merged.quantiles(|s| s < 2, &q).unwrap()),
            text(whole.quantiles(|s| s < 2, &q).unwrap())
        );
        for stratum in 0..=STRATA {
            prop_assert_eq!(merged.count(stratum), whole.count(stratum));
            prop_assert_eq!(merged.nan(stratum), whole.nan(stratum));
        }
        let left = std::fs::read_dir(&limits.spill).unwrap().count();
        prop_assert_eq!(left, 0, "spilled files have no names");
    }
}

fn check_bad_file(bytes: &[u8], message: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shard");
    std::fs::write(&file, bytes).unwrap();
    let error = Ranking::load(&file, Limits::default()).and_then(|mut r| r.curve(side, &LEVELS)).unwrap_err();
    let error = error.to_string();
    assert!(error.contains(message) && error.contains(file.to_str().unwrap()), "{error}");
}

fn saved(ranking: &mut Ranking) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shard");
    ranking.save(&file).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "and nothing beside it");
    std::fs::read(file).unwrap()
}

#[test]
fn a_partial_result_that_is_not_whole_is_refused() {
    let pixels = Pixels { strata: vec![0, 1, 0, 3, 3], scores: vec![1.0, 2.0, -1.0, f32::NAN, 2.0] };
    let exact = saved(&mut pixels.in_memory());
    let quick = saved(&mut pixels.fill(Ranking::quick(STRATA, 9).unwrap()));
    for bytes in [&exact, &quick] {
        for length in (0..bytes.len()).step_by(if bytes.len() > 999 { 97 } else { 1 }) {
            check_bad_file(&bytes[..length], if length < 48 { "no partial result" } else { "cut off" });
        }
        check_bad_file(&[bytes, &[0; 4][..]].concat(), "added to");
        for at in (0..bytes.len()).step_by(if bytes.len() > 999 { 61 } else { 1 }) {
            for flip in [1, 0x80] {
                let mut damaged = bytes.clone();
                damaged[at] ^= flip;
                check_bad_file(
                    &damaged,
                    if at < 8 {
                        "no partial result"
                    } else if at < 16 {
                        "cut off"
                    } else {
                        "is damaged"
                    },
                );
            }
        }
    }
    check_bad_file(
        b"\x93NUMPY\x01\x00 and whatever follows, which is more than 48 bytes",
        "no partial result",
    );
    let nowhere = Path::new("/nowhere/shard");
    assert!(Ranking::load(nowhere, Limits::default()).err().unwrap().to_string().contains("/nowhere/shard"));
    assert!(pixels.in_memory().save(nowhere).unwrap_err().to_string().contains("/nowhere/shard"));
}

#[test]
fn a_disk_that_takes_no_more_is_an_error_that_names_the_file() {
    let full = Path::new("/dev/full");
    let mut store = Exact::new(1, Limits::default());
    store.append(0, &vec![1u32; 100_000], |key| key).unwrap();
    let error = store.save(File::options().read(true).write(true).open(full).unwrap(), full).unwrap_err();
    assert!(error.to_string().contains("/dev/full: No space left"), "{error}");

    let mut ranking = Ranking::new(1, Limits { keys_in_memory: 2, spill: "/nowhere".into() });
    let error = ranking.extend(&[0; 5], &[0.0; 5]).unwrap_err();
    assert!(error.to_string().contains("/nowhere/open-set-scores-"), "{error}");
    assert!(ranking.push(0, 1.0).is_err(), "and again, without a panic");
}

#[test]
fn more_runs_than_may_be_open_become_one() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { keys_in_memory: 1, spill: folder.path().into() };
    let scores: Vec<f32> = (0..600).map(|i| ((i * 37) % 101) as f32).collect();
    let strata = (0..600).map(|i| (i % 7 == 0).into()).collect();
    let pixels = Pixels { strata, scores };
    let mut spilled = pixels.fill(Ranking::new(STRATA, limits));
    let expected = bits(&pixels.in_memory().curve(side, &LEVELS).unwrap());
    assert_eq!(bits(&spilled.curve(side, &LEVELS).unwrap()), expected);
    spilled.merge(pixels.in_memory()).unwrap();
    assert_eq!(spilled.count(0) + spilled.count(1), 1200);
}

/// Blocks that fill up, strata that hardly begin, pieces longer than what is read or written at once.
#[test]
fn thousands_of_strata_and_one_score_of_a_third_of_the_pixels() {
    let strata = 5 * 20 * 20;
    let of: Vec<u16> = (0..600_000u32).map(|i| if i % 3 == 0 { 7 } else { (i % 2000) as u16 }).collect();
    let spread = |i: u32| (i.wrapping_mul(0x9e37_79b9) >> 8) as f32 - 1e6;
    let scores: Vec<f32> = (0..600_000u32).map(|i| if i % 3 == 1 { 3.0 } else { spread(i) }).collect();
    let mut ranking = Ranking::new(strata, Limits::default());
    ranking.extend(&of, &scores).unwrap();
    let positive = |stratum: usize| if stratum % 20 == 7 { Side::Positive } else { Side::Negative };
    let expected = bits(&ranking.curve(|stratum| Some(positive(stratum)), &LEVELS).unwrap());

    // The same through two strata, in another order, once in memory and once not.
    let two: Vec<u16> = of.iter().map(|s| (positive((*s).into()) == Side::Positive).into()).collect();
    for keys_in_memory in [1 << 20, 100_000] {
        let folder = tempfile::tempdir().unwrap();
        let limits = Limits { keys_in_memory, spill: folder.path().into() };
        let mut other = Ranking::new(STRATA, limits.clone());
        for (strata, scores) in two.chunks(70_001).zip(scores.chunks(70_001)).rev() {
            other.extend(strata, scores).unwrap();
        }
        assert_eq!(bits(&other.curve(side, &LEVELS).unwrap()), expected);
        let file = folder.path().join("shard");
        other.save(&file).unwrap();
        assert_eq!(bits(&Ranking::load(&file, limits).unwrap().curve(side, &LEVELS).unwrap()), expected);
    }
    let above = scores.iter().filter(|s| **s > 0.0).count() as u64;
    assert_eq!(ranking.above(0.0).unwrap().iter().sum::<u64>(), above);
}
