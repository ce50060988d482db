//! What is pasted, from each kind of source, over files written here.

use std::fs;

use rand::SeedableRng;

use super::*;
use crate::images::{encode_png_gray, encode_png_rgb, encode_png_rgba};
use crate::labels::IGNORE;

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// A blue scene: class 0, the lower half class 1.
fn scene(width: usize, height: usize) -> Scene {
    let rgb = Rgb { width, height, data: [20, 40, 200].repeat(width * height) };
    Scene { rgb, labels: (0..width * height).map(|i| u8::from(i / width >= height / 2)).collect() }
}

fn write_rgb(path: &Path, width: usize, height: usize, pixel: impl Fn(usize, usize) -> [u8; 3]) {
    let data: Vec<u8> = (0..width * height).flat_map(|i| pixel(i % width, i / width)).collect();
    let mut bytes = Vec::new();
    encode_png_rgb(&data, width, height, &mut bytes).unwrap();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Cut-outs of one red each, opaque all over.
fn write_cutouts(folder: &Path, count: u8) {
    fs::create_dir_all(folder).unwrap();
    let mut bytes = Vec::new();
    for i in 0..count {
        encode_png_rgba(&[200 + i, 0, 0, 255].repeat(40 * 30), 40, 30, &mut bytes).unwrap();
        fs::write(folder.join(format!("object{i}.png")), &bytes).unwrap();
    }
}

fn open_share(root: &Path, yaml: &str, share: Share) -> Result<Negatives, NegativesError> {
    let settings: Settings = crate::yaml::from_str(yaml).unwrap();
    let classes = ["air", "floor"].map(String::from);
    Negatives::open(
        &settings,
        &Surroundings { root, classes: &classes, scenes: &[], share, damage: &Arc::new(Damage::new(1)) },
    )
}

fn open(root: &Path, yaml: &str) -> Result<Negatives, NegativesError> {
    open_share(root, yaml, Share::Train(0.15))
}

fn paste(negatives: &Negatives, seed: u64) -> (Scene, Vec<bool>) {
    let mut scene = scene(80, 60);
    let framing = Framing::whole(&scene.rgb);
    let pasted = negatives.paste(&mut scene, &framing, &mut rng(seed)).unwrap();
    (scene, pasted.outliers)
}

#[test]
fn what_is_pasted_is_void_and_what_is_not_stays() {
    let dir = tempfile::tempdir().unwrap();
    write_cutouts(&dir.path().join("c"), 4);
    let yaml = "sources: [{kind: cutouts, folder: c}]\npaste: {match_light: 0.0, rotation: 30}";
    let negatives = open(dir.path(), yaml).unwrap();
    let clean = scene(80, 60);
    let mut rims = 0;
    for seed in 0..20 {
        let (pasted, outliers) = paste(&negatives, seed);
        assert!(outliers.iter().filter(|out| **out).count() >= 32, "one at least");
        for (i, outlier) in outliers.iter().enumerate() {
            let red = pasted.rgb.data[i * 3];
            match (*outlier, pasted.labels[i] == IGNORE) {
                (true, void) => assert!(void && red > 20 + 80, "mostly the negative: {red}"),
                (false, true) => rims += 1,
                (false, false) => {
                    assert_eq!(pasted.rgb.data[i * 3..i * 3 + 3], clean.rgb.data[i * 3..i * 3 + 3]);
                    assert_eq!(pasted.labels[i], clean.labels[i]);
                }
            }
        }
        assert_eq!(paste(&negatives, seed), (pasted, outliers), "the seed decides");
    }
    assert!(rims > 0, "edges are soft");
}

#[test]
fn hard_edges_have_no_rim_and_a_share_of_scenes_stays_clean() {
    let dir = tempfile::tempdir().unwrap();
    write_cutouts(&dir.path().join("c"), 4);
    let yaml = "sources: [{kind: cutouts, folder: c}]\npaste: {soft_edge: 0.0, probability: 0.5}";
    let negatives = open(dir.path(), yaml).unwrap();
    let mut clean = 0;
    for seed in 0..40 {
        let (pasted, outliers) = paste(&negatives, seed);
        assert!(pasted.labels.iter().zip(&outliers).all(|(label, out)| (*label == IGNORE) == *out));
        clean += usize::from(!outliers.contains(&true));
    }
    assert!((10..30).contains(&clean), "{clean}");
}

#[test]
fn those_on_the_ground_stand_on_it_and_none_is_beside_the_image() {
    let dir = tempfile::tempdir().unwrap();
    write_cutouts(&dir.path().join("c"), 4);
    let yaml = "sources: [{kind: cutouts, folder: c}]\n\
                paste: {objects: [1, 1], scale: [0.2, 0.3], soft_edge: 0.0, ground: {share: 1.0, classes: [floor]}}";
    let negatives = open(dir.path(), yaml).unwrap();
    let framing = Framing { enlarged: 2.0, image: [10..70, 5..50] };
    for seed in 0..40 {
        let mut scene = scene(80, 60);
        let outliers = negatives.paste(&mut scene, &framing, &mut rng(seed)).unwrap().outliers;
        let at: Vec<_> = (0..outliers.len()).filter(|i| outliers[*i]).map(|i| (i % 80, i / 80)).collect();
        let Some(foot) = at.iter().map(|(_, y)| *y).max() else { continue };
        assert!(foot >= 30, "the floor begins at row 30: {foot}");
        assert!(at.iter().all(|(x, y)| (10..70).contains(x) && (5..50).contains(y)));
    }
}

#[test]
fn the_size_is_a_share_of_the_scene() {
    let dir = tempfile::tempdir().unwrap();
    write_cutouts(&dir.path().join("c"), 1);
    let yaml = "{sources: [{kind: cutouts, folder: c}], \
                paste: {objects: [1, 1], scale: [0.5, 0.5], soft_edge: 0.0}}";
    let negatives = open(dir.path(), yaml).unwrap();
    let most = (0..40).map(|seed| paste(&negatives, seed).1.iter().filter(|out| **out).count()).max();
    assert_eq!(most, Some(30 * 23), "the longer side is half of the scene's 60 pixels, the other 22.5");
}

#[test]
fn held_out_files_are_never_trained_with() {
    let dir = tempfile::tempdir().unwrap();
    write_cutouts(&dir.path().join("c"), 10);
    let name = |negative: &Negative| match negative {
        Negative::Object(cutout) => cutout.name().to_string(),
        other => panic!("{other:?} is no object"),
    };
    let names = |share| {
        let folder = CutoutFolder::read(&dir.path().join("c"), share).unwrap();
        let scene = scene(8, 8);
        let view = SceneView { rgb: &scene.rgb, labels: &scene.labels };
        let mut rng = rng(1);
        let drawn = (0..200).map(|_| name(&folder.draw(&view, &mut rng).unwrap()));
        drawn.collect::<std::collections::BTreeSet<_>>()
    };
    let (train, held_out) = (names(Share::Train(0.25)), names(Share::HeldOut(0.25)));
    assert_eq!((train.len(), held_out.len()), (7, 3));
    assert!(train.is_disjoint(&held_out));
    let yaml = "{sources: [{kind: cutouts, folder: c}]}";
    let error = open_share(dir.path(), yaml, Share::HeldOut(0.0)).unwrap_err().to_string();
    assert!(error.contains("10 file(s), held_out is 0: none is left to judge by"), "{error}");
}

#[test]
fn rectangles_are_cut_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..3 {
        write_rgb(&dir.path().join(format!("p/{i}.png")), 64, 48, |x, y| [255, x as u8, y as u8]);
        write_rgb(&dir.path().join(format!("p/{i}_seg.png")), 64, 48, |_, _| [0; 3]);
    }
    let yaml = "{sources: [{kind: rectangles, folder: p, sides: [16, 24]}], paste: {objects: [1, 1]}}";
    let negatives = open(dir.path(), yaml).unwrap();
    assert!(negatives.describe().contains("2 pictures"), "{}", negatives.describe());
    let mut sizes = std::collections::BTreeSet::new();
    for seed in 0..60 {
        let (pasted, outliers) = paste(&negatives, seed);
        let pixel = |i: usize| &pasted.rgb.data[i * 3..i * 3 + 3];
        assert!((0..outliers.len()).all(|i| (pixel(i)[0] == 255) == outliers[i]), "nothing is lit or mixed");
        let mut next = (1..outliers.len()).filter(|i| i % 80 > 0 && outliers[*i] && outliers[i - 1]);
        assert!(next.all(|i| pixel(i)[1] == pixel(i - 1)[1] + 1), "nor resized or mirrored");
        sizes.insert(outliers.iter().filter(|out| **out).count());
    }
    assert!([16 * 16, 16 * 24, 24 * 24].iter().all(|size| sizes.contains(size)), "{sizes:?}");
}

#[test]
fn another_is_drawn_where_a_picture_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    (0..4).for_each(|i| write_rgb(&dir.path().join(format!("p/{i}.png")), 64, 48, |_, _| [255, 0, 0]));
    fs::write(dir.path().join("p/2.png"), "no picture").unwrap();
    let yaml = "{sources: [{kind: rectangles, folder: p, sides: [16, 24]}], paste: {objects: [1, 1]}}";
    let settings: Settings = crate::yaml::from_str(yaml).unwrap();
    let paste_all = |limit| {
        let damage = Arc::new(Damage::new(limit));
        let around = Surroundings {
            root: dir.path(),
            classes: &[],
            scenes: &[],
            share: Share::Train(0.0),
            damage: &damage,
        };
        let negatives = Negatives::open(&settings, &around).unwrap();
        let mut pasted: Result<(), NegativesError> = Ok(());
        for seed in 0..30 {
            let mut scene = scene(80, 60);
            let framing = Framing::whole(&scene.rgb);
            pasted = pasted.and_then(|()| {
                let outliers = negatives.paste(&mut scene, &framing, &mut rng(seed))?.outliers;
                assert!(outliers.contains(&true), "each scene has its negative");
                Ok(())
            });
        }
        (pasted, damage.count())
    };
    let (pasted, count) = paste_all(1);
    assert!(pasted.is_ok() && count == 1, "{pasted:?} {count}");
    let error = paste_all(0).0.unwrap_err().to_string();
    assert!(
        error.contains("1 files") && error.contains("limit is 0") && error.contains("p/2.png"),
        "{error}"
    );

    (0..4).for_each(|i| fs::write(dir.path().join(format!("p/{i}.png")), "no picture").unwrap());
    let error = paste_all(9).0.unwrap_err().to_string();
    assert!(error.contains("4 files cannot be decoded"), "nothing but damage ends: {error}");
}

#[test]
fn pictures_are_pasted_whole() {
    let dir = tempfile::tempdir().unwrap();
    (0..3).for_each(|i| write_rgb(&dir.path().join(format!("p/{i}.png")), 40, 30, |_, _| [0, 255, 0]));
    let yaml = "{sources: [{kind: pictures, folder: p}], \
                paste: {objects: [1, 1], scale: [0.5, 0.5], soft_edge: 0.0, match_light: 0}}";
    let negatives = open(dir.path(), yaml).unwrap();
    assert!(negatives.describe().contains("2 pictures of"), "{}", negatives.describe());
    let (scene, outliers) = paste(&negatives, 3);
    let green = (0..outliers.len()).filter(|i| scene.rgb.data[i * 3..i * 3 + 3] == [0, 255, 0]).count();
    let out = outliers.iter().filter(|out| **out).count();
    assert!(green > 0 && green <= out && out <= 30 * 23, "{green} of {out}");
    let error = open(dir.path(), "sources: [{kind: pictures, folder: none}]").unwrap_err().to_string();
    assert!(error.contains("/none"), "{error}");
}

#[test]
fn noise_is_any_colour() {
    let yaml = "{sources: [{kind: noise, sides: [16, 32]}], paste: {objects: [1, 1]}}";
    let negatives = open(Path::new(""), yaml).unwrap();
    let (scene, outliers) = paste(&negatives, 1);
    let values =
        (0..outliers.len()).filter(|i| outliers[*i]).flat_map(|i| scene.rgb.data[i * 3..i * 3 + 3].to_vec());
    let values: Vec<f64> = values.map(f64::from).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    // Of n values, the mean's deviation is 74/√n; n is 768 at least.
    assert!(values.len() >= 16 * 16 * 3 / 4 && (mean - 127.5).abs() < 15.0, "{mean} of {}", values.len());
    assert_eq!(paste(&negatives, 1), (scene, outliers), "the seed decides");
}

#[test]
fn a_vacancy_is_void_and_shows_what_is_to_be_replaced() {
    let yaml = "{sources: [{kind: generated, sides: [16, 64]}], paste: {objects: [1, 1]}}";
    let negatives = open(Path::new(""), yaml).unwrap();
    let mut sizes = std::collections::BTreeSet::new();
    for seed in 0..60 {
        let mut scene = scene(80, 60);
        let clean = scene.clone();
        let framing = Framing { enlarged: 1.0, image: [10..70, 5..50] };
        let pasted = negatives.paste(&mut scene, &framing, &mut rng(seed)).unwrap();
        let [Vacancy { left, top, width, height, made }] = pasted.vacancies[..] else { panic!("{pasted:?}") };
        assert!(left >= 10 && top >= 5 && left + width <= 70 && top + height <= 50, "all in the image");
        assert!(
            width % MULTIPLE == 0 && height % MULTIPLE == 0 && width >= 16 && (16..=40).contains(&height)
        );
        assert_eq!(made, [width, height]);
        assert_eq!(scene.rgb, clean.rgb);
        for (i, outlier) in pasted.outliers.iter().enumerate() {
            let (x, y) = (i % 80, i / 80);
            assert_eq!(*outlier, (left..left + width).contains(&x) && (top..top + height).contains(&y));
            assert_eq!(scene.labels[i], if *outlier { IGNORE } else { clean.labels[i] });
        }
        sizes.insert((width, height));
    }
    assert!(sizes.len() > 10, "each side by itself: {sizes:?}");
    let mut small = scene(7, 60);
    let framing = Framing::whole(&small.rgb);
    assert_eq!(negatives.paste(&mut small, &framing, &mut rng(1)).unwrap().vacancies, [], "no room for any");
}

#[test]
fn a_vacancy_is_filled_by_something_smaller_that_is_enlarged() {
    let yaml = "{sources: [{kind: generated, sides: [16, 64], magnify: [1, 16]}], paste: {objects: [1, 1]}}";
    let negatives = open(Path::new(""), yaml).unwrap();
    let mut of_the_side = Vec::new();
    for seed in 0..60 {
        let mut scene = scene(80, 60);
        let framing = Framing::whole(&scene.rgb);
        let pasted = negatives.paste(&mut scene, &framing, &mut rng(seed)).unwrap();
        let [Vacancy { width, height, made, .. }] = pasted.vacancies[..] else { panic!("{pasted:?}") };
        for (made, side) in made.into_iter().zip([width, height]) {
            assert!(made % MULTIPLE == 0 && (MULTIPLE..=side).contains(&made), "{made} of {side}");
        }
        of_the_side.push(made[0] as f64 / width as f64);
    }
    let share = |from, to| of_the_side.iter().filter(|s| (from..=to).contains(*s)).count();
    // By its logarithm: as often below 4 as above, and steps of 8 pixels let less than 1/4 through.
    assert!(share(0.6, 1.0) >= 5 && share(0.3, 0.59) >= 5 && share(0.0, 0.29) >= 10, "{of_the_side:?}");
    for wrong in ["[0.5, 2]", "[4, 2]", "[1, 65]", "[1, .nan]"] {
        let error = open(Path::new(""), &yaml.replace("[1, 16]", wrong)).unwrap_err().to_string();
        assert!(error.contains("magnify") && error.contains("between 1 and 64"), "{error}");
    }
}

#[test]
fn a_blob_is_round_and_what_is_around_it_stays_known() {
    let yaml = "{sources: [{kind: generated, sides: [32, 48], blobs: 1}], paste: {objects: [1, 1]}}";
    let negatives = open(Path::new(""), yaml).unwrap();
    let mut quarters = Vec::new();
    for seed in 0..40 {
        let mut scene = scene(80, 60);
        let clean = scene.clone();
        let framing = Framing::whole(&scene.rgb);
        let pasted = negatives.paste(&mut scene, &framing, &mut rng(seed)).unwrap();
        let [Vacancy { left, top, width, height, .. }] = pasted.vacancies[..] else { panic!("{pasted:?}") };
        let is_in = |x: usize, y: usize| pasted.outliers[y * 80 + x];
        assert!(is_in(left + width / 2, top + height / 2));
        for (x, y) in [(left, top), (left + width - 1, top), (left, top + height - 1)] {
            assert!(!is_in(x, y), "a corner");
        }
        for (i, outlier) in pasted.outliers.iter().enumerate() {
            let inside = (left..left + width).contains(&(i % 80)) && (top..top + height).contains(&(i / 80));
            assert!(inside || !outlier);
            assert_eq!(scene.labels[i], if *outlier { IGNORE } else { clean.labels[i] });
        }
        let of_it = pasted.outliers.iter().filter(|out| **out).count() as f64;
        // A circle of 3/4 is 44 % of its square; waves take as much away as they add.
        assert!((of_it / (width * height) as f64 - 0.44).abs() < 0.03, "{of_it} of {width}x{height}");
        let quarter = (0..height / 2).flat_map(|y| (0..width / 2).map(move |x| (left + x, top + y)));
        quarters.push(quarter.filter(|&(x, y)| is_in(x, y)).count() as f64 / of_it);
    }
    let (least, most) = quarters.iter().fold((1f64, 0f64), |(a, b), q| (a.min(*q), b.max(*q)));
    assert!(most - least > 0.02, "outlines of their own: {quarters:?}");
    let error = open(Path::new(""), &yaml.replace("blobs: 1", "blobs: 1.5")).unwrap_err().to_string();
    assert!(error.contains("blobs") && error.contains("a share, 0 to 1"), "{error}");
}

/// Instance 1 is red and 12x12, instance 2 green and 10x20, instance 3 a speck.
fn instance(x: usize, y: usize) -> u8 {
    match (x, y) {
        (2..14, 3..15) => 1,
        (20..30, 5..25) => 2,
        (35, 35) => 3,
        _ => 0,
    }
}

fn painted(x: usize, y: usize) -> [u8; 3] {
    [[90, 90, 90], [250, 0, 0], [0, 250, 0], [255, 255, 255]][usize::from(instance(x, y))]
}

fn check_instances(root: &Path) {
    let yaml = "{sources: [{kind: instances, folder: i}], \
                paste: {objects: [1, 1], scale: [0.4, 0.4], match_light: 0, soft_edge: 0}}";
    let negatives = open(root, yaml).unwrap();
    let mut seen = [0; 3];
    for seed in 0..60 {
        let (pasted, outliers) = paste(&negatives, seed);
        let of = |i: &usize| <[u8; 3]>::try_from(&pasted.rgb.data[i * 3..i * 3 + 3]).unwrap();
        let colours: Vec<_> = (0..outliers.len()).filter(|i| outliers[*i]).map(|i| of(&i)).collect();
        let (red, green) = (colours.contains(&[250, 0, 0]), colours.contains(&[0, 250, 0]));
        assert!(!colours.contains(&[255; 3]) && !colours.contains(&[90; 3]), "no speck, no background");
        let kind = [(true, false), (false, true), (true, true)].iter().position(|k| *k == (red, green));
        kind.into_iter().for_each(|kind| seen[kind] += 1);
    }
    assert!(seen.iter().all(|count| *count > 5), "one, the other, both: {seen:?}");
}

#[test]
fn instances_are_cut_by_masks_of_either_layout() {
    let ade = tempfile::tempdir().unwrap();
    for i in 0..3 {
        let folder = ade.path().join("i/training/street");
        write_rgb(&folder.join(format!("ADE_{i}.png")), 48, 40, painted);
        write_rgb(&folder.join(format!("ADE_{i}_seg.png")), 48, 40, |x, y| [77, 99, instance(x, y)]);
        write_rgb(&folder.join(format!("ADE_{i}_parts_1.png")), 48, 40, |_, _| [5; 3]);
    }
    check_instances(ade.path());

    let gray = tempfile::tempdir().unwrap();
    fs::create_dir_all(gray.path().join("i/masks")).unwrap();
    let mut bytes = Vec::new();
    for i in 0..3 {
        write_rgb(&gray.path().join(format!("i/images/{i}.png")), 48, 40, painted);
        let mask: Vec<u8> = (0..48 * 40).map(|i| instance(i % 48, i / 48)).collect();
        encode_png_gray(&mask, 48, 40, &mut bytes).unwrap();
        fs::write(gray.path().join(format!("i/masks/{i}.png")), &bytes).unwrap();
    }
    check_instances(gray.path());

    encode_png_gray(&[1; 900], 30, 30, &mut bytes).unwrap();
    (0..3).for_each(|i| fs::write(gray.path().join(format!("i/masks/{i}.png")), &bytes).unwrap());
    let negatives = open(gray.path(), "sources: [{kind: instances, folder: i}]").unwrap();
    let mut plain = scene(80, 60);
    let framing = Framing::whole(&plain.rgb);
    let error = negatives.paste(&mut plain, &framing, &mut rng(1)).unwrap_err().to_string();
    assert!(error.contains("instance of 100 pixels"), "one instance all over is none: {error}");
}

#[test]
fn a_mix_draws_by_weight() {
    let dir = tempfile::tempdir().unwrap();
    write_cutouts(&dir.path().join("c"), 2);
    (0..2).for_each(|i| write_rgb(&dir.path().join(format!("p/{i}.png")), 64, 48, |_, _| [0, 255, 0]));
    let yaml = "{sources: [{kind: cutouts, folder: c, weight: 3}, {kind: rectangles, folder: p, sides: [16, 16]}], \
                paste: {objects: [1, 1], match_light: 0}}";
    let negatives = open(dir.path(), yaml).unwrap();
    let green = |seed| {
        let (scene, outliers) = paste(&negatives, seed);
        (0..outliers.len()).any(|i| outliers[i] && scene.rgb.data[i * 3 + 1] == 255)
    };
    let rectangles = (0..200).filter(|seed| green(*seed)).count();
    assert!((30..70).contains(&rectangles), "a quarter of 200: {rectangles}");
}

#[test]
fn folders_that_are_no_source_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let check = |yaml: &str, said: &[&str]| {
        let error = open(dir.path(), yaml).unwrap_err().to_string();
        assert!(said.iter().all(|said| error.contains(said)), "{error}");
    };
    let cutouts = "sources: [{kind: cutouts, folder: c}]";
    check(cutouts, &["cannot look into", "/c"]);
    fs::create_dir_all(dir.path().join("c")).unwrap();
    check(cutouts, &["/c: no cut-out to paste"]);
    write_cutouts(&dir.path().join("c"), 2);
    write_rgb(&dir.path().join("c/photo.png"), 8, 8, |_, _| [1; 3]);
    check(cutouts, &["1 files in", "photo.png", "3 channels of 8 bits", "another folder"]);
    check("sources: [{kind: rectangles, folder: none}]", &["cannot look into", "/none"]);
    fs::create_dir_all(dir.path().join("empty")).unwrap();
    check("sources: [{kind: rectangles, folder: empty}]", &["empty holds no picture"]);
    check("sources: [{kind: instances, folder: c}]", &["/c holds no instance masks", "X_seg.png"]);
    check("sources: [{kind: crops}]", &["crops of the training images has 0 file(s)", "to train with"]);
    write_rgb(&dir.path().join("i/a.png"), 8, 8, |_, _| [1; 3]);
    write_rgb(&dir.path().join("i/b_seg.png"), 8, 8, |_, _| [1; 3]);
    check("sources: [{kind: instances, folder: i}]", &["b_seg.png: there is no image b"]);
    write_rgb(&dir.path().join("i/b.png"), 8, 8, |_, _| [1; 3]);
    check("sources: [{kind: instances, folder: i}]", &["a.png: it has no instance mask"]);
}

#[test]
fn settings_that_make_no_sense_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    write_cutouts(&dir.path().join("c"), 2);
    for (yaml, said) in [
        ("sources: []", "sources is empty"),
        ("sources: [{kind: cutouts, folder: c, weight: 0}]", "weight is 0"),
        ("sources: [{kind: crops, sides: [64, 16]}]", "sides is 64..16"),
        ("sources: [{kind: instances, folder: c, together: [0, 1]}]", "together is 0..1"),
        ("{sources: [{kind: crops}], paste: {scale: [0.5, 0.1]}}", "scale is 0.5..0.1"),
        ("{sources: [{kind: crops}], paste: {objects: [0, 1]}}", "objects is 0..1"),
        ("sources: [{kind: noise, sides: [4, 16]}]", "sides is 4..16"),
        ("sources: [{kind: noise, sides: [16, 30]}]", "sides is 16..30: take two multiples of 8"),
        ("sources: [{kind: generated}]", "objects is 1..3: take 1..1 where a source is generated"),
        ("{sources: [{kind: crops}], paste: {soft_edge: .nan}}", "soft_edge is NaN"),
        ("{sources: [{kind: crops}], paste: {rotation: 999}}", "rotation is 999"),
        ("{sources: [{kind: crops}], paste: {ground: {share: 0.5}}}", "ground classes is empty"),
        (
            "{sources: [{kind: cutouts, folder: c}], paste: {ground: {share: 0.5, classes: [flor]}}}",
            "no class is called \"flor\": there are air, floor",
        ),
    ] {
        let error = open(dir.path(), yaml).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    for unknown in ["{sources: [{kind: crops, side: [8, 8]}]}", "{sources: [{kind: crops}], pate: {}}"] {
        assert!(crate::yaml::from_str::<Settings>(unknown).is_err(), "{unknown}");
    }
}
