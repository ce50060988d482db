//! Why a bag could not be written or read. Each names the path.

use std::path::{Path, PathBuf};

use crate::yaml::YamlError;

/// See the variants.
#[derive(Debug, thiserror::Error)]
pub enum BagError {
    /// Something is there; nothing is overwritten.
    #[error("{} exists already: choose another folder, or remove it", .dir.display())]
    Exists {
        /// As it was asked for.
        dir: PathBuf,
    },
    /// A path that ends in `..` or `/`: the files inside are called after it.
    #[error("{} has no last name to call the bag's file after", .dir.display())]
    Unnamed {
        /// As it was asked for.
        dir: PathBuf,
    },
    /// No rights, no such parent, disk full.
    #[error("cannot write {}: {source}", .path.display())]
    Unwritable {
        /// The folder or file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The same reasons, met half-way through the file.
    #[error("cannot write {}: {reason}; `mcap recover` reads what was written before", .path.display())]
    Mcap {
        /// The MCAP file.
        path: PathBuf,
        /// The system's or the library's.
        reason: String,
    },
    /// No rights, no MCAP file, or one that is broken.
    #[error("cannot read {}: {reason}", .path.display())]
    Unreadable {
        /// The MCAP file.
        path: PathBuf,
        /// The system's or the library's.
        reason: String,
    },
    /// Nothing to look at.
    #[error(
        "{} has no camera: no sensor_msgs/Image or CompressedImage in an MCAP file; its topics: {topics}", .bag.display()
    )]
    NoCamera {
        /// The folder or file.
        bag: PathBuf,
        /// Comma-separated.
        topics: String,
    },
    /// One topic, two types: ROS has no such thing.
    #[error("topic {topic} carries {first}, and now comes {then}")]
    TwoTypes {
        /// The topic.
        topic: String,
        /// What it began with.
        first: &'static str,
        /// What was to be written.
        then: &'static str,
    },
    /// A stamp that `builtin_interfaces/Time` cannot hold.
    #[error("stamp of {stamp_ns} ns is beyond what a ROS time holds, 2^31 s (the year 2038)")]
    Stamp {
        /// Nanoseconds since 1970.
        stamp_ns: u64,
    },
    /// A message or the metadata has no form in its encoding.
    #[error("cannot encode {what}: {message}")]
    Encoding {
        /// Message type or file.
        what: &'static str,
        /// The library's words.
        message: String,
    },
}

impl BagError {
    pub(super) fn unreadable(path: &Path, reason: &impl ToString) -> Self {
        Self::Unreadable { path: path.into(), reason: reason.to_string() }
    }

    pub(super) fn mcap(path: &Path, error: &mcap::McapError) -> Self {
        let reason = match error {
            mcap::McapError::Io(io) => io.to_string(), // The library would say no more than "I/O error".
            other => other.to_string(),
        };
        Self::Mcap { path: path.into(), reason }
    }
}

impl From<YamlError> for BagError {
    fn from(error: YamlError) -> Self {
        Self::Encoding { what: "metadata.yaml", message: error.to_string() }
    }
}
