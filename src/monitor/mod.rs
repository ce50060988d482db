//! What is watched beside the walk: whether the camera's picture can be one of the road, and whether the scores
//! are still those that the threshold was calibrated on. A confident label map of a dead camera is worse than
//! none.
//!
//! Both look at a few thousand pixels of a frame, whatever its size. They find; what is told of it, and to whom,
//! is the caller's. Deliberately do not know: models, ROS, what a label means.

pub mod drift;
pub mod picture;
