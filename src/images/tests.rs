//! What OpenCV is trusted with, checked from outside: colours, channel order, steps, losslessness, refusals.

use proptest::prelude::*;

use super::*;
use crate::frame::{Encoding, Frame};

/// A picture of few colours and no symmetry.
fn picture(width: usize, height: usize) -> Rgb {
    let pixel = |i: usize| [(i % width * 7) as u8, (i / width * 11) as u8, (i % 5 * 50) as u8];
    Rgb { width, height, data: (0..width * height).flat_map(pixel).collect() }
}

/// The data with `padding` bytes after each row.
fn padded(data: &[u8], row: usize, padding: usize) -> Vec<u8> {
    data.chunks_exact(row).flat_map(|r| [r, &vec![0xEE; padding]].concat()).collect()
}

fn converted(encoding: Encoding, width: usize, height: usize, step: usize, data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    to_rgb(&Frame::new(encoding, width, height, step, data).unwrap(), &mut out).unwrap();
    out
}

#[test]
fn a_png_comes_back_as_it_went() {
    let rgb = picture(17, 9);
    let mut bytes = vec![1, 2, 3];
    encode_png_rgb(&rgb.data, 17, 9, &mut bytes).unwrap();
    assert_eq!(decode_rgb(&bytes, "x").unwrap(), rgb);

    let gray = Gray { width: 17, height: 9, data: rgb.data[..17 * 9].to_vec() };
    encode_png_gray(&gray.data, 17, 9, &mut bytes).unwrap();
    assert_eq!(decode_gray(&bytes, "x").unwrap(), gray);
}

#[test]
fn a_jpeg_keeps_the_order_of_its_channels() {
    let orange = [250, 120, 10].repeat(16 * 16);
    let mut bytes = Vec::new();
    encode_jpeg_rgb(&orange, 16, 16, &mut bytes).unwrap();
    let back = decode_rgb(&bytes, "x").unwrap();
    assert!(back.data.iter().zip(&orange).all(|(a, b)| a.abs_diff(*b) < 4), "{:?}", &back.data[..3]);
}

#[test]
fn what_is_no_whole_image_is_refused_by_name() {
    let mut jpeg = Vec::new();
    encode_jpeg_rgb(&picture(64, 64).data, 64, 64, &mut jpeg).unwrap();
    let check = |bytes: &[u8]| decode_rgb(bytes, "front/7.jpg").unwrap_err();
    for error in [check(b""), check(b"hello"), check(b"\x89PNG\r\n\x1a\nx"), check(&jpeg[..jpeg.len() / 2])] {
        assert!(error.to_string().contains("front/7.jpg"), "{error}");
    }
    assert!(matches!(check(&jpeg[..jpeg.len() / 2]), ImagesError::CutOff { .. }));
}

#[test]
fn a_camera_s_picture_is_jpeg_or_png_of_8_bits_and_whole() {
    let (rgb, name) = (picture(17, 9), "a compressed image");
    let (mut png_bytes, mut jpeg_bytes) = (Vec::new(), Vec::new());
    encode_png_rgb(&rgb.data, 17, 9, &mut png_bytes).unwrap();
    encode_jpeg_rgb(&rgb.data, 17, 9, &mut jpeg_bytes).unwrap();
    assert_eq!(decode_camera(&png_bytes, name).unwrap(), rgb);
    let back = decode_camera(&jpeg_bytes, name).unwrap();
    assert_eq!((back.width, back.height), (17, 9));

    let refused = |bytes: &[u8]| decode_camera(bytes, name).unwrap_err();
    assert!(matches!(refused(&jpeg_bytes[..jpeg_bytes.len() / 2]), ImagesError::CutOff { .. }));
    assert!(matches!(refused(&jpeg_bytes[..2]), ImagesError::CutOff { .. }));
    for bytes in [&b""[..], b"GIF89a\x01\0\x01\0", &png_bytes[..20], &[0xFF, 0xD8, 0xFF, 0xDA, 0xFF, 0xD9]] {
        assert!(matches!(refused(bytes), ImagesError::NotAnImage { .. }), "{bytes:?}");
    }
    let deep = refused(&png(1, 16, 0, &[1, 2])).to_string();
    assert!(deep.starts_with("a compressed image holds values of 16 bits, but"), "{deep}");
    png_bytes[16..24].copy_from_slice(&[0, 0, 0x40, 0, 0, 0, 0x40, 1]);
    assert!(matches!(refused(&png_bytes), ImagesError::TooLarge { width: 16384, height: 16385, .. }));
    let frame = jpeg_bytes.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
    jpeg_bytes[frame + 5..frame + 9].fill(0xFF);
    assert!(matches!(refused(&jpeg_bytes), ImagesError::TooLarge { width: 65535, height: 65535, .. }));
}

#[test]
fn labels_are_read_as_stored_or_not_at_all() {
    let mut bytes = Vec::new();
    encode_png_rgb(&picture(4, 4).data, 4, 4, &mut bytes).unwrap();
    let error = decode_gray(&bytes, "a.png").unwrap_err().to_string();
    assert!(error.contains("a.png holds colour of 8 bits"), "{error}");

    encode_jpeg_rgb(&picture(8, 8).data, 8, 8, &mut bytes).unwrap();
    let error = decode_gray(&bytes, "a.jpg").unwrap_err().to_string();
    assert!(error.contains("3 channels of 8 bits"), "{error}");
}

/// One row of pixels as a PNG of any kind, written here: nothing else in this crate writes alpha or 16 bits.
fn png(width: u32, bits: u8, colour: u8, row: &[u8]) -> Vec<u8> {
    fn crc(bytes: &[u8]) -> u32 {
        let step = |c: u32, _| if c & 1 == 1 { 0xEDB8_8320 ^ (c >> 1) } else { c >> 1 };
        !bytes.iter().fold(!0, |c, b| (0..8).fold(c ^ u32::from(*b), step))
    }
    fn adler(bytes: &[u8]) -> u32 {
        let (a, b) = bytes.iter().fold((1, 0), |(a, b), x| {
            let a = (a + u32::from(*x)) % 65521;
            (a, (b + a) % 65521)
        });
        b << 16 | a
    }
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |kind: &[u8; 4], data: &[u8]| {
        let body = [kind, data].concat();
        out.extend((data.len() as u32).to_be_bytes());
        out.extend(&body);
        out.extend(crc(&body).to_be_bytes());
    };
    let filtered = [&[0], row].concat();
    let length = filtered.len() as u16;
    // zlib, one block that is stored as it is.
    let stored = [&[0x78, 1, 1][..], &length.to_le_bytes(), &(!length).to_le_bytes(), &filtered].concat();
    chunk(b"IHDR", &[&width.to_be_bytes()[..], &1u32.to_be_bytes(), &[bits, colour, 0, 0, 0]].concat());
    chunk(b"IDAT", &[stored, adler(&filtered).to_be_bytes().to_vec()].concat());
    chunk(b"IEND", &[]);
    out
}

#[test]
fn scores_and_depths_keep_their_depth() {
    let deep = decode_gray16(&png(2, 16, 0, &[0x12, 0x34, 0xFF, 0xFE]), "x").unwrap();
    assert_eq!(deep, Gray16 { width: 2, height: 1, bits: 16, data: vec![0x1234, 0xFFFE] });
    let flat = decode_gray16(&png(2, 8, 0, &[0, 255]), "x").unwrap();
    assert_eq!(flat, Gray16 { width: 2, height: 1, bits: 8, data: vec![0, 255] });

    let wanted = "scores and depths are gray of 8 or 16 bits";
    for (bits, colour, row, got) in [
        (1, 0, &[0x40][..], "gray of 1 bits"),
        (8, 2, &[1, 2, 3, 4, 5, 6], "colour of 8 bits"),
        (8, 6, &[9; 8], "colour with alpha of 8 bits"),
    ] {
        let error = decode_gray16(&png(2, bits, colour, row), "a.png").unwrap_err().to_string();
        assert!(error.contains(&format!("a.png holds {got}, but {wanted}")), "{error}");
    }
}

#[test]
fn a_cut_out_has_its_colours_and_its_alpha() {
    let row = [10, 20, 30, 0, 40, 50, 60, 255];
    let rgba = decode_rgba(&png(2, 8, 6, &row), "x").unwrap();
    assert_eq!(rgba, Rgba { width: 2, height: 1, data: row.to_vec() });

    for (bits, colour, row, got) in [
        (8, 2, &[1, 2, 3, 4, 5, 6][..], "3 channels of 8 bits"),
        (8, 0, &[1, 2], "1 channel of 8 bits"),
        (16, 6, &[7; 16], "4 channels of 16 bits"),
    ] {
        let error = decode_rgba(&png(2, bits, colour, row), "a.png").unwrap_err().to_string();
        assert!(error.contains(&format!("a.png holds {got}")), "{error}");
    }
}

#[test]
fn components_connect_by_side_and_by_corner() {
    #[rustfmt::skip]
    let mask = [
        9, 0, 0, 1, 1,
        0, 1, 0, 0, 0,
        0, 0, 0, 0, 2,
    ];
    let ConnectedComponents { labels, areas } = connected_components(&mask, 5, 3).unwrap();
    assert_eq!((areas.len(), areas[0]), (4, 10), "{areas:?}");
    assert_eq!(labels[0], labels[6], "they touch by a corner");
    assert_eq!(labels[3], labels[4], "they touch by a side");
    assert_ne!(labels[4], labels[14]);
    for (pixel, size) in [(0, 2), (3, 2), (14, 1)] {
        assert_eq!(areas[labels[pixel] as usize], size);
    }
    let none = connected_components(&[0; 6], 3, 2).unwrap();
    assert_eq!(none, ConnectedComponents { labels: vec![0; 6], areas: vec![6] });
    assert!(matches!(connected_components(&mask, 5, 4), Err(ImagesError::Length { .. })));
}

#[test]
fn pixels_that_do_not_fit_their_size_are_refused() {
    let mut out = Vec::new();
    for (length, width, height) in [(5, 2, 3), (7, 2, 3), (0, 0, 3), (6, usize::MAX, 2)] {
        let data = vec![0; length];
        assert!(matches!(encode_png_gray(&data, width, height, &mut out), Err(ImagesError::Length { .. })));
        assert!(matches!(encode_jpeg_rgb(&data, width, height, &mut out), Err(ImagesError::Length { .. })));
    }
}

/// Limited range: black is Y 16, white is Y 235, and red (81, 90, 240) shows which of U and V is which.
#[test]
fn yuv_is_bt601_of_limited_range() {
    let close = |out: &[u8], rgb: [u8; 3]| {
        out.as_chunks::<3>().0.iter().all(|p| p.iter().zip(rgb).all(|(a, b)| a.abs_diff(b) <= 2))
    };
    for ([y, u, v], rgb) in [
        ([16, 128, 128], [0, 0, 0]),
        ([235, 128, 128], [255, 255, 255]),
        ([81, 90, 240], [255, 0, 0]),
        ([41, 240, 110], [0, 0, 255]),
    ] {
        for (encoding, data, step) in [
            (Encoding::Uyvy, [u, y, v, y].repeat(2 * 2), 8),
            (Encoding::Yuyv, [y, u, y, v].repeat(2 * 2), 8),
            (Encoding::Nv12, [[y; 8].as_slice(), &[u, v, u, v]].concat(), 4),
        ] {
            let out = converted(encoding, 4, 2, step, &data);
            assert!(close(&out, rgb), "{encoding} {y} {u} {v}: {out:?}, not {rgb:?}");
        }
    }
}

/// A red, green or blue world, seen through each mosaic: the names of ROS, not those of OpenCV.
#[test]
fn a_mosaic_shows_the_colour_it_was_made_of() {
    for (encoding, cell) in [
        (Encoding::BayerRggb8, "rggb"),
        (Encoding::BayerBggr8, "bggr"),
        (Encoding::BayerGbrg8, "gbrg"),
        (Encoding::BayerGrbg8, "grbg"),
    ] {
        for (channel, letter) in "rgb".bytes().enumerate() {
            let lit = |i: usize| cell.as_bytes()[i / 8 % 2 * 2 + i % 2] == letter;
            let mosaic: Vec<u8> = (0..64).map(|i| if lit(i) { 200 } else { 0 }).collect();
            let mut colour = [0; 3];
            colour[channel] = 200;
            assert_eq!(converted(encoding, 8, 8, 8, &mosaic), colour.repeat(64), "{encoding} {letter}");
        }
    }
}

#[test]
fn row_padding_changes_no_pixel() {
    for (encoding, _) in Encoding::ALL {
        let (width, height) = (6, 4);
        let row = width * encoding.bytes_per_pixel();
        let rows = if encoding == Encoding::Nv12 { 6 } else { 4 };
        let tight: Vec<u8> = (0..row * rows).map(|i| (i * 37 % 251) as u8).collect();
        let expected = converted(encoding, width, height, row, &tight);
        // An odd padding cuts through the pixels of two bytes.
        for padding in [1, 2, 3, 64] {
            let data = padded(&tight, row, padding);
            assert_eq!(
                converted(encoding, width, height, row + padding, &data),
                expected,
                "{encoding}+{padding}"
            );
        }
    }
}

#[test]
fn no_video_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.mp4");
    assert!(matches!(Video::open(&path), Err(ImagesError::Missing { .. })));
    std::fs::write(&path, "no video").unwrap();
    let error = Video::open(&path).unwrap_err();
    assert!(matches!(error, ImagesError::NotAVideo { .. }) && error.to_string().contains("a.mp4"), "{error}");
}

/// Motion JPEG is the one codec OpenCV brings along: no ffmpeg is needed here.
#[test]
fn a_video_gives_its_frames_in_order_and_ends() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.avi");
    write_test_video(&path, &[[200, 40, 40], [40, 200, 40], [40, 40, 200]]);
    let mut video = Video::open(&path).unwrap();
    assert_eq!((video.fps(), video.frame_count()), (Some(10.0), Some(3)));
    for brightest in 0..3 {
        let frame = video.next_frame().unwrap().unwrap();
        assert_eq!((frame.width, frame.height), (64, 48));
        assert!(frame.data[brightest] > 150, "{:?}", &frame.data[..3]);
    }
    assert!(video.next_frame().unwrap().is_none());
}

proptest! {
    #[test]
    fn no_frame_panics(e in 0..12usize, w in 1..9usize, h in 1..9usize, pad in 0..5usize, fill: u8) {
        let encoding = Encoding::ALL[e].0;
        let step = w * encoding.bytes_per_pixel() + pad;
        let rows = if encoding == Encoding::Nv12 { h + h / 2 } else { h };
        let data = vec![fill; step * rows];
        if let Ok(frame) = Frame::new(encoding, w, h, step, &data) {
            let mut out = Vec::new();
            to_rgb(&frame, &mut out).unwrap();
            prop_assert_eq!(out.len(), w * h * 3);
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode_rgb(&bytes, "x");
        let _ = decode_camera(&bytes, "x");
        let _ = decode_gray(&bytes, "x");
        let _ = decode_gray16(&bytes, "x");
        let _ = decode_rgba(&bytes, "x");
    }
}

/// Preprocessing's own interpolation against OpenCV's, which models are trained with.
#[test]
fn resampling_is_opencvs() {
    use crate::frame::Size;
    use crate::model::InputSpec;
    use crate::model::Interpolation;
    use crate::preprocess::Preprocess;
    use crate::preprocess::geometry::{Fit, Geometry};
    use opencv::core::{Mat, Vec3f};
    use opencv::{imgproc, prelude::*};

    let camera = Size { width: 97, height: 53 };
    let rgb = picture(camera.width, camera.height);
    let pixels: Vec<Vec3f> =
        rgb.data.chunks_exact(3).map(|p| Vec3f::from([p[0], p[1], p[2]].map(f32::from))).collect();
    let source = Mat::new_rows_cols_with_data(camera.height as i32, camera.width as i32, &pixels).unwrap();
    for (interpolation, flag) in
        [(Interpolation::Bilinear, imgproc::INTER_LINEAR), (Interpolation::Area, imgproc::INTER_AREA)]
    {
        for size in
            [Size { width: 40, height: 31 }, Size { width: 97, height: 53 }, Size { width: 33, height: 20 }]
        {
            let mut resized = Mat::default();
            let to = opencv::core::Size::new(size.width as i32, size.height as i32);
            imgproc::resize(&source, &mut resized, to, 0.0, 0.0, flag).unwrap();
            let want = resized.data_typed::<Vec3f>().unwrap();

            let spec = InputSpec { std: [1.0 / 255.0; 3], interpolation, ..InputSpec::default() };
            let geometry = Geometry::new(camera, None, Fit::Stretch, size).unwrap();
            let frame = Frame::rgb8(camera.width, camera.height, &rgb.data).unwrap();
            let plane = size.width * size.height;
            let mut got = vec![0.0; 3 * plane];
            Preprocess::new(&spec).run(&frame, &geometry, &mut got).unwrap();
            for (i, want) in want.iter().enumerate() {
                for c in 0..3 {
                    let (got, want) = (got[c * plane + i], want[c]);
                    // OpenCV keeps its weights in f32: a few units in the last place of 255.
                    assert!((got - want).abs() < 2e-3, "{interpolation:?} {size} pixel {i}: {got} vs {want}");
                }
            }
        }
    }
}

/// Only the header is large: nothing of that size is asked for.
#[test]
fn a_png_that_says_it_is_huge_is_refused() {
    let mut bytes = Vec::new();
    encode_png_gray(&[1], 1, 1, &mut bytes).unwrap();
    bytes[16..24].copy_from_slice(&[0, 0, 0x40, 0, 0, 0, 0x40, 1]);
    let said = "x is 16384x16385, over 268435456 pixels: is it damaged?";
    assert_eq!(decode_gray(&bytes, "x").unwrap_err().to_string(), said);
    assert_eq!(decode_gray16(&bytes, "x").unwrap_err().to_string(), said);
}

#[test]
fn a_cut_out_comes_back_as_it_went() {
    let data: Vec<u8> = (0..7 * 5 * 4).map(|i| (i * 13 % 256) as u8).collect();
    let mut bytes = Vec::new();
    encode_png_rgba(&data, 7, 5, &mut bytes).unwrap();
    assert_eq!(decode_rgba(&bytes, "x").unwrap(), Rgba { width: 7, height: 5, data });
}

#[test]
fn a_picture_shrinks_by_area_and_grows_without_new_values() {
    let stripes: Vec<u8> =
        (0..8 * 4).flat_map(|i| if i % 2 == 0 { [0, 50, 100] } else { [200; 3] }).collect();
    let rgb = Rgb { width: 8, height: 4, data: stripes };
    let half = resize_rgb(&rgb, 4, 2).unwrap();
    assert_eq!((half.width, half.height, half.data), (4, 2, [100, 125, 150].repeat(8)));
    assert_eq!(resize_rgb(&rgb, 8, 4).unwrap(), rgb, "of its own size it is itself");
    let large = resize_rgb(&rgb, 24, 12).unwrap();
    assert!(large.data.chunks_exact(3).all(|p| p[0] <= 200 && (50..=200).contains(&p[1])));
    for (width, height) in [(0, 4), (4, 0), (usize::MAX, 2), (1 << 20, 1 << 20)] {
        assert!(matches!(resize_rgb(&rgb, width, height), Err(ImagesError::Length { .. })));
    }
}

#[test]
fn a_blur_keeps_the_mean_and_spreads_the_rest() {
    let mut data = vec![0; 21 * 21 * 3];
    data[(10 * 21 + 10) * 3] = 255;
    let rgb = Rgb { width: 21, height: 21, data };
    let blurred = blur_rgb(&rgb, 1.0).unwrap();
    let peak = blurred.data[(10 * 21 + 10) * 3];
    assert!(peak.abs_diff(41) <= 1, "{peak}: 255 / (2 pi sigma^2), in fixed point");
    assert!(blurred.data.chunks_exact(3).all(|p| p[1] == 0 && p[2] == 0));
    assert_eq!(blur_rgb(&rgb, 0.0).unwrap(), rgb);
}
