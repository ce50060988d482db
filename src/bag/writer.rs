//! The bag itself: folder, MCAP file, topics; and `metadata.yaml` last, so that it stands only beside a
//! file that is whole.

use std::fs::{self, File};
use std::io::{BufWriter, ErrorKind};
use std::path::{Path, PathBuf};

use mcap::records::{MessageHeader, Metadata as Record};

use super::message::{Message, encode};
use super::metadata::{self, Metadata, Topic};
use super::{BagError, MessageType};

/// How the chunks of the MCAP file are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chunks {
    /// As they are: for pictures that are compressed already.
    Plain,
    /// zstd, at the level that keeps up with a camera.
    Zstd,
}

/// What a finished bag holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BagSummary {
    /// In all topics.
    pub messages: u64,
    /// From the first stamp to the last.
    pub duration_ns: u64,
    /// Of the MCAP file.
    pub bytes: u64,
}

/// A bag being written. Dropped before [`BagWriter::finish`] (an error, a panic) it leaves an MCAP file that
/// reads, without `metadata.yaml`; killed, one that `mcap recover` repairs up to the last whole chunk.
pub struct BagWriter {
    dir: PathBuf,
    file: PathBuf,
    file_name: String,
    mcap: mcap::Writer<BufWriter<File>>,
    topics: Vec<Channel>,
    /// First and last stamp.
    span: Option<(u64, u64)>,
    /// Reused from message to message.
    cdr: Vec<u8>,
}

struct Channel {
    id: u16,
    topic: Topic,
}

impl BagWriter {
    /// Makes the folder (and its parents) and opens the file inside, called after it as rosbag2 does.
    ///
    /// # Errors
    /// Something is there already; or it cannot be made.
    pub fn create(dir: &Path, chunks: Chunks) -> Result<Self, BagError> {
        let unwritable = |path: &Path| {
            let path = path.to_owned();
            move |source| BagError::Unwritable { path, source }
        };
        let name = dir.file_name().ok_or_else(|| BagError::Unnamed { dir: dir.into() })?;
        if let Some(parent) = dir.parent() {
            fs::create_dir_all(parent).map_err(unwritable(parent))?;
        }
        // Made, not looked for: of two writers one wins.
        fs::create_dir(dir).map_err(|source| match source.kind() {
            ErrorKind::AlreadyExists => BagError::Exists { dir: dir.into() },
            _ => BagError::Unwritable { path: dir.into(), source },
        })?;
        let file_name = format!("{}_0.mcap", name.to_string_lossy());
        let file = dir.join(&file_name);
        let sink = BufWriter::new(File::create(&file).map_err(unwritable(&file))?);
        let mcap = mcap::WriteOptions::new()
            .profile("ros2")
            .library(concat!("open-set ", env!("CARGO_PKG_VERSION")))
            .compression((chunks == Chunks::Zstd).then_some(mcap::Compression::Zstd))
            .compression_level(1)
            .create(sink)
            .map_err(|error| BagError::mcap(&file, &error))?;
        Ok(Self { dir: dir.into(), file, file_name, mcap, topics: Vec::new(), span: None, cdr: Vec::new() })
    }

    /// Adds a message; the topic is announced with its first. Stamps need not be in order.
    ///
    /// # Errors
    /// A topic with two types; a disk that is full: then the bag is of no more use.
    pub fn write<M: Message>(&mut self, topic: &str, stamp_ns: u64, message: &M) -> Result<(), BagError> {
        encode(message, &mut self.cdr)?;
        let index = self.channel(topic, &M::TYPE)?;
        let channel = &mut self.topics[index];
        let header = MessageHeader {
            channel_id: channel.id,
            sequence: channel.topic.messages as u32,
            log_time: stamp_ns,
            publish_time: stamp_ns,
        };
        self.mcap
            .write_to_known_channel(&header, &self.cdr)
            .map_err(|error| BagError::mcap(&self.file, &error))?;
        channel.topic.messages += 1;
        let (first, last) = self.span.unwrap_or((stamp_ns, stamp_ns));
        self.span = Some((first.min(stamp_ns), last.max(stamp_ns)));
        Ok(())
    }

    /// Ends the file, brings it to the disk and writes `metadata.yaml` beside it.
    ///
    /// # Errors
    /// A disk that is full.
    pub fn finish(mut self) -> Result<BagSummary, BagError> {
        let topics: Vec<Topic> = self.topics.into_iter().map(|c| c.topic).collect();
        let span = self.span.unwrap_or_default();
        let metadata = Metadata::new(&self.file_name, span, &topics);
        let broken = |error| BagError::mcap(&self.file, &error);
        let record = Record {
            name: "rosbag2".into(),
            metadata: [("serialized_metadata".into(), metadata.to_yaml()?)].into(),
        };
        self.mcap.write_metadata(&record).map_err(broken)?;
        self.mcap.finish().map_err(broken)?;
        let unwritable = |path: &Path, source| BagError::Unwritable { path: path.into(), source };
        // Some file systems tell of a full disk only here.
        let bytes = (self.mcap.into_inner().into_inner())
            .map_err(std::io::IntoInnerError::into_error)
            .and_then(|file| file.sync_all().and_then(|()| file.metadata()))
            .map_err(|source| unwritable(&self.file, source))?
            .len();
        let path = self.dir.join("metadata.yaml");
        fs::write(&path, metadata.to_file()?).map_err(|source| unwritable(&path, source))?;
        let messages = topics.iter().map(|t| t.messages).sum();
        Ok(BagSummary { messages, duration_ns: span.1 - span.0, bytes })
    }

    /// The index of the topic's channel, which is made if there is none.
    fn channel(&mut self, topic: &str, kind: &MessageType) -> Result<usize, BagError> {
        if let Some(index) = self.topics.iter().position(|c| c.topic.name == topic) {
            let first = self.topics[index].topic.type_name;
            if first != kind.name {
                return Err(BagError::TwoTypes { topic: topic.into(), first, then: kind.name });
            }
            return Ok(index);
        }
        let broken = |error| BagError::mcap(&self.file, &error);
        let schema =
            self.mcap.add_schema(kind.name, "ros2msg", kind.definition.as_bytes()).map_err(broken)?;
        let about = metadata::of_channel(kind.hash)?;
        let id = self.mcap.add_channel(schema, topic, "cdr", &about).map_err(broken)?;
        let topic = Topic { name: topic.into(), type_name: kind.name, type_hash: kind.hash, messages: 0 };
        self.topics.push(Channel { id, topic });
        Ok(self.topics.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bag::{CompressedImage, Header, Image, Time};

    const SECOND: u64 = 1_000_000_000;

    fn image(stamp_ns: u64, data: &[u8]) -> Image<'_> {
        let header = Header { stamp: Time::from_ns(stamp_ns).unwrap(), frame_id: "camera" };
        let (height, width) = (1, data.len() as u32);
        Image { header, height, width, encoding: "mono8", is_bigendian: 0, step: width, data }
    }

    /// Bytes zstd cannot shrink, so that they leave its buffers.
    fn noise(n: usize) -> Vec<u8> {
        let mut state = 1u32;
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        (0..n).map(next).collect()
    }

    #[test]
    fn a_bag_holds_what_was_written_and_says_so() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("runs/drive");
        let mut bag = BagWriter::create(&dir, Chunks::Zstd).unwrap();
        for stamp in [3 * SECOND, SECOND, 2 * SECOND] {
            bag.write("/camera", stamp, &image(stamp, &[7; 50])).unwrap();
        }
        let header = Header { stamp: Time::from_ns(SECOND).unwrap(), frame_id: "camera" };
        let jpeg = CompressedImage { header, format: "jpeg", data: &[1] };
        bag.write("/camera/compressed", SECOND, &jpeg).unwrap();
        let error = bag.write("/camera", SECOND, &jpeg).unwrap_err().to_string();
        assert!(error.contains("/camera carries sensor_msgs/msg/Image"), "{error}");

        let summary = bag.finish().unwrap();
        let bytes = fs::read(dir.join("drive_0.mcap")).unwrap();
        assert_eq!(summary, BagSummary { messages: 4, duration_ns: 2 * SECOND, bytes: bytes.len() as u64 });

        let read: Vec<_> = mcap::MessageStream::new(&bytes).unwrap().map(Result::unwrap).collect();
        let seen = |m: &mcap::Message| (m.channel.topic.clone(), m.sequence, m.log_time / SECOND);
        let expected =
            [("/camera", 0, 3), ("/camera", 1, 1), ("/camera", 2, 2), ("/camera/compressed", 0, 1)];
        assert_eq!(read.iter().map(seen).collect::<Vec<_>>(), expected.map(|(t, s, at)| (t.into(), s, at)));
        let schema = read[0].channel.schema.as_ref().unwrap();
        assert_eq!((schema.name.as_str(), schema.encoding.as_str()), ("sensor_msgs/msg/Image", "ros2msg"));

        let metadata = fs::read_to_string(dir.join("metadata.yaml")).unwrap();
        for line in ["version: 9", "message_count: 4", "nanoseconds: 2000000000", "ros_distro: jazzy"] {
            assert!(metadata.contains(line), "{line} is not in\n{metadata}");
        }
    }

    #[test]
    fn nothing_is_overwritten() {
        let root = tempfile::tempdir().unwrap();
        let error = BagWriter::create(root.path(), Chunks::Plain).err().unwrap();
        assert!(matches!(error, BagError::Exists { .. }), "{error}");
        let file = root.path().join("file");
        fs::write(&file, "").unwrap();
        let error = BagWriter::create(&file.join("bag"), Chunks::Plain).err().unwrap();
        assert!(matches!(error, BagError::Exists { .. } | BagError::Unwritable { .. }), "{error}");
        assert!(matches!(BagWriter::create(Path::new(".."), Chunks::Plain), Err(BagError::Unnamed { .. })));
    }

    /// The file as a killed process leaves it: no summary, no footer, perhaps half a chunk.
    #[test]
    fn a_bag_cut_short_reads_up_to_its_last_whole_chunk() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("bag");
        let data = noise(2 << 20);
        let mut bag = BagWriter::create(&dir, Chunks::Zstd).unwrap();
        for second in 0..4 {
            bag.write("/camera", second * SECOND, &image(second * SECOND, &data)).unwrap();
        }
        let bytes = fs::read(dir.join("bag_0.mcap")).unwrap();
        let options = mcap::read::Options::IgnoreEndMagic.into();
        let whole = mcap::MessageStream::new_with_options(&bytes, options).unwrap().map_while(Result::ok);
        assert!(whole.count() >= 3);
        assert!(!dir.join("metadata.yaml").exists());
    }
}
