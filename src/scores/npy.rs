//! NumPy's `.npy`: every order of axes and bytes, every type of number that is one.

use std::fs;
use std::path::Path;

use half::f16;
use npyz::{DType, Deserialize, NpyFile, Order, TypeChar};

use super::{ScoreMap, ScoresError, size};

/// Of a header: NumPy itself refuses more by default, and nested brackets cost stack by the level.
const MAX_HEADER: usize = 10_000;

type File<'a> = NpyFile<&'a [u8]>;

pub(super) fn read(path: &Path) -> Result<ScoreMap, ScoresError> {
    let broken = |message: String| ScoresError::Broken { path: path.into(), format: "npy", message };
    let bytes = fs::read(path).map_err(|source| ScoresError::Unreadable { path: path.into(), source })?;
    if header_length(&bytes).is_some_and(|length| length > MAX_HEADER) {
        return Err(broken(format!("its header is longer than {MAX_HEADER} bytes")));
    }
    let mut rest = &bytes[..];
    // A parser's message goes on with the text it failed at.
    let first_line = |e: std::io::Error| e.to_string().lines().next().unwrap_or_default().to_owned();
    let header = npyz::NpyHeader::from_reader(&mut rest).map_err(|e| broken(first_line(e)))?;
    let (height, width) = size(path, header.shape())?;

    let unread = || ScoresError::Type { path: path.into(), got: header.dtype().descr() };
    let DType::Plain(stored) = header.dtype() else { return Err(unread()) };
    let promised = stored.num_bytes().map(|bytes| bytes.saturating_mul(height * width));
    if let Some(promised) = promised.filter(|promised| rest.len() < *promised) {
        return Err(broken(format!("its header promises {promised} bytes of values, {} follow", rest.len())));
    }
    let order = header.order();
    let file = NpyFile::with_header(header.clone(), rest);
    let values = match (stored.type_char(), stored.size_field()) {
        (TypeChar::Float, 2) => values(file, f16::to_f32),
        (TypeChar::Float, 4) => values(file, |v: f32| v),
        (TypeChar::Float, 8) => values(file, |v: f64| v as f32),
        (TypeChar::Int, 1) => values(file, |v: i8| v.into()),
        (TypeChar::Int, 2) => values(file, |v: i16| v.into()),
        (TypeChar::Int, 4) => values(file, |v: i32| v as f32),
        (TypeChar::Int, 8) => values(file, |v: i64| v as f32),
        (TypeChar::Uint, 1) => values(file, |v: u8| v.into()),
        (TypeChar::Uint, 2) => values(file, |v: u16| v.into()),
        (TypeChar::Uint, 4) => values(file, |v: u32| v as f32),
        (TypeChar::Uint, 8) => values(file, |v: u64| v as f32),
        _ => return Err(unread()),
    };
    let values = values.map_err(|e| broken(first_line(e)))?;
    let data = match order {
        Order::C => values,
        // Column by column: an axis of length 1, before or after, changes nothing.
        Order::Fortran => (0..height * width).map(|i| values[i % width * height + i / width]).collect(),
    };
    Ok(ScoreMap { width, height, data })
}

/// What the file says of its header (its length is of 2 bytes in version 1, of 4 in later ones).
fn header_length(bytes: &[u8]) -> Option<usize> {
    match *bytes.get(6..12)? {
        [1, _, a, b, ..] => Some(u16::from_le_bytes([a, b]).into()),
        [_, _, a, b, c, d] => Some(u32::from_le_bytes([a, b, c, d]) as usize),
        _ => None,
    }
}

fn values<T: Deserialize>(file: File<'_>, to_f32: impl Fn(T) -> f32) -> std::io::Result<Vec<f32>> {
    file.data::<T>().map_err(std::io::Error::other)?.map(|value| value.map(&to_f32)).collect()
}
