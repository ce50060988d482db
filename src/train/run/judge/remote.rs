//! A network under training as the pipeline's segmenter.
//!
//! The pipeline owns its segmenter; the network belongs to the loop, on the loop's thread. So the segmenter only
//! asks, and the loop's thread answers with the network as it is.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use tch::{Kind, Tensor};

use crate::frame::Size;
use crate::score::Logits;
use crate::segmenter::{SegmentError, Segmenter};
use crate::train::model::{Mode, Network, NetworkError};

/// An input for the network, and where its answer goes.
pub(super) struct Ask {
    size: Size,
    /// `[3, height, width]`
    input: Vec<f32>,
    reply: SyncSender<Result<Said, String>>,
}

/// What the network said, and the input's memory back.
struct Said {
    input: Vec<f32>,
    logits: Maps,
    dataset_logits: Maps,
}

/// `[channels, height, width]`
#[derive(Default)]
struct Maps {
    data: Vec<f32>,
    channels: usize,
    height: usize,
    width: usize,
}

/// The pipeline's side.
pub(super) struct Remote {
    size: Size,
    input: Vec<f32>,
    logits: Maps,
    dataset_logits: Maps,
    asks: SyncSender<Ask>,
}

impl Remote {
    pub fn new(size: Size, asks: SyncSender<Ask>) -> Self {
        let input = vec![0.0; 3 * size.width * size.height];
        Self { size, input, logits: Maps::default(), dataset_logits: Maps::default(), asks }
    }
}

impl Segmenter for Remote {
    fn provider(&self) -> &str {
        "libtorch"
    }

    fn input_size(&self) -> Size {
        self.size
    }

    fn input(&mut self) -> &mut [f32] {
        &mut self.input
    }

    fn run(&mut self) -> Result<(), SegmentError> {
        let gone = || SegmentError::Run("the training is over".into());
        let (reply, replies) = sync_channel(1);
        let input = std::mem::take(&mut self.input);
        self.asks.send(Ask { size: self.size, input, reply }).map_err(|_| gone())?;
        let said = replies.recv().map_err(|_| gone())?.map_err(SegmentError::Run)?;
        (self.input, self.logits, self.dataset_logits) = (said.input, said.logits, said.dataset_logits);
        Ok(())
    }

    fn logits(&self) -> Logits<'_> {
        self.logits.borrow()
    }

    fn dataset_logits(&self) -> Option<Logits<'_>> {
        Some(self.dataset_logits.borrow())
    }
}

impl Maps {
    /// Of `[1, C, h, w]`.
    fn of(tensor: &Tensor) -> Result<Self, tch::TchError> {
        let (_, channels, height, width) = tensor.size4()?;
        let mut data = vec![0.0; tensor.numel()];
        let plain = tensor.f_to_device(tch::Device::Cpu)?.f_to_kind(Kind::Float)?.f_contiguous()?;
        plain.f_copy_data(&mut data, tensor.numel())?;
        // Sides of a tensor are never negative.
        Ok(Self { data, channels: channels as usize, height: height as usize, width: width as usize })
    }

    fn borrow(&self) -> Logits<'_> {
        Logits { data: &self.data, channels: self.channels, height: self.height, width: self.width }
    }
}

/// The loop's side: answers until nobody can ask any more.
pub(super) fn answer(network: &dyn Network, asks: Receiver<Ask>) {
    for Ask { size, input, reply } in asks {
        let said = said(network, size, input).map_err(|e| e.to_string());
        // Who asked may have given up: that is for it to say.
        let _ = reply.send(said);
    }
}

fn said(network: &dyn Network, size: Size, input: Vec<f32>) -> Result<Said, NetworkError> {
    let _no_grad = tch::no_grad_guard();
    let shape = [1, 3, size.height as i64, size.width as i64];
    let image = Tensor::f_from_slice(&input)?.f_view(shape)?.f_to_device(network.parameters().device())?;
    let channels_last = image.f_permute([0, 2, 3, 1])?.f_contiguous()?.f_permute([0, 3, 1, 2])?;
    let outputs = network.forward(&channels_last, Mode::Eval)?;
    let (logits, dataset_logits) = (Maps::of(&outputs.logits)?, Maps::of(&outputs.dataset_logits)?);
    Ok(Said { input, logits, dataset_logits })
}
