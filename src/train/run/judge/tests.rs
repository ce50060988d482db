use std::path::Path;

use tch::Tensor;
use tempfile::tempdir;

use super::*;
use crate::images;
use crate::train::model::{Mode, NetworkError, Outputs, Parameters};
use crate::train::settings::Written;

/// Sees colours: red is class 0, green class 1, blue an outlier; a mean over 4x4 pixels.
#[derive(Default)]
struct Eye {
    parameters: Parameters,
    broken: bool,
}

impl Network for Eye {
    fn forward(&self, images: &Tensor, mode: Mode) -> Result<Outputs, NetworkError> {
        assert_eq!(mode, Mode::Eval);
        let cells = images.f_avg_pool2d([4, 4], [4, 4], [0, 0], false, false, None)?;
        let scale = if self.broken { f64::NAN } else { 10.0 };
        let logits = cells.f_narrow(1, 0, 2)?.f_mul_scalar(scale)?;
        let dataset_logits = cells.f_narrow(1, 2, 1)?.f_mul_scalar(10.0)?.f_sub_scalar(5.0)?;
        Ok(Outputs { pre_logits: cells, logits, dataset_logits })
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn identity(&self) -> String {
        "eye".into()
    }

    fn stride(&self) -> usize {
        4
    }
}

/// Frames of columns of red, green and blue, of these widths; the bottom row is void.
fn frames(folder: &Path, frames: &[[usize; 3]]) {
    const HEIGHT: usize = 8;
    for (i, widths) in frames.iter().enumerate() {
        let width: usize = widths.iter().sum();
        let class = |x: usize| if x < widths[0] { 0 } else { 1 + usize::from(x >= widths[0] + widths[1]) };
        let mut data = vec![0; width * HEIGHT * 3];
        let mut labels = vec![255; width * HEIGHT];
        for at in 0..width * HEIGHT {
            data[at * 3 + class(at % width)] = 255;
            if at / width + 1 < HEIGHT {
                labels[at] = class(at % width) as u8;
            }
        }
        let (mut image, mut map) = (Vec::new(), Vec::new());
        images::encode_png_rgb(&data, width, HEIGHT, &mut image).unwrap();
        images::encode_png_gray(&labels, width, HEIGHT, &mut map).unwrap();
        for (place, png) in [("images", image), ("labels", map)] {
            std::fs::create_dir_all(folder.join(place)).unwrap();
            std::fs::write(folder.join(place).join(format!("{i}.png")), png).unwrap();
        }
    }
}

fn judge(data: &Path, validation: &str) -> Result<Judge, RunError> {
    let text = include_str!("tiny.yaml").replace("VALIDATION", validation);
    Ok(Judge::open(&Written::parse(&text).unwrap().settings, data)?.unwrap())
}

#[test]
fn a_network_that_sees_all_is_judged_perfect() {
    let data = tempdir().unwrap();
    frames(&data.path().join("known"), &[[16, 8, 0], [8, 24, 0], [32, 0, 0]]);
    frames(&data.path().join("odd"), &[[16, 8, 8], [8, 8, 16]]);
    let judge = judge(
        data.path(),
        "closed_set: {dataset: folder, folder: known}, anomalies: {dataset: folder, folder: odd}",
    )
    .unwrap();
    let verdict = judge.judge(&Eye::default(), &Stop::default()).unwrap().unwrap();
    let closed = verdict.closed_set.as_ref().unwrap();
    assert_eq!(closed.iou, [("red".to_owned(), Some(1.0)), ("green".to_owned(), Some(1.0))]);
    let scores: Vec<_> = verdict.anomalies.iter().map(|d| d.score).collect();
    assert_eq!(scores, SCORES);
    // Not of MSP: this network is as unsure where two known colours meet.
    for detection in verdict.anomalies.iter().filter(|d| d.score != Score::Msp) {
        assert_eq!((detection.ap, detection.auroc, detection.fpr95), (Some(1.0), Some(1.0), Some(0.0)));
    }

    // Some of the frames, and none where it is asked to stop.
    let fewer = super::tests::judge(data.path(), "closed_set: {dataset: folder, folder: known, frames: 1}");
    let fewer = fewer.unwrap();
    assert_eq!(fewer.closed_set.as_ref().unwrap().len(), 1);
    let stop = Stop::default();
    stop.request();
    assert_eq!(judge.judge(&Eye::default(), &stop).unwrap(), None);
}

#[test]
fn a_network_that_says_no_number_is_an_error() {
    let data = tempdir().unwrap();
    frames(&data.path().join("known"), &[[16, 16, 0]]);
    let judge = judge(data.path(), "closed_set: {dataset: folder, folder: known}").unwrap();
    let eye = Eye { broken: true, ..Eye::default() };
    let error = judge.judge(&eye, &Stop::default()).unwrap_err().to_string();
    assert!(error.contains("validation: ") && error.contains("NaN"), "{error}");
}

#[test]
fn what_cannot_be_judged_on_is_said_at_once() {
    let data = tempdir().unwrap();
    let error = judge(data.path(), "closed_set: {dataset: folder, folder: none}").err().unwrap().to_string();
    assert!(error.contains("none"), "{error}");
    frames(&data.path().join("odd"), &[[8, 8, 8]]);
    std::fs::rename(data.path().join("odd/labels"), data.path().join("odd/ood")).unwrap();
    let error = judge(data.path(), "closed_set: {dataset: folder, folder: odd}").err().unwrap().to_string();
    assert!(error.contains("inlier and anomaly alone") && error.contains("red, green"), "{error}");
}
