//! From parameters to a pipeline that is ready: the model read, its session made and warm, the mask loaded.
//!
//! The one place where the pieces are put together, for the node and for every desk tool. Does I/O, so that
//! the pipeline need not.

use crate::config::{ConfigError, Parameters, PipelineSettings};
use crate::images::{self, Gray, ImagesError};
use crate::labels::Taxonomy;
use crate::model::{Model, ModelError};
use crate::pipeline::Pipeline;
use crate::score::cpu;
use crate::segmenter::SegmentError;
use crate::segmenter::onnx::OnnxSegmenter;
use std::path::Path;
use std::sync::Arc;

/// A pipeline and what is to be said about it.
pub struct Assembly {
    /// Ready to step.
    pub pipeline: Pipeline,
    /// The K known classes.
    pub taxonomy: Taxonomy,
    /// What its results are to be known by.
    pub identity: Identity,
}

/// Which model, which bytes, which runtime: goes with every result.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Name in the manifest.
    pub model: String,
    /// Of the ONNX file that is run.
    pub model_sha256: String,
    /// ONNX Runtime's library.
    pub runtime: String,
}

/// Why nothing can be run.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    /// The parameters.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The manifest or the ONNX file.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The session.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// The scoring threads.
    #[error("parameter threads: the scoring threads do not start: {0}")]
    Threads(String),
    /// The kernel.
    #[error("parameter realtime.required: {0}")]
    RealTime(String),
    /// The mask.
    #[error("parameter mask: {0}")]
    Mask(ImagesError),
}

/// Makes the sessions of one model, as often as it is asked to: a pipeline for every input size that may be used,
/// at least one. Blocks while they warm up.
pub type Builder = Arc<dyn Fn() -> Result<Vec<Assembly>, AssembleError> + Send + Sync>;

/// Holds a camera's parameters against the model: what they come to at every input size that may be used.
pub type Check = Arc<dyn Fn(&Parameters) -> Result<Vec<PipelineSettings>, ConfigError> + Send + Sync>;

/// A model that is loaded, before there are sessions. Its bytes are kept: what becomes of the file later changes
/// nothing.
#[derive(Clone)]
pub struct Loaded {
    /// For the cameras that it was loaded for, which take turns at each pipeline in their order.
    pub build: Builder,
    /// For other parameters of theirs.
    pub check: Check,
}

/// Loads the model of cameras that share sessions, each with its parameters; all name the same model.
///
/// # Errors
/// Whatever is wrong with parameters and model; of runtime and mask, the builder says it.
pub fn load(cameras: &[Parameters]) -> Result<Loaded, AssembleError> {
    let Some(first) = cameras.first() else {
        return Err(ConfigError::Shape("a model is loaded for one camera at least".into()).into());
    };
    let model = Arc::new(Model::load(Path::new(&first.model))?);
    let choices = cameras.iter().map(|p| p.choices(&model)).collect::<Result<Vec<_>, _>>()?;
    let (cameras, same) = (cameras.to_vec(), Arc::clone(&model));
    let build = move || {
        // All are calibrated at the same sizes: those are the model's and the score's.
        let sizes = choices.iter().map(Vec::len).min().unwrap_or(0);
        (0..sizes)
            .map(|size| {
                let views = cameras.iter().zip(choices.iter().filter_map(|c| c.get(size)));
                put_together(&model, &views.collect::<Vec<_>>())
            })
            .collect::<Result<Vec<_>, _>>()
    };
    let check = move |parameters: &Parameters| parameters.choices(&same);
    Ok(Loaded { build: Arc::new(build), check: Arc::new(check) })
}

/// Puts a pipeline together from a model that is loaded already, for one input size. `pre_logits`: they are read
/// beside what the score itself reads, by [`Pipeline::pre_logits`] or by another score of the same frames.
///
/// # Errors
/// Whatever is wrong with parameters, graph, runtime or mask; nothing was published then.
pub fn assemble_model(
    parameters: &Parameters,
    model: &Model,
    pre_logits: bool,
) -> Result<Assembly, AssembleError> {
    start(parameters, model, parameters.settings(model)?, pre_logits)
}

/// One input size, with a view a camera.
fn put_together(
    model: &Model,
    cameras: &[(&Parameters, &PipelineSettings)],
) -> Result<Assembly, AssembleError> {
    let Some(((parameters, settings), others)) = cameras.split_first() else {
        return Err(ConfigError::Shape("a pipeline has one camera at least".into()).into());
    };
    let mut assembly = start(parameters, model, (*settings).clone(), false)?;
    for (parameters, settings) in others {
        let mask = mask(parameters)?;
        assembly.pipeline = assembly.pipeline.and((*settings).clone(), mask);
    }
    Ok(assembly)
}

fn mask(parameters: &Parameters) -> Result<Option<Gray>, AssembleError> {
    match parameters.mask.as_str() {
        "" => Ok(None),
        path => images::read_gray(Path::new(path)).map(Some).map_err(AssembleError::Mask),
    }
}

fn start(
    parameters: &Parameters,
    model: &Model,
    settings: PipelineSettings,
    pre_logits: bool,
) -> Result<Assembly, AssembleError> {
    let runtime = parameters.runtime()?;
    cpu::start_workers(runtime.threads).map_err(AssembleError::Threads)?;
    let mask = mask(parameters)?;
    let segmenter = if pre_logits || settings.scoring.clip().is_some() {
        OnnxSegmenter::with_pre_logits(model, &runtime, settings.input_size)?
    } else {
        OnnxSegmenter::new(model, &runtime, settings.input_size)?
    };
    let identity = Identity {
        model: model.manifest().name.clone(),
        model_sha256: model.manifest().sha256.clone(),
        runtime: segmenter.library().display().to_string(),
    };
    tracing::info!(
        model = identity.model,
        provider = runtime.providers.first().map(|p| p.name()),
        input_size = %settings.input_size,
        score = %settings.scoring,
        threshold = %settings.threshold,
        origin = settings.threshold_origin,
        "model is ready"
    );
    let pipeline = Pipeline::new(model, settings, Box::new(segmenter), mask);
    Ok(Assembly { pipeline, taxonomy: model.taxonomy().clone(), identity })
}
