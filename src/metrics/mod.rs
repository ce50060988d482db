//! The benchmarks' figures: how well scores tell anomalies from inliers, and what labels are worth.
//!
//! [`ranking`] keeps scores, exactly and in bounded memory, and [`curve`] is what it finds in them: AP,
//! AUROC, FPR at a TPR, best F1, pooled over a data set as Fishyscapes and SegmentMeIfYouCan do. Per image,
//! as StreetHazards has been published, is a ranking for each image and an [`average`]. [`confusion`] is for
//! labels: mIoU, open-IoU (eq. 19, 20), F1. [`components`] counts objects instead of pixels. [`reliability`]
//! is whether P(d_out|x) (eq. 8) is calibrated, and [`distance`] has the bins of Table X.
//!
//! Higher scores are more anomalous, NaN most of all. Figures are fractions, and `None` where they are not
//! defined. Knows nothing of images, files of labels, or models; all it writes is scores that outgrow memory.

pub mod average;
mod blocks;
pub mod components;
pub mod confusion;
pub mod curve;
pub mod distance;
mod error;
mod exact;
mod histogram;
pub(crate) mod key;
mod limits;
pub mod ranking;
pub mod reliability;
mod run;
mod sealed;
mod sum;
mod table;
