//! Why a picture could not be read, converted or written. Each names the file.

use std::path::PathBuf;

/// See the variants; every one says what to do where that is not plain.
#[derive(Debug, thiserror::Error)]
pub enum ImagesError {
    /// OpenCV is not in this program.
    #[error("built without feature vision: {what} needs OpenCV; build with --features vision")]
    NotBuilt {
        /// What was asked for.
        what: &'static str,
    },
    /// Nothing of that name.
    #[error("no such file: {}", .path.display())]
    Missing {
        /// As it was asked for.
        path: PathBuf,
    },
    /// There, but the system does not give its bytes.
    #[error("cannot read {}: {source}", .path.display())]
    Unreadable {
        /// As it was asked for.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Bytes no decoder takes.
    #[error("{name} is no image that can be decoded ({bytes} bytes)")]
    NotAnImage {
        /// File or topic.
        name: String,
        /// How many there were.
        bytes: usize,
    },
    /// A transfer or a recording that stopped half-way.
    #[error("{name} is a jpeg without its end ({bytes} bytes): it was cut off; record or copy it again")]
    CutOff {
        /// File or topic.
        name: String,
        /// How many there were.
        bytes: usize,
    },
    /// A picture whose values are not, as they stand, what is asked of it.
    #[error("{name} holds {got}, but {wanted}: save it as such")]
    Layout {
        /// File or topic.
        name: String,
        /// What is stored there.
        got: String,
        /// What would be read.
        wanted: &'static str,
    },
    /// A header that asks for more memory than there may be.
    #[error("{name} is {width}x{height}, over {} pixels: is it damaged?", super::MAX_PIXELS)]
    TooLarge {
        /// File or topic.
        name: String,
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
    },
    /// Pixels and size disagree.
    #[error("{got} bytes of pixels, but {width}x{height}x{channels} take {expected}")]
    Length {
        /// Bytes that came.
        got: usize,
        /// Bytes the size promises.
        expected: usize,
        /// In pixels.
        width: usize,
        /// In pixels.
        height: usize,
        /// Bytes of a pixel.
        channels: usize,
    },
    /// There, but no stream of pictures.
    #[error("{} is no video that can be decoded: is its codec installed (ffmpeg)?", .path.display())]
    NotAVideo {
        /// As it was asked for.
        path: PathBuf,
    },
    /// Disk full, no such folder, no rights.
    #[error("cannot write {}: {source}", .path.display())]
    Unwritable {
        /// As it was asked for.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// OpenCV refused what was valid on this side.
    #[error("opencv, {what}: {message}")]
    Library {
        /// What was asked of it.
        what: &'static str,
        /// Its words.
        message: String,
    },
}
