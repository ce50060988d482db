//! Hashes as manifests and `sha256sum` write them.

/// Two small letters or digits a byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
