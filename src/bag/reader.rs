//! A camera's messages out of a bag: rosbag2's folder, or an MCAP file alone, of any writer.
//!
//! One message at a time is in memory. Messages of other types are passed over unread.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use super::cdr::Cdr;
use super::{BagError, CompressedImage, Image, Message};

/// A camera's message, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Its header's, in nanoseconds since 1970.
    pub stamp_ns: i64,
    /// What it shows.
    pub picture: Picture,
}

/// What a message shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Picture {
    /// Of `sensor_msgs/Image`, as its header says.
    Raw {
        /// A name of `sensor_msgs/image_encodings`.
        encoding: String,
        /// In pixels.
        width: usize,
        /// In pixels.
        height: usize,
        /// Bytes from row to row.
        step: usize,
        /// The pixels.
        data: Vec<u8>,
    },
    /// Of `sensor_msgs/CompressedImage`: a JPEG, a PNG, ...
    Encoded(Vec<u8>),
}

/// Whether a path is one of a bag: an MCAP file, or a folder that holds some.
pub fn is_bag(path: &Path) -> bool {
    is_mcap(path) || (path.is_dir() && !files(path).is_empty())
}

fn is_mcap(path: &Path) -> bool {
    path.is_file() && path.extension().is_some_and(|e| e == "mcap")
}

/// The folder's MCAP files in rosbag2's order: `_2` before `_10`.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| is_mcap(path)).collect();
    files.sort_by_key(|path| (path.as_os_str().len(), path.clone()));
    files
}

/// The messages of a bag's first camera, in the order they were recorded.
///
/// # Errors
/// No bag there, or one without a camera; what is met later is an item, the last one.
pub fn camera(bag: &Path) -> Result<impl Iterator<Item = Result<Taken, BagError>> + use<>, BagError> {
    let files = if is_mcap(bag) { vec![bag.to_owned()] } else { files(bag) };
    let mut messages = files.into_iter().flat_map(messages);
    let mut topics = Vec::new();
    loop {
        match messages.next() {
            None => return Err(BagError::NoCamera { bag: bag.into(), topics: topics.join(", ") }),
            Some(Err(error)) => return Err(error),
            Some(Ok(first)) if first.is_camera() => {
                let topic = first.topic.clone();
                let of_it = messages.filter(move |m| m.as_ref().map_or(true, |m| m.topic == topic));
                return Ok(std::iter::once(Ok(first)).chain(of_it).map(|m| m?.take()));
            }
            Some(Ok(other)) if !topics.contains(&other.topic) => topics.push(other.topic),
            Some(Ok(_)) => (),
        }
    }
}

/// A message as it lies in its file.
struct Recorded {
    file: PathBuf,
    topic: String,
    kind: String,
    cdr: Vec<u8>,
}

/// All messages of a file; a file that cannot be opened is the one error.
fn messages(file: PathBuf) -> Box<dyn Iterator<Item = Result<Recorded, BagError>>> {
    let opened = match File::open(&file) {
        Ok(opened) => opened,
        Err(error) => return Box::new(std::iter::once(Err(BagError::unreadable(&file, &error)))),
    };
    Box::new(mcap::io::MessageReader::new(BufReader::new(opened)).map(move |message| {
        let message = message.map_err(|error| BagError::unreadable(&file, &error))?;
        Ok(Recorded {
            file: file.clone(),
            topic: message.channel.topic.clone(),
            kind: message.channel.schema.as_ref().map_or(String::new(), |schema| schema.name.clone()),
            cdr: message.data.into_owned(),
        })
    }))
}

impl Recorded {
    fn is_camera(&self) -> bool {
        [Image::TYPE.name, CompressedImage::TYPE.name].contains(&self.kind.as_str())
    }

    fn take(self) -> Result<Taken, BagError> {
        let taken = Cdr::new(&self.cdr).and_then(|mut cdr| {
            let stamp_ns = i64::from(cdr.word()? as i32) * 1_000_000_000 + i64::from(cdr.word()?);
            let _frame_id = cdr.text()?;
            let picture = if self.kind == Image::TYPE.name {
                let (height, width) = (cdr.word()? as usize, cdr.word()? as usize);
                let encoding = cdr.text()?.to_owned();
                let _is_bigendian = cdr.byte()?;
                let step = cdr.word()? as usize;
                Picture::Raw { encoding, width, height, step, data: cdr.bytes()?.to_vec() }
            } else {
                let _format = cdr.text()?;
                Picture::Encoded(cdr.bytes()?.to_vec())
            };
            Some(Taken { stamp_ns, picture })
        });
        let what = format!("a message on {} is no {}", self.topic, self.kind);
        taken.ok_or_else(|| BagError::unreadable(&self.file, &what))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{BagWriter, Chunks, Header, Time};
    use super::*;

    const DATA: &[u8] = &[1, 2, 3, 4, 5, 6];

    fn header(sec: i32) -> Header<'static> {
        Header { stamp: Time { sec, nanosec: 5 }, frame_id: "front" }
    }

    fn image(sec: i32) -> Image<'static> {
        let (height, width, encoding) = (2, 1, "rgb8");
        Image { header: header(sec), height, width, encoding, is_bigendian: 0, step: 3, data: DATA }
    }

    #[test]
    fn what_was_written_is_read() {
        let root = tempfile::tempdir().unwrap();
        for chunks in [Chunks::Plain, Chunks::Zstd] {
            let bag = root.path().join(format!("{chunks:?}"));
            let mut writer = BagWriter::create(&bag, chunks).unwrap();
            let png = CompressedImage { header: header(9), format: "png", data: &[7, 8] };
            writer.write("/front/image", 1, &image(1)).unwrap();
            writer.write("/front/image/compressed", 2, &png).unwrap();
            writer.write("/front/image", 3, &image(2)).unwrap();
            writer.finish().unwrap();
            let file = files(&bag).remove(0);
            for path in [&bag, &file] {
                assert!(is_bag(path));
                let taken: Vec<_> = camera(path).unwrap().collect::<Result<_, _>>().unwrap();
                let stamps: Vec<_> = taken.iter().map(|t| t.stamp_ns).collect();
                assert_eq!(stamps, [1_000_000_005, 2_000_000_005]);
                let (encoding, data) = ("rgb8".into(), DATA.to_vec());
                let picture = Picture::Raw { encoding, width: 1, height: 2, step: 3, data };
                assert_eq!(taken[1].picture, picture);
            }
        }
    }

    #[test]
    fn compressed_images_are_read_as_they_are() {
        let root = tempfile::tempdir().unwrap();
        let bag = root.path().join("bag");
        let mut writer = BagWriter::create(&bag, Chunks::Plain).unwrap();
        let png = CompressedImage { header: header(-1), format: "png", data: &[7, 8] };
        writer.write("/front/image/compressed", 2, &png).unwrap();
        writer.finish().unwrap();
        let taken = camera(&bag).unwrap().next().unwrap().unwrap();
        assert_eq!(taken, Taken { stamp_ns: -999_999_995, picture: Picture::Encoded(vec![7, 8]) });
    }

    #[test]
    fn what_is_no_bag_is_told() {
        let root = tempfile::tempdir().unwrap();
        assert!(!is_bag(root.path()) && !is_bag(&root.path().join("missing")));
        let says = |path: &Path, part: &str| {
            let error = camera(path).err().unwrap().to_string();
            assert!(error.contains(part), "{error}");
        };
        says(root.path(), "has no camera");
        let broken = root.path().join("broken.mcap");
        fs::write(&broken, "nothing").unwrap();
        says(&broken, "broken.mcap");
    }
}
