//! Every format and type to the same map; what is no map, said by name. Files of NumPy and h5py:
//! `tests/python/test_metrics.py`.

use std::fs;

use ::hdf5::{File, H5Type};
use half::f16;
use npyz::{AutoSerialize, Order, WriterBuilder};
use proptest::prelude::*;

use super::*;

const VALUES: [i8; 6] = [0, 1, 2, -3, 4, 5];

fn map(values: &[f32]) -> ScoreMap {
    ScoreMap { width: 3, height: 2, data: values.into() }
}

fn expected() -> ScoreMap {
    map(&VALUES.map(f32::from))
}

/// A `.npy` as npyz writes it.
fn npy<T: AutoSerialize>(path: &Path, shape: &[u64], order: Order, values: &[T]) {
    let options = npyz::WriteOptions::new().default_dtype().shape(shape).order(order);
    let mut writer = options.writer(fs::File::create(path).unwrap()).begin_nd().unwrap();
    values.iter().for_each(|v| writer.push(v).unwrap());
    writer.finish().unwrap();
}

fn hdf5<T: H5Type>(path: &Path, shape: &[usize], values: &[T]) {
    let file = File::create(path).unwrap();
    file.new_dataset::<T>().shape(shape).create("value").unwrap().write_raw(values).unwrap();
}

#[test]
fn every_type_of_number() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a.npy"), dir.path().join("b.h5"));
    macro_rules! check {
        ($($T:ty: $to:expr),*) => {$(
            let values = VALUES.map($to);
            npy::<$T>(&a, &[2, 3], Order::C, &values);
            assert_eq!(read(&a).unwrap(), expected(), "npy of {}", stringify!($T));
            hdf5::<$T>(&b, &[2, 3], &values);
            assert_eq!(read(&b).unwrap(), expected(), "hdf5 of {}", stringify!($T));
        )*};
    }
    check!(f16: |v| f16::from_f32(v.into()), f32: f32::from, f64: f64::from);
    check!(i8: |v| v, i16: i16::from, i32: i32::from, i64: i64::from);
    npy(&a, &[2, 3], Order::C, &[0u8, 1, 2, 3, 4, 255]);
    assert_eq!(read(&a).unwrap(), map(&[0.0, 1.0, 2.0, 3.0, 4.0, 255.0]));
    hdf5(&b, &[2, 3], &[0u16, 1, 2, 3, 4, 65535]);
    assert_eq!(read(&b).unwrap(), map(&[0.0, 1.0, 2.0, 3.0, 4.0, 65535.0]));
}

#[test]
fn an_axis_of_one_and_the_order_of_the_axes_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.npy");
    let by_columns = [0, 3, 1, 4, 2, 5].map(|i: usize| VALUES[i]);
    for shape in [&[2, 3][..], &[1, 2, 3], &[2, 3, 1]] {
        npy(&path, shape, Order::C, &VALUES);
        assert_eq!(read(&path).unwrap(), expected(), "{shape:?}");
        npy(&path, shape, Order::Fortran, &by_columns);
        assert_eq!(read(&path).unwrap(), expected(), "{shape:?} by columns");
    }
}

#[test]
fn what_is_not_finite_stays_so_and_what_does_not_fit_is_rounded() {
    let dir = tempfile::tempdir().unwrap();
    for file in ["a.npy", "a.h5"] {
        let path = dir.path().join(file);
        let values = [f64::NAN, f64::INFINITY, -f64::INFINITY, 1e300, 0.1, -0.0];
        if file == "a.npy" {
            npy(&path, &[2, 3], Order::C, &values)
        } else {
            hdf5(&path, &[2, 3], &values)
        };
        let data = read(&path).unwrap().data;
        assert!(data[0].is_nan());
        assert_eq!(data[1..5], [f32::INFINITY, f32::NEG_INFINITY, f32::INFINITY, 0.1]);
    }
}

#[test]
fn a_gray_png_is_its_values() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.PNG");
    let mut bytes = Vec::new();
    images::encode_png_gray(&[0, 1, 2, 3, 4, 255], 3, 2, &mut bytes).unwrap();
    fs::write(&path, bytes).unwrap();
    assert_eq!(read(&path).unwrap(), map(&[0.0, 1.0, 2.0, 3.0, 4.0, 255.0]));
}

#[test]
fn what_is_no_map_is_said_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    npy(&path("flat.npy"), &[6], Order::C, &VALUES);
    npy(&path("deep.npy"), &[3, 2, 1, 1], Order::C, &VALUES);
    npy(&path("none.npy"), &[0, 3], Order::C, &[0f32; 0]);
    hdf5(&path("colour.h5"), &[2, 1, 3], &VALUES);
    let huge = File::create(path("huge.h5")).unwrap().new_dataset::<f32>().chunk((64, 64));
    huge.shape((1 << 20, 1 << 24)).create("value").unwrap();
    npy(&path("logical.npy"), &[2, 3], Order::C, &[true; 6]);
    let text: ::hdf5::types::VarLenUnicode = "text".parse().unwrap();
    hdf5(&path("text.h5"), &[2, 3], &vec![text; 6]);
    File::create(path("other.h5")).unwrap().create_group("scores").unwrap();
    fs::write(path("no.npy"), "no npy").unwrap();
    fs::write(path("no.h5"), "no hdf5").unwrap();
    fs::write(path("a.txt"), "1 2 3").unwrap();
    npy(&path("cut.npy"), &[2, 3], Order::C, &VALUES);
    let whole = fs::read(path("cut.npy")).unwrap();
    fs::write(path("cut.npy"), &whole[..whole.len() - 2]).unwrap();
    for (name, words) in [
        ("flat.npy", "the shape [6]"),
        ("deep.npy", "the shape [3, 2, 1, 1]"),
        ("none.npy", "the shape [0, 3]"),
        ("colour.h5", "the shape [2, 1, 3]"),
        ("huge.h5", "the shape [1048576, 16777216]"),
        ("logical.npy", "holds '|b1'"),
        ("text.h5", "holds "),
        ("other.h5", "has no dataset value, but scores"),
        ("no.npy", "cannot be read as npy: magic"),
        ("no.h5", "cannot be read as hdf5: file signature not found"),
        ("cut.npy", "promises 6 bytes of values, 4 follow"),
        ("a.txt", "is no score file: their names end in .npy"),
        ("missing.npy", "cannot read "),
        ("missing.h5", "cannot read "),
    ] {
        let error = read(&path(name)).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains(words), "{error}");
    }
}

proptest! {
    /// Whatever stands in a header: an error, and no more.
    #[test]
    fn no_header_panics(version in 1..4u8, header in "[{}()\\[\\]':, a-f0-9<>|]{0,80}", brackets in 0..20_000usize) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.npy");
        let header = ["{'shape': ", &"(".repeat(brackets), &header, &")".repeat(brackets)].concat();
        let length = header.len() as u32;
        let length = if version == 1 { &length.to_le_bytes()[..2] } else { &length.to_le_bytes()[..] };
        fs::write(&path, [b"\x93NUMPY", &[version, 0][..], length, header.as_bytes()].concat()).unwrap();
        prop_assert!(read(&path).is_err());
    }
}
