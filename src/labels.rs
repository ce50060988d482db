//! The taxonomy: class ids, names and colours of the K known classes, and the two labels beside them.
//!
//! A label map holds `0..K` for known classes, `K` for UNKNOWN (predicted: not one of the classes) and
//! [`IGNORE`] (nothing was predicted there, or nothing was annotated). UNKNOWN is not IGNORE.

/// The label of a pixel nothing is said about: outside the region of interest, masked, unlabelled.
pub const IGNORE: u8 = 255;

/// The colour of UNKNOWN, whatever the model: cyan, which is far (over 50 in CIE Lab) from every class of the
/// Cityscapes and CamVid palettes.
pub const UNKNOWN_COLOR: [u8; 3] = [0, 255, 255];

/// The colour of [`IGNORE`].
pub const IGNORE_COLOR: [u8; 3] = [0, 0, 0];

/// One known class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    /// The name as users write it, e.g. `road`.
    pub name: String,
    /// sRGB.
    pub color: [u8; 3],
}

/// The K known classes of a model, in the order of its logits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taxonomy {
    classes: Vec<Class>,
}

/// Why a list of classes is no taxonomy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TaxonomyError {
    /// Too few to tell apart, or so many that UNKNOWN would meet IGNORE.
    #[error("{0} classes: a model has 2 to 254, so that unknown (K) stays below 255, which means ignored")]
    Count(usize),
    /// Two classes of one name.
    #[error("class name \"{0}\" stands twice: names are how users select classes")]
    Duplicate(String),
    /// The name of the K+1st label, given to a known class.
    #[error("class name \"{0}\" is reserved for the label of that meaning: rename the class")]
    Reserved(String),
}

impl Taxonomy {
    /// Checks the classes.
    ///
    /// # Errors
    /// Fewer than 2 or more than 254 classes, a name twice, or one called `unknown` or `ignore`.
    pub fn new(classes: Vec<Class>) -> Result<Self, TaxonomyError> {
        if !(2..=254).contains(&classes.len()) {
            return Err(TaxonomyError::Count(classes.len()));
        }
        for (i, class) in classes.iter().enumerate() {
            if ["unknown", "ignore"].contains(&class.name.as_str()) {
                return Err(TaxonomyError::Reserved(class.name.clone()));
            }
            if classes[..i].iter().any(|c| c.name == class.name) {
                return Err(TaxonomyError::Duplicate(class.name.clone()));
            }
        }
        Ok(Self { classes })
    }

    /// K.
    pub fn len(&self) -> usize {
        self.classes.len()
    }

    /// Never: a taxonomy has at least two classes.
    pub fn is_empty(&self) -> bool {
        self.classes.is_empty()
    }

    /// The known classes, by id.
    pub fn classes(&self) -> &[Class] {
        &self.classes
    }

    /// The label of UNKNOWN: K.
    pub fn unknown(&self) -> u8 {
        // At most 254 by construction.
        self.classes.len() as u8
    }

    /// The name of any label a map may hold; `None` for the ids between K and 255.
    pub fn name(&self, label: u8) -> Option<&str> {
        match label {
            IGNORE => Some("ignore"),
            l if l == self.unknown() => Some("unknown"),
            l => self.classes.get(usize::from(l)).map(|c| c.name.as_str()),
        }
    }

    /// The colour of every label, as a table to index: sRGB, black where no label is defined.
    pub fn palette(&self) -> [[u8; 3]; 256] {
        let mut palette = [IGNORE_COLOR; 256];
        for (slot, class) in palette.iter_mut().zip(&self.classes) {
            *slot = class.color;
        }
        palette[usize::from(self.unknown())] = UNKNOWN_COLOR;
        palette
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(names: &[&str]) -> Vec<Class> {
        names.iter().map(|n| Class { name: (*n).into(), color: [1, 2, 3] }).collect()
    }

    #[test]
    fn unknown_is_k_and_never_ignore() {
        let t = Taxonomy::new(classes(&["road", "car", "sky"])).unwrap();
        assert_eq!((t.len(), t.unknown()), (3, 3));
        assert_eq!(t.name(1), Some("car"));
        assert_eq!(t.name(3), Some("unknown"));
        assert_eq!(t.name(4), None);
        assert_eq!(t.name(IGNORE), Some("ignore"));
        assert_eq!(t.palette()[3], UNKNOWN_COLOR);
        assert_eq!(t.palette()[255], IGNORE_COLOR);
    }

    #[test]
    fn what_is_no_taxonomy_is_refused() {
        assert_eq!(Taxonomy::new(classes(&["road"])), Err(TaxonomyError::Count(1)));
        let names: Vec<String> = (0..255).map(|i| format!("c{i}")).collect();
        let refs: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(Taxonomy::new(classes(&refs)), Err(TaxonomyError::Count(255)));
        assert!(Taxonomy::new(classes(&refs[..254])).is_ok());
        assert_eq!(Taxonomy::new(classes(&["a", "a"])), Err(TaxonomyError::Duplicate("a".into())));
        assert_eq!(Taxonomy::new(classes(&["a", "unknown"])), Err(TaxonomyError::Reserved("unknown".into())));
    }
}
