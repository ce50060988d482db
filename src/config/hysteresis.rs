//! Checked: whether labels are held, and for how long.

use super::ranges::{whole, within};
use super::{ConfigError, Parameters};
use crate::hysteresis::Settings;

impl Parameters {
    /// How labels are held; `None`: not at all, each is what its own score says.
    ///
    /// # Errors
    /// A margin or a number of frames that is out of range.
    pub fn hysteresis(&self) -> Result<Option<Settings>, ConfigError> {
        let delta = within("hysteresis.delta", self.hysteresis.delta)?;
        let frames = whole("hysteresis.frames", self.hysteresis.frames)?;
        let settings = Settings { delta: delta as f32, frames };
        Ok((delta > 0.0 || frames > 1).then_some(settings))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(delta: f64, frames: i64) -> Result<Option<Settings>, String> {
        let mut parameters = Parameters::default();
        (parameters.hysteresis.delta, parameters.hysteresis.frames) = (delta, frames);
        parameters.hysteresis().map_err(|e| e.to_string())
    }

    #[test]
    fn it_is_off_unless_asked_for() {
        assert_eq!(Parameters::default().hysteresis().unwrap(), None);
        assert_eq!(of(0.0, 1), Ok(None));
        assert_eq!(of(0.5, 1), Ok(Some(Settings { delta: 0.5, frames: 1 })));
        assert_eq!(of(0.0, 3), Ok(Some(Settings { delta: 0.0, frames: 3 })));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for delta in [-0.1, f64::NAN, f64::INFINITY] {
            assert!(of(delta, 1).unwrap_err().contains("hysteresis.delta"));
        }
        for frames in [0, -1, 101, i64::MAX] {
            assert!(of(0.5, frames).unwrap_err().contains("hysteresis.frames"));
        }
    }
}
