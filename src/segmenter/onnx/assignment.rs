//! Which provider really took which nodes, from ONNX Runtime's own profile of the first run: registering a
//! provider says nothing about what it was given.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Reads and removes a profile.
///
/// # Errors
/// It cannot be read, or is not what ONNX Runtime writes.
pub(super) fn take(profile: &Path) -> Result<BTreeMap<String, usize>, String> {
    let text = std::fs::read_to_string(profile).map_err(|e| format!("{}: {e}", profile.display()))?;
    // Best effort: a file left in the temporary folder harms no one.
    let _ = std::fs::remove_file(profile);
    nodes_by_provider(&text)
}

/// Number of graph nodes a provider ran, by the provider's name in configuration.
fn nodes_by_provider(profile: &str) -> Result<BTreeMap<String, usize>, String> {
    let events: Vec<serde_json::Value> =
        serde_json::from_str(profile).map_err(|e| format!("the profile is no list of events: {e}"))?;
    let mut nodes: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for event in &events {
        let provider = event.pointer("/args/provider").and_then(|p| p.as_str()).filter(|p| !p.is_empty());
        if let (Some(provider), Some(name)) = (provider, event.get("name").and_then(|n| n.as_str())) {
            let provider = provider.trim_end_matches("ExecutionProvider").to_lowercase();
            nodes.entry(provider).or_default().insert(name);
        }
    }
    Ok(nodes.into_iter().map(|(provider, names)| (provider, names.len())).collect())
}

/// `cuda (141 nodes), cpu (3 nodes)`, in the order asked for.
pub(super) fn describe(nodes: &BTreeMap<String, usize>, order: &[&str]) -> String {
    let place = |name: &str| order.iter().position(|o| *o == name).unwrap_or(order.len());
    let mut sorted: Vec<_> = nodes.iter().collect();
    sorted.sort_by_key(|(name, _)| place(name));
    sorted.iter().map(|(name, count)| format!("{name} ({count} nodes)")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_counted_once_each() {
        let profile = r#"[
            {"cat":"Session","name":"session_initialization","args":{}},
            {"cat":"Node","name":"conv_kernel_time","args":{"provider":"CUDAExecutionProvider"}},
            {"cat":"Node","name":"conv_kernel_time","args":{"provider":"CUDAExecutionProvider"}},
            {"cat":"Node","name":"relu_kernel_time","args":{"provider":"CUDAExecutionProvider"}},
            {"cat":"Node","name":"shape_kernel_time","args":{"provider":"CPUExecutionProvider"}},
            {"cat":"Node","name":"fence","args":{"provider":""}}
        ]"#;
        let nodes = nodes_by_provider(profile).unwrap();
        assert_eq!(nodes, BTreeMap::from([("cpu".into(), 1), ("cuda".into(), 2)]));
        assert_eq!(describe(&nodes, &["tensorrt", "cuda", "cpu"]), "cuda (2 nodes), cpu (1 nodes)");
        assert!(nodes_by_provider("nothing").is_err());
    }
}
