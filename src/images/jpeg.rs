//! Whether a JPEG is whole. libjpeg fills what is missing with gray and only warns: a network would label it.

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
    loop {
        match rest {
            [0xFF, 0xDA, ..] => return Some(rest),
            // Markers may be preceded by fill bytes, and two kinds of marker have no length.
            [0xFF, 0xFF, ..] => rest = &rest[1..],
            [0xFF, 0x01 | 0xD0..=0xD8, ..] => rest = &rest[2..],
            [0xFF, _, high, low, ..] => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                rest = rest.get(2 + length.max(2)..)?;
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_cut_off;
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

    proptest! {
        #[test]
        fn no_bytes_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            bytes.splice(0..0, [0xFF, 0xD8]);
            is_cut_off(&bytes);
        }
    }
}
