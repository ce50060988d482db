//! A frame and its objects: truth against picture, places, sizes, and the same again.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::images::Rgba;

const ROAD: u8 = 1;
const CLASSES: u8 = 3;

/// Sky over buildings over a road on the right, without labels on the left.
struct Street {
    rgb: Rgb,
    labels: Vec<u8>,
}

impl Street {
    fn new(width: usize, height: usize) -> Self {
        let label = |x: usize, y: usize| match () {
            () if x < width / 8 => IGNORE,
            () if y < height / 3 => 2,
            () if y < height * 3 / 5 || x < width / 2 => 0,
            () => ROAD,
        };
        let labels: Vec<u8> = (0..width * height).map(|i| label(i % width, i / width)).collect();
        let pixel = |i: usize| [(i % 89) as u8 + 60, (i % 83) as u8 + 70, (i % 79) as u8 + 80];
        Self { rgb: Rgb { width, height, data: (0..width * height).flat_map(pixel).collect() }, labels }
    }

    fn scene<'a>(&'a self, ground: &'a [u8]) -> Scene<'a> {
        Scene { rgb: &self.rgb, labels: &self.labels, classes: CLASSES, ground }
    }
}

fn cutout(name: &str, width: usize, height: usize, pixel: impl Fn(usize, usize) -> [u8; 4]) -> Cutout {
    let data = (0..width * height).flat_map(|i| pixel(i % width, i / width)).collect();
    Cutout::new(name, &Rgba { width, height, data }).unwrap()
}

/// A box, a disc, and something thin.
fn cutouts() -> Vec<Cutout> {
    let inside = |x: usize, y: usize| x.abs_diff(40).pow(2) + y.abs_diff(40).pow(2) < 1600;
    vec![
        cutout("box", 120, 90, |x, y| [200, x as u8, y as u8, 255]),
        cutout("disc", 80, 80, |x, y| [x as u8, 220, 30, if inside(x, y) { 255 } else { 0 }]),
        cutout("fork", 60, 90, |x, y| [20, 20, 240, if x % 12 < 6 || y < 30 { 250 } else { 0 }]),
    ]
}

fn settings(objects: RangeInclusive<u32>) -> Settings {
    Settings::new(objects, 0.3..=1.2, 0.45).unwrap()
}

fn pasted(street: &Street, id: &str) -> Pasted {
    paste(&street.scene(&[ROAD]), &cutouts(), &settings(1..=4), &mut generator(7, id)).unwrap()
}

#[test]
fn labels_and_mask_say_the_same_and_what_stays_known_stays_as_it_was() {
    let street = Street::new(240, 160);
    for id in 0..40 {
        let pasted = pasted(&street, &id.to_string());
        let ood = ood(&pasted.labels, CLASSES);
        assert!(pasted.labels.contains(&CLASSES), "frame {id} has no object");
        for (i, (&label, &ood)) in pasted.labels.iter().zip(&ood).enumerate() {
            assert_eq!(label == CLASSES, ood == 1);
            assert_eq!(label == IGNORE, ood == IGNORE);
            if label < CLASSES {
                assert_eq!(ood, 0);
                assert_eq!(label, street.labels[i]);
                assert_eq!(pasted.rgb.data[i * 3..i * 3 + 3], street.rgb.data[i * 3..i * 3 + 3]);
            }
        }
    }
}

/// From the inside out: object, a rim of one to four pixels that is ignored, what was there before.
#[test]
fn a_soft_rim_lies_around_an_object() {
    let (street, width) = (Street::new(240, 160), 240);
    let disc = &cutouts()[1..2];
    let one = Settings::new(1..=1, 0.8..=0.8, 0.45).unwrap();
    for id in 0..20 {
        let pasted = paste(&street.scene(&[ROAD]), disc, &one, &mut generator(7, &id.to_string())).unwrap();
        let [left, top, w, h] = pasted.objects[0].bounds;
        let row = usize::try_from(top + h / 2).unwrap() * width;
        let line = |x: i64| usize::try_from(x).ok().filter(|x| *x < width).map(|x| pasted.labels[row + x]);
        assert_eq!(line(left + w / 2).unwrap(), CLASSES, "the middle");
        let rim = (left - 5..left + 5).filter_map(line).filter(|label| *label == IGNORE).count();
        assert!(left < 10 || left as usize <= width / 8 + 6 || (1..=4).contains(&rim), "frame {id}: {rim}");
    }
}

#[test]
fn what_was_ignored_and_is_covered_is_an_anomaly() {
    let mut street = Street::new(240, 160);
    street.labels.fill(IGNORE);
    let pasted = pasted(&street, "a");
    assert!(pasted.labels.contains(&CLASSES));
    assert!(pasted.labels.iter().all(|label| [CLASSES, IGNORE].contains(label)));
}

#[test]
fn objects_stand_on_the_ground_and_grow_towards_the_camera() {
    let street = Street::new(240, 160);
    for id in 0..40 {
        for object in pasted(&street, &id.to_string()).objects {
            let [left, top, width, height] = object.bounds;
            let foot = usize::try_from(top + height - 1).unwrap();
            let below = (left + width / 2 - 1..=left + width / 2 + 1)
                .any(|x| street.labels[foot * 240 + usize::try_from(x).unwrap().min(239)] == ROAD);
            assert!(below, "{object:?} does not stand on the road");
            // Half a pixel is rounded.
            let depth = foot as f64 + 1.0 - 0.45 * 160.0;
            let side = width.max(height) as f64;
            assert!(side >= 0.3 * depth - 0.5 && side <= 1.2 * depth + 0.5, "{object:?}");
            assert_eq!(object.scale, side / depth);
        }
    }
}

#[test]
fn without_ground_objects_stand_anywhere_below_the_horizon() {
    let street = Street::new(240, 160);
    let mut left_of_the_road = 0;
    for id in 0..40 {
        let mut rng = generator(7, &id.to_string());
        for object in paste(&street.scene(&[9]), &cutouts(), &settings(1..=2), &mut rng).unwrap().objects {
            let [left, top, width, height] = object.bounds;
            assert!((top + height) as f64 > 0.45 * 160.0, "{object:?}");
            left_of_the_road += usize::from(left + width / 2 < 110);
        }
    }
    assert!(left_of_the_road > 5, "{left_of_the_road}");
}

#[test]
fn a_frame_depends_on_its_seed_and_name_alone() {
    let street = Street::new(240, 160);
    assert_eq!(pasted(&street, "a/1"), pasted(&street, "a/1"));
    assert_ne!(pasted(&street, "a/1").objects, pasted(&street, "a/2").objects);
    assert_ne!(generator(7, "a").random::<u64>(), generator(8, "a").random::<u64>());
    // ChaCha8 of SHA-256(seed ‖ id), worked out apart.
    assert_eq!(generator(7, "0001TP_008550").random::<u64>(), 5_119_949_865_296_088_016);
}

/// Sets are known by their seed: whoever changes what is made of one sees it here.
#[test]
fn a_seed_makes_the_frame_it_always_made() {
    let Pasted { rgb, labels, .. } = pasted(&Street::new(240, 160), "a");
    let hash = Sha256::new().chain_update(rgb.data).chain_update(labels).finalize();
    assert_eq!(hash[..4], [244, 182, 102, 154]);
}

#[test]
fn every_object_is_drawn_in_both_directions_and_numbers() {
    let street = Street::new(240, 160);
    let all: Vec<_> = (0..60).map(|id| pasted(&street, &id.to_string()).objects).collect();
    let seen: HashSet<_> = all.iter().flatten().map(|o| (o.cutout.clone(), o.mirrored)).collect();
    assert_eq!(seen.len(), 6, "{seen:?}");
    let counts: HashSet<_> = all.iter().map(Vec::len).collect();
    assert!(counts.contains(&1) && counts.contains(&3), "{counts:?}");
}

#[test]
fn objects_hide_little_of_each_other_and_the_nearer_lies_above() {
    let street = Street::new(240, 160);
    let boxes = &cutouts()[..1];
    for id in 0..40 {
        let mut rng = generator(7, &id.to_string());
        let objects = paste(&street.scene(&[]), boxes, &settings(5..=5), &mut rng).unwrap().objects;
        let feet: Vec<_> = objects.iter().map(|o| o.bounds[1] + o.bounds[3]).collect();
        assert!(feet.is_sorted(), "{feet:?}");
        // Of whole boxes in the frame the share is known.
        let whole = |o: &&Object| o.bounds[0] >= 0 && o.bounds[0] + o.bounds[2] <= 240;
        let whole: Vec<_> = objects.iter().filter(whole).map(|o| o.bounds).collect();
        for (i, a) in whole.iter().enumerate() {
            for b in &whole[..i] {
                let shared = |k: usize| ((a[k] + a[k + 2]).min(b[k] + b[k + 2]) - a[k].max(b[k])).max(0);
                let least = (a[2] * a[3]).min(b[2] * b[3]) as f64;
                let share = (shared(0) * shared(1)) as f64 / least;
                // The edges, which are not the object's in full, are in the box.
                assert!(share < MOST_OVERLAP + 0.1, "frame {id}: {a:?} and {b:?} share {share}");
            }
        }
    }
}

#[test]
fn the_light_of_the_place_is_taken_in_part() {
    let street = |level: u8| {
        let mut street = Street::new(240, 160);
        street.rgb.data.fill(level);
        street
    };
    let boxes = &cutouts()[..1];
    let one = Settings::new(1..=1, 0.8..=0.8, 0.45).unwrap();
    let brightness = |level: u8| {
        let street = street(level);
        let pasted = paste(&street.scene(&[ROAD]), boxes, &one, &mut generator(7, "a")).unwrap();
        let object = (0..street.labels.len()).filter(|i| pasted.labels[*i] == CLASSES);
        let sums =
            object.map(|i| pasted.rgb.data[i * 3..i * 3 + 3].iter().map(|c| u64::from(*c)).sum::<u64>());
        let (count, sum) = sums.fold((0, 0), |(count, sum), s| (count + 3, sum + s));
        sum / count
    };
    let (night, dusk, day) = (brightness(10), brightness(50), brightness(120));
    assert!(night < dusk && dusk < day, "{night} {dusk} {day}");
    assert!(night > 10 && dusk < 100, "{night} {dusk}");
}

#[test]
fn the_share_of_clean_frames_is_exact_and_the_seeds() {
    let names: Vec<String> = (0..101).map(|i| format!("f{i}")).collect();
    let ids: Vec<&str> = names.iter().map(String::as_str).collect();
    for (share, count) in [(0.0, 0), (0.1, 10), (0.5, 51), (1.0, 101)] {
        assert_eq!(clean(&ids, share, 7).iter().filter(|c| **c).count(), count);
    }
    assert_eq!(clean(&ids, 0.1, 7), clean(&ids, 0.1, 7));
    assert_ne!(clean(&ids, 0.1, 7), clean(&ids, 0.1, 8));
    assert!(clean(&[], 0.5, 7).is_empty());
}

#[test]
fn what_cannot_be_pasted_is_said() {
    let street = Street::new(24, 16);
    let check = |scene: &Scene<'_>, cutouts: &[Cutout]| {
        paste(scene, cutouts, &settings(1..=1), &mut generator(7, "a")).unwrap_err().to_string()
    };
    let scene = street.scene(&[]);
    assert!(check(&scene, &[]).starts_with("no cut-out to paste"));
    let cut = Scene { labels: &street.labels[1..], ..scene };
    assert_eq!(check(&cut, &cutouts()), "383 labels for a picture of 24x16: are they of the same frame?");
    let few = Scene { classes: 1, ..scene };
    let error = check(&few, &cutouts());
    assert_eq!(error, "label 2 at column 3, row 0: with 1 classes it is 0 to 1, or 255 (ignored)");

    let refused = |objects, scale, horizon| Settings::new(objects, scale, horizon).unwrap_err().to_string();
    assert!(refused(0..=2, 1.0..=2.0, 0.4).starts_with("0..2 objects"));
    #[expect(clippy::reversed_empty_ranges)]
    let reversed = 3..=2;
    assert!(refused(reversed, 1.0..=2.0, 0.4).starts_with("3..2 objects"));
    for scale in [0.0..=1.0, 2.0..=1.0, f64::NAN..=1.0, 1.0..=f64::INFINITY] {
        assert!(refused(1..=1, scale, 0.4).starts_with("scale"));
    }
    for horizon in [-0.1, 1.0, f64::NAN] {
        assert!(refused(1..=1, 1.0..=1.0, horizon).starts_with("horizon"));
    }
}

proptest! {
    #[test]
    fn no_frame_panics(
        width in 1usize..40,
        height in 1usize..40,
        horizon in 0.0f64..1.0,
        high in 0.01f64..50.0,
        side in 1usize..30,
        seed: u64,
    ) {
        let street = Street::new(width, height);
        let cutouts = [cutout("x", side, 7, |x, y| [9, 9, 9, (x * y % 5 * 60 + 15) as u8])];
        let settings = Settings::new(1..=3, 0.01..=high, horizon).unwrap();
        paste(&street.scene(&[ROAD]), &cutouts, &settings, &mut generator(seed, "a")).unwrap();
    }
}
