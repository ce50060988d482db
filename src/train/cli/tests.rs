use super::training::device;
use super::*;
use crate::train::settings::Written;
use std::fs;
use std::path::Path;

use clap::CommandFactory;
use tch::Device;
use tempfile::tempdir;

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn devices_have_names() {
    assert_eq!(device("cpu").unwrap(), Device::Cpu);
    for wrong in ["gpu", "cuda:x", "cuda:999", ""] {
        assert!(device(wrong).is_err(), "{wrong}");
    }
}

fn config(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/train").join(name)
}

#[test]
fn the_settings_that_come_along_hold() {
    let mut seen = 0;
    for file in fs::read_dir(config("")).unwrap() {
        let path = file.unwrap().path();
        Written::read(&path).unwrap_or_else(|e| panic!("{e}"));
        seen += 1;
    }
    assert!(seen >= 2);
}

fn cli(words: &[&str]) -> anyhow::Result<ExitCode> {
    run(&Cli::try_parse_from([&["open-set-train"], words].concat())?)
}

#[test]
fn what_is_not_right_is_said_before_anything_is_begun() {
    let dir = tempdir().unwrap();
    let (data, out) = (dir.path().display().to_string(), dir.path().join("run").display().to_string());
    let smoke = config("smoke.yaml").display().to_string();
    let says = |words: &[&str], part: &str| {
        let error = cli(words).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
        assert_eq!(format!("{:?}", exit_code(&error)), format!("{:?}", ExitCode::from(2)));
        assert!(!dir.path().join("run").exists());
    };
    says(&["run", "no.yaml", "--data", &data, "--run", &out], "no.yaml");
    says(&["run", &smoke, "--data", &data, "--run", &out], "val");
    says(&["run", &smoke, "--data", &data, "--run", &out, "--resume"], "val");
    says(&["run", &smoke, "--data", &data, "--run", &out, "--phase", "open-set"], "--init");
    says(&["run", &smoke, "--data", &data, "--run", &out, "--pretrained", "no.pth"], "no.pth");
    says(&["export", "no.safetensors", "--out", &out], "no.safetensors");
}
