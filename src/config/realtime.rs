//! Checked: what is asked of the kernel.

use super::ranges::whole;
use super::words::value;
use super::{ConfigError, Parameters};
use crate::realtime::{Cpus, Settings};

impl Parameters {
    /// What is asked of the kernel for the inference thread.
    ///
    /// # Errors
    /// CPUs that are none, a priority that there is not, CPUs for a network that chooses its own.
    pub fn realtime(&self) -> Result<Settings, ConfigError> {
        let wanted = &self.realtime;
        let cpus = match wanted.cpus.as_str() {
            "" => None,
            list => Some(Cpus::parse(list).ok_or_else(|| {
                value("realtime.cpus", format!("\"{list}\""), "numbers and ranges up to 1023, e.g. 2,4-7")
            })?),
        };
        // ONNX Runtime binds its threads to cores of its own choice then, whatever they inherited.
        if cpus.is_some() && self.threads == 0 {
            let expected = "the number of threads, 1 or more, where realtime.cpus is set: with 0 ONNX Runtime places them";
            return Err(value("threads", self.threads, expected));
        }
        let priority = Some(whole("realtime.priority", wanted.priority)?).filter(|priority| *priority > 0);
        Ok(Settings { cpus, priority, lock_memory: wanted.lock_memory, required: wanted.required })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(threads: i64, cpus: &str, priority: i64) -> Result<Settings, String> {
        let mut parameters = Parameters { threads, ..Parameters::default() };
        (parameters.realtime.cpus, parameters.realtime.priority) = (cpus.into(), priority);
        parameters.realtime().map_err(|e| e.to_string())
    }

    #[test]
    fn nothing_is_asked_for_unless_it_is_set() {
        assert_eq!(Parameters::default().realtime().unwrap(), Settings::default());
        let got = of(2, "2,3", 50).unwrap();
        assert_eq!((got.cpus.unwrap().numbers(), got.priority), (&[2, 3][..], Some(50)));
        assert!(!got.lock_memory && !got.required);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert!(of(2, "two", 0).unwrap_err().contains("realtime.cpus is \"two\""));
        assert!(of(0, "2", 0).unwrap_err().contains("where realtime.cpus is set"));
        for priority in [-1, 100, i64::MIN] {
            assert!(of(0, "", priority).unwrap_err().contains("realtime.priority"));
        }
    }
}
