//! What a PNG header says about its values, so that a label map is never read as something it is not.

/// Bytes before the header's fields: signature, length, name of the chunk.
const IHDR: usize = 16;

/// Width and height, where it is a PNG.
pub(super) fn size(bytes: &[u8]) -> Option<(u32, u32)> {
    let (width, rest) = fields(bytes)?.split_first_chunk()?;
    Some((u32::from_be_bytes(*width), u32::from_be_bytes(*rest.first_chunk()?)))
}

/// Bits of a value, where it is a PNG.
pub(super) fn bits(bytes: &[u8]) -> Option<u8> {
    fields(bytes)?.get(8).copied()
}

/// What the header holds, and all after it.
fn fields(bytes: &[u8]) -> Option<&[u8]> {
    let is_png = bytes.starts_with(b"\x89PNG\r\n\x1a\n") && bytes.get(IHDR - 4..IHDR)? == b"IHDR";
    if is_png { bytes.get(IHDR..) } else { None }
}

/// What is stored, in words, where it is a PNG of anything but gray of one of the depths `gray_bits`. Decoders
/// hide it: a palette becomes colours, 1 to 4 bits are stretched to 0..255.
pub(super) fn surprise(bytes: &[u8], gray_bits: &[u8]) -> Option<String> {
    let fields = fields(bytes)?;
    // Width and height take 8 bytes; the bit depth and the colour type follow (PNG, 11.2.2).
    let (&bits, &colour) = (fields.get(8)?, fields.get(9)?);
    let kind = match colour {
        0 if gray_bits.contains(&bits) => return None,
        0 => "gray",
        2 => "colour",
        3 => "palette indices",
        4 => "gray with alpha",
        6 => "colour with alpha",
        _ => return None, // No PNG after all: the decoder says so.
    };
    Some(format!("{kind} of {bits} bits"))
}

#[cfg(test)]
mod tests {
    use super::{IHDR, size, surprise};

    fn header(bits: u8, colour: u8) -> Vec<u8> {
        [b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x01\0\0\0\x01", &[bits, colour][..]].concat()
    }

    #[test]
    fn only_gray_of_the_depths_asked_for_is_no_surprise() {
        assert_eq!(surprise(&header(8, 0), &[8]), None);
        assert_eq!(surprise(&header(16, 0), &[8, 16]), None);
        assert_eq!(surprise(&header(16, 0), &[8]).as_deref(), Some("gray of 16 bits"));
        assert_eq!(surprise(&header(1, 0), &[8, 16]).as_deref(), Some("gray of 1 bits"));
        assert_eq!(surprise(&header(8, 3), &[8]).as_deref(), Some("palette indices of 8 bits"));
        assert_eq!(surprise(&header(8, 6), &[8]).as_deref(), Some("colour with alpha of 8 bits"));
    }

    #[test]
    fn the_size_is_that_of_the_header() {
        let mut bytes = header(8, 0);
        bytes[IHDR..][..8].copy_from_slice(&[0, 1, 0, 2, 0, 0, 3, 4]);
        assert_eq!(size(&bytes), Some((0x10002, 0x304)));
        assert_eq!((size(&bytes[..IHDR + 7]), size(b"\xFF\xD8\xFF")), (None, None));
    }

    #[test]
    fn what_is_no_png_or_ends_early_is_left_to_the_decoder() {
        assert_eq!(surprise(b"\xFF\xD8\xFF", &[8]), None);
        for length in 0..header(8, 3).len() {
            assert_eq!(surprise(&header(8, 3)[..length], &[8]), None, "{length} bytes");
        }
    }
}
