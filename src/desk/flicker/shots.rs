//! What is looked at: the pictures of videos and folders, or a bag's first camera, each with its time.

use std::path::{Path, PathBuf};

use crate::bag::{self, BagError, Taken};
use crate::desk::inputs::Inputs;
use crate::frame::{Encoding, Frame};
use crate::images::{self, Rgb};

/// One frame of a sequence.
pub struct Shot {
    /// Its truth's, without extension.
    pub name: PathBuf,
    /// Where it came from, for messages.
    pub source: String,
    /// Frames of one sequence follow one another: the folder of the file and, of a video, the video.
    pub sequence: (PathBuf, PathBuf),
    /// By its header, of a bag.
    pub stamp_ns: Option<i64>,
    /// The pixels, or why there are none.
    pub rgb: anyhow::Result<Rgb>,
}

/// The frames of all that was typed, in order, and how many there are, if that is known.
///
/// # Errors
/// Nothing there to look at.
pub fn shots(typed: &[PathBuf]) -> anyhow::Result<(Option<u64>, Box<dyn Iterator<Item = Shot>>)> {
    if let [path] = typed
        && bag::is_bag(path)
    {
        let (path, camera) = (path.clone(), bag::camera(path)?);
        let shots = camera.enumerate().map(move |(index, taken)| of_bag(&path, index, taken));
        return Ok((None, Box::new(shots)));
    }
    let inputs = Inputs::find(typed)?;
    let count = inputs.count();
    let folder = |path: &Path| path.parent().map(Path::to_path_buf).unwrap_or_default();
    let shots = inputs.pictures().map(move |picture| Shot {
        sequence: (folder(Path::new(&picture.source)), folder(&picture.name)),
        name: picture.name,
        source: picture.source,
        stamp_ns: None,
        rgb: picture.rgb.map_err(Into::into),
    });
    Ok((count, Box::new(shots)))
}

fn of_bag(bag: &Path, index: usize, taken: Result<Taken, BagError>) -> Shot {
    let source = format!("{} frame {index}", bag.display());
    let stamp_ns = taken.as_ref().ok().map(|taken| taken.stamp_ns);
    Shot {
        name: format!("{index:06}").into(),
        rgb: taken.map_err(Into::into).and_then(|taken| to_rgb(&taken.picture, &source)),
        sequence: (bag.into(), PathBuf::new()),
        source,
        stamp_ns,
    }
}

fn to_rgb(picture: &bag::Picture, source: &str) -> anyhow::Result<Rgb> {
    match picture {
        bag::Picture::Encoded(bytes) => Ok(images::decode_rgb(bytes, source)?),
        bag::Picture::Raw { encoding, width, height, step, data } => {
            let frame = Frame::new(Encoding::from_name(encoding)?, *width, *height, *step, data)?;
            let mut rgb = Rgb { width: *width, height: *height, data: Vec::new() };
            images::to_rgb(&frame, &mut rgb.data)?;
            Ok(rgb)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bag::{BagWriter, Chunks, Header, Image, Time};

    #[test]
    fn a_bag_gives_its_cameras_frames_with_their_stamps() {
        let root = tempfile::tempdir().unwrap();
        let bag = root.path().join("bag");
        let mut writer = BagWriter::create(&bag, Chunks::Plain).unwrap();
        for (sec, encoding) in [(1, "bgr8"), (2, "32FC1")] {
            let header = Header { stamp: Time { sec, nanosec: 0 }, frame_id: "front" };
            let (height, width, is_bigendian, step) = (1, 1, 0, 3);
            let image = Image { header, height, width, encoding, is_bigendian, step, data: &[1, 2, 3] };
            writer.write("/front/image", 1, &image).unwrap();
        }
        writer.finish().unwrap();
        let (count, shots) = shots(&[bag]).unwrap();
        let shots: Vec<_> = shots.collect();
        assert_eq!((count, shots.len()), (None, 2));
        assert_eq!((shots[0].name.to_str(), shots[0].stamp_ns), (Some("000000"), Some(1_000_000_000)));
        assert_eq!(shots[0].rgb.as_ref().unwrap().data, [3, 2, 1]);
        assert!(shots[1].rgb.as_ref().unwrap_err().to_string().contains("32FC1"));
        assert_eq!(shots[0].sequence, shots[1].sequence);
    }
}
