use std::cell::Cell;
use std::fs;

use tch::{Device, Kind, Tensor};
use tempfile::tempdir;

use super::train::{Batches, Feed};
use super::*;
use crate::train::data::Batch;
use crate::train::model::{Precision, TorchNetwork};

/// Two phases of six steps each, everything on that has a state.
const SETTINGS: &str = "
seed: 3
classes: [{name: red, color: [255, 0, 0]}, {name: green, color: [0, 255, 0]}]
model:
  network: {architecture: tiny, width: 8, dataset_head: independent, precision: f32}
  mean: [0, 0, 0]
  std: [1, 1, 1]
data: {dataset: folder, folder: train}
validation: {every: 4, closed_set: {dataset: folder, folder: none}}
phases:
- name: closed-set
  steps: 6
  batch: 2
  accumulate: 2
  objective: {kind: closed-set}
  optimizer: {kind: adamw, lr: 0.01, lr_scale: {encoder: 0.5}, weight_decay: 0.1}
  schedule: {kind: cosine, warmup_steps: 2}
  clip: 1
  ema: 0.9
- name: open-set
  steps: 6
  batch: 2
  objective: {kind: hybrid, beta1: 1, beta2: 0.3, beta3: 0.3, beta4: 0.03}
  negatives: NEGATIVES
  optimizer: {kind: sgd, lr: 0.01, momentum: 0.9}
  schedule: {kind: poly}
  ema: 0.5
checkpoint_every: 3
log_every: 2
export:
  input_sizes: [[32, 32]]
  training: {network: tiny, data: made up, licence: none}
";

fn written(edit: impl Fn(String) -> String) -> Written {
    let negatives = "{sources: [{kind: cutouts, folder: none}]}";
    Written::parse(&edit(SETTINGS.replace("NEGATIVES", negatives))).unwrap()
}

fn plain(text: String) -> String {
    text
}

fn network(written: &Written) -> TorchNetwork {
    tch::set_num_threads(1);
    TorchNetwork::new(written.settings.spec().unwrap().0, written.settings.seed, Precision::F32, Device::Cpu)
        .unwrap()
}

/// Red and green halves, a blue outlier in a corner, a little noise: of the phase and the step alone.
struct Coloured<'a> {
    phase: usize,
    /// Told before each batch: phase and step.
    before: &'a dyn Fn(usize, u64, &mut Batch),
}

impl Batches for Coloured<'_> {
    fn next(&mut self, step: u64) -> Result<Batch, RunError> {
        const SIDE: usize = 32;
        let cut = 8 + (step as usize * 5 + self.phase) % 16;
        let mut images = vec![0.0f32; 2 * 3 * SIDE * SIDE];
        let mut labels = vec![0i64; 2 * SIDE * SIDE];
        let mut outliers = vec![false; labels.len()];
        for (i, label) in labels.iter_mut().enumerate() {
            let (n, y, x) = (i / (SIDE * SIDE), i / SIDE % SIDE, i % SIDE);
            let outlier = self.phase == 1 && y < 12 && x < 12;
            let class = usize::from((x < cut) == (n == 0));
            (*label, outliers[i]) = (if outlier { 255 } else { class as i64 }, outlier);
            let channel = if outlier { 2 } else { class };
            let noise = ((i as u64 * 2_654_435_761 + step * 97) % 1000) as f32 / 5000.0;
            images[(n * 3 + channel) * SIDE * SIDE + y * SIDE + x] = 1.0 - noise;
        }
        let map = |t: Tensor| t.view([2, SIDE as i64, SIDE as i64]);
        let mut batch = Batch {
            images: Tensor::from_slice(&images).view([2, 3, SIDE as i64, SIDE as i64]),
            labels: map(Tensor::from_slice(&labels)),
            outliers: map(Tensor::from_slice(&outliers)),
            vacancies: Vec::new(),
            ids: vec![format!("a{step}"), format!("b{step}")],
        };
        (self.before)(self.phase, step, &mut batch);
        Ok(batch)
    }
}

/// A run on such batches. Judged by the sum of what the network says of a fixed image: whatever its state is.
fn train(
    written: &Written,
    network: &TorchNetwork,
    out: &Path,
    start: &Start,
    stop: &Stop,
    before: &'static dyn Fn(usize, u64, &mut Batch),
) -> Result<Report, RunError> {
    let outside = Outside {
        feed: &mut |phase| {
            let phase_at = written.settings.phase(&phase.name).unwrap();
            let batches = Box::new(Coloured { phase: phase_at, before });
            Ok(Feed { batches, class_weights: None, steps: phase.steps.unwrap(), negatives: None })
        },
        judge: &mut |network| {
            let image = Tensor::ones([1, 3, 32, 32], (Kind::Float, Device::Cpu));
            let said = tch::no_grad(|| network.forward(&image, crate::train::model::Mode::Eval))?;
            let miou = Some(said.logits.sum(Kind::Double).double_value(&[]));
            let closed_set = Some(ClosedSet { miou, iou: Vec::new() });
            Ok((!stop.is_requested()).then(|| Verdict { closed_set, ..Verdict::default() }))
        },
    };
    run_with(written, &Trained::alone(network), outside, out, start, stop)
}

/// A tensor's name, shape and bits.
type Bits = (String, Vec<i64>, Vec<u32>);

/// All that is in a checkpoint but the time it took.
fn state(path: &Path) -> (About, Vec<Bits>) {
    let read = Checkpoint::read(path).unwrap();
    let bits = |t: &Tensor| -> Vec<u32> {
        Vec::<f32>::try_from(t.flatten(0, -1)).unwrap().into_iter().map(f32::to_bits).collect()
    };
    let tensors = read.tensors().map(|(name, t)| (name.to_owned(), t.size(), bits(t))).collect();
    (About { seconds: 0.0, ..read.about.clone() }, tensors)
}

/// Random weights.
const NEW: &Start = &Start::New { pretrained: None };

const QUIET: &dyn Fn(usize, u64, &mut Batch) = &|_, _, _| ();

#[test]
fn stopped_and_resumed_is_never_stopped_bit_for_bit() {
    let written = written(plain);
    let dir = tempdir().unwrap();
    let straight = dir.path().join("straight");
    let report = train(&written, &network(&written), &straight, NEW, &Stop::default(), QUIET).unwrap();
    assert_eq!(report.ending, Ending::Done);
    assert_eq!(report.checkpoint, straight.join("open-set.safetensors"));

    thread_local!(static ASKED: Cell<Option<(usize, u64)>> = const { Cell::new(None) });
    thread_local!(static STOP: Stop = Stop::default());
    let before: &'static dyn Fn(usize, u64, &mut Batch) = &|phase, step, _| {
        if ASKED.get() == Some((phase, step)) {
            STOP.with(Stop::request);
        }
    };
    // In the middle of a phase, in the validation at its end, and in the second; a step of the first has two
    // batches.
    for (asked, place) in [((0, 3), (0, 2)), ((0, 11), (0, 6)), ((1, 4), (1, 5))] {
        let out = dir.path().join(format!("{asked:?}"));
        ASKED.set(Some(asked));
        let stop = STOP.with(Stop::clone);
        let first = train(&written, &network(&written), &out, NEW, &stop, before).unwrap();
        assert_eq!((first.ending, first.checkpoint), (Ending::Stopped, out.join("last.safetensors")));
        let stopped_at = state(&out.join("last.safetensors")).0.place;
        assert_eq!((stopped_at.phase, stopped_at.step), place, "{asked:?}");
        ASKED.set(None);
        STOP.with(Stop::reset);

        // Whatever the parameters of the network were: they are the checkpoint's.
        let other =
            TorchNetwork::new(written.settings.spec().unwrap().0, 99, Precision::F32, Device::Cpu).unwrap();
        let second = train(&written, &other, &out, &Start::Resume, &Stop::default(), QUIET).unwrap();
        assert_eq!(second.ending, Ending::Done);
        for file in ["last", "closed-set", "open-set", "best-closed-set", "best-open-set"] {
            let file = format!("{file}.safetensors");
            let (got, expected) = (state(&out.join(&file)), state(&straight.join(&file)));
            assert_eq!(got.0, expected.0, "{asked:?} {file}");
            assert!(got.1 == expected.1, "{asked:?} {file}: tensors differ");
        }
    }
}

#[test]
fn the_loss_falls_and_is_told() {
    let written = written(|t| t.replace("steps: 6", "steps: 30").replace("log_every: 2", "log_every: 10"));
    let dir = tempdir().unwrap();
    let out = dir.path().join("run");
    train(&written, &network(&written), &out, NEW, &Stop::default(), QUIET).unwrap();
    let log = fs::read_to_string(out.join("log.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> = log.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let losses = |phase: &str| -> Vec<f64> {
        let of_phase = lines.iter().filter(|l| l["phase"] == phase);
        of_phase.filter_map(|l| l["loss"].as_f64()).collect()
    };
    for phase in ["closed-set", "open-set"] {
        let losses = losses(phase);
        assert_eq!(losses.len(), 3);
        assert!(losses[2] < losses[0], "{phase}: {losses:?}");
    }
    let validations = lines.iter().filter(|l| l["validation"].is_object()).count();
    assert_eq!(validations, 2 * (30 / 4 + 1));
    let last = lines.iter().rfind(|l| l["loss"].is_number()).unwrap();
    assert!(last["terms"]["dataset_out"].is_number() && last["lr"].is_number(), "{last}");
    assert_eq!(fs::read_to_string(out.join("settings.yaml")).unwrap(), written.text);
}

#[test]
fn transformers_learn_too() {
    for network_of in ["segmenter-tiny", "upernet-tiny, width: 8"] {
        let written = written(|t| {
            t.replace("tiny, width: 8", network_of)
                // A Segmenter's classes are three at least.
                .replace("[0, 255, 0]}]", "[0, 255, 0]}, {name: grey, color: [9, 9, 9]}]")
                .replace("lr: 0.01, lr_scale: {encoder: 0.5}", "lr: 0.003")
                .replace("steps: 6", "steps: 40")
                .replace("log_every: 2", "log_every: 10")
        });
        let dir = tempdir().unwrap();
        let out = dir.path().join("run");
        train(&written, &network(&written), &out, NEW, &Stop::default(), QUIET).unwrap();
        let log = fs::read_to_string(out.join("log.jsonl")).unwrap();
        let lines: Vec<serde_json::Value> = log.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        let of_phase = lines.iter().filter(|l| l["phase"] == "closed-set");
        let losses: Vec<f64> = of_phase.filter_map(|l| l["loss"].as_f64()).collect();
        assert_eq!(losses.len(), 4);
        assert!(losses[3] < losses[0], "{network_of}: {losses:?}");
    }
}

#[test]
fn what_is_no_number_ends_the_run_and_is_not_saved() {
    let written = written(plain);
    let dir = tempdir().unwrap();
    let out = dir.path().join("run");
    // Step 4 of the first phase: its second batch. The last checkpoint is of step 3.
    let broken: &'static dyn Fn(usize, u64, &mut Batch) = &|phase, step, batch| {
        if (phase, step) == (0, 9) {
            batch.images *= f64::NAN;
        }
    };
    let error = train(&written, &network(&written), &out, NEW, &Stop::default(), broken).unwrap_err();
    let error = error.to_string();
    for part in ["phase closed-set, step 4", "loss term class is NaN", "a8, b8, a9, b9"] {
        assert!(error.contains(part), "{error}");
    }
    let (about, tensors) = state(&out.join("last.safetensors"));
    assert_eq!(about.place.step, 3);
    assert!(tensors.iter().all(|(_, _, bits)| bits.iter().all(|b| f32::from_bits(*b).is_finite())));
}

#[test]
fn a_run_is_resumed_with_its_own_settings_and_network_only() {
    let ours = written(plain);
    let dir = tempdir().unwrap();
    let out = dir.path().join("run");
    let resume = |written: &Written| {
        let network = network(written);
        train(written, &network, &out, &Start::Resume, &Stop::default(), QUIET).map(|r| r.ending)
    };
    let says = |result: Result<Ending, RunError>, parts: &[&str]| {
        let error = result.unwrap_err().to_string();
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    };
    says(resume(&ours), &["no last.safetensors", "leave --resume out"]);
    let stop = Stop::default();
    stop.request();
    let stopped = train(&ours, &network(&ours), &out, NEW, &stop, QUIET).unwrap();
    assert_eq!(stopped.ending, Ending::Stopped);

    let again = train(&ours, &network(&ours), &out, NEW, &Stop::default(), QUIET);
    says(again.map(|r| r.ending), &["has a run in it already", "--resume"]);
    let other = written(|t| t.replace("lr: 0.01, lr_scale", "lr: 0.02, lr_scale").replace("clip: 1", ""));
    says(
        resume(&other),
        &["phases[0].optimizer.lr: 0.01, here 0.02", "phases[0].clip: 1, here absent", "--init"],
    );
    let wider = written(|t| t.replace("width: 8", "width: 12"));
    says(resume(&wider), &["width=8", "width=12"]);
    // What changes nothing that is learnt may change; what is judged by other frames is judged anew.
    let elsewhere = written(|t| t.replace("validation: {every: 4", "validation: {every: 5"));
    assert_eq!((ours.judges_as(&ours.text), elsewhere.judges_as(&ours.text)), (true, false));
    let told = written(|t| t.replace("log_every: 2", "log_every: 3 # fewer"));
    assert_eq!(resume(&told).unwrap(), Ending::Done);
    assert_eq!(resume(&told).unwrap(), Ending::Done, "nothing is left to do");
}

#[test]
fn a_phase_begins_from_anothers_weights() {
    let written = written(plain);
    let dir = tempdir().unwrap();
    let first = dir.path().join("first");
    train(&written, &network(&written), &first, NEW, &Stop::default(), QUIET).unwrap();
    let from = |name: &str, phase: &str| Start::From { checkpoint: first.join(name), phase: phase.into() };
    let out = dir.path().join("second");
    let start = from("closed-set.safetensors", "no-such");
    let error = train(&written, &network(&written), &out, &start, &Stop::default(), QUIET).unwrap_err();
    assert!(error.to_string().contains("no phase no-such; they have closed-set, open-set"), "{error}");
    assert!(!out.exists());

    let start = from("closed-set.safetensors", "open-set");
    train(&written, &network(&written), &out, &start, &Stop::default(), QUIET).unwrap();
    assert!(!out.join("closed-set.safetensors").exists());
    let end = |run: &Path| state(&run.join("open-set.safetensors")).1;
    assert!(end(&out) == end(&first), "the second phase is the same");
}
