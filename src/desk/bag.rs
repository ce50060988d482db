//! `open-set bag from-video`: a video or a folder of images as camera messages in a bag.

use std::io::Write;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use clap::ValueEnum;

use super::Failure;
use super::inputs::Inputs;
use super::progress::Progress;
use crate::bag::{BagWriter, Chunks, CompressedImage, Header, Image, Time};
use crate::images::{self, Rgb, Video};

/// Of images in a folder: they do not say.
const IMAGES_PER_SECOND: f64 = 10.0;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A video, or a folder of images (by name).
    input: PathBuf,
    /// The bag: a folder that is not there yet.
    #[arg(long)]
    out: PathBuf,
    /// The camera's topic; compressed images go to its `/compressed`, as image_transport has it.
    #[arg(long, default_value = "/camera/image_raw", value_parser = topic)]
    topic: String,
    /// The camera's optical frame.
    #[arg(long, default_value = "camera")]
    frame_id: String,
    /// Frames per second [default: the video's own, 10 for images].
    #[arg(long, value_parser = positive)]
    fps: Option<f64>,
    /// Write sensor_msgs/CompressedImage instead of Image.
    #[arg(long, value_enum)]
    compressed: Option<Codec>,
    /// The first stamp, in nanoseconds since 1970 [default: now].
    #[arg(long)]
    start_ns: Option<u64>,
    /// Stop after this many pictures.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Codec {
    /// Smaller; not lossless.
    Jpeg,
    /// Lossless.
    Png,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Vec<Failure>> {
    let inputs = Inputs::find(std::slice::from_ref(&args.input))?;
    let fps = args.frames_per_second(&inputs)?;
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970");
    let start_ns = args.start_ns.map_or_else(|| now().map(|since| since.as_nanos() as u64), Ok)?;
    let limit = args.limit.unwrap_or(u64::MAX);
    let mut progress = Progress::new(inputs.count().map(|count| count.min(limit)));
    let mut recorder = Recorder::new(args);
    // A picture that cannot be read leaves a gap in time, as a frame the camera lost does.
    for (index, picture) in (0..limit).zip(inputs.pictures()) {
        let stamp_ns = start_ns.saturating_add((index as f64 * 1e9 / fps).round() as u64);
        let result = match picture.rgb {
            // A bag that cannot be written ends the run: the next picture would not fare better.
            Ok(rgb) => Ok(recorder.write(stamp_ns, &rgb)?),
            Err(error) => Err(error.into()),
        };
        progress.done(picture.source, result);
    }
    let failures = progress.finish();
    let Some(bag) = recorder.bag else { return Ok(failures) };
    let summary = bag.finish()?;
    writeln!(
        std::io::stdout(),
        "{}: {} messages on {}, {:.1} s, {:.1} MB",
        args.out.display(),
        summary.messages,
        recorder.topic,
        summary.duration_ns as f64 / 1e9,
        summary.bytes as f64 / 1e6
    )?;
    Ok(failures)
}

impl Args {
    /// Never a guess about a video: every stamp would be wrong.
    fn frames_per_second(&self, inputs: &Inputs) -> anyhow::Result<f64> {
        if let Some(fps) = self.fps {
            return Ok(fps);
        }
        let input = self.input.display();
        match inputs.videos()[..] {
            [] => Ok(IMAGES_PER_SECOND),
            [video] if inputs.len() == 1 => Video::open(video)?
                .fps()
                .with_context(|| format!("{input} does not say its frames per second: give --fps")),
            _ => bail!("{input} holds videos among others: give --fps for all of them, or one video"),
        }
    }
}

/// Pictures to messages to the bag, which is made with the first of them.
struct Recorder<'a> {
    args: &'a Args,
    topic: String,
    bag: Option<BagWriter>,
    /// Reused from picture to picture.
    encoded: Vec<u8>,
}

impl<'a> Recorder<'a> {
    fn new(args: &'a Args) -> Self {
        let mut topic = args.topic.clone();
        if args.compressed.is_some() && !topic.ends_with("/compressed") {
            topic.push_str("/compressed");
        }
        Self { args, topic, bag: None, encoded: Vec::new() }
    }

    fn write(&mut self, stamp_ns: u64, rgb: &Rgb) -> anyhow::Result<()> {
        let Rgb { width, height, data } = rgb;
        let header = Header { stamp: Time::from_ns(stamp_ns)?, frame_id: &self.args.frame_id };
        let bag = match &mut self.bag {
            Some(bag) => bag,
            none => {
                let chunks = if self.args.compressed.is_some() { Chunks::Plain } else { Chunks::Zstd };
                none.insert(BagWriter::create(&self.args.out, chunks)?)
            }
        };
        // `rgb8; CODEC compressed bgr8` is what compressed_image_transport writes for an rgb8 camera.
        let format = match self.args.compressed {
            None => {
                let (step, is_bigendian) = ((width * 3) as u32, 0);
                let (width, height) = (*width as u32, *height as u32);
                let image = Image { header, height, width, encoding: "rgb8", is_bigendian, step, data };
                return Ok(bag.write(&self.topic, stamp_ns, &image)?);
            }
            Some(Codec::Jpeg) => {
                images::encode_jpeg_rgb(data, *width, *height, &mut self.encoded)?;
                "rgb8; jpeg compressed bgr8"
            }
            Some(Codec::Png) => {
                images::encode_png_rgb(data, *width, *height, &mut self.encoded)?;
                "rgb8; png compressed bgr8"
            }
        };
        Ok(bag.write(&self.topic, stamp_ns, &CompressedImage { header, format, data: &self.encoded })?)
    }
}

fn topic(text: &str) -> Result<String, String> {
    let word = |w: &str| w.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') && !w.is_empty();
    match text.strip_prefix('/') {
        Some(words) if words.split('/').all(word) => Ok(text.into()),
        _ => Err("not a full topic name, as /camera/image_raw is".into()),
    }
}

fn positive(text: &str) -> Result<f64, String> {
    let fps: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if fps.is_finite() && fps > 0.0 { Ok(fps) } else { Err("not above zero".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    /// Images and what a reader makes of the bag: `tests/python/test_bag.py`.
    #[test]
    fn a_video_keeps_its_own_pace_unless_another_is_asked_for() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name).display().to_string();
        images::write_test_video(path("drive.avi").as_ref(), &[[200, 0, 0]; 3]);
        for (out, options, duration_ns) in
            [("own", &[][..], 200_000_000), ("asked", &["--fps", "4"], 500_000_000)]
        {
            let (video, out) = (path("drive.avi"), path(out));
            let line = [&["x", &video, "--out", &out, "--start-ns", "7"], options].concat();
            assert!(run(&Line::parse_from(line).args).unwrap().is_empty());
            let metadata = std::fs::read_to_string(format!("{out}/metadata.yaml")).unwrap();
            for said in [format!("nanoseconds: {duration_ns}"), "since_epoch: 7".into(), "count: 3".into()] {
                assert!(metadata.contains(&said), "{said} is not in\n{metadata}");
            }
        }
    }

    #[test]
    fn videos_among_others_need_a_pace() {
        let root = tempfile::tempdir().unwrap();
        for file in ["a.avi", "b.avi"] {
            images::write_test_video(&root.path().join(file), &[[0; 3]]);
        }
        let (input, out) = (root.path().display().to_string(), root.path().join("bag"));
        let line = ["x", &input, "--out", &out.display().to_string()];
        let error = run(&Line::parse_from(line).args).unwrap_err().to_string();
        assert!(error.contains("give --fps"), "{error}");
        assert!(!out.exists());
    }
}
