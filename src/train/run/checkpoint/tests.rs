use super::*;
use tempfile::tempdir;

fn about() -> About {
    About {
        format: FORMAT,
        identity: "tiny".into(),
        settings: "seed: 1\n".into(),
        settings_sha256: "00".into(),
        place: Place { phase: 1, step: 20 },
        phase: "open-set".into(),
        seed: u64::MAX,
        optimizer_steps: 20,
        steps_before: 5,
        best: Some(0.1 + 0.2),
        validated: Some(20),
        generator: None,
        generator_steps: 0,
        seconds: 1.5,
        pretrained: None,
        trainer: crate::VERSION.into(),
        libtorch: None,
    }
}

fn tensors() -> Vec<(String, Tensor)> {
    let values = Tensor::from_slice(&[1.0f32, -0.0, f32::MIN_POSITIVE, 1e-45, 3.0, 4.0]);
    let last = values.view([1, 2, 3, 1]).permute([0, 3, 1, 2]);
    vec![
        ("parameters/a.weight".into(), last),
        ("parameters/b.count".into(), Tensor::from_slice(&[7i64]).view([])),
        ("ema/a.weight".into(), Tensor::from_slice(&[1.0f32; 6]).view([1, 1, 2, 3])),
        ("optimizer/first/a.weight".into(), Tensor::from_slice(&[0.5f64])),
    ]
}

fn save(path: &Path, tensors: &[(String, Tensor)]) -> Result<(), CheckpointError> {
    write(path, &about(), tensors.iter().map(|(name, t)| (name.clone(), t)))
}

fn bits(tensor: &Tensor) -> (Vec<i64>, Vec<u8>) {
    let stored = Stored::of(tensor).unwrap();
    (tensor.size(), stored.bytes)
}

#[test]
fn what_is_written_is_read() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("last.safetensors");
    let tensors = tensors();
    save(&path, &tensors).unwrap();
    let read = Checkpoint::read(&path).unwrap();
    assert_eq!(read.about, about());
    for (name, tensor) in &tensors {
        assert_eq!(bits(&read.tensors[name]), bits(tensor), "{name}");
    }
    assert!(read.has("ema") && read.has("optimizer") && !read.has("em"));

    // Written again it is the same file, byte for byte.
    let again = dir.path().join("again");
    save(&again, &tensors).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), std::fs::read(&again).unwrap());
}

#[test]
fn tensors_go_by_name_and_shape() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("a");
    save(&path, &tensors()).unwrap();
    let read = Checkpoint::read(&path).unwrap();
    // In a memory format of its own.
    let a = Tensor::zeros([1, 3, 1, 2], (Kind::Float, tch::Device::Cpu)).permute([0, 2, 3, 1]);
    let a = a.contiguous().permute([0, 1, 3, 2]).contiguous();
    let b = Tensor::from_slice(&[0i64]).view([]);
    let want = |a: &Tensor| a.size();
    assert_eq!(want(&read.tensors["parameters/a.weight"]), [1, 1, 2, 3]);
    let a = a.view([1, 1, 2, 3]);
    read.fill("parameters", [("a.weight".into(), &a), ("b.count".into(), &b)]).unwrap();
    assert_eq!((bits(&a), bits(&b)), (bits(&tensors()[0].1), bits(&tensors()[1].1)));

    let wrong = Tensor::from_slice(&[0.0f32; 2]);
    let error = read.fill("parameters", [("a.weight".into(), &wrong), ("c".into(), &wrong)]).unwrap_err();
    let error = error.to_string();
    for part in ["a.weight is [1, 1, 2, 3] in it, not [2]", "c [2] is missing", "b.count is not wanted"] {
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(bits(&wrong), bits(&Tensor::from_slice(&[0.0f32; 2])), "nothing was filled");
}

#[test]
fn another_network_is_refused_with_both_names() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("a");
    save(&path, &tensors()).unwrap();
    let read = Checkpoint::read(&path).unwrap();
    read.check_identity("tiny").unwrap();
    let error = read.check_identity("lite0 96").unwrap_err().to_string();
    assert!(error.contains("is of tiny") && error.contains("make lite0 96"), "{error}");
}

#[test]
fn what_is_no_checkpoint_is_refused() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("a");
    let says = |bytes: &[u8], part: &str| {
        std::fs::write(&path, bytes).unwrap();
        let error = Checkpoint::read(&path).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    save(&path, &tensors()).unwrap();
    let whole = std::fs::read(&path).unwrap();
    for length in [0, 7, 100, whole.len() - 1] {
        says(&whole[..length], "no checkpoint of this program");
    }
    says(b"PK\x03\x04 something else altogether", "no checkpoint");
    let other = safetensors::serialize(Vec::<(String, TensorView)>::new(), None).unwrap();
    says(&other, "its metadata has no open-set-train");
    let key = br#"\"format\":1"#;
    let at = whole.windows(key.len()).position(|bytes| bytes == key).unwrap();
    let mut newer = whole.clone();
    newer[at + key.len() - 1] = b'2';
    says(&newer, "it is of format 2, this program reads 1");
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(Checkpoint::read(&path), Err(CheckpointError::Read { .. })));
}

/// The device that is always full stands where the new file is about to be written.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_the_old_one_whole() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("last.safetensors");
    save(&path, &tensors()).unwrap();
    let old = std::fs::read(&path).unwrap();
    let beside = dir.path().join(format!("last.safetensors.{}.part", std::process::id()));
    std::os::unix::fs::symlink("/dev/full", &beside).unwrap();
    let error = save(&path, &tensors()[..1]).unwrap_err().to_string();
    assert!(error.contains("No space left") && error.contains("untouched"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), old);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    save(&path, &tensors()[..1]).unwrap(); // and when there is space again, it goes on
    assert_ne!(std::fs::read(&path).unwrap(), old);
}
