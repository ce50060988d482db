//! The flow itself: three blocks at three scales, and the densities of what leaves them.

use tch::{Device, Kind, Tensor};

use super::block::Block;
use super::gaussian::Gaussian;
use super::likelihood::LogLikelihood;
use super::pass::Pass;
use super::spec::COLOURS;
use super::{FlowError, FlowSpec, Noise, STRIDE};
use crate::train::model::declare::Declare;
use crate::train::model::{Parameters, Part, Role};

/// How many values of 8-bit colours there are: the width of the interval that the flow sees as −½ to ½.
const LEVELS: f64 = 256.0;

/// Of the first batch, per channel of the last block: statistics of fewer are none.
const LEAST_VALUES: i64 = 8;

/// A density of pictures, and a source of them.
///
/// Pictures are `[N,3,H,W]`, colours from 0 to 256 as [`super::dequantise`] makes them of 8 bits, red first or blue
/// first as whoever trains it decides; H and W are multiples of [`STRIDE`]. What comes out is in the kind of what goes
/// in: f32, or f64 where every digit counts, with the parameters in f32 either way. Gradients are recorded unless the
/// caller is under `tch::no_grad`.
#[derive(Debug)]
pub struct Flow {
    spec: FlowSpec,
    parameters: Parameters,
    stages: Vec<Stage>,
    /// Not 0 once the flow is initialised; a buffer, so that a checkpoint knows it.
    initialised: Tensor,
}

/// A block, and the latents that leave it.
#[derive(Debug)]
struct Stage {
    block: Block,
    latent: Gaussian,
    /// Channels that go on, the first ones.
    kept: i64,
    /// Channels of the latents, the last ones.
    dropped: i64,
}

/// A picture's latents and noises, and how likely they say it is.
#[derive(Debug)]
pub struct Encoded {
    /// Of each block: `[N, c, H/2, W/2]`, `[N, c', H/4, W/4]`, `[N, c'', H/8, W/8]`. [`Flow::decode`] makes the
    /// pictures of them again.
    pub latents: Vec<Tensor>,
    /// e ~ N(0, 1) that came in between units, in the order of the walk.
    pub noises: Vec<Tensor>,
    /// The terms of ln p(x).
    pub log_likelihood: LogLikelihood,
}

impl Flow {
    /// A fresh flow. Its parameters are a function of the spec and the seed; next, [`Flow::initialise`] it.
    ///
    /// # Errors
    /// A spec that is none; libtorch's.
    pub fn new(spec: FlowSpec, seed: u64, device: Device) -> Result<Self, FlowError> {
        spec.check()?;
        let mut declare = Declare::new(seed, device);
        let prefix = Part::Generator.prefix();
        let mut stages = Vec::new();
        for (index, (channels, block)) in spec.channels().into_iter().zip(spec.blocks).enumerate() {
            let name = format!("{prefix}.block{index}");
            stages.push(Stage {
                block: Block::declare(&mut declare, &name, channels.entry, block, &spec)?,
                latent: Gaussian::declare(&mut declare, &format!("{name}.latent"), channels.latent)?,
                kept: channels.kept as i64,
                dropped: channels.latent as i64,
            });
        }
        let initialised = declare.shared(&format!("{prefix}.initialised"), &[0.0], &[1], Role::Buffer)?;
        Ok(Self { spec, parameters: declare.into_parameters(), stages, initialised })
    }

    /// Its numbers.
    pub fn spec(&self) -> &FlowSpec {
        &self.spec
    }

    /// All that training changes or keeps, by name; all of it in [`Part::Generator`].
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Whether it knows the scale of its data: [`Flow::initialise`] was called, or parameters of a flow were loaded
    /// for which it was.
    ///
    /// # Errors
    /// libtorch's.
    pub fn is_initialised(&self) -> Result<bool, FlowError> {
        Ok(self.initialised.f_double_value(&[0])? != 0.0)
    }

    /// Sets each activation normalisation so that of this batch mean 0 and variance 1 come out of it, one after the
    /// other. Best with a batch as large as those of the training, before an optimizer or a running mean is made.
    ///
    /// # Errors
    /// It is initialised already; pictures that are none, that are not finite or too few; libtorch's.
    pub fn initialise(&self, x: &Tensor, noise: &mut Noise) -> Result<(), FlowError> {
        let (count, height, width) = check_pictures(x)?;
        if self.is_initialised()? {
            return Err(FlowError::Initialised);
        }
        let got = count * (height / STRIDE) * (width / STRIDE);
        if got < LEAST_VALUES {
            return Err(FlowError::FewValues { got, least: LEAST_VALUES });
        }
        if x.f_isfinite()?.f_all()?.f_int64_value(&[])? == 0 {
            return Err(FlowError::NotFinite { what: "the pictures" });
        }
        let _no_grad = tch::no_grad_guard();
        self.walk(x, Pass::new(x, noise, true)?)?;
        let _ = self.initialised.shallow_clone().f_fill_(1.0)?;
        Ok(())
    }

    /// From pictures to latents.
    ///
    /// # Errors
    /// The flow is not initialised; pictures that are none; libtorch's.
    pub fn encode(&self, x: &Tensor, noise: &mut Noise) -> Result<Encoded, FlowError> {
        check_pictures(x)?;
        self.check_initialised()?;
        self.walk(x, Pass::new(x, noise, false)?)
    }

    /// ln p(x) of each picture, nats: `[N]`; see [`LogLikelihood::total`].
    ///
    /// # Errors
    /// As [`Flow::encode`].
    pub fn log_likelihood(&self, x: &Tensor, noise: &mut Noise) -> Result<Tensor, FlowError> {
        self.encode(x, noise)?.log_likelihood.total()
    }

    /// From latents to pictures. Noise that came in on the way there is dropped: it is part of the latents.
    ///
    /// # Errors
    /// The flow is not initialised; latents of another flow; libtorch's.
    pub fn decode(&self, latents: &[Tensor]) -> Result<Tensor, FlowError> {
        self.check_initialised()?;
        self.check_latents(latents)?;
        let mut x: Option<Tensor> = None;
        for (stage, z) in self.stages.iter().zip(latents).rev() {
            let end = match &x {
                Some(x) => Tensor::f_cat(&[x, z], 1)?,
                None => z.shallow_clone(),
            };
            x = Some(stage.block.inverse(&end)?.f_pixel_shuffle(2)?);
        }
        let none = FlowError::Latents { got: 0, expected: self.stages.len() };
        Ok(x.ok_or(none)?.f_add_scalar(0.5)?.f_mul_scalar(LEVELS)?)
    }

    /// `count` new pictures, f32, differentiable with respect to the parameters.
    ///
    /// Their colours are real numbers, about 0 to 256, and nothing keeps them there: where the flow is unsure they are
    /// a little below 0 or above 256. They are left so, for neither rounding nor clamping lets gradients through:
    /// a network that takes colours of any size is given them as they are, and a picture for the eye is rounded
    /// down and clamped to 0..=255 by whoever writes it.
    ///
    /// # Errors
    /// The flow is not initialised; sides that are no multiples of [`STRIDE`]; libtorch's.
    pub fn sample(
        &self,
        count: i64,
        height: i64,
        width: i64,
        noise: &mut Noise,
    ) -> Result<Tensor, FlowError> {
        check_sides(height, width)?;
        if count < 1 {
            let (got, expected) = (vec![count, COLOURS as i64, height, width], "1 or more".to_owned());
            return Err(FlowError::Shape { what: "pictures to be sampled", got, expected });
        }
        let latents = self
            .stages
            .iter()
            .zip(1u32..)
            .map(|(stage, level)| stage.latent.sample(count, height >> level, width >> level, noise))
            .collect::<Result<Vec<_>, _>>()?;
        self.decode(&latents)
    }

    fn walk(&self, x: &Tensor, mut pass: Pass) -> Result<Encoded, FlowError> {
        let scale = -((x.numel() as f64 / x.size4()?.0.max(1) as f64) * LEVELS.ln());
        let mut x = x.f_mul_scalar(1.0 / LEVELS)?.f_sub_scalar(0.5)?;
        let mut latents = Vec::new();
        let mut densities = pass.volume.f_zeros_like()?;
        for Stage { block, latent, kept, dropped } in &self.stages {
            // [N,c,h,w] to [N,4c,h/2,w/2]: the four pixels of a square become channels of one.
            x = block.forward(&x.f_pixel_unshuffle(2)?, &mut pass)?;
            let z = x.f_narrow(1, *kept, *dropped)?;
            x = x.f_narrow(1, 0, *kept)?;
            densities = densities.f_add(&latent.log_density(&z)?)?;
            latents.push(z);
        }
        let Pass { volume, surprise, noises, .. } = pass;
        let log_likelihood = LogLikelihood { latents: densities, volume, noise: surprise, scale };
        Ok(Encoded { latents, noises, log_likelihood })
    }

    fn check_initialised(&self) -> Result<(), FlowError> {
        if self.is_initialised()? { Ok(()) } else { Err(FlowError::NotInitialised) }
    }

    /// Each as large as the picture that the last is of would have it.
    fn check_latents(&self, latents: &[Tensor]) -> Result<(), FlowError> {
        let (got, expected) = (latents.len(), self.stages.len());
        let Some(last) = latents.last().filter(|_| got == expected) else {
            return Err(FlowError::Latents { got, expected });
        };
        let size = last.size();
        let [count, _, height, width] = size[..] else {
            return Err(FlowError::Shape { what: "latents", got: size, expected: "[N,c,h,w]".to_owned() });
        };
        check_kind("latents", last)?;
        for (level, (stage, z)) in self.stages.iter().zip(latents).enumerate() {
            let finer = got - 1 - level;
            let wanted = [count, stage.dropped, height << finer, width << finer];
            let got = z.size();
            if got != wanted {
                let expected = format!("{wanted:?} in block {level}, beside the last of {size:?}");
                return Err(FlowError::Shape { what: "latents", got, expected });
            }
        }
        Ok(())
    }
}

/// How many there are, their height and width.
fn check_pictures(x: &Tensor) -> Result<(i64, i64, i64), FlowError> {
    const CHANNELS: i64 = COLOURS as i64;
    let got = x.size();
    let [count, CHANNELS, height, width] = got[..] else {
        let expected = format!("[N,{COLOURS},H,W], colours from 0 to 256");
        return Err(FlowError::Shape { what: "pictures", got, expected });
    };
    check_sides(height, width)?;
    check_kind("pictures", x)?;
    Ok((count, height, width))
}

fn check_kind(what: &'static str, x: &Tensor) -> Result<(), FlowError> {
    match x.f_kind()? {
        Kind::Float | Kind::Double => Ok(()),
        got => Err(FlowError::Kind { what, got }),
    }
}

fn check_sides(height: i64, width: i64) -> Result<(), FlowError> {
    let fits = |side: i64| side > 0 && side % STRIDE == 0;
    if fits(height) && fits(width) { Ok(()) } else { Err(FlowError::Size { height, width }) }
}
