//! A ranking seen from outside: scores and labels from raw files, figures and times as JSON.
//!
//!     ranking SCORES LABELS [KEYS_IN_MEMORY]
//!
//! SCORES are little-endian f32, LABELS one byte each: 1 anomaly, 0 inlier, 255 left out.

use open_set::metrics::ranking::{Limits, Ranking, RankingError, Side};
use std::error::Error;
use std::fs::File;
use std::io::Read;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Pixels read at once: about those of a frame.
const PIXELS: u64 = 1 << 20;

fn run(arguments: &[String]) -> Result<String, Box<dyn Error>> {
    let [scores, labels, more @ ..] = arguments else {
        return Err("usage: ranking SCORES LABELS [KEYS_IN_MEMORY]".into());
    };
    let mut limits = Limits::default();
    if let [keys] = more {
        limits.keys_in_memory = keys.parse()?;
    }
    let (mut scores, mut labels) = (File::open(scores)?, File::open(labels)?);
    let mut ranking = Ranking::new(2, limits);
    let begin = Instant::now();
    let mut reading = Duration::ZERO;
    let (mut bytes, mut block, mut strata) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        let before = Instant::now();
        read(&mut scores, 4 * PIXELS, &mut bytes)?;
        block.clear();
        block.extend(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])));
        read(&mut labels, PIXELS, &mut bytes)?;
        reading += before.elapsed();
        strata.clear();
        strata.extend(bytes.iter().map(|l| if *l == u8::MAX { Ranking::SKIP } else { u16::from(*l) }));
        if strata.is_empty() && block.is_empty() {
            break;
        }
        ranking.extend(&strata, &block)?;
    }
    let figures = figures(&mut ranking)?;
    let computing = begin.elapsed() - reading;
    Ok(format!(
        "{{{figures}, \"read_s\": {}, \"compute_s\": {}}}",
        reading.as_secs_f64(),
        computing.as_secs_f64()
    ))
}

fn read(file: &mut File, most: u64, bytes: &mut Vec<u8>) -> std::io::Result<usize> {
    bytes.clear();
    file.take(most).read_to_end(bytes)
}

fn figures(ranking: &mut Ranking) -> Result<String, RankingError> {
    let sides = [Some(Side::Negative), Some(Side::Positive)];
    let curve = ranking.curve(|stratum| sides[stratum], &[0.95])?;
    let at_95 = curve.at_tpr[0].1;
    let best = curve.best_f1;
    let figures = [
        ("ap", curve.ap),
        ("auroc", curve.auroc),
        ("fpr95", at_95.map(|p| p.fpr)),
        ("fpr95_threshold", at_95.and_then(|p| p.threshold).map(f64::from)),
        ("best_f1", best.map(|p| p.f1)),
        ("best_f1_threshold", best.and_then(|p| p.threshold).map(f64::from)),
    ];
    let number = |v: Option<f64>| v.filter(|v| v.is_finite()).map_or("null".into(), |v| v.to_string());
    let figures = figures.map(|(name, value)| format!("\"{name}\": {}", number(value))).join(", ");
    let (positives, negatives, nan) = (curve.positives, curve.negatives, curve.nan);
    Ok(format!("{figures}, \"positives\": {positives}, \"negatives\": {negatives}, \"nan\": {nan}"))
}

fn main() -> ExitCode {
    match run(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(json) => {
            println!("{json}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("ranking: {error}");
            ExitCode::FAILURE
        }
    }
}
