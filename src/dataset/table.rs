//! From stored values to labels, by a table that knows what it does not know.

use std::path::{Path, PathBuf};

use super::{DatasetError, Options, Sample};
use crate::images::{self, Gray};
use crate::labels::IGNORE;

/// What a stored value says of its pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The known class of that label.
    Known(u8),
    /// None of the known classes.
    Unknown,
    /// Ignored; unknown where [`Options::void_as_unknown`] asks for it.
    Void,
    /// Not judged.
    Ignored,
}

/// Stored values, first to last, with what they mean and how the data set calls them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub first: u8,
    pub last: u8,
    pub meaning: Meaning,
    #[cfg_attr(not(test), expect(dead_code, reason = "for readers, and for the tests of the tables"))]
    pub name: &'static str,
}

/// One value.
pub(super) const fn row(value: u8, meaning: Meaning, name: &'static str) -> Row {
    Row { first: value, last: value, meaning, name }
}

/// Values of one meaning.
pub(super) const fn rows(first: u8, last: u8, meaning: Meaning, name: &'static str) -> Row {
    Row { first, last, meaning, name }
}

/// In place of a label: the table has no such value.
const OUTSIDE: u16 = 256;

/// The label of each stored value.
#[derive(Debug)]
pub(super) struct Table {
    labels: [u16; 256],
    /// Where published variants ignore by two values: the one that this set does not have.
    other: Option<Other>,
}

/// The value that the other variant ignores by, and which file told that this set is not of it.
#[derive(Debug)]
struct Other {
    value: u8,
    ignore: u8,
    decided_by: PathBuf,
}

impl Table {
    /// The rows, with K unknown, and void as the options say.
    pub(super) fn new(rows: &[Row], known: u8, options: &Options) -> Self {
        let mut labels = [OUTSIDE; 256];
        for row in rows {
            let label = match row.meaning {
                Meaning::Known(label) => label,
                Meaning::Unknown => known,
                Meaning::Void if options.void_as_unknown => known,
                Meaning::Void | Meaning::Ignored => IGNORE,
            };
            labels[usize::from(row.first)..=usize::from(row.last)].fill(label.into());
        }
        Self { labels, other: None }
    }

    /// The table of a set that ignores by one of two values: the one asked for, or the one that the first
    /// file tells that holds either. Every file that says otherwise is an error when it is read, so no part
    /// of the set is read by another rule than the rest.
    pub(super) fn ignoring(
        mut self,
        [usual, older]: [u8; 2],
        samples: &[Sample],
        options: &Options,
    ) -> Result<Self, DatasetError> {
        let ignore = if let Some(value) = options.ignore {
            value
        } else if let Some((ignore, decided_by)) = first_that_ignores([usual, older], samples)? {
            let value = if ignore == usual { older } else { usual };
            self.other = Some(Other { value, ignore, decided_by });
            ignore
        } else {
            usual // Nothing is ignored: either value is right.
        };
        self.labels[usize::from(ignore)] = IGNORE.into();
        Ok(self)
    }

    /// One label a pixel.
    ///
    /// # Errors
    /// The first value that the table does not have, with its position.
    pub(super) fn labels(&self, gray: &Gray, file: &Path) -> Result<Vec<u8>, DatasetError> {
        let mut all = 0;
        let labels = gray.data.iter().map(|&value| {
            let label = self.labels[usize::from(value)];
            all |= label;
            label as u8 // OUTSIDE is seen in `all`.
        });
        let labels = labels.collect();
        if all & OUTSIDE == 0 {
            return Ok(labels);
        }
        let outside = |value: &u8| self.labels[usize::from(*value)] == OUTSIDE;
        let at = gray.data.iter().position(outside).unwrap_or_default();
        let (value, x, y) = (gray.data[at], at % gray.width, at / gray.width);
        let file = file.into();
        Err(match &self.other {
            Some(other) if other.value == value => DatasetError::TwoVariants {
                file,
                value,
                x,
                y,
                ignore: other.ignore,
                decided_by: other.decided_by.clone(),
            },
            _ => DatasetError::Value { file, value: value.into(), x, y, expected: self.values() },
        })
    }

    /// The values of the table: `0-33, 255`.
    fn values(&self) -> String {
        let inside: Vec<usize> = (0..256).filter(|v| self.labels[*v] != OUTSIDE).collect();
        let runs = inside.chunk_by(|a, b| a + 1 == *b).map(|run| match run {
            [first, .., last] => format!("{first}-{last}"),
            run => run.iter().map(usize::to_string).collect(),
        });
        runs.collect::<Vec<_>>().join(", ")
    }
}

/// The first file that holds one of the values, in the order of samples, and which one it holds.
fn first_that_ignores(values: [u8; 2], samples: &[Sample]) -> Result<Option<(u8, PathBuf)>, DatasetError> {
    for file in samples.iter().flat_map(|sample| &sample.truth) {
        let gray = images::read_gray(file)?;
        if let Some(value) = gray.data.iter().find(|value| values.contains(value)) {
            return Ok(Some((*value, file.clone())));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::ALL;
    use crate::dataset::Classes;
    use crate::dataset::entry::Values;

    fn table(rows: &[Row]) -> Table {
        Table::new(rows, 1, &Options::default())
    }

    #[test]
    fn a_value_outside_the_table_is_named_with_its_place() {
        let rows =
            [row(0, Meaning::Known(0), ""), rows(2, 4, Meaning::Unknown, ""), row(9, Meaning::Void, "")];
        let gray = Gray { width: 2, height: 2, data: vec![0, 4, 9, 5] };
        let error = table(&rows).labels(&gray, Path::new("a.png")).unwrap_err().to_string();
        assert_eq!(error, "a.png holds 5 at (1, 1), but its values are 0, 2-4, 9");

        let gray = Gray { width: 3, height: 1, data: vec![0, 4, 9] };
        assert_eq!(table(&rows).labels(&gray, Path::new("a.png")).unwrap(), [0, 1, IGNORE]);
    }

    /// Whatever the table: a value has one row, a class has one name, and it is the one at its label.
    #[test]
    fn the_tables_agree_with_the_names_of_their_classes() {
        for entry in ALL {
            let (Values::Table(rows) | Values::TableIgnoring(_, rows)) = entry.values else { continue };
            let mut seen = [false; 256];
            for row in rows {
                for value in row.first..=row.last {
                    assert!(
                        !std::mem::replace(&mut seen[usize::from(value)], true),
                        "{} {value}",
                        entry.name
                    );
                }
                if let (Meaning::Known(label), Classes::Named(names)) = (row.meaning, entry.classes) {
                    assert_eq!(names[usize::from(label)], row.name, "{}", entry.name);
                }
            }
            for label in 0..entry.known() {
                assert!(
                    rows.iter().any(|row| row.meaning == Meaning::Known(label)),
                    "{} {label}",
                    entry.name
                );
            }
        }
    }
}
