//! What of a settings file decides what is learnt, as a hash and as a list of differences.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::hex::hex;
use crate::yaml::{self, Value, YamlError};

/// Entries that change when something is told or saved, how fast, or what is put up with, but not what is learnt.
const INDIFFERENT: [&str; 8] = [
    "threads",
    "checkpoint_every",
    "log_every",
    "validation",
    "export",
    "data.cache_mb",
    "data.workers",
    "data.skip_limit",
];

/// Over every entry by its path, in order: comments, blanks and the order of keys do not count.
pub(super) fn sha256(text: &str) -> Result<String, YamlError> {
    let mut hash = Sha256::new();
    for (path, value) in entries(text)? {
        hash.update(format!("{path}: {value}\n"));
    }
    Ok(hex(&hash.finalize()))
}

/// `path: theirs, here ours`, a line each.
pub(super) fn differences(theirs: &str, ours: &str) -> String {
    let (theirs, ours) = (entries(theirs).unwrap_or_default(), entries(ours).unwrap_or_default());
    let mut paths: Vec<&String> = theirs.keys().chain(ours.keys()).collect();
    paths.sort();
    paths.dedup();
    let told = |entry: Option<&String>| entry.map_or("absent".to_owned(), String::clone);
    let differing = paths.into_iter().filter(|path| theirs.get(*path) != ours.get(*path));
    let lines = differing.map(|p| format!("{p}: {}, here {}", told(theirs.get(p)), told(ours.get(p))));
    lines.collect::<Vec<_>>().join("\n")
}

/// A section at the top, whatever counts in it.
pub(super) fn section(text: &str, key: &str) -> Option<Value> {
    match yaml::from_str(text) {
        Ok(Value::Mapping(top)) => top.get(key).cloned(),
        _ => None,
    }
}

/// Every single value that counts, by its path.
fn entries(text: &str) -> Result<BTreeMap<String, String>, YamlError> {
    let mut found = BTreeMap::new();
    walk("", &yaml::from_str(text)?, &mut found);
    Ok(found)
}

fn walk(path: &str, value: &Value, found: &mut BTreeMap<String, String>) {
    match value {
        _ if INDIFFERENT.contains(&path) => {}
        Value::Mapping(inner) if !inner.is_empty() => {
            for (key, value) in inner {
                let key = key.as_str().unwrap_or_default();
                let below = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
                walk(&below, value, found);
            }
        }
        Value::Sequence(inner) if !inner.is_empty() => {
            for (i, value) in inner.iter().enumerate() {
                walk(&format!("{path}[{i}]"), value, found);
            }
        }
        single => {
            let text = yaml::to_string(single).unwrap_or_default();
            found.insert(path.to_owned(), text.trim_end().to_owned());
        }
    }
}
