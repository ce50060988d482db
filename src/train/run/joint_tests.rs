//! A tiny segmenter and a tiny flow, trained together on halves of two colours, with waves in them and vacancies.

use std::path::Path;

use tch::{Device, Kind, Tensor};
use tempfile::tempdir;

use super::checkpoint::Checkpoint;
use super::joint::Joint;
use super::train::{Batches, Feed, Outside};
use super::*;
use crate::train::data::Batch;
use crate::train::generator::{self, Generator};
use crate::train::model::{Mode, Network, Part, Precision, TorchNetwork};
use crate::train::negatives::Vacancy;

/// The flow alone, then both.
const SETTINGS: &str = "
seed: 3
classes: [{name: red, color: [255, 0, 0]}, {name: green, color: [0, 255, 0]}]
model:
  network: {architecture: tiny, width: 8, dataset_head: independent, precision: f32}
  mean: [0.4, 0.5, 0.6]
  std: [0.2, 0.25, 0.3]
data: {dataset: folder, folder: train}
generator: GENERATOR
phases:
- name: fit
  steps: 30
  batch: 2
  objective: {kind: generator}
  optimizer: {kind: adamax, lr: 0.005}
  clip: 100
- name: joint
  steps: 6
  batch: 2
  objective: {kind: hybrid, beta1: 1, beta2: 0.3, beta3: 0.3, beta4: 0.03}
  negatives: {sources: [{kind: generated, sides: [8, 16]}], paste: {objects: [1, 1]}}
  generator: LESSONS
  optimizer: {kind: adamw, lr: 0.01}
threads: 1
checkpoint_every: 3
log_every: 1
export:
  input_sizes: [[32, 32]]
  training: {network: tiny, data: made up, licence: none}
";
const FLOW: &str = "{kind: flow, preset: tiny}";
const LESSONS: &str =
    "{feedback: jensen-shannon, lambda: 0.03, optimizer: {kind: adamax, lr: 0.001}, clip: 100}";

/// Without the first phase, for generators that are fitted in joint training alone.
fn joint_only(generator: &str, lessons: &str) -> Written {
    let text = SETTINGS.replace("GENERATOR", generator).replace("LESSONS", lessons);
    let (head, rest) = text.split_once("- name: fit").unwrap();
    let (_, joint) = rest.split_once("- name: joint").unwrap();
    let text = format!("{head}- name: joint{joint}");
    Written::parse(&if lessons.is_empty() { text.replace("  generator: \n", "") } else { text }).unwrap()
}

fn both() -> Written {
    Written::parse(&SETTINGS.replace("GENERATOR", FLOW).replace("LESSONS", LESSONS)).unwrap()
}

/// A red half and a green one; the first image has a vacancy in every step but each third.
///
/// The waves are another phase's in each step, and all steps' are alike: a density has something to learn, and nothing
/// that it learns of one step is wrong for the next. Of colours that get brighter step by step it would be.
struct Halves {
    /// A step in which somebody stops the run.
    stop: Option<(u64, Stop)>,
}

/// 0 to 255, `[32, 32]`.
fn waves(phase: f64) -> Tensor {
    let at = |slope: f64| Tensor::arange(32, (Kind::Float, Device::Cpu)) * slope;
    let sum = at(0.4).view([1, 32]) + at(0.25).view([32, 1]) + phase;
    (sum.sin() * 100.0 + 127.5).round()
}

impl Batches for Halves {
    fn next(&mut self, step: u64) -> Result<Batch, RunError> {
        const SIDE: i64 = 32;
        if let Some((_, stop)) = self.stop.as_ref().filter(|(at, _)| *at == step) {
            stop.request();
        }
        let columns = Tensor::arange(SIDE, (Kind::Int64, Device::Cpu)).lt(8 + step as i64 % 16);
        let labels = columns.to_kind(Kind::Int64).view([1, 1, SIDE]).repeat([2, SIDE, 1]);
        // Each half has a wave of its own colour; in both there is blue.
        let phase = 2.4 * step as f64;
        let blue = (waves(phase + 2.0) / 2.0).round().expand([2, SIDE, SIDE], false);
        let colours = [&labels * waves(phase), (1 - &labels) * waves(phase + 1.0), blue];
        let colours = Tensor::stack(&colours, 1);
        let (mean, std) = ([0.4f32, 0.5, 0.6], [0.2f32, 0.25, 0.3]);
        let of = |values: &[f32]| Tensor::from_slice(values).view([1, 3, 1, 1]);
        let images = (colours / 255.0 - of(&mean)) / of(&std);
        let mut outliers = Tensor::zeros_like(&labels).to_kind(Kind::Bool);
        let mut labels = labels;
        let mut vacancies = Vec::new();
        if step % 3 != 2 {
            // As large as it is, and half as high.
            let made = [8, if step.is_multiple_of(2) { 16 } else { 8 }];
            let vacancy = Vacancy { left: 3, top: 10, width: 8, height: 16, made };
            let view = |t: &Tensor| t.get(0).narrow(0, 10, 16).narrow(1, 3, 8);
            let _ = view(&mut outliers).fill_(1);
            let _ = view(&mut labels).fill_(255);
            vacancies.push((0, vacancy));
        }
        let ids = vec![format!("a{step}"), format!("b{step}")];
        Ok(Batch { images, labels, outliers, vacancies, ids })
    }
}

struct Both {
    network: TorchNetwork,
    generator: Box<dyn Generator>,
}

impl Both {
    fn new(written: &Written) -> Self {
        tch::set_num_threads(1);
        let settings = &written.settings;
        let spec = settings.spec().unwrap().0;
        Self {
            network: TorchNetwork::new(spec, settings.seed, Precision::F32, Device::Cpu).unwrap(),
            generator: generator::open(settings.generator.as_ref().unwrap(), settings.seed, Device::Cpu)
                .unwrap(),
        }
    }

    fn train(
        &self,
        written: &Written,
        out: &Path,
        start: &Start,
        stop_at: Option<(&str, u64)>,
    ) -> Result<Report, RunError> {
        let stop = Stop::default();
        let outside = Outside {
            feed: &mut |phase| {
                let stop = stop_at.filter(|(name, _)| *name == phase.name).map(|(_, at)| (at, stop.clone()));
                let steps = phase.steps.unwrap();
                Ok(Feed { batches: Box::new(Halves { stop }), class_weights: None, steps, negatives: None })
            },
            judge: &mut |_| Ok(None),
        };
        let generator = Some(self.generator.as_ref());
        let trained = Trained { network: &self.network, generator, generator_is_pretrained: false };
        run_with(written, &trained, outside, out, start, &stop)
    }

    /// Of its parameters, in order.
    fn generator(&self) -> Vec<f32> {
        let all = self.generator.parameters().iter();
        all.flat_map(|(_, p)| Vec::<f32>::try_from(p.tensor.flatten(0, -1)).unwrap()).collect()
    }
}

const NEW: &Start = &Start::New { pretrained: None };

/// Every tensor of a checkpoint, its bits.
fn tensors(path: &Path) -> Vec<(String, Vec<u32>)> {
    let read = Checkpoint::read(path).unwrap();
    let bits =
        |t: &Tensor| Vec::<f32>::try_from(t.flatten(0, -1)).unwrap().into_iter().map(f32::to_bits).collect();
    read.tensors().map(|(name, t)| (name.to_owned(), bits(t))).collect()
}

/// The log's steps of a phase.
fn steps(run: &Path, phase: &str) -> Vec<serde_json::Value> {
    let log = std::fs::read_to_string(run.join("log.jsonl")).unwrap();
    let lines = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines.filter(|l| l["phase"] == phase && l["terms"].is_object()).collect()
}

/// The values that a term had, line by line.
fn told(run: &Path, phase: &str, term: &str) -> Vec<f64> {
    steps(run, phase).iter().filter_map(|l| l["terms"][term].as_f64()).collect()
}

#[test]
fn a_flow_is_fitted_and_then_taught_by_the_segmenter() {
    let written = both();
    let dir = tempdir().unwrap();
    let run = dir.path().join("run");
    let both = Both::new(&written);
    both.train(&written, &run, NEW, None).unwrap();
    let bits = told(&run, "fit", "bits_per_dimension");
    let losses: Vec<f64> = steps(&run, "fit").iter().filter_map(|l| l["loss"].as_f64()).collect();
    assert_eq!(losses, bits, "it has no other term");
    // The first is of the batch that the flow took its scales from, before any step.
    let mean = |bits: &[f64]| bits.iter().sum::<f64>() / bits.len() as f64;
    assert!(bits.len() == 30 && mean(&bits[25..]) < bits[0] - 0.1, "{bits:?}");
    // Two batches of three have a vacancy.
    assert_eq!(told(&run, "joint", "jensen_shannon").len(), 4);
    assert_eq!(told(&run, "joint", "bits_per_dimension").len(), 4);
    let divergences = told(&run, "joint", "jensen_shannon");
    assert!(divergences.iter().all(|d| (0.0..=2f64.ln()).contains(d)), "{divergences:?}");
    let kept = Checkpoint::read(&run.join("fit.safetensors")).unwrap();
    assert_eq!(kept.about.generator.as_deref(), Some(both.generator.identity().as_str()));
    assert_ne!(tensors(&run.join("fit.safetensors")), tensors(&run.join("joint.safetensors")));
}

#[test]
fn a_run_with_a_flow_resumes_to_the_same_bits() {
    let written = both();
    let dir = tempdir().unwrap();
    let straight = dir.path().join("straight");
    Both::new(&written).train(&written, &straight, NEW, None).unwrap();
    let a = tensors(&straight.join("joint.safetensors"));
    // In the flow's own phase, where the second begins, and in it; then taken up by a process that knows nothing.
    for (phase, step) in [("fit", 11), ("joint", 0), ("joint", 4)] {
        let stopped = dir.path().join(format!("{phase}-{step}"));
        let first = Both::new(&written).train(&written, &stopped, NEW, Some((phase, step))).unwrap();
        assert_eq!(first.ending, Ending::Stopped);
        let again = Both::new(&written);
        assert_eq!(again.train(&written, &stopped, &Start::Resume, None).unwrap().ending, Ending::Done);
        let b = tensors(&stopped.join("joint.safetensors"));
        assert_eq!(a.len(), b.len());
        for (a, b) in a.iter().zip(&b) {
            assert!(a == b, "stopped in {phase} at {step}: {} differs", a.0);
        }
    }
}

/// What a flow is told again and again of the same latents by a segmenter that stays as it is, and has its opinions.
fn told_by_a_sure_segmenter(feedback: &str, lambda: &str, term: &str) -> Vec<f64> {
    let lessons = LESSONS.replace("jensen-shannon", feedback).replace("lambda: 0.03", lambda);
    let written = joint_only(FLOW, &lessons.replace("lr: 0.001", "lr: 0.005"));
    let both = Both::new(&written);
    for (_, p) in both.network.parameters().iter().filter(|(_, p)| p.part() == Part::ClassHead) {
        let _ = tch::no_grad(|| p.tensor.shallow_clone().g_mul_scalar_(8.0));
    }
    let (phase, normalisation) = (&written.settings.phases[0], written.settings.normalisation());
    let mut joint = Joint::begin(both.generator.as_ref(), phase, normalisation).unwrap();
    let mut told = Vec::new();
    for step in 0..20 {
        let mut batch = Halves { stop: None }.next(0).unwrap();
        let filled = joint.fill(&mut batch, &both.network, 3, 0).unwrap().unwrap();
        let said = both.network.forward(&batch.images, Mode::Eval).unwrap();
        let terms = joint.learn(&said, &batch, filled).unwrap().unwrap().terms;
        joint.step(step, 20).unwrap();
        let (_, value) = terms.iter().find(|(name, _)| *name == term).unwrap();
        told.push(value.double_value(&[]));
    }
    told
}

#[test]
fn feedback_makes_its_term_smaller() {
    // What each of two classes is at least.
    for (feedback, term, least) in
        [("jensen-shannon", "jensen_shannon", 0.0), ("uniform", "generated_uniform", 2f64.ln())]
    {
        let untaught = told_by_a_sure_segmenter(feedback, "lambda: 0", term);
        let taught = told_by_a_sure_segmenter(feedback, "lambda: 1000", term);
        let (first, without, with) = (taught[0] - least, untaught[19] - least, taught[19] - least);
        assert!(with < 0.7 * first && with < 0.7 * without, "{term}: {untaught:?} {taught:?}");
    }
}

/// The flow after a run that is the same but for `lambda: 0.03, ` of its lessons.
fn moved(other: &str) -> Vec<f32> {
    let written = joint_only(FLOW, &LESSONS.replace("lambda: 0.03, ", other));
    let dir = tempdir().unwrap();
    let both = Both::new(&written);
    both.train(&written, &dir.path().join("run"), NEW, None).unwrap();
    both.generator()
}

#[test]
fn the_feedback_alone_moves_a_flow() {
    // What the segmenter says is all that differs.
    let (without, with) = (moved("lambda: 0, "), moved("lambda: 100, "));
    assert_eq!(without, moved("lambda: 0, "), "nothing else differs");
    assert_ne!(without, with);
}

#[test]
fn a_flow_has_the_phases_schedule_or_its_own() {
    let as_the_phase = moved("lambda: 0.03, ");
    assert_eq!(moved("lambda: 0.03, schedule: {kind: constant}, "), as_the_phase);
    assert_ne!(moved("lambda: 0.03, schedule: {kind: cosine}, "), as_the_phase);
}

#[test]
fn what_is_made_smaller_is_enlarged_to_its_place() {
    let written = both();
    let both = Both::new(&written);
    let mut batch = Halves { stop: None }.next(1).unwrap();
    assert_eq!(batch.vacancies[0].1.made, [8, 8]);
    let before = batch.images.copy();
    let settings = &written.settings;
    let joint = Joint::begin(both.generator.as_ref(), &settings.phases[1], settings.normalisation()).unwrap();
    joint.fill(&mut batch, &both.network, 3, 0).unwrap().unwrap();
    let place = |images: &Tensor| images.get(0).narrow(1, 10, 16).narrow(2, 3, 8);
    assert_ne!(place(&before), place(&batch.images));
    // Bilinear, by half pixels: of rows a, b, ... the first is a, then come 3/4 a + 1/4 b and 1/4 a + 3/4 b.
    let row = |at: i64| place(&batch.images).narrow(1, at, 1);
    let mut made = row(0);
    for pair in 0..7 {
        let next = (row(2 * pair + 2) - &made * 0.25) / 0.75;
        let expected: Tensor = &made * 0.75 + &next * 0.25;
        let off = (expected - row(2 * pair + 1)).abs().max().double_value(&[]);
        assert!(off < 1e-3, "rows {pair}: {off}");
        made = next;
    }
    assert!((made - row(15)).abs().max().double_value(&[]) < 1e-3);
    let rest = |images: &Tensor| images.narrow(3, 11, 21);
    assert_eq!(rest(&before), rest(&batch.images));
}

#[test]
fn colours_come_back_as_they_were() {
    let written = joint_only("{kind: adversarial, steps: 1, radius: 0}", "");
    let both = Both::new(&written);
    let mut batch = Halves { stop: None }.next(0).unwrap();
    let vacancy = batch.vacancies[0].1;
    assert_eq!(vacancy.made, [vacancy.width, vacancy.height]);
    let before = batch.images.copy();
    let settings = &written.settings;
    let joint = Joint::begin(both.generator.as_ref(), &settings.phases[0], settings.normalisation()).unwrap();
    joint.fill(&mut batch, &both.network, 3, 0).unwrap().unwrap();
    let off = (before - batch.images).abs().max().double_value(&[]);
    assert!(off < 1e-5, "{off}");
}

#[test]
fn only_a_vacancys_outliers_are_filled() {
    let written = both();
    let both = Both::new(&written);
    let mut batch = Halves { stop: None }.next(0).unwrap();
    // The upper half of the rectangle is no outlier any more.
    let _ = batch.outliers.get(0).narrow(0, 10, 8).fill_(0);
    let before = batch.images.copy();
    let settings = &written.settings;
    let joint = Joint::begin(both.generator.as_ref(), &settings.phases[1], settings.normalisation()).unwrap();
    joint.fill(&mut batch, &both.network, 3, 0).unwrap().unwrap();
    let changed = before.ne_tensor(&batch.images).any_dim(1, false);
    assert_eq!(changed, batch.outliers);
}

#[test]
fn every_generator_fills_and_learns_as_it_can() {
    for (generator, lessons, term) in [
        (FLOW, LESSONS.replace("jensen-shannon", "hybrid"), "bits_per_dimension"),
        ("{kind: gan, latent: 4, width: 8}", LESSONS.replace("jensen-shannon", "uniform"), "critic"),
        ("{kind: adversarial, steps: 2, radius: 32}", String::new(), "dataset_out"),
    ] {
        let written = joint_only(generator, &lessons);
        let dir = tempdir().unwrap();
        let run = dir.path().join("run");
        let both = Both::new(&written);
        let before = both.generator();
        both.train(&written, &run, NEW, None).unwrap();
        assert!(!told(&run, "joint", term).is_empty(), "{generator}: {term}");
        assert_eq!(before != both.generator(), !lessons.is_empty(), "{generator}");
    }
}

#[test]
fn a_generator_of_another_kind_is_refused() {
    let dir = tempdir().unwrap();
    let (flow, gan) = (both(), joint_only("{kind: gan, latent: 4, width: 8}", LESSONS));
    Both::new(&flow).train(&flow, &dir.path().join("flow"), NEW, None).unwrap();
    let start = Start::From { checkpoint: dir.path().join("flow/fit.safetensors"), phase: "joint".into() };
    let error = Both::new(&gan).train(&gan, &dir.path().join("gan"), &start, None).unwrap_err().to_string();
    for part in ["fit.safetensors is flow blocks", "make gan latent=4"] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn what_needs_a_generator_is_not_trained_without() {
    let written = both();
    let network = Both::new(&written).network;
    let stop = Stop::default();
    let outside = Outside { feed: &mut |_| unreachable!("nothing is fed"), judge: &mut |_| Ok(None) };
    let dir = tempdir().unwrap();
    let error = run_with(&written, &Trained::alone(&network), outside, dir.path(), NEW, &stop).unwrap_err();
    assert!(error.to_string().contains("phase fit: it has work for a generator"), "{error}");
}

#[test]
fn a_generator_that_is_pretrained_is_not_filled_from_elsewhere() {
    let written = both();
    let dir = tempdir().unwrap();
    Both::new(&written).train(&written, dir.path(), NEW, None).unwrap();
    let other = Checkpoint::read(&dir.path().join("fit.safetensors")).unwrap();
    for generator_is_pretrained in [true, false] {
        let both = Both::new(&written);
        let before = both.generator();
        let generator = Some(both.generator.as_ref());
        Trained { network: &both.network, generator, generator_is_pretrained }.begin_from(&other).unwrap();
        assert_eq!(both.generator() == before, generator_is_pretrained);
    }
}
