//! When a parameter may change.

use super::cameras;

/// When what is set is taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// With the next frame.
    AtOnce,
    /// When the node is next activated: sessions, subscriptions and outputs are made from it.
    Inactive,
    /// When the program is next started.
    AtStart,
}

/// Parameters that the loop of a frame reads, and groups of such.
const AT_ONCE: [&str; 13] = [
    "score",
    "temperature",
    "threshold_override",
    "latency_budget_ms",
    "over_budget",
    "bad_stamps",
    "on_fault",
    "stale_after_s",
    "heatmap_range",
    "hysteresis",
    "image",
    "drift",
    "publish",
];

/// When a parameter of that name, a camera's own included, may change.
pub fn when(name: &str) -> When {
    let of_whom = cameras::split(name).map_or(name, |(_, key)| key);
    let group = of_whom.split('.').next().unwrap_or(of_whom);
    match group {
        // A process has one ONNX Runtime and one number of scoring threads.
        "autostart"
        | "onnxruntime"
        | "realtime"
        | "start_type_description_service"
        | "threads"
        | "use_sim_time" => When::AtStart,
        group if AT_ONCE.contains(&group) => When::AtOnce,
        _ => When::Inactive,
    }
}

/// Whether a change of that parameter gives labels another meaning: it is held against the model.
pub fn is_of_the_score(name: &str) -> bool {
    let of_whom = cameras::split(name).map_or(name, |(_, key)| key);
    ["score", "temperature", "threshold_override"].contains(&of_whom)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DESCRIPTIONS;

    #[test]
    fn the_table_names_parameters() {
        for name in AT_ONCE {
            assert!(DESCRIPTIONS.iter().any(|(n, _)| n.split('.').next() == Some(name)), "{name}");
        }
    }

    #[test]
    fn what_the_loop_reads_changes_at_once_and_what_is_made_does_not() {
        for name in ["publish.overlay", "threshold_override", "front.threshold_override", "hysteresis.delta"]
        {
            assert_eq!(when(name), When::AtOnce, "{name}");
        }
        for name in ["model", "front.camera_topic", "front.mask", "cameras", "providers", "front.nonsense"] {
            assert_eq!(when(name), When::Inactive, "{name}");
        }
        for name in ["autostart", "realtime.cpus", "threads", "onnxruntime"] {
            assert_eq!(when(name), When::AtStart, "{name}");
        }
        assert!(is_of_the_score("left.threshold_override") && !is_of_the_score("left.mask"));
    }
}
