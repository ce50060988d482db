//! One hash for a set of files, which a shell can verify.

use crate::hex::hex;
use sha2::{Digest, Sha256};

/// The line of a file: 64 hex digits, two spaces, its path below the root with `/`, a line break.
pub fn file_line(path: &str, bytes: &[u8]) -> String {
    format!("{}  {path}\n", hex(Sha256::digest(bytes).as_slice()))
}

/// The hash over the lines added so far.
///
/// Each file of each sample, in the order of samples and image first, is one line as `sha256sum` prints it in
/// the root; the SHA-256 over all lines is the set's hash. A shell verifies it: for a `folder` with `labels/`
/// and `ood/`, by
/// ```sh
/// export LC_ALL=C
/// for image in images/*; do
///     id=$(basename "${image%.*}")
///     sha256sum "$image" "labels/$id.png" "ood/$id.png"
/// done | sha256sum
/// ```
#[derive(Debug, Clone, Default)]
pub struct SetHash(Sha256);

impl SetHash {
    /// Lines of [`file_line`], in the order of samples.
    pub fn add(&mut self, lines: &str) {
        self.0.update(lines);
    }

    /// 64 hex digits.
    pub fn finish(self) -> String {
        hex(self.0.finalize().as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `printf a >x; printf b >d/y; sha256sum x d/y | sha256sum`
    #[test]
    fn sha256sum_gives_the_same() {
        assert_eq!(
            file_line("x", b"a"),
            "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb  x\n"
        );
        let mut hash = SetHash::default();
        hash.add(&file_line("x", b"a"));
        hash.add(&file_line("d/y", b"b"));
        assert_eq!(hash.finish(), "5da38a4029024016b09fbdd9ebb34572aa842ac8cbeb6a89f59a913ea72c11a2");
    }
}
