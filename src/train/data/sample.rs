//! One sample of a batch: drawn, cut, with negatives, in its light.

use std::sync::Arc;

use rand::RngExt;

use super::order::Order;
use super::random::generator;
use super::survey::Survey;
use super::window::Window;
use super::{DataError, Plan, TrainingSet, photometric};
use crate::train::negatives::{Negatives, Pasted};
use crate::train::scene::Scene;

/// A crop, ready to be normalised.
pub(super) struct Sample {
    pub(super) id: String,
    pub(super) scene: Scene,
    /// Where negatives are.
    pub(super) pasted: Pasted,
}

/// Makes the samples of a phase, at any position.
pub(super) struct Maker {
    set: Arc<TrainingSet>,
    negatives: Option<Arc<Negatives>>,
    /// Where samples are drawn by class.
    survey: Option<Arc<Survey>>,
    plan: Arc<Plan>,
    order: Order,
    fill: [u8; 3],
}

impl Maker {
    pub(super) fn new(
        set: Arc<TrainingSet>,
        negatives: Option<Arc<Negatives>>,
        plan: Arc<Plan>,
    ) -> Result<Self, DataError> {
        let survey = if plan.augmentation.class_uniform > 0.0 { Some(set.survey()?) } else { None };
        let order = Order::new(set.dataset().len(), plan.seed, &plan.phase);
        let fill = plan.normalisation.mean.map(|mean| (mean * 255.0).round() as u8);
        Ok(Self { set, negatives, survey, plan, order, fill })
    }

    /// The sample at a position of the endless sequence.
    pub(super) fn sample(&mut self, position: u64) -> Result<Sample, DataError> {
        let Self { set, survey, plan, .. } = self;
        let (seed, phase) = (plan.seed, plan.phase.as_str());
        let mut rng = generator(seed, [phase, "crop"], position);
        let by_class = match survey {
            Some(survey) if rng.random_bool(plan.augmentation.class_uniform) => survey.draw(&mut rng),
            _ => None,
        };
        let (mut found, mut anchor) = (None, None);
        if let Some((class, index)) = by_class
            && let Some(scene) = set.scene(index)?
        {
            anchor = pixel_of(class, &scene, &mut rng);
            found = Some((index, scene));
        }
        if found.is_none() {
            for index in self.order.at(position) {
                if let Some(scene) = set.scene(index)? {
                    found = Some((index, scene));
                    break;
                }
            }
        }
        let Some((index, scene)) = found else { return Err(set.damage().too_much().into()) };
        let crop = plan.augmentation.crop.sides();
        let window = Window::draw(&plan.augmentation_of(&scene.rgb), &scene, anchor, &mut rng);
        let framing = window.framing(&scene, crop);
        let mut scene = window.cut(&scene, crop, self.fill)?;
        let pasted = match &self.negatives {
            None => Pasted { outliers: vec![false; scene.labels.len()], ..Pasted::default() },
            Some(negatives) => {
                let rng = &mut generator(seed, [phase, "negatives"], position);
                negatives.paste(&mut scene, &framing, rng)?
            }
        };
        let light = &mut generator(seed, [phase, "light"], position);
        photometric::change(&mut scene.rgb, &plan.augmentation.photometric, light)?;
        Ok(Sample { id: set.dataset().samples()[index].id.clone(), scene, pasted })
    }
}

/// A pixel of the class, each as likely as any other.
fn pixel_of(class: u8, scene: &Scene, rng: &mut rand_chacha::ChaCha8Rng) -> Option<[usize; 2]> {
    let count = scene.labels.iter().filter(|label| **label == class).count();
    let chosen = rng.random_range(0..count.max(1));
    let of_class = scene.labels.iter().enumerate().filter(|(_, label)| **label == class);
    let (at, _) = of_class.into_iter().nth(chosen)?;
    Some([at % scene.rgb.width, at / scene.rgb.width])
}
