//! A frame with its result: all that any output is made from.

use crate::config::PipelineSettings;
use crate::frame::Frame;
use crate::labels::Taxonomy;
use crate::pipeline::Segmentation;
use crate::preprocess::geometry::Geometry;
use r2r::std_msgs::msg::Header;

/// See the module.
pub(super) struct Labelled<'a> {
    pub(super) header: &'a Header,
    pub(super) frame: Frame<'a>,
    pub(super) segmentation: &'a Segmentation,
    pub(super) geometry: &'a Geometry,
    pub(super) settings: &'a PipelineSettings,
    pub(super) taxonomy: &'a Taxonomy,
}
