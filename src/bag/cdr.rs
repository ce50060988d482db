//! The bytes of a message, read field by field: plain CDR of either byte order.

/// A place in a message. Each read moves it on; `None` where the message ends too early or is of another form.
pub(super) struct Cdr<'a> {
    /// Behind the encapsulation, from where alignment is counted.
    bytes: &'a [u8],
    at: usize,
    is_little: bool,
}

impl<'a> Cdr<'a> {
    /// At the first field.
    pub(super) fn new(message: &'a [u8]) -> Option<Self> {
        match message.split_at_checked(4)? {
            ([0, order @ (0 | 1), ..], bytes) => Some(Self { bytes, at: 0, is_little: *order == 1 }),
            _ => None,
        }
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some(taken)
    }

    /// A field of one byte.
    pub(super) fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    /// A field of four, at a multiple of four.
    pub(super) fn word(&mut self) -> Option<u32> {
        self.at = self.at.next_multiple_of(4);
        let bytes = *self.take(4)?.first_chunk::<4>()?;
        Some(if self.is_little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    /// A sequence of bytes.
    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.word()?;
        self.take(usize::try_from(length).ok()?)
    }

    /// A string, whose end is a NUL that is counted.
    pub(super) fn text(&mut self) -> Option<&'a str> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes.strip_suffix(&[0]).unwrap_or(bytes)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_are_aligned_from_behind_the_encapsulation() {
        let message = [0, 1, 0, 0, 3, 0, 0, 0, b'a', b'b', 0, 9, 7, 0, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0, 8];
        let mut cdr = Cdr::new(&message).unwrap();
        assert_eq!((cdr.text(), cdr.byte(), cdr.word(), cdr.byte()), (Some("ab"), Some(9), Some(7), Some(5)));
        assert_eq!((cdr.bytes(), cdr.byte(), cdr.word()), (Some(&[8][..]), None, None));
        let big = [0, 0, 0, 0, 0, 0, 1, 2];
        assert_eq!(Cdr::new(&big).unwrap().word(), Some(0x102));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(message: Vec<u8>) {
            if let Some(mut cdr) = Cdr::new(&message) {
                let _ = (cdr.word(), cdr.text(), cdr.byte(), cdr.bytes(), cdr.word());
            }
        }
    }
}
