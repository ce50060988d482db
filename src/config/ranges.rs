//! Between which numbers a parameter lies: what is checked, and what tools make their sliders of.

use super::words::value;
use super::{ConfigError, cameras};
use crate::hysteresis::MOST_FRAMES;

/// Name, least, greatest, and both in words. A threshold has no range: NaN is a value of it.
const RANGES: [(&str, f64, f64, &str); 15] = [
    ("temperature", 1e-3, 1e3, "0.001 to 1000"),
    ("threads", 0.0, 1024.0, "0 (all cores) to 1024"),
    ("latency_budget_ms", 0.0, 60_000.0, "0 (none) to 60000"),
    ("stuck_after_s", 0.5, 3600.0, "0.5 to 3600"),
    ("stale_after_s", 0.01, 3600.0, "0.01 to 3600"),
    ("heatmap_range", 1e-3, 1e3, "0.001 to 1000"),
    ("hysteresis.delta", 0.0, 1e6, "0 (none) to 1000000, in the score's unit"),
    ("hysteresis.frames", 1.0, MOST_FRAMES as f64, "1 to 100"),
    ("image.frozen_after_s", 0.0, 3600.0, "0 (never) to 3600"),
    ("image.black_share", 0.0, 1.0, "0 (never) to 1"),
    ("image.bright_share", 0.0, 1.0, "0 (never) to 1"),
    ("image.blocked_share", 0.0, 1.0, "0 (never) to 1"),
    ("drift.window_s", 0.0, 86_400.0, "0 (none) to 86400"),
    ("drift.warn_psi", 1e-3, 100.0, "0.001 to 100"),
    ("realtime.priority", 0.0, 99.0, "0 (none) to 99"),
];

/// Least and greatest value of a parameter, a camera's own included; `None` where there are none, or it is no
/// number.
pub fn range(name: &str) -> Option<(f64, f64)> {
    let of_whom = cameras::split(name).map_or(name, |(_, key)| key);
    RANGES.iter().find(|(known, ..)| *known == of_whom).map(|(_, least, greatest, _)| (*least, *greatest))
}

/// The number, where it lies in its range.
pub(super) fn within(parameter: &'static str, got: f64) -> Result<f64, ConfigError> {
    let of_it = RANGES.iter().find(|(known, ..)| *known == parameter);
    let (_, least, greatest, words) = of_it.ok_or_else(|| ConfigError::Unknown(parameter.to_owned()))?;
    if (*least..=*greatest).contains(&got) { Ok(got) } else { Err(value(parameter, got, words)) }
}

/// The same of a whole number.
pub(super) fn whole<T: TryFrom<i64>>(parameter: &'static str, got: i64) -> Result<T, ConfigError> {
    within(parameter, got as f64)?;
    T::try_from(got).map_err(|_| value(parameter, got, "smaller"))
}

#[cfg(test)]
mod tests {
    use super::super::{DESCRIPTIONS, ParameterValue, Parameters};
    use super::*;
    use crate::score::Score;

    #[test]
    fn each_is_of_a_number_and_holds_its_default() {
        let defaults = Parameters::default().to_values().unwrap();
        for (name, least, greatest, _) in RANGES {
            let default = defaults.iter().find(|(known, _)| *known == name).map(|(_, v)| v.clone());
            let default = match default {
                Some(ParameterValue::Double(v)) => v,
                Some(ParameterValue::Integer(v)) => v as f64,
                other => panic!("{name}: {other:?}"),
            };
            assert!((least..=greatest).contains(&default), "{name}");
        }
        assert_eq!(range("front.latency_budget_ms"), range("latency_budget_ms"));
        assert_eq!((range("score"), range("threshold_override")), (None, None));
        assert!(DESCRIPTIONS.len() > RANGES.len());
    }

    #[test]
    fn temperatures_are_those_of_scores() {
        let (least, greatest) = range("temperature").unwrap();
        for ok in [least, greatest] {
            Score::Hybrid.check_temperature(ok as f32).unwrap();
        }
        for bad in [least * 0.99, greatest * 1.01] {
            assert!(Score::Hybrid.check_temperature(bad as f32).is_err());
        }
    }
}
