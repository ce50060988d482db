//! The options that name a data set, and the set held against a model's classes.

use std::path::PathBuf;

use anyhow::bail;
use clap::builder::{PossibleValue, PossibleValuesParser};

use crate::dataset::{self, Classes, Dataset, Options, Sample};
use crate::labels::{IGNORE, Taxonomy};

/// Which frames, with which truth.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct DataArgs {
    /// The data set.
    #[arg(long, value_name = "NAME", value_parser = names())]
    pub dataset: String,
    /// Its folder.
    #[arg(long, value_name = "DIR")]
    pub root: PathBuf,
    /// Which part of it [default: the one marked above].
    #[arg(long)]
    pub split: Option<String>,
    /// Value of ignored pixels, where older copies of the layout have another and the files do not tell: 2 or 255.
    #[arg(long)]
    ignore: Option<u8>,
    /// Cityscapes: its void classes are the unknown, but unlabeled, ego vehicle, rectification border, out of roi and
    /// licence plate.
    #[arg(long)]
    void_as_unknown: bool,
    /// Only frames whose id begins so: a drive, a city.
    #[arg(long)]
    only: Option<String>,
    /// Judge anomalies alone, also where the set's classes are not the model's.
    #[arg(long)]
    anomalies_only: bool,
    /// So many frames may be unreadable; one more ends the run.
    #[arg(long, default_value_t = 10)]
    pub max_failures: usize,
}

/// A data set whose truth is said in a model's ids.
pub(super) struct Data {
    pub dataset: Dataset,
    pub samples: Vec<Sample>,
    pub truth: TruthKind,
    /// Whether distances are read too.
    pub with_depth: bool,
    /// From the set's ids to the model's.
    table: [u8; 256],
}

/// What the truth tells of a known pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TruthKind {
    /// Its class: 0..K known, K unknown.
    Classes,
    /// Nothing more: 0 known, 1 unknown.
    Binary,
}

impl DataArgs {
    /// Finds the frames, and holds the set's classes against the model's.
    pub fn open(&self, taxonomy: &Taxonomy) -> anyhow::Result<Data> {
        let options = Options {
            split: self.split.clone(),
            ignore: self.ignore,
            void_as_unknown: self.void_as_unknown,
            classes: Some(taxonomy.len()),
        };
        let dataset = Dataset::open(&self.dataset, &self.root, &options)?;
        let begins = |sample: &&Sample| self.only.as_deref().is_none_or(|only| sample.id.starts_with(only));
        let samples: Vec<Sample> = dataset.samples().iter().filter(begins).cloned().collect();
        if samples.is_empty() {
            let only = self.only.as_deref().unwrap_or_default();
            let first = dataset.samples().first().map_or("", |s| &s.id);
            bail!("no frame of {} begins with \"{only}\"; the first is {first}", self.dataset);
        }
        let (truth, table) = self.table(&dataset, taxonomy)?;
        Ok(Data { dataset, samples, truth, with_depth: false, table })
    }

    /// What the set is called: its layout, or the folder's name of one without.
    pub fn set(&self) -> String {
        let folder = self.root.file_name().filter(|_| self.dataset == "folder");
        folder.map_or_else(|| self.dataset.clone(), |name| name.to_string_lossy().into_owned())
    }

    /// What the frames are called in a manifest: set, split and drive.
    pub fn title(&self) -> String {
        let parts = [Some(self.set()), self.split.clone(), self.only.clone()];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    fn table(&self, dataset: &Dataset, taxonomy: &Taxonomy) -> anyhow::Result<(TruthKind, [u8; 256])> {
        let mut table = [IGNORE; 256];
        let known = match dataset.classes() {
            Classes::Binary => {
                (table[0], table[1]) = (0, 1);
                return Ok((TruthKind::Binary, table));
            }
            Classes::Model => taxonomy.len(),
            Classes::Named(names) => names.len(),
        };
        if self.anomalies_only {
            table[..known].fill(0);
            table[known] = 1;
            return Ok((TruthKind::Binary, table));
        }
        match dataset.classes() {
            Classes::Named(names) => {
                let model: Vec<&str> = taxonomy.classes().iter().map(|c| c.name.as_str()).collect();
                let missing = |from: &[&str], of: &[&str]| {
                    let names: Vec<_> = from.iter().filter(|n| !of.contains(n)).copied().collect();
                    names.join(", ")
                };
                let (unlearnt, unlabelled) = (missing(names, &model), missing(&model, names));
                if !unlearnt.is_empty() || !unlabelled.is_empty() {
                    bail!(
                        "the classes of {} are not the model's: only in the set: {}; only in the model: {}. Give \
                         --anomalies-only to judge anomalies alone",
                        self.dataset,
                        if unlearnt.is_empty() { "none" } else { &unlearnt },
                        if unlabelled.is_empty() { "none" } else { &unlabelled },
                    );
                }
                for (id, name) in names.iter().enumerate() {
                    table[id] = model.iter().position(|m| m == name).map_or(IGNORE, |at| at as u8);
                }
            }
            _ => (0..known).for_each(|id| table[id] = id as u8),
        }
        table[known] = taxonomy.unknown();
        Ok((TruthKind::Classes, table))
    }
}

impl Data {
    /// The truth of an anomalous pixel.
    pub fn unknown(&self, taxonomy: &Taxonomy) -> u8 {
        match self.truth {
            TruthKind::Classes => taxonomy.unknown(),
            TruthKind::Binary => 1,
        }
    }

    /// The set's labels in the model's ids.
    pub fn translate(&self, labels: &mut [u8]) {
        labels.iter_mut().for_each(|label| *label = self.table[usize::from(*label)]);
    }
}

/// Every data set there is, each with its line of help.
pub(super) fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(dataset::names().map(|(name, about)| PossibleValue::new(name).help(about)))
}
