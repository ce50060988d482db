//! What networks are made of: a network is described once, over [`Ops`], and the description is carried out
//! by who needs it: libtorch trains it, the exporter writes it as ONNX, a counter adds up its parameters and
//! multiplications. So what is exported is what was trained, by construction.
//!
//! Deliberately does not know: libtorch, ONNX, weights. A layer has a name, under which its parameters are
//! kept (`encoder.stem.conv` has `encoder.stem.conv.weight`), and its shape is in its description.

/// A convolution over `[N, inputs, h, w]`, square kernel, dilation 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv {
    /// Channels in.
    pub inputs: usize,
    /// Channels out.
    pub outputs: usize,
    /// Side of the kernel.
    pub kernel: usize,
    /// Step of the kernel.
    pub stride: usize,
    /// Zeros around the input: before the first row and column, after the last.
    pub padding: (usize, usize),
    /// The channels are dealt into so many groups; `inputs` makes it depth-wise.
    pub groups: usize,
    /// Whether something is added to each channel.
    pub bias: bool,
}

/// Batch normalisation of each channel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BatchNorm {
    /// Channels in and out.
    pub channels: usize,
    /// Added to the variance.
    pub epsilon: f64,
    /// The share that a batch has in the running mean and variance.
    pub momentum: f64,
}

/// A pooling window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// Side of the window.
    pub kernel: usize,
    /// Step of the window.
    pub stride: usize,
    /// Around the input, on each side.
    pub padding: usize,
}

/// Who carries out a description. Values are feature maps `[N, C, h, w]`.
pub trait Ops {
    /// A feature map, or what stands for one.
    type Value;
    /// What can go wrong.
    type Error;

    /// Parameters `name.weight [outputs, inputs/groups, kernel, kernel]` and, with a bias, `name.bias [outputs]`.
    fn conv(&mut self, name: &str, x: &Self::Value, conv: Conv) -> Result<Self::Value, Self::Error>;
    /// Parameters `name.weight`, `name.bias`; buffers `name.running_mean`, `name.running_var`; all `[channels]`.
    fn batch_norm(
        &mut self,
        name: &str,
        x: &Self::Value,
        norm: BatchNorm,
    ) -> Result<Self::Value, Self::Error>;
    /// max(x, 0)
    fn relu(&mut self, x: &Self::Value) -> Result<Self::Value, Self::Error>;
    /// min(max(x, 0), 6)
    fn relu6(&mut self, x: &Self::Value) -> Result<Self::Value, Self::Error>;
    /// a + b, of one shape.
    fn add(&mut self, a: &Self::Value, b: &Self::Value) -> Result<Self::Value, Self::Error>;
    /// Channels one after the other.
    fn concat(&mut self, parts: &[&Self::Value]) -> Result<Self::Value, Self::Error>;
    /// The largest in each window; windows that do not fit are left out.
    fn max_pool(&mut self, x: &Self::Value, pool: Pool) -> Result<Self::Value, Self::Error>;
    /// The mean of each window (without padding); windows that do not fit are left out.
    fn avg_pool(&mut self, x: &Self::Value, pool: Pool) -> Result<Self::Value, Self::Error>;
    /// Means over a grid of `side × side` cells: cell i of n covers rows ⌊i·h/n⌋ to ⌈(i+1)·h/n⌉, whatever h is.
    fn adaptive_avg_pool(&mut self, x: &Self::Value, side: usize) -> Result<Self::Value, Self::Error>;
    /// Bilinear, half-pixel centres, to the height and width of `like`.
    fn resize_as(&mut self, x: &Self::Value, like: &Self::Value) -> Result<Self::Value, Self::Error>;
    /// g − LSE_k(s_k) of one channel g and the K channels of s, at each pixel (eq. 6, 8): g is the logit of a class
    /// of its own, and what comes out is the logit of that class against the K others together.
    fn subtract_log_sum_exp(&mut self, g: &Self::Value, s: &Self::Value) -> Result<Self::Value, Self::Error>;
}
