//! Curves for TensorBoard: an event file of scalars.
//!
//! A file is a row of TFRecords: the length (u64, little endian), its masked CRC-32C, the data, theirs. The
//! data is a protobuf `Event`; the four fields that a scalar takes are written by hand, which is less than a
//! generated copy of TensorFlow's messages. An event is in the file as soon as it is written, so that a run
//! that is watched is seen, and one that is killed leaves whole records.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// One event file.
pub struct Events {
    file: File,
    path: PathBuf,
}

impl Events {
    /// A new file in `folder`; a resumed run has one for each start, which TensorBoard shows as one.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn create(folder: &Path) -> io::Result<Self> {
        let now = now();
        let name = format!("events.out.tfevents.{}.open-set-train.{}", now as u64, std::process::id());
        let path = folder.join(name);
        let mut events = Self { file: File::options().create(true).append(true).open(&path)?, path };
        events.write(&[double(1, now), bytes(3, b"brain.Event:2")].concat())?;
        Ok(events)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Values at one step, each under its tag.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn scalars(&mut self, step: u64, values: &[(String, f64)]) -> io::Result<()> {
        let summary: Vec<u8> = values
            .iter()
            .flat_map(|(tag, value)| bytes(1, &[bytes(1, tag.as_bytes()), float(2, *value as f32)].concat()))
            .collect();
        self.write(&[double(1, now()), [key(2, VARINT), varint(step)].concat(), bytes(5, &summary)].concat())
    }

    fn write(&mut self, event: &[u8]) -> io::Result<()> {
        let length = (event.len() as u64).to_le_bytes();
        let record =
            [&length[..], &masked(&length).to_le_bytes(), event, &masked(event).to_le_bytes()].concat();
        self.file.write_all(&record)
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64())
}

/// CRC-32C, turned and shifted: TFRecord's guard against checksums of data that hold checksums.
fn masked(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

// Protobuf's wire types.
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const LENGTH: u64 = 2;
const FIXED32: u64 = 5;

fn key(field: u64, wire: u64) -> Vec<u8> {
    varint(field << 3 | wire)
}

/// Seven bits a byte, the lowest first; the top bit says that more follow.
fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(10);
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

fn double(field: u64, value: f64) -> Vec<u8> {
    [&key(field, FIXED64)[..], &value.to_le_bytes()].concat()
}

fn float(field: u64, value: f32) -> Vec<u8> {
    [&key(field, FIXED32)[..], &value.to_le_bytes()].concat()
}

fn bytes(field: u64, value: &[u8]) -> Vec<u8> {
    [&key(field, LENGTH)[..], &varint(value.len() as u64), value].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The data of each record, checksums compared.
    fn records(mut file: &[u8]) -> Vec<&[u8]> {
        let mut found = Vec::new();
        while !file.is_empty() {
            let (length, rest) = file.split_at(8);
            let (crc, rest) = rest.split_at(4);
            assert_eq!(crc, masked(length).to_le_bytes());
            let (data, rest) = rest.split_at(u64::from_le_bytes(length.try_into().unwrap()) as usize);
            let (crc, rest) = rest.split_at(4);
            assert_eq!(crc, masked(data).to_le_bytes());
            found.push(data);
            file = rest;
        }
        found
    }

    #[test]
    fn records_are_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let mut events = Events::create(dir.path()).unwrap();
        events.scalars(300, &[("loss/total".into(), 0.5), ("lr".into(), 1e-3)]).unwrap();
        events.scalars(301, &[]).unwrap();
        let file = std::fs::read(events.path()).unwrap();
        let found = records(&file);
        assert_eq!(found.len(), 3);
        assert!(found[0].ends_with(b"\x1a\x0dbrain.Event:2"));
        // The wall time takes the first nine bytes; 300 is 0xac 0x02.
        assert_eq!(found[1][9..12], [0x10, 0xac, 0x02]);
        let value = |tag: &str, v: f32| {
            let inner = [&[0x0a, tag.len() as u8], tag.as_bytes(), &[0x15], &v.to_le_bytes()].concat();
            [&[0x0a, inner.len() as u8][..], &inner].concat()
        };
        let summary = [value("loss/total", 0.5), value("lr", 1e-3)].concat();
        assert_eq!(found[1][12..], [&[0x2a, summary.len() as u8][..], &summary].concat());
        assert_eq!(found[2][12..], [0x2a, 0]);
    }

    /// From RFC 3720, B.4, masked by hand: 32 bytes of zeros have 0x8a9136aa.
    #[test]
    fn the_checksum_is_tfrecords() {
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(masked(&[0; 32]), 0x8a91_36aa_u32.rotate_right(15).wrapping_add(0xa282_ead8));
        assert_eq!(varint(0x7f), [0x7f]);
        assert_eq!(varint(u64::MAX).len(), 10);
    }
}
