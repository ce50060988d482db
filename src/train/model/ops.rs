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

/// A linear map of each token's channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linear {
    /// Channels in.
    pub inputs: usize,
    /// Channels out.
    pub outputs: usize,
    /// Whether something is added to each channel.
    pub bias: bool,
}

/// Normalisation of each token over its channels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerNorm {
    /// Channels in and out.
    pub channels: usize,
    /// Added to the variance.
    pub epsilon: f64,
}

/// Tokens that are learned, not computed from an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tokens {
    /// How many.
    pub count: usize,
    /// Channels of each.
    pub channels: usize,
}

/// A learned vector for each place of a square grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Positions {
    /// Channels of each.
    pub channels: usize,
    /// Rows, and columns, of the grid.
    pub side: usize,
}

/// Square windows that a grid is cut into (Liu et al. 2021). The grid is first padded with zeros after its last row and
/// column, until windows fill it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Side of a window, in tokens.
    pub side: usize,
    /// So many rows and columns are rolled from the grid's beginning to its end before it is cut: less than a side.
    /// Along an axis that has only one window nothing is rolled.
    pub shift: usize,
}

impl Window {
    /// Tokens in a window.
    pub fn tokens(self) -> usize {
        self.side * self.side
    }

    /// Places that one token of a window can have relative to another.
    pub fn relative_places(self) -> usize {
        let along = 2 * self.side.max(1) - 1;
        along * along
    }

    /// For each token of a window and, one after the other, all tokens of it: which of [`Window::relative_places`] the
    /// first has relative to the second. Places are counted row by row, from the furthest above and to the left on.
    pub fn relative_place_of_pairs(self) -> Vec<usize> {
        let (side, along) = (self.side, 2 * self.side.max(1) - 1);
        let mut places = Vec::with_capacity(self.tokens() * self.tokens());
        for (i, j) in (0..self.tokens()).flat_map(|i| (0..self.tokens()).map(move |j| (i, j))) {
            let down = i / side + side - 1 - j / side;
            let right = i % side + side - 1 - j % side;
            places.push(down * along + right);
        }
        places
    }

    /// What is rolled along an axis of so many tokens, padding included.
    pub fn shift_along(self, tokens: usize) -> usize {
        if tokens > self.side { self.shift } else { 0 }
    }
}

/// Added to the products of tokens that are to be apart: e to its power is nothing, in any precision.
pub const APART: f32 = -100.0;

/// Who carries out a description. Values are feature maps `[N, C, h, w]` or tokens `[N, T, C]`: a map's pixels, row by
/// row, perhaps with others after them.
pub trait Ops {
    /// A feature map or tokens, or what stands for them.
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
    /// x·Φ(x), with the normal distribution's Φ itself and none of its approximations.
    fn gelu(&mut self, x: &Self::Value) -> Result<Self::Value, Self::Error>;
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

    /// Zeros after a map's last row and column, until `side` divides its height and width.
    fn pad_to_multiple(&mut self, x: &Self::Value, side: usize) -> Result<Self::Value, Self::Error>;
    /// Each 2×2 of a map's pixels as one: the channels of (row, column) (0, 0), (1, 0), (0, 1), (1, 1) one after the
    /// other. Height and width are even.
    fn space_to_depth(&mut self, x: &Self::Value) -> Result<Self::Value, Self::Error>;
    /// Of a map whose pixels stand for `stride × stride` of the image's, padding included, what is within the image:
    /// as many pixels, spread over the image without its padding. Bilinear, half-pixel centres; where `stride` divides
    /// the image, the map itself.
    fn cut_to_image(
        &mut self,
        x: &Self::Value,
        image: &Self::Value,
        stride: usize,
    ) -> Result<Self::Value, Self::Error>;
    /// Adds to each of a map's pixels what was learned for its place. Parameter `name [1, channels, side, side]`, which
    /// is resized to the map, bilinear, half-pixel centres.
    fn add_positions(
        &mut self,
        name: &str,
        x: &Self::Value,
        positions: Positions,
    ) -> Result<Self::Value, Self::Error>;

    /// A map's pixels, row by row.
    fn to_tokens(&mut self, x: &Self::Value) -> Result<Self::Value, Self::Error>;
    /// The tokens as the pixels of a map with the height and width of `like`.
    fn to_map(&mut self, x: &Self::Value, like: &Self::Value) -> Result<Self::Value, Self::Error>;
    /// The tokens of a grid as high and wide as the map `like`, window by window: `[N·n, side², C]` of `[N, h·w, C]`.
    fn to_windows(
        &mut self,
        x: &Self::Value,
        like: &Self::Value,
        window: Window,
    ) -> Result<Self::Value, Self::Error>;
    /// Undoes [`Ops::to_windows`].
    fn from_windows(
        &mut self,
        x: &Self::Value,
        like: &Self::Value,
        window: Window,
    ) -> Result<Self::Value, Self::Error>;

    /// Parameters `name.weight [outputs, inputs]` and, with a bias, `name.bias [outputs]`.
    fn linear(&mut self, name: &str, x: &Self::Value, linear: Linear) -> Result<Self::Value, Self::Error>;
    /// Parameters `name.weight`, `name.bias`, both `[channels]`.
    fn layer_norm(
        &mut self,
        name: &str,
        x: &Self::Value,
        norm: LayerNorm,
    ) -> Result<Self::Value, Self::Error>;
    /// softmax(q·kᵀ/√d + bias)·v for each head (Vaswani et al. 2017), over the tokens of an image or a window. A token
    /// of `qkv` has its queries, its keys, its values, of each d channels of the first head, then of the next; what
    /// comes out has a third of its channels. A bias is what [`Ops::window_bias`] gives.
    fn attention(
        &mut self,
        qkv: &Self::Value,
        heads: usize,
        bias: Option<&Self::Value>,
    ) -> Result<Self::Value, Self::Error>;
    /// What attention within windows adds to q·kᵀ: for each head what was learned for the place of the one token
    /// relative to the other, parameter `name [relative places, heads]`; and [`APART`] for two that only rolling the
    /// grid brought into one window. The grid is as high and wide as the map `like`.
    fn window_bias(
        &mut self,
        name: &str,
        like: &Self::Value,
        heads: usize,
        window: Window,
    ) -> Result<Self::Value, Self::Error>;
    /// Learned tokens after those of each image. Parameter `name [count, channels]`.
    fn append_tokens(
        &mut self,
        name: &str,
        x: &Self::Value,
        tokens: Tokens,
    ) -> Result<Self::Value, Self::Error>;
    /// All tokens but the last `count` of each image.
    fn all_but_last(&mut self, x: &Self::Value, count: usize) -> Result<Self::Value, Self::Error>;
    /// The last `count` tokens of each image.
    fn last(&mut self, x: &Self::Value, count: usize) -> Result<Self::Value, Self::Error>;
    /// x·y / (|x|·|y|) for each token x and the `count` tokens y: tokens of `count` channels.
    fn cosines(&mut self, x: &Self::Value, y: &Self::Value, count: usize)
    -> Result<Self::Value, Self::Error>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_places_are_those_of_pairs() {
        let window = Window { side: 2, shift: 1 };
        assert_eq!((window.tokens(), window.relative_places()), (4, 9));
        // Of (0, 0), (0, 1), (1, 0), (1, 1): each to itself is in the middle, 4 of 0..9.
        let expected = [[4, 3, 1, 0], [5, 4, 2, 1], [7, 6, 4, 3], [8, 7, 5, 4]];
        assert_eq!(window.relative_place_of_pairs(), expected.concat());
    }

    #[test]
    fn one_window_is_not_rolled() {
        let window = Window { side: 7, shift: 3 };
        assert_eq!([7, 14].map(|tokens| window.shift_along(tokens)), [0, 3]);
    }
}
