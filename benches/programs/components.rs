//! The component metrics of one frame, timed: what `components.py` stands beside other ways to do it.
//!
//! components SCORES LABELS THRESHOLD ROUNDS

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use open_set::metrics::components::{Components, FrameComponents, Smallest};
use open_set::{images, scores};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, score_file, label_file, threshold, rounds] = &arguments[..] else {
        anyhow::bail!("give SCORES LABELS THRESHOLD ROUNDS");
    };
    let (threshold, rounds): (f32, usize) = (threshold.parse()?, rounds.parse()?);
    let map = scores::read(Path::new(score_file))?;
    let truth = images::read_gray(Path::new(label_file))?;
    let size = (map.width, map.height);
    let mut ms = Vec::new();
    let mut frame = None;
    for _ in 0..rounds {
        let began = Instant::now();
        let found = FrameComponents::find(Smallest::ANOMALY_TRACK, &map.data, &truth.data, size, threshold)?;
        ms.push(began.elapsed().as_secs_f64() * 1e3);
        frame = Some(found);
    }
    let mut all = Components::default();
    all.add(&frame.context("no rounds")?);
    let figures = all.figures();
    let said = serde_json::json!({
        "ms": ms, "objects": figures.objects, "predictions": figures.predictions,
        "siou_gt": figures.siou_gt, "ppv": figures.ppv, "f1_star": figures.f1_star,
    });
    println!("{said}");
    Ok(())
}
