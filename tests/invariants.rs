//! Architecture that the compiler does not check: which crate is named where.

#![allow(clippy::unwrap_used)] // a test

use std::path::{Path, PathBuf};

/// A crate, and the places under `src/` that may name it.
const OWNERS: [(&str, &[&str]); 12] = [
    ("r2r", &["ros/"]),
    ("ort", &["segmenter/onnx/"]),
    ("onnx_protobuf", &["segmenter/onnx/", "train/export/"]),
    ("opencv", &["images/"]),
    ("mcap", &["bag/"]),
    ("cdr_encoding", &["bag/"]),
    ("serde_yaml", &["yaml.rs"]),
    ("hdf5", &["scores/"]),
    ("npyz", &["scores/"]),
    ("libc", &["realtime/"]),
    ("tch", &["train/"]),
    ("safetensors", &["train/"]),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
        if entry.is_dir() {
            sources(&entry, found);
        } else if entry.extension().is_some_and(|e| e == "rs") {
            found.push(entry);
        }
    }
}

/// Whether the line uses `name` as a path's first part, outside comments.
fn names_crate(line: &str, name: &str) -> bool {
    let code = line.split("//").next().unwrap_or("");
    code.match_indices(&format!("{name}::")).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
    })
}

#[test]
fn each_outside_library_is_named_in_its_own_room_only() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let mut strays = Vec::new();
    let mut seen = [false; OWNERS.len()];
    for file in &files {
        let place = file.strip_prefix(&src).unwrap().to_string_lossy().replace('\\', "/");
        let text = std::fs::read_to_string(file).unwrap();
        for (i, (name, rooms)) in OWNERS.iter().enumerate() {
            let at_home = rooms.iter().any(|room| place.starts_with(room));
            for (number, line) in text.lines().enumerate().filter(|(_, l)| names_crate(l, name)) {
                seen[i] |= at_home;
                if !at_home {
                    strays.push(format!("src/{place}:{}: {}", number + 1, line.trim()));
                }
            }
        }
    }
    assert!(strays.is_empty(), "{}", strays.join("\n"));
    // A check that finds nothing anywhere would check nothing.
    for (seen, (name, _)) in seen.iter().zip(OWNERS) {
        assert!(seen, "{name} is used nowhere: take it out of this list");
    }
}
