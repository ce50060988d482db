//! `metadata.yaml`, version 9: what `ros2 bag` reads before it opens the MCAP file.
//!
//! The fields and their order are those of `rosbag2_storage` in ROS 2 Jazzy; the same text, without its
//! outer key, stands in the MCAP file, so that a lone file can be given its folder back.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::yaml::{self, YamlError};

/// The distribution whose format and type hashes are written.
const ROS_DISTRO: &str = "jazzy";

/// One topic and how many messages it has.
pub(super) struct Topic {
    pub(super) name: String,
    pub(super) type_name: &'static str,
    pub(super) type_hash: &'static str,
    pub(super) messages: u64,
}

/// What a bag holds, from its first stamp to its last.
#[derive(Serialize)]
pub(super) struct Metadata {
    version: u32,
    storage_identifier: &'static str,
    duration: Duration,
    starting_time: StartingTime,
    message_count: u64,
    topics_with_message_count: Vec<TopicWithCount>,
    // Of the file or of single messages: chunks compressed inside the MCAP file are the MCAP file's matter.
    compression_format: &'static str,
    compression_mode: &'static str,
    relative_file_paths: Vec<String>,
    files: Vec<File>,
    custom_data: BTreeMap<String, String>,
    ros_distro: &'static str,
}

#[derive(Clone, Copy, Serialize)]
struct Duration {
    nanoseconds: u64,
}

#[derive(Clone, Copy, Serialize)]
struct StartingTime {
    nanoseconds_since_epoch: u64,
}

#[derive(Serialize)]
struct TopicWithCount {
    topic_metadata: TopicMetadata,
    message_count: u64,
}

#[derive(Serialize)]
struct TopicMetadata {
    name: String,
    r#type: &'static str,
    serialization_format: &'static str,
    offered_qos_profiles: [Qos; 1],
    type_description_hash: &'static str,
}

#[derive(Serialize)]
struct File {
    path: String,
    starting_time: StartingTime,
    duration: Duration,
    message_count: u64,
}

#[derive(Serialize)]
struct Qos {
    history: &'static str,
    depth: u32,
    reliability: &'static str,
    durability: &'static str,
    deadline: Span,
    lifespan: Span,
    liveliness: &'static str,
    liveliness_lease_duration: Span,
    avoid_ros_namespace_conventions: bool,
}

#[derive(Clone, Copy, Serialize)]
struct Span {
    sec: u64,
    nsec: u64,
}

/// rmw's word for "no limit": i64::MAX nanoseconds.
const INFINITE: Span = Span { sec: 9_223_372_036, nsec: 854_775_807 };

/// What `ros2 bag play` will offer. Reliable, unlike most camera drivers: it reaches subscribers of either
/// kind, and on a desk nothing should be lost.
const QOS: Qos = Qos {
    history: "keep_last",
    depth: 10,
    reliability: "reliable",
    durability: "volatile",
    deadline: INFINITE,
    lifespan: INFINITE,
    liveliness: "automatic",
    liveliness_lease_duration: INFINITE,
    avoid_ros_namespace_conventions: false,
};

impl Metadata {
    /// `span` is the first and last stamp in nanoseconds.
    pub(super) fn new(file: &str, span: (u64, u64), topics: &[Topic]) -> Self {
        let starting_time = StartingTime { nanoseconds_since_epoch: span.0 };
        let duration = Duration { nanoseconds: span.1 - span.0 };
        let message_count = topics.iter().map(|t| t.messages).sum();
        Self {
            version: 9,
            storage_identifier: "mcap",
            duration,
            starting_time,
            message_count,
            topics_with_message_count: topics.iter().map(TopicWithCount::new).collect(),
            compression_format: "",
            compression_mode: "",
            relative_file_paths: vec![file.into()],
            files: vec![File { path: file.into(), starting_time, duration, message_count }],
            custom_data: BTreeMap::new(),
            ros_distro: ROS_DISTRO,
        }
    }

    /// The text inside the MCAP file.
    pub(super) fn to_yaml(&self) -> Result<String, YamlError> {
        yaml::to_string(self)
    }

    /// The text of `metadata.yaml`.
    pub(super) fn to_file(&self) -> Result<String, YamlError> {
        #[derive(Serialize)]
        struct Outer<'a> {
            rosbag2_bagfile_information: &'a Metadata,
        }
        yaml::to_string(&Outer { rosbag2_bagfile_information: self })
    }
}

impl TopicWithCount {
    fn new(topic: &Topic) -> Self {
        let topic_metadata = TopicMetadata {
            name: topic.name.clone(),
            r#type: topic.type_name,
            serialization_format: "cdr",
            offered_qos_profiles: [QOS],
            type_description_hash: topic.type_hash,
        };
        Self { topic_metadata, message_count: topic.messages }
    }
}

/// What a channel of the MCAP file says of itself, under the keys that rosbag2's storage looks for.
pub(super) fn of_channel(type_hash: &str) -> Result<BTreeMap<String, String>, YamlError> {
    Ok(BTreeMap::from([
        ("offered_qos_profiles".into(), yaml::to_string(&[QOS])?),
        ("topic_type_hash".into(), type_hash.into()),
    ]))
}
