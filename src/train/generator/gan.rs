//! A small generative adversarial network, as a source to compare the flow with (Lee et al., 2018; Table VII).

use tch::{Device, Kind, Tensor};

use super::{Fitted, Generator, GeneratorError, Judge};
use crate::train::flow::Noise;
use crate::train::model::declare::Declare;
use crate::train::model::{Parameters, Role};
use crate::train::negatives::MULTIPLE;

/// Of both networks' rectifiers.
const SLOPE: f64 = 0.2;

/// A maker, which turns noise into patches, and a critic, which tells them from inliers; both without a layer that
/// has a size, so that patches may have any.
#[derive(Debug)]
pub struct Gan {
    latent: usize,
    width: usize,
    parameters: Parameters,
}

/// A 3×3 convolution: its name, channels in and out. The maker's at stride 8, 4, 2, 1 of the patch.
fn maker(latent: usize, width: usize) -> [(&'static str, usize, usize); 4] {
    [
        ("generator.maker.at8", latent, width),
        ("generator.maker.at4", width, width),
        ("generator.maker.at2", width, width),
        ("generator.maker.at1", width, 3),
    ]
}

/// Each but the last halves.
fn critic(width: usize) -> [(&'static str, usize, usize); 4] {
    [
        ("generator.critic.at1", 3, width),
        ("generator.critic.at2", width, width),
        ("generator.critic.at4", width, width),
        ("generator.critic.at8", width, 1),
    ]
}

impl Gan {
    /// Fresh networks; the numbers are a function of the seed.
    ///
    /// # Errors
    /// libtorch's.
    pub fn new(latent: usize, width: usize, seed: u64, device: Device) -> Result<Self, GeneratorError> {
        let mut declare = Declare::new(seed, device);
        for (name, inputs, outputs) in maker(latent, width).into_iter().chain(critic(width)) {
            let weight = format!("{name}.weight");
            let values = declare.normals(&weight, 9 * inputs * outputs, (2.0 / (9 * inputs) as f64).sqrt());
            let _ =
                declare.shared(&weight, &values, &[outputs, inputs, 3, 3].map(|n| n as i64), Role::Weight)?;
            let _ = declare.shared(
                &format!("{name}.bias"),
                &vec![0.0; outputs],
                &[outputs as i64],
                Role::Scale,
            )?;
        }
        let parameters = declare.into_parameters();
        Ok(Self { latent, width, parameters })
    }

    /// `learnt` or not: without it no gradient goes to the layer's numbers, though it goes through.
    fn conv(&self, name: &str, x: &Tensor, stride: i64, learnt: bool) -> Result<Tensor, GeneratorError> {
        let tensor = |suffix: &str| -> Result<Tensor, GeneratorError> {
            let tensor = self.parameters.tensor(&format!("{name}.{suffix}"))?;
            Ok(if learnt { tensor.shallow_clone() } else { tensor.f_detach()? })
        };
        Ok(x.f_conv2d(&tensor("weight")?, Some(tensor("bias")?), [stride; 2], [1, 1], [1, 1], 1)?)
    }

    fn make(&self, noise: &Tensor) -> Result<Tensor, GeneratorError> {
        let [at8, at4, at2, at1] = maker(self.latent, self.width);
        let mut x = rectify(&self.conv(at8.0, noise, 1, true)?)?;
        for (name, ..) in [at4, at2] {
            x = rectify(&self.conv(name, &twice(&x)?, 1, true)?)?;
        }
        let colours = self.conv(at1.0, &twice(&x)?, 1, true)?.f_tanh()?;
        Ok(colours.f_add_scalar(1.0)?.f_mul_scalar(127.5)?)
    }

    /// The mean logit of being an inlier.
    fn criticise(&self, patch: &Tensor, learnt: bool) -> Result<Tensor, GeneratorError> {
        let [at1, at2, at4, at8] = critic(self.width);
        let mut x = patch.f_div_scalar(127.5)?.f_sub_scalar(1.0)?;
        for (name, ..) in [at1, at2, at4] {
            x = rectify(&self.conv(name, &x, 2, learnt)?)?;
        }
        Ok(self.conv(at8.0, &x, 1, learnt)?.f_mean(Kind::Float)?)
    }
}

fn rectify(x: &Tensor) -> Result<Tensor, GeneratorError> {
    Ok(x.f_maximum(&x.f_mul_scalar(SLOPE)?)?)
}

fn twice(x: &Tensor) -> Result<Tensor, GeneratorError> {
    let (_, _, height, width) = x.size4()?;
    Ok(x.f_upsample_nearest2d([2 * height, 2 * width], None, None)?)
}

fn mean(values: Vec<Tensor>) -> Result<Tensor, GeneratorError> {
    Ok(Tensor::f_stack(&values, 0)?.f_mean(Kind::Float)?)
}

impl Generator for Gan {
    fn identity(&self) -> String {
        format!("gan latent={} width={}", self.latent, self.width)
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn generate(
        &self,
        replaced: &[Tensor],
        _: &mut Judge<'_>,
        noise: &mut Noise,
    ) -> Result<Vec<Tensor>, GeneratorError> {
        let patch = |of: &Tensor| {
            let (_, _, height, width) = of.size4()?;
            let eighth = |side: i64| side / MULTIPLE as i64;
            let size = [1, self.latent as i64, eighth(height), eighth(width)];
            self.make(&noise.normal(&size, (Kind::Float, of.device()))?)
        };
        replaced.iter().map(patch).collect()
    }

    /// The critic's cross-entropy, in which patches are as they are, and the maker's: −ln of the critic taking them for
    /// inliers, in which the critic is as it is.
    fn fit(
        &self,
        replaced: &[Tensor],
        generated: &[Tensor],
        _: &mut Noise,
    ) -> Result<Vec<Fitted>, GeneratorError> {
        let (mut critic, mut maker) = (Vec::new(), Vec::new());
        for (inlier, patch) in replaced.iter().zip(generated) {
            critic.push(self.criticise(inlier, true)?.f_neg()?.f_softplus()?);
            critic.push(self.criticise(&patch.f_detach()?, true)?.f_softplus()?);
            maker.push(self.criticise(patch, false)?.f_neg()?.f_softplus()?);
        }
        if maker.is_empty() {
            return Ok(Vec::new());
        }
        let term = |name, value| Fitted { name, weight: 1.0, value };
        Ok(vec![term("critic", mean(critic)?), term("maker", mean(maker)?)])
    }
}
