//! A camera image as it arrived: encoding, size and row step around borrowed pixels.
//!
//! The checks a message needs before anyone reads a pixel are made here, once. Knows nothing of ROS: the
//! names of the encodings are those of `sensor_msgs/image_encodings`, which bags and files use as well.

use std::fmt;

/// Sides beyond this are taken for a corrupt header, not for a camera.
pub const MAX_SIDE_PX: usize = 1 << 15;

/// A size in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Size {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// A pixel layout this product reads. Row 0 is the top.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// 3 bytes: red, green, blue.
    Rgb8,
    /// 3 bytes: blue, green, red.
    Bgr8,
    /// 4 bytes: red, green, blue, alpha (alpha is not read).
    Rgba8,
    /// 4 bytes: blue, green, red, alpha (alpha is not read).
    Bgra8,
    /// 1 byte of luminance, used for all three channels.
    Mono8,
    /// 4:2:2, two pixels in U Y V Y (`uyvy`, and ROS 1's name `yuv422`).
    Uyvy,
    /// 4:2:2, two pixels in Y U Y V (`yuyv`, and ROS 1's name `yuv422_yuy2`).
    Yuyv,
    /// 4:2:0, a plane of Y then a plane of interleaved U V of half the height.
    Nv12,
    /// Raw mosaic; the letters are the top left 2×2 of the sensor in reading order.
    BayerRggb8,
    /// See [`Encoding::BayerRggb8`].
    BayerBggr8,
    /// See [`Encoding::BayerRggb8`].
    BayerGbrg8,
    /// See [`Encoding::BayerRggb8`].
    BayerGrbg8,
}

impl Encoding {
    /// Every encoding, with the name it is asked for by.
    pub const ALL: [(Self, &'static str); 12] = [
        (Self::Rgb8, "rgb8"),
        (Self::Bgr8, "bgr8"),
        (Self::Rgba8, "rgba8"),
        (Self::Bgra8, "bgra8"),
        (Self::Mono8, "mono8"),
        (Self::Uyvy, "uyvy"),
        (Self::Yuyv, "yuyv"),
        (Self::Nv12, "nv12"),
        (Self::BayerRggb8, "bayer_rggb8"),
        (Self::BayerBggr8, "bayer_bggr8"),
        (Self::BayerGbrg8, "bayer_gbrg8"),
        (Self::BayerGrbg8, "bayer_grbg8"),
    ];

    /// The encoding of that name, older ROS names included (`yuv422`, `yuv422_yuy2`).
    ///
    /// # Errors
    /// [`FrameError::Encoding`], with the names that are read.
    pub fn from_name(name: &str) -> Result<Self, FrameError> {
        let modern = match name {
            "yuv422" => "uyvy",
            "yuv422_yuy2" => "yuyv",
            other => other,
        };
        Self::ALL
            .iter()
            .find(|(_, n)| *n == modern)
            .map(|(e, _)| *e)
            .ok_or_else(|| FrameError::Encoding { got: name.chars().take(40).collect() })
    }

    /// The name in an image message; those of `sensor_msgs/image_encodings`, and `nv12`, which drivers use.
    pub fn name(self) -> &'static str {
        // Every variant stands in ALL: the test below walks them.
        Self::ALL.iter().find(|(e, _)| *e == self).map_or("", |(_, n)| n)
    }

    /// Bytes of a pixel in the first plane.
    pub fn bytes_per_pixel(self) -> usize {
        match self {
            Self::Rgb8 | Self::Bgr8 => 3,
            Self::Rgba8 | Self::Bgra8 => 4,
            Self::Uyvy | Self::Yuyv => 2,
            _ => 1,
        }
    }

    /// Rows of `step` bytes that an image of this height takes.
    fn stored_rows(self, height: usize) -> usize {
        if self == Self::Nv12 { height + height / 2 } else { height }
    }

    /// What the sides must be multiples of (chroma and mosaic cells): width, height.
    fn cell(self) -> (usize, usize) {
        match self {
            Self::Uyvy | Self::Yuyv => (2, 1),
            Self::Nv12 | Self::BayerRggb8 | Self::BayerBggr8 | Self::BayerGbrg8 | Self::BayerGrbg8 => (2, 2),
            _ => (1, 1),
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why an image cannot be read. Each names both sides.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A layout this product does not read.
    #[error("encoding \"{got}\" is not read; known: {}", Encoding::ALL.map(|(_, n)| n).join(", "))]
    Encoding {
        /// The name that came, at most 40 characters of it.
        got: String,
    },
    /// No pixels.
    #[error("image is {width}x{height}: a camera driver that has not started sends such")]
    Empty {
        /// In pixels.
        width: usize,
        /// In pixels.
        height: usize,
    },
    /// A header that cannot be a camera's.
    #[error("image is {width}x{height}: sides over {MAX_SIDE_PX} are taken for a corrupt header")]
    Huge {
        /// In pixels.
        width: usize,
        /// In pixels.
        height: usize,
    },
    /// Chroma or mosaic cells cut through.
    #[error("{encoding} image is {width}x{height}: sides must be multiples of {}x{}", .cell.0, .cell.1)]
    Cell {
        /// The layout.
        encoding: Encoding,
        /// In pixels.
        width: usize,
        /// In pixels.
        height: usize,
        /// Width and height of a cell.
        cell: (usize, usize),
    },
    /// Rows that overlap.
    #[error("step is {step} bytes, but a row of {width} {encoding} pixels takes {needed}")]
    Step {
        /// Bytes from row to row, as the message says.
        step: usize,
        /// Bytes a row takes.
        needed: usize,
        /// In pixels.
        width: usize,
        /// The layout.
        encoding: Encoding,
    },
    /// The pixels and the header disagree.
    #[error("data holds {got} bytes, but step {step} x {rows} rows make {expected}")]
    Length {
        /// Bytes that came.
        got: usize,
        /// Bytes the header promises.
        expected: usize,
        /// Bytes from row to row.
        step: usize,
        /// Rows of bytes (for nv12 one and a half of the height).
        rows: usize,
    },
}

/// A checked view of one image: every index its header promises is inside `data`.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    encoding: Encoding,
    width: usize,
    height: usize,
    step: usize,
    data: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Checks header against pixels. `step` is the bytes from one row to the next.
    ///
    /// # Errors
    /// Sides of zero, beyond [`MAX_SIDE_PX`] or cutting a chroma cell; a step shorter than a row; data that
    /// is not exactly `step × rows` (a longer buffer is as wrong as a shorter: its header is not its own).
    pub fn new(
        encoding: Encoding,
        width: usize,
        height: usize,
        step: usize,
        data: &'a [u8],
    ) -> Result<Self, FrameError> {
        if width == 0 || height == 0 {
            return Err(FrameError::Empty { width, height });
        }
        if width > MAX_SIDE_PX || height > MAX_SIDE_PX {
            return Err(FrameError::Huge { width, height });
        }
        let cell = encoding.cell();
        if !width.is_multiple_of(cell.0) || !height.is_multiple_of(cell.1) {
            return Err(FrameError::Cell { encoding, width, height, cell });
        }
        let needed = width * encoding.bytes_per_pixel();
        if step < needed {
            return Err(FrameError::Step { step, needed, width, encoding });
        }
        let rows = encoding.stored_rows(height);
        let expected = step.saturating_mul(rows);
        if data.len() != expected {
            return Err(FrameError::Length { got: data.len(), expected, step, rows });
        }
        Ok(Self { encoding, width, height, step, data })
    }

    /// A tightly packed rgb8 image.
    ///
    /// # Errors
    /// As [`Frame::new`].
    pub fn rgb8(width: usize, height: usize, data: &'a [u8]) -> Result<Self, FrameError> {
        Self::new(Encoding::Rgb8, width, height, width.saturating_mul(3), data)
    }

    /// The layout.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// In pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// In pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Bytes from row to row.
    pub fn step(&self) -> usize {
        self.step
    }

    /// How bright a pixel is, roughly, 0 to 255: of colours the mean with green twice, of YUV the luma stretched
    /// from its limited range, of a mosaic what the cell's first sensor saw. 0 outside the image.
    pub fn luma(&self, x: usize, y: usize) -> u8 {
        if x >= self.width || y >= self.height {
            return 0;
        }
        let byte = |x: usize, y: usize, i: usize| {
            let at = y * self.step + x * self.encoding.bytes_per_pixel() + i;
            self.data.get(at).copied().unwrap_or(0)
        };
        let full = |y: u8| (u32::from(y.saturating_sub(16)) * 255 / 219).min(255) as u8;
        match self.encoding {
            Encoding::Rgb8 | Encoding::Bgr8 | Encoding::Rgba8 | Encoding::Bgra8 => {
                let [first, green, third] = [0, 1, 2].map(|i| u16::from(byte(x, y, i)));
                ((first + 2 * green + third) / 4) as u8
            }
            Encoding::Mono8 => byte(x, y, 0),
            Encoding::Uyvy => full(byte(x, y, 1)),
            Encoding::Yuyv | Encoding::Nv12 => full(byte(x, y, 0)),
            Encoding::BayerRggb8 | Encoding::BayerBggr8 | Encoding::BayerGbrg8 | Encoding::BayerGrbg8 => {
                byte(x & !1, y & !1, 0)
            }
        }
    }

    /// All bytes, `step` × stored rows.
    pub fn data(&self) -> &'a [u8] {
        self.data
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_encoding_has_its_name() {
        for (encoding, name) in Encoding::ALL {
            assert_eq!(encoding.name(), name);
            assert_eq!(Encoding::from_name(name), Ok(encoding));
        }
        assert_eq!(Encoding::from_name("yuv422"), Ok(Encoding::Uyvy));
        assert_eq!(Encoding::from_name("yuv422_yuy2"), Ok(Encoding::Yuyv));
        let error = Encoding::from_name("16UC1").unwrap_err().to_string();
        assert!(error.contains("16UC1") && error.contains("bayer_rggb8"), "{error}");
    }

    #[test]
    fn a_header_that_disagrees_with_its_pixels_is_refused() {
        let check = |e, w, h, step, len: usize| Frame::new(e, w, h, step, &vec![0; len]).map(|_| ());
        assert_eq!(check(Encoding::Rgb8, 4, 2, 12, 24), Ok(()));
        assert_eq!(check(Encoding::Rgb8, 4, 2, 16, 32), Ok(()), "padded rows");
        assert_eq!(check(Encoding::Nv12, 4, 2, 4, 12), Ok(()));
        assert!(matches!(check(Encoding::Rgb8, 0, 2, 0, 0), Err(FrameError::Empty { .. })));
        assert!(matches!(check(Encoding::Rgb8, 40_000, 2, 120_000, 0), Err(FrameError::Huge { .. })));
        assert!(matches!(check(Encoding::Rgb8, 4, 2, 11, 22), Err(FrameError::Step { needed: 12, .. })));
        assert!(matches!(check(Encoding::Rgb8, 4, 2, 12, 23), Err(FrameError::Length { expected: 24, .. })));
        assert!(matches!(check(Encoding::Rgb8, 4, 2, 12, 25), Err(FrameError::Length { got: 25, .. })));
        assert!(matches!(check(Encoding::Nv12, 4, 3, 4, 16), Err(FrameError::Cell { .. })));
        assert!(matches!(check(Encoding::Yuyv, 3, 2, 6, 12), Err(FrameError::Cell { .. })));
    }

    #[test]
    fn a_pixel_is_as_bright_in_every_encoding() {
        // The second pixel of the second row is of brightness 100, padding and all else is not.
        let luma = |encoding: Encoding, step: usize, bytes: &[(usize, u8)]| {
            let mut data = vec![7; step * encoding.stored_rows(2)];
            bytes.iter().for_each(|(at, v)| data[*at] = *v);
            Frame::new(encoding, 2, 2, step, &data).unwrap().luma(1, 1)
        };
        for encoding in [Encoding::Rgb8, Encoding::Bgr8] {
            assert_eq!(luma(encoding, 8, &[(11, 40), (12, 120), (13, 120)]), 100, "{encoding}");
        }
        for encoding in [Encoding::Rgba8, Encoding::Bgra8] {
            assert_eq!(luma(encoding, 8, &[(12, 100), (13, 100), (14, 100)]), 100, "{encoding}");
        }
        assert_eq!(luma(Encoding::Mono8, 3, &[(4, 100)]), 100);
        assert_eq!(luma(Encoding::Nv12, 2, &[(3, 102)]), 100);
        assert_eq!(luma(Encoding::Yuyv, 4, &[(6, 102)]), 100);
        assert_eq!(luma(Encoding::Uyvy, 4, &[(7, 102)]), 100);
        assert_eq!(luma(Encoding::BayerRggb8, 2, &[(0, 100)]), 100);
        let black = [0; 4];
        let frame = Frame::new(Encoding::Mono8, 2, 2, 2, &black).unwrap();
        assert_eq!((frame.luma(2, 0), frame.luma(0, usize::MAX)), (0, 0));
    }

    proptest! {
        #[test]
        fn no_header_panics(e in 0..12usize, w: usize, h: usize, step: usize, len in 0..4096usize) {
            let data = vec![0; len];
            if let Ok(frame) = Frame::new(Encoding::ALL[e].0, w, h, step, &data) {
                prop_assert_eq!(frame.data().len() % frame.step(), 0);
            }
        }

        #[test]
        fn no_name_panics(name in ".*") {
            let _ = Encoding::from_name(&name);
        }
    }
}
