//! The graph against its manifest: what is declared before a run, what came after the first.

use crate::frame::Size;
use crate::model::Model;
use crate::score::Logits;
use ort::session::Session;
use ort::value::{Outlet, TensorElementType, ValueType};

/// Names, types and the dimensions that the graph states.
pub(super) fn check_graph(session: &Session, model: &Model, size: Size) -> Result<(), String> {
    let names = &model.manifest().outputs;
    check_input(session.inputs(), &model.manifest().input.name, size)?;
    check_output(session.outputs(), &names.logits, &[model.taxonomy().len()], "classes in the manifest")?;
    if let Some(name) = &names.dataset_logits {
        check_output(session.outputs(), name, &[1, 2], "outlier, or inlier and outlier")?;
    }
    match &names.pre_logits {
        Some(name) => check_output(session.outputs(), name, &[], ""),
        None => Ok(()),
    }
}

/// What a dynamic graph did not state: channels, one grid for both outputs, the stride.
pub(super) fn check_outputs(
    model: &Model,
    size: Size,
    logits: Logits<'_>,
    dataset_logits: Option<Logits<'_>>,
) -> Result<(), String> {
    let classes = model.taxonomy().len();
    if logits.channels != classes {
        return Err(format!("logits have {} channels, the manifest {classes} classes", logits.channels));
    }
    if let Some(g) = dataset_logits {
        if !(1..=2).contains(&g.channels) {
            return Err(format!("dataset_logits have {} channels, expected 1 or 2", g.channels));
        }
        if (g.width, g.height) != (logits.width, logits.height) {
            return Err(format!(
                "dataset_logits are {}x{}, logits {}x{}: both must share one grid",
                g.width, g.height, logits.width, logits.height
            ));
        }
    }
    check_stride(model, size, logits)
}

fn names(outlets: &[Outlet]) -> String {
    outlets.iter().map(Outlet::name).collect::<Vec<_>>().join(", ")
}

/// The outlet's dimensions (−1: dynamic), if it is an f32 tensor.
fn float_shape(outlet: &Outlet) -> Option<&[i64]> {
    match outlet.dtype() {
        ValueType::Tensor { ty: TensorElementType::Float32, shape, .. } => Some(shape),
        _ => None,
    }
}

fn check_input(inputs: &[Outlet], name: &str, size: Size) -> Result<(), String> {
    let outlet = inputs
        .iter()
        .find(|i| i.name() == name)
        .ok_or_else(|| format!("the manifest feeds input \"{name}\", the graph has {}", names(inputs)))?;
    if inputs.len() > 1 {
        return Err(format!("the graph has inputs {}, one image is all it gets", names(inputs)));
    }
    let wanted = [1, 3, size.height as i64, size.width as i64];
    let fits = |shape: &[i64]| shape.len() == 4 && shape.iter().zip(wanted).all(|(s, w)| *s == -1 || *s == w);
    match float_shape(outlet) {
        Some(shape) if fits(shape) => Ok(()),
        Some(shape) => Err(format!(
            "input \"{name}\" is f32 {shape:?} (-1: any), an image of {size} is {wanted:?}: choose an input_size the \
             graph takes"
        )),
        None => Err(format!("input \"{name}\" is {:?}, not an f32 tensor", outlet.dtype())),
    }
}

/// `channels`: those that will do; any where empty.
fn check_output(outputs: &[Outlet], name: &str, channels: &[usize], what: &str) -> Result<(), String> {
    let outlet = outputs
        .iter()
        .find(|o| o.name() == name)
        .ok_or_else(|| format!("the manifest reads output \"{name}\", the graph has {}", names(outputs)))?;
    match float_shape(outlet) {
        Some([_, c, _, _]) if *c == -1 || channels.is_empty() || channels.iter().any(|n| *n as i64 == *c) => {
            Ok(())
        }
        Some([_, c, _, _]) => {
            let wanted = channels.iter().map(usize::to_string).collect::<Vec<_>>().join(" or ");
            Err(format!("output \"{name}\" has {c} channels, expected {wanted} ({what})"))
        }
        Some(shape) => {
            Err(format!("output \"{name}\" is f32 {shape:?}, expected [1, channels, height, width]"))
        }
        None => Err(format!("output \"{name}\" is {:?}, not an f32 tensor", outlet.dtype())),
    }
}

/// A manifest whose stride is not the graph's would misplace every label.
fn check_stride(model: &Model, size: Size, logits: Logits<'_>) -> Result<(), String> {
    let sizes = &model.manifest().input_sizes;
    let offered =
        sizes.iter().find(|s| (s.width, s.height) == (size.width, size.height)).unwrap_or(&sizes[0]);
    let near = |input: usize, cells: usize| {
        cells == input / offered.stride || cells == input.div_ceil(offered.stride)
    };
    if near(size.width, logits.width) && near(size.height, logits.height) {
        return Ok(());
    }
    Err(format!(
        "at input {size} the logits are {}x{}, the manifest's stride {} makes {}x{}",
        logits.width,
        logits.height,
        offered.stride,
        size.width.div_ceil(offered.stride),
        size.height.div_ceil(offered.stride)
    ))
}
