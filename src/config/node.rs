//! Checked: what only the node reads.

use super::ranges::within;
use super::words::{choice, value};
use super::{ConfigError, Parameters};
use crate::budget::{BadStamps, OverBudget, Policy};
use crate::fault::{self, OnFault, OnStuck};
use crate::hysteresis;
use crate::monitor::{drift, picture};
use crate::realtime;
use std::time::Duration;

/// How images come, as `image_transport` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// `sensor_msgs/Image` on the topic itself.
    Raw,
    /// `sensor_msgs/CompressedImage` beside it.
    Compressed,
}

impl Transport {
    /// Every choice with its name.
    pub const ALL: [(Self, &'static str); 2] = [(Self::Raw, "raw"), (Self::Compressed, "compressed")];
}

/// A checked answer to everything around the walk of a camera's frame.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeSettings {
    /// What becomes of what is late.
    pub budget: Policy,
    /// What is done when the network fails, or does not come back.
    pub fault: fault::Policy,
    /// Without an image for so long the camera is stale.
    pub stale_after: Duration,
    /// When its picture is at fault.
    pub picture: picture::Limits,
    /// When the calibration does not describe the stream; `None`: that is not watched.
    pub drift: Option<drift::Settings>,
    /// What of its images is subscribed to.
    pub transport: Transport,
    /// Score distance from the threshold at which the heatmap's colours end.
    pub heatmap_range: f32,
    /// How labels are held from frame to frame; `None`: they are not.
    pub hysteresis: Option<hysteresis::Settings>,
    /// What is asked of the kernel.
    pub realtime: realtime::Settings,
}

impl Parameters {
    /// Checks what only the node reads.
    ///
    /// # Errors
    /// A topic that is empty, a number out of range, a word that is none of the choices.
    pub fn node(&self) -> Result<NodeSettings, ConfigError> {
        check_topic("camera_topic", &self.camera_topic)?;
        if !self.camera_info_topic.is_empty() {
            check_topic("camera_info_topic", &self.camera_info_topic)?;
        }
        let heatmap_range = within("heatmap_range", self.heatmap_range)?;
        let stale_after_s = within("stale_after_s", self.stale_after_s)?;
        Ok(NodeSettings {
            budget: self.budget()?,
            fault: self.fault()?,
            stale_after: Duration::from_secs_f64(stale_after_s),
            picture: self.picture()?,
            drift: self.drift()?,
            transport: choice("transport", &self.transport, &Transport::ALL)?,
            heatmap_range: heatmap_range as f32,
            hysteresis: self.hysteresis()?,
            realtime: self.realtime()?,
        })
    }

    /// What becomes of frames and results that are late.
    ///
    /// # Errors
    /// A budget out of range, a word that is none of the choices, a budget without the status that tells what
    /// missed it.
    pub fn budget(&self) -> Result<Policy, ConfigError> {
        let budget_ms = within("latency_budget_ms", self.latency_budget_ms)?;
        let over_budget = choice("over_budget", &self.over_budget, &OverBudget::ALL)?;
        // Also where late results are dropped: publishing one may take longer than it ever did.
        if budget_ms > 0.0 && !self.publish.frame_status {
            let expected = "frame_status is where a late result says so: true, or latency_budget_ms 0";
            return Err(value("publish.frame_status", false, expected));
        }
        let bad_stamps = choice("bad_stamps", &self.bad_stamps, &BadStamps::ALL)?;
        Ok(Policy { budget_ms: (budget_ms > 0.0).then_some(budget_ms), over_budget, bad_stamps })
    }

    fn fault(&self) -> Result<fault::Policy, ConfigError> {
        let stuck_after_s = within("stuck_after_s", self.stuck_after_s)?;
        Ok(fault::Policy {
            on_fault: choice("on_fault", &self.on_fault, &OnFault::ALL)?,
            on_stuck: choice("on_stuck", &self.on_stuck, &OnStuck::ALL)?,
            stuck_after: Duration::from_secs_f64(stuck_after_s),
        })
    }

    fn picture(&self) -> Result<picture::Limits, ConfigError> {
        let image = &self.image;
        let share = |parameter, v| within(parameter, v).map(unless_zero);
        let frozen_after_s = within("image.frozen_after_s", image.frozen_after_s)?;
        Ok(picture::Limits {
            frozen_after: unless_zero(frozen_after_s).map(Duration::from_secs_f64),
            black_share: share("image.black_share", image.black_share)?,
            bright_share: share("image.bright_share", image.bright_share)?,
            blocked_share: share("image.blocked_share", image.blocked_share)?,
        })
    }

    fn drift(&self) -> Result<Option<drift::Settings>, ConfigError> {
        let window_s = within("drift.window_s", self.drift.window_s)?;
        let warn_psi = within("drift.warn_psi", self.drift.warn_psi)?;
        let window = unless_zero(window_s).map(Duration::from_secs_f64);
        Ok(window.map(|window| drift::Settings { window, warn_psi }))
    }

    /// The camera info topic: as set, or `camera_info` beside the image topic `camera`.
    pub fn camera_info_topic(&self, camera: &str) -> String {
        if !self.camera_info_topic.is_empty() {
            return self.camera_info_topic.clone();
        }
        match camera.rsplit_once('/') {
            Some((parent, _)) => format!("{parent}/camera_info"),
            None => "camera_info".into(),
        }
    }
}

fn unless_zero(v: f64) -> Option<f64> {
    (v > 0.0).then_some(v)
}

/// ROS 2's rules for the names of topics.
fn check_topic(parameter: &'static str, topic: &str) -> Result<(), ConfigError> {
    let is_word = |token: &str| {
        token.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && !token.starts_with(|c: char| c.is_ascii_digit())
    };
    let path = topic.strip_prefix("~/").or(topic.strip_prefix('/')).unwrap_or(topic);
    if path.split('/').all(|token| !token.is_empty() && is_word(token)) {
        return Ok(());
    }
    let expected =
        "a topic's name: words of letters, digits and _ between single /, none beginning with a digit";
    Err(value(parameter, format!("\"{topic}\""), expected))
}
