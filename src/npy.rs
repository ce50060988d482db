//! Maps of f32 as NumPy's `.npy`, version 1.0: `numpy.load` reads them, and so does nearly everything else.

/// The bytes of a file that holds `data` as an array `[height, width]`.
pub fn encode(data: &[f32], height: usize, width: usize) -> Vec<u8> {
    const MAGIC: &[u8] = b"\x93NUMPY\x01\x00";
    let mut header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({height}, {width}), }}").into_bytes();
    // The data begins at a multiple of 64, so that it can be mapped; the header ends in a newline.
    let unpadded = MAGIC.len() + 2 + header.len() + 1;
    header.resize(header.len() + unpadded.next_multiple_of(64) - unpadded, b' ');
    header.push(b'\n');

    let mut out = Vec::with_capacity(MAGIC.len() + 2 + header.len() + size_of_val(data));
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&(header.len() as u16).to_le_bytes()); // Far below 2^16: three numbers and a frame.
    out.extend_from_slice(&header);
    out.extend(data.iter().flat_map(|v| v.to_le_bytes()));
    out
}

#[cfg(test)]
mod tests {
    use super::encode;

    /// Against NumPy itself: `tests/python/test_segment.py`.
    #[test]
    fn the_data_begins_at_a_multiple_of_64() {
        for (height, width) in [(1, 1), (360, 480), (1080, 1920), (123_456_789, 0)] {
            let data = vec![1.5f32; (height * width).min(9)];
            let bytes = encode(&data, height, width);
            let start = bytes.len() - data.len() * 4;
            assert_eq!(start % 64, 0);
            assert_eq!(u16::from_le_bytes([bytes[8], bytes[9]]) as usize, start - 10);
            assert_eq!(bytes[start - 1], b'\n');
            assert!(bytes[start..].chunks(4).all(|v| v == 1.5f32.to_le_bytes()));
        }
    }
}
