//! An image that waits in its camera's slot.

use super::convert;
use super::picture::Picture;
use crate::budget::stamps::Birth;

/// An image, and when it came.
pub(super) struct Arrived {
    pub(super) picture: Picture,
    /// By the node's clock; `None` where that did not tell the time.
    pub(super) at_ns: Option<i64>,
}

impl Arrived {
    /// When the image came to be; `None` where the clock did not tell when it came.
    pub(super) fn birth(&self) -> Option<Birth> {
        let stamp_ns = convert::stamp_ns(self.picture.header());
        self.at_ns.map(|at_ns| Birth::new(stamp_ns, at_ns))
    }
}
