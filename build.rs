//! Tells the linker where the programs find their libraries, so that they run from `target/` as they are.
//!
//! With the feature `node`, every `lib` folder of the ROS 2 environment goes into the programs as
//! DT_RPATH: the older kind of run path, because it also holds for the libraries' own libraries and for
//! the type supports and the middleware that ROS loads by name. With `train`, libtorch's folder does.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const NO_ROS: &str = "no ROS 2 environment: source /opt/ros/jazzy/setup.bash, \
    or run make setup and source .prefix/env.sh";

fn main() {
    let checkout = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();

    // The private prefix of `make setup`, where ONNX Runtime is looked for last.
    println!("cargo::rustc-env=OPEN_SET_PREFIX={}", checkout.join(".prefix").display());
    println!("cargo::rustc-env=OPEN_SET_GIT_REVISION={}", git_revision(&checkout));

    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=AMENT_PREFIX_PATH");
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    let mut folders = Vec::new();
    if env::var_os("CARGO_FEATURE_NODE").is_some() {
        match env::var_os("AMENT_PREFIX_PATH").filter(|path| !path.is_empty()) {
            Some(path) => folders.extend(of_ros(&env::split_paths(&path).collect::<Vec<_>>())),
            None => println!("cargo::error={NO_ROS}"),
        }
    }
    if env::var_os("CARGO_FEATURE_TRAIN").is_some() {
        // Without the variable, torch-sys finds libtorch by its own means, or says that it does not.
        folders.extend(env::var_os("LIBTORCH").map(|libtorch| PathBuf::from(libtorch).join("lib")));
    }
    let paths = folders.iter().map(|folder| format!("-Wl,-rpath,{}", folder.display()));
    for argument in std::iter::once("-Wl,--disable-new-dtags".to_owned()).chain(paths) {
        // For every program and test of the package: rustc-link-arg leaves only the library out.
        println!("cargo::rustc-link-arg={argument}");
    }
}

/// Each prefix's `lib`, and the folders in which ROS's wheels keep their vendored libraries
/// (`lib/python3.x/site-packages/ros_*.libs`; a ROS from apt has none).
fn of_ros(prefixes: &[PathBuf]) -> Vec<PathBuf> {
    let libs = prefixes.iter().map(|prefix| prefix.join("lib")).filter(|lib| lib.is_dir());
    let mut folders: Vec<PathBuf> = libs.clone().collect();
    for python in libs.flat_map(|lib| entries(&lib, "python3.", "")) {
        folders.extend(entries(&python.join("site-packages"), "ros_", ".libs"));
    }
    folders
}

/// The entries of a folder whose names begin and end so, in order.
fn entries(folder: &Path, prefix: &str, suffix: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with(prefix) && name.ends_with(suffix)
        })
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

/// `git describe`, or "unknown" outside a git checkout.
fn git_revision(checkout: &Path) -> String {
    // A commit or a checkout writes one of these; a mere edit does not rebuild to say "dirty".
    for name in ["HEAD", "logs/HEAD"] {
        let file = checkout.join(".git").join(name);
        if file.exists() {
            println!("cargo::rerun-if-changed={}", file.display());
        }
    }
    Command::new("git")
        .current_dir(checkout)
        .args(["describe", "--always", "--dirty"])
        .output()
        .ok()
        .filter(|output| output.status.success())
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map(|revision| revision.trim().to_owned())
        .filter(|revision| !revision.is_empty())
        .unwrap_or_else(|| "unknown".to_owned())
}
