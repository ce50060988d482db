//! Why there is no batch.

use tch::TchError;

use crate::dataset::DatasetError;
use crate::images::ImagesError;
use crate::train::damage::TooMuchDamage;
use crate::train::negatives::NegativesError;

/// See the variants; every one says what to do where that is not plain.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The data set, or a file of it; it is named.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// What is pasted.
    #[error(transparent)]
    Negatives(Box<NegativesError>),
    /// A picture that OpenCV would not resize or blur.
    #[error(transparent)]
    Image(#[from] ImagesError),
    /// Another number of classes than the model's.
    #[error("{dataset} has {got} classes, but the model has {expected}: set the model's classes to those")]
    Classes {
        /// The data set.
        dataset: &'static str,
        /// The data set's.
        got: usize,
        /// The model's.
        expected: usize,
    },
    /// Labels that teach no class.
    #[error("{dataset} tells inliers from anomalies only: train on a data set with classes")]
    NoClasses {
        /// The data set.
        dataset: &'static str,
    },
    /// A setting that is no such thing.
    #[error("{name} is {got}: take {wanted}")]
    Setting {
        /// As it stands in the YAML.
        name: &'static str,
        /// What stands there.
        got: String,
        /// What may.
        wanted: &'static str,
    },
    /// More damaged files than are put up with.
    #[error(transparent)]
    Damage(#[from] TooMuchDamage),
    /// The system gives no thread.
    #[error("cannot start a data worker: {0}")]
    Thread(std::io::Error),
    /// A worker ended without a word.
    #[error("a data worker died: this is a defect, please report it")]
    Worker,
    /// libtorch took no batch: no memory, most likely.
    #[error("cannot make a batch: {0}")]
    Torch(#[from] TchError),
}

impl From<NegativesError> for DataError {
    fn from(error: NegativesError) -> Self {
        Self::Negatives(Box::new(error))
    }
}
