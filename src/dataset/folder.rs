//! `folder`: any labelled images, in the form that `open-set dataset paste` writes.
//!
//! `images/ID.*` with `labels/ID.png` (0..K a class of the model, K unknown, 255 ignored), with `ood/ID.png`
//! (0 inlier, 1 anomaly, 255 ignored), or with both; `depth/ID.png` may be there.

use std::path::Path;

use super::entry::{Depth, Entry, Files, Layout, PICTURES, Split, Values};
use super::truth::{Truth, check_size};
use super::{Classes, DatasetError, Options, Sample};
use crate::frame::Size;
use crate::images::{Gray, decode_gray};
use crate::labels::IGNORE;

const LABELS: Files = Files::new("labels", &[".png"]);
const OOD: Files = Files::new("ood", &[".png"]);

const fn layout(truth: &'static [Files]) -> Layout {
    Layout {
        depth: Some(Depth::Metres { folder: "depth" }),
        ..Layout::new(Files::new("images", PICTURES), truth)
    }
}

pub(super) const FOLDER: Entry = Entry {
    name: "folder",
    about: "images/ with labels/ (ids of the model, K unknown), ood/ (0, 1) or both, 255 ignored; split all",
    splits: &[Split::new("all", &[layout(&[LABELS, OOD]), layout(&[LABELS]), layout(&[OOD])])],
    classes: Classes::Model,
    values: Values::Folder,
};

/// How the truth of one folder is read.
#[derive(Debug)]
pub(super) struct Maps {
    kinds: Kinds,
    /// K, where it is known: labels are checked by it.
    unknown: Option<u8>,
}

/// Which maps a sample has, in the order of the layouts above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kinds {
    Labels,
    Ood,
    Both,
}

impl Maps {
    pub(super) fn new(layout: &Layout, options: &Options) -> Result<Self, DatasetError> {
        let kinds = match layout.truth {
            [_, _] => Kinds::Both,
            [one] if one.folder == LABELS.folder => Kinds::Labels,
            _ => Kinds::Ood,
        };
        let unknown = match options.classes {
            None => None,
            Some(k) => Some(u8::try_from(k).ok().filter(|k| *k < IGNORE).ok_or(DatasetError::Option {
                set: FOLDER.name,
                option: format!("{k} classes"),
                reason: "unknown is K, and that must stay below 255, which means ignored",
            })?),
        };
        Ok(Self { kinds, unknown })
    }

    pub(super) fn has_labels(&self) -> bool {
        self.kinds != Kinds::Ood
    }

    /// Where both maps are there, what either ignores is ignored, and the label is K where, and only where,
    /// the mask says anomaly.
    pub(super) fn truth(&self, sample: &Sample, files: &[Vec<u8>]) -> Result<Truth, DatasetError> {
        let read = |at: usize, highest: Option<u8>| {
            let file = sample.truth[at].as_path();
            let gray = decode_gray(&files[at], &file.display().to_string())?;
            check_values(&gray, file, highest)?;
            Ok::<_, DatasetError>((gray, file))
        };
        let gray = match self.kinds {
            Kinds::Labels => read(0, self.unknown)?.0,
            Kinds::Ood => read(0, Some(1))?.0,
            Kinds::Both => self.merge(read(0, self.unknown)?, read(1, Some(1))?)?,
        };
        Ok(Truth { size: size(&gray), labels: gray.data })
    }

    fn merge(&self, labels: (Gray, &Path), ood: (Gray, &Path)) -> Result<Gray, DatasetError> {
        let ((mut labels, labels_file), (ood, ood_file)) = (labels, ood);
        check_size(ood_file, size(&ood), labels_file, size(&labels))?;
        for (at, (label, &ood)) in labels.data.iter_mut().zip(&ood.data).enumerate() {
            if *label == IGNORE || ood == IGNORE {
                *label = IGNORE;
                continue;
            }
            if let Some(unknown) = self.unknown
                && (*label == unknown) != (ood == 1)
            {
                return Err(DatasetError::Disagree {
                    labels: labels_file.into(),
                    label: *label,
                    oods: ood_file.into(),
                    ood,
                    x: at % labels.width,
                    y: at / labels.width,
                    unknown,
                });
            }
        }
        Ok(labels)
    }
}

fn size(gray: &Gray) -> Size {
    Size { width: gray.width, height: gray.height }
}

/// Up to `highest`, and 255.
fn check_values(gray: &Gray, file: &Path, highest: Option<u8>) -> Result<(), DatasetError> {
    let Some(highest) = highest else { return Ok(()) };
    let Some(at) = gray.data.iter().position(|value| *value > highest && *value != IGNORE) else {
        return Ok(());
    };
    Err(DatasetError::Value {
        file: file.into(),
        value: gray.data[at].into(),
        x: at % gray.width,
        y: at / gray.width,
        expected: format!("0-{highest}, 255"),
    })
}
