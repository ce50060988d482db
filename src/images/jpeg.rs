//! Whether a JPEG is whole, and how large it says it is. libjpeg fills what is missing with gray and only warns:
//! a network would label it.

/// True for bytes that begin as a JPEG and lack its end. False for anything that is no JPEG.
pub(super) fn is_cut_off(bytes: &[u8]) -> bool {
    if !bytes.starts_with(&[0xFF, 0xD8]) {
        return false;
    }
    // Thumbnails (which have an end of their own) live in the segments before the scan; what cameras
    // append or pad comes after the end. In between the marker cannot occur: 0xFF is stuffed.
    scan(bytes).is_none_or(|scan| !scan.windows(2).rev().any(|pair| pair == [0xFF, 0xD9]))
}

/// The bytes from the first start of scan on; `None` where the segments before it do not add up.
fn scan(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes.get(2..)?;
    while !matches!(rest, [0xFF, 0xDA, ..]) {
        rest = after_segment(rest)?;
    }
    Some(rest)
}

/// What follows the segment that the bytes begin with; `None` where they begin with none.
fn after_segment(bytes: &[u8]) -> Option<&[u8]> {
    match bytes {
        // Markers may be preceded by fill bytes, and two kinds of marker have no length.
        [0xFF, 0xFF, ..] => bytes.get(1..),
        [0xFF, 0x01 | 0xD0..=0xD8, ..] => bytes.get(2..),
        [0xFF, _, high, low, ..] => {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            bytes.get(2 + length.max(2)..)
        }
        _ => None,
    }
}

/// Width and height as the frame's header says, where it is a JPEG that has one before its scan.
pub(super) fn size(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut rest = bytes.strip_prefix(&[0xFF, 0xD8])?;
    loop {
        match rest {
            [0xFF, 0xDA, ..] => return None,
            // Three markers of their kind are no frame's: tables, and one that is reserved.
            [0xFF, 0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF, _, _, _, h1, h0, w1, w0, ..] => {
                let side = |high: &u8, low: &u8| u32::from(u16::from_be_bytes([*high, *low]));
                return Some((side(w1, w0), side(h1, h0)));
            }
            _ => rest = after_segment(rest)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{is_cut_off, size};
    use proptest::prelude::*;

    /// A segment with a thumbnail's end in it, a scan of two stuffed bytes.
    const WHOLE: [u8; 18] =
        [0xFF, 0xD8, 0xFF, 0xE1, 0, 6, 0xFF, 0xD9, 1, 2, 0xFF, 0xDA, 0, 2, 0xFF, 0x00, 0xFF, 0xD9];

    #[test]
    fn every_prefix_is_cut_off_and_a_tail_is_no_harm() {
        for length in 2..WHOLE.len() {
            assert!(is_cut_off(&WHOLE[..length]), "{length} bytes");
        }
        assert!(!is_cut_off(&WHOLE));
        assert!(!is_cut_off(&[&WHOLE[..], &[0; 100]].concat()), "padded by a camera");
        assert!(!is_cut_off(b"\x89PNG\r\n"), "no jpeg at all");
    }

    #[test]
    fn the_size_is_that_of_the_frame() {
        // A table, fill bytes, a frame of 3 rows and 0x102 columns.
        let bytes = [0xFF, 0xD8, 0xFF, 0xC4, 0, 3, 9, 0xFF, 0xFF, 0xC2, 0, 11, 8, 0, 3, 1, 2, 1];
        assert_eq!(size(&bytes), Some((0x102, 3)));
        assert_eq!((size(&bytes[..16]), size(&WHOLE), size(b"\x89PNG\r\n")), (None, None, None));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            bytes.splice(0..0, [0xFF, 0xD8]);
            is_cut_off(&bytes);
            size(&bytes);
        }
    }
}
