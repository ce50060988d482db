//! Several cameras: each has the node's parameters, with its own over them. One camera is a list of one.

use super::words::choice;
use super::{ConfigError, Parameters};

/// What a camera may have for itself, as parameter `CAMERA.NAME`.
pub const OF_A_CAMERA: [&str; 7] = [
    "camera_topic",
    "camera_info_topic",
    "transport",
    "region",
    "mask",
    "threshold_override",
    "latency_budget_ms",
];

/// Whether cameras take turns at one network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// They do, on one thread.
    Shared,
    /// Each has sessions and a thread of its own.
    Each,
}

impl Sharing {
    /// Every choice with its name.
    pub const ALL: [(Self, &'static str); 2] = [(Self::Shared, "shared"), (Self::Each, "each")];
}

/// One camera of the node.
#[derive(Debug, Clone, PartialEq)]
pub struct CameraParameters {
    /// As its outputs are called; empty where there is one without a name.
    pub name: String,
    /// Those of a node that has this camera alone.
    pub parameters: Parameters,
}

impl Parameters {
    /// The cameras, in order; one without a name where none is named.
    ///
    /// # Errors
    /// A name that cannot be part of a topic, stands twice, or is a parameter's own; a word that is none of the
    /// choices; beside names a topic that none of them has.
    pub fn of_cameras(&self) -> Result<Vec<CameraParameters>, ConfigError> {
        self.sharing()?;
        if self.cameras.is_empty() {
            return Ok(vec![CameraParameters { name: String::new(), parameters: self.clone() }]);
        }
        self.check_no_topic()?;
        let names = self.cameras.iter().enumerate();
        names
            .map(|(i, name)| -> Result<_, ConfigError> {
                check_name(name, &self.cameras[..i])?;
                Ok(CameraParameters { name: name.clone(), parameters: self.of_camera(name)? })
            })
            .collect()
    }

    /// Whether the cameras share the sessions.
    ///
    /// # Errors
    /// A word that is none of the choices.
    pub fn sharing(&self) -> Result<Sharing, ConfigError> {
        choice("sessions", &self.sessions, &Sharing::ALL)
    }

    /// Cameras with names have topics of their own: the node's would be ignored.
    fn check_no_topic(&self) -> Result<(), ConfigError> {
        let default = Self::default();
        let expected = "of a node with one camera; where cameras are named it is NAME.camera_topic \
                        (NAME.camera_info_topic)";
        for (parameter, set, default) in [
            ("camera_topic", &self.camera_topic, default.camera_topic),
            ("camera_info_topic", &self.camera_info_topic, default.camera_info_topic),
        ] {
            if *set != default {
                return Err(ConfigError::Value { parameter, got: set.clone(), expected });
            }
        }
        Ok(())
    }

    fn of_camera(&self, name: &str) -> Result<Self, ConfigError> {
        let alone = Self {
            cameras: Vec::new(),
            own: Default::default(),
            camera_topic: format!("/{name}/image_raw"),
            camera_info_topic: String::new(),
            ..self.clone()
        };
        let own = self.own.get(name).into_iter().flatten();
        alone.with(own.map(|(key, value)| (key.clone(), value.clone())))
    }
}

/// The camera and the parameter that it has for itself, of names like `front.mask`.
pub(super) fn split(name: &str) -> Option<(&str, &str)> {
    name.split_once('.').filter(|(_, key)| OF_A_CAMERA.contains(key))
}

fn check_name(name: &str, before: &[String]) -> Result<(), ConfigError> {
    let is_word = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.starts_with(|c: char| c.is_ascii_alphabetic());
    let refused = |expected| {
        let got = format!("\"{name}\"");
        Err(ConfigError::Value { parameter: "cameras", got, expected })
    };
    if !is_word {
        return refused("names are words of letters, digits and _ that begin with a letter");
    }
    if before.iter().any(|other| other == name) {
        return refused("each camera once");
    }
    let is_taken = |(known, _): &(&str, &str)| known.split('.').next() == Some(name);
    if super::DESCRIPTIONS.iter().any(is_taken) {
        return refused("that is a parameter's name: call the camera otherwise");
    }
    Ok(())
}

#[cfg(test)]
#[path = "cameras_tests.rs"]
mod tests;
