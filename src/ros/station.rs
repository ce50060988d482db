//! What the parts of the node share of one camera. A node with one camera has one.

use super::arguments::{Arguments, Names};
use super::arrived::Arrived;
use super::health::{Camera, Health};
use super::output::Optional;
use crate::config::{
    CameraParameters, ConfigError, NodeSettings, Parameters, PipelineSettings, Sharing, Transport,
};
use crate::latest::Latest;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// How the camera is subscribed to, in words for diagnostics.
const QOS: &str = "best effort, volatile, keep last 5";

/// One camera.
#[derive(Clone)]
pub(super) struct Station {
    /// As it is called; empty where it has no name.
    pub(super) name: String,
    /// As its statuses are named: the node, and the camera's name.
    pub(super) label: String,
    /// It alone, as it was when the station was made.
    pub(super) parameters: Parameters,
    /// Of its images, whatever transports them: fully qualified, remapped.
    pub(super) topic: String,
    /// What is subscribed to, before remapping.
    pub(super) asked: String,
    /// And after it.
    pub(super) source: String,
    pub(super) transport: Transport,
    /// Shared by the cameras that take turns at one network.
    pub(super) slots: Arc<Latest<Arrived>>,
    /// Its slot among these.
    pub(super) place: usize,
    pub(super) health: Arc<Mutex<Health>>,
    pub(super) tuned: Arc<Mutex<Tuned>>,
    /// Outputs that may come and go while the node runs.
    pub(super) optional: Arc<Mutex<Optional>>,
}

/// What may change while it runs.
pub(super) struct Tuned {
    /// Counts the changes.
    pub(super) version: u64,
    /// And those of them that concern scores.
    pub(super) rescored: u64,
    pub(super) settings: NodeSettings,
    /// Scores and thresholds at every input size, where they are others than the sessions were made with.
    pub(super) walk: Option<Vec<PipelineSettings>>,
}

impl Tuned {
    pub(super) fn change(&mut self, settings: NodeSettings, walk: Option<Vec<PipelineSettings>>) {
        self.version += 1;
        self.rescored += u64::from(walk.is_some());
        self.settings = settings;
        self.walk = walk.or(self.walk.take());
    }
}

/// All stations, for those that look after each of them.
pub(super) type Roster = Arc<Mutex<Vec<Station>>>;

/// How the node's names are understood.
#[derive(Clone)]
pub(super) struct Naming {
    pub(super) arguments: Arc<Arguments>,
    pub(super) names: Names,
}

impl Naming {
    pub(super) fn resolve(&self, topic: &str) -> String {
        self.arguments.resolve(&self.names, topic)
    }
}

impl Station {
    /// Under which its outputs lie.
    pub(super) fn prefix(&self) -> String {
        if self.name.is_empty() { "~".into() } else { format!("~/{}", self.name) }
    }
}

/// One station a camera.
///
/// # Errors
/// Parameters that cannot be.
pub(super) fn stations(parameters: &Parameters, naming: &Naming) -> Result<Vec<Station>, ConfigError> {
    let cameras = parameters.of_cameras()?;
    let shared = match parameters.sharing()? {
        Sharing::Shared => Some(Arc::new(Latest::new(cameras.len()))),
        Sharing::Each => None,
    };
    // REP-107's `node: task`, with the namespace, so that two nodes' cameras are told apart.
    let node = naming.names.node.trim_start_matches('/');
    let station = |(i, CameraParameters { name, parameters })| -> Result<Station, ConfigError> {
        let settings = parameters.node()?;
        let topic = naming.resolve(&parameters.camera_topic);
        let asked = match settings.transport {
            Transport::Raw => parameters.camera_topic.clone(),
            Transport::Compressed => format!("{topic}/compressed"),
        };
        let source = naming.resolve(&asked);
        let camera = Camera { hardware_id: topic.clone(), topic: source.clone(), qos: QOS.into() };
        let (slots, place) = match &shared {
            Some(slots) => (Arc::clone(slots), i),
            None => (Arc::new(Latest::new(1)), 0),
        };
        Ok(Station {
            label: if name.is_empty() { node.to_owned() } else { format!("{node}/{name}") },
            name,
            parameters,
            topic,
            asked,
            source,
            transport: settings.transport,
            slots,
            place,
            health: Arc::new(Mutex::new(Health::new(camera, &settings, Instant::now()))),
            tuned: Arc::new(Mutex::new(Tuned { version: 0, rescored: 0, settings, walk: None })),
            optional: Arc::default(),
        })
    };
    cameras.into_iter().enumerate().map(station).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ParameterValue;

    fn of(values: &[(&str, ParameterValue)]) -> Vec<Station> {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        let names = Names::new("/x/open_set".into(), "/x".into());
        let naming = Naming { arguments: Arc::default(), names };
        stations(&Parameters::from_values(values).unwrap(), &naming).unwrap()
    }

    fn cameras() -> (&'static str, ParameterValue) {
        ("cameras", ParameterValue::Strings(vec!["front".into(), "left".into()]))
    }

    #[test]
    fn one_camera_is_named_as_the_node_is() {
        let all = of(&[("camera_topic", ParameterValue::String("image".into()))]);
        let [one] = &all[..] else { panic!("{}", all.len()) };
        assert_eq!((one.label.as_str(), one.prefix().as_str()), ("x/open_set", "~"));
        assert_eq!((one.topic.as_str(), one.source.as_str(), one.place), ("/x/image", "/x/image", 0));
    }

    #[test]
    fn cameras_that_share_have_a_slot_each_and_others_slots_of_their_own() {
        let all = of(&[cameras(), ("left.transport", ParameterValue::String("compressed".into()))]);
        let [front, left] = &all[..] else { panic!("{}", all.len()) };
        assert_eq!((front.label.as_str(), left.label.as_str()), ("x/open_set/front", "x/open_set/left"));
        assert_eq!((left.prefix().as_str(), left.source.as_str()), ("~/left", "/left/image_raw/compressed"));
        assert!(Arc::ptr_eq(&all[0].slots, &all[1].slots) && (all[0].place, all[1].place) == (0, 1));
        let all = of(&[cameras(), ("sessions", ParameterValue::String("each".into()))]);
        assert!(!Arc::ptr_eq(&all[0].slots, &all[1].slots) && (all[0].place, all[1].place) == (0, 0));
    }
}
