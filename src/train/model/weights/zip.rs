//! The zip that torch.save writes: files that are stored as they are. Nothing is unpacked, so nothing can grow.

/// A file in the archive.
pub(super) struct Entry<'a> {
    pub name: &'a str,
    pub bytes: &'a [u8],
}

const END: &[u8] = b"PK\x05\x06";
const END_LENGTH: usize = 22;
const DIRECTORY: &[u8] = b"PK\x01\x02";
const LOCAL: &[u8] = b"PK\x03\x04";
/// Longest comment that may follow the end.
const MAX_COMMENT: usize = u16::MAX as usize;

/// All files, by the directory at the archive's end; the reason where that does not lead to them.
pub(super) fn entries(bytes: &[u8]) -> Result<Vec<Entry<'_>>, &'static str> {
    const NO_END: &str = "it has no directory at its end: it may be cut short";
    let from = bytes.len().saturating_sub(END_LENGTH + MAX_COMMENT);
    let found = bytes[from..].windows(END.len()).rposition(|window| window == END).ok_or(NO_END)?;
    let end = bytes.get(from + found..).filter(|end| end.len() >= END_LENGTH).ok_or(NO_END)?;
    let count = u16_at(end, 10).ok_or(NO_END)?;
    let mut at = u32_at(end, 16).ok_or(NO_END)?;
    let mut entries = Vec::with_capacity(count);
    for _ in 0..count {
        const NO_FILE: &str = "its directory leads to no file (archives over 4 GiB are not read)";
        let record = bytes.get(at..).filter(|record| record.starts_with(DIRECTORY)).ok_or(NO_FILE)?;
        let field16 = |offset| u16_at(record, offset).ok_or(NO_FILE);
        let field32 = |offset| u32_at(record, offset).ok_or(NO_FILE);
        if field16(10)? != 0 {
            return Err("its files are compressed, which torch.save does not do");
        }
        let (length, name_length, local) = (field32(24)?, field16(28)?, field32(42)?);
        let name = record.get(46..46 + name_length).ok_or(NO_FILE)?;
        let name = std::str::from_utf8(name).map_err(|_| "a file in it has a name that is no text")?;
        at += 46 + name_length + field16(30)? + field16(32)?;

        let header = bytes.get(local..).filter(|header| header.starts_with(LOCAL)).ok_or(NO_FILE)?;
        let start = 30 + u16_at(header, 26).ok_or(NO_FILE)? + u16_at(header, 28).ok_or(NO_FILE)?;
        let content = start.checked_add(length).and_then(|end| header.get(start..end)).ok_or(NO_FILE)?;
        entries.push(Entry { name, bytes: content });
    }
    Ok(entries)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?).into())
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?)).ok()
}
