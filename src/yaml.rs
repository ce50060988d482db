//! The only user of the YAML crate: text to a checked shape and back, with the file in every error; and one
//! section of a file that people wrote, replaced without touching the rest.

use serde::{Serialize, de::DeserializeOwned};
use std::collections::BTreeMap;
use std::path::Path;

/// A YAML value not yet given a shape, e.g. a ROS parameter.
pub(crate) type Value = serde_yaml::Value;
/// A YAML mapping.
pub(crate) type Mapping = serde_yaml::Mapping;

/// What the text or value is not. The position is in the message where the parser knows it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct YamlError(#[from] serde_yaml::Error);

/// Reads a file into a shape.
///
/// # Errors
/// The file cannot be read, is no YAML, or is not of the shape (unknown key, wrong type, missing key).
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<T, FileError> {
    let text = std::fs::read_to_string(path).map_err(FileError::Read)?;
    from_str(&text).map_err(FileError::Shape)
}

/// Why a file gave no value.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// Not readable as text.
    #[error("{0}")]
    Read(std::io::Error),
    /// Readable, but not of the shape.
    #[error("{0}")]
    Shape(YamlError),
}

/// Reads text into a shape.
pub(crate) fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, YamlError> {
    Ok(serde_yaml::from_str(text)?)
}

/// Gives a loose value a shape.
pub(crate) fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, YamlError> {
    Ok(serde_yaml::from_value(value)?)
}

/// Takes a shape apart into a loose value.
pub(crate) fn to_value<T: Serialize>(shape: &T) -> Result<Value, YamlError> {
    Ok(serde_yaml::to_value(shape)?)
}

/// Writes a shape as text.
pub(crate) fn to_string<T: Serialize>(shape: &T) -> Result<String, YamlError> {
    Ok(serde_yaml::to_string(shape)?)
}

/// Why a section was not replaced. The text is as it was.
#[derive(Debug, thiserror::Error)]
pub enum SectionError {
    /// The text is no YAML, or the value cannot be written as such.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// There are no sections in it.
    #[error("the text is no mapping of keys to values")]
    NotAMapping,
    /// What was found line by line is not what the parser sees: a text written in one line, for instance.
    #[error(
        "section \"{key}\" cannot be replaced without changing the rest: {reason}. Write the file in block style, \
         each key at the start of a line of its own"
    )]
    Entangled {
        /// Of the section.
        key: String,
        /// What came of the attempt.
        reason: String,
    },
}

/// The text with `value` under the top-level `key`, and every byte outside that section as it was, comments
/// included. A section begins at its key's line and ends with the last indented line or list item under it:
/// what is said in comments before the next key belongs to the next key. One that is not there is appended.
///
/// # Errors
/// A text whose lines are not its structure: the result is parsed again, and must be the same document but
/// for that key.
pub(crate) fn replace_section<T: Serialize>(
    text: &str,
    key: &str,
    value: &T,
) -> Result<String, SectionError> {
    let Value::Mapping(mut wanted) = from_str(text)? else { return Err(SectionError::NotAMapping) };
    // Written from the shape itself: on its way through a loose value an f32 would grow an f64's digits.
    let section = to_string(&BTreeMap::from([(key, value)]))?;
    wanted.extend(from_str::<Mapping>(&section)?);

    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let first = lines.iter().position(|line| is_key(line, key)).unwrap_or(lines.len());
    let rest = lines.get(first + 1..).unwrap_or_default();
    let next = rest.iter().position(|line| !is_inside(line) && !is_silent(line)).unwrap_or(rest.len());
    let length = rest[..next].iter().rposition(|line| is_inside(line)).map_or(0, |last| last + 1);
    let last = (first + 1 + length).min(lines.len());

    let mut replaced = lines[..first].concat();
    if !replaced.is_empty() && !replaced.ends_with('\n') {
        replaced.push('\n');
    }
    replaced.push_str(&section);
    replaced.push_str(&lines[last..].concat());

    let entangled = |reason: String| SectionError::Entangled { key: key.into(), reason };
    match from_str::<Value>(&replaced) {
        Ok(Value::Mapping(got)) if got == wanted => Ok(replaced),
        Ok(_) => Err(entangled("the result would say something else".into())),
        Err(e) => Err(entangled(e.to_string())),
    }
}

/// Whether the line is where a top-level key's value begins.
fn is_key(line: &str, key: &str) -> bool {
    let value = line.strip_prefix(key).and_then(|rest| rest.trim_start().strip_prefix(':'));
    value.is_some_and(|v| v.is_empty() || v.starts_with(char::is_whitespace))
}

/// Whether the line says something under the last top-level key; list items may stand as far left as it.
fn is_inside(line: &str) -> bool {
    let indented = line.starts_with(' ') && !line.trim().is_empty();
    indented || line.trim_end() == "-" || line.starts_with("- ")
}

/// Whether the line says nothing: blank, or a comment from its first column on.
fn is_silent(line: &str) -> bool {
    line.trim().is_empty() || line.starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# About the file.
name: tiny # inline

# About the list.
list:
- {a: 1}

# still the list's

- {a: 2}

# About the end.
end: |
  text

  # not a comment
last: 1
";

    fn replaced(text: &str, key: &str, value: &str) -> Result<String, SectionError> {
        replace_section(text, key, &from_str::<Value>(value).unwrap())
    }

    #[test]
    fn everything_but_the_section_is_as_it_was() {
        let got = replaced(TEXT, "list", "[{b: [1, 2]}]").unwrap();
        let (before, after) = (TEXT.find("list:").unwrap(), TEXT.find("\n# About the end").unwrap());
        assert_eq!(got, format!("{}list:\n- b:\n  - 1\n  - 2\n{}", &TEXT[..before], &TEXT[after..]),);
        let got = replaced(TEXT, "end", "short").unwrap();
        let (before, after) = (TEXT.find("end:").unwrap(), TEXT.find("last:").unwrap());
        assert_eq!(got, format!("{}end: short\n{}", &TEXT[..before], &TEXT[after..]));
        assert_eq!(replaced(TEXT, "name", "x").unwrap(), TEXT.replace("name: tiny # inline", "name: x"));
        assert_eq!(replaced(TEXT, "last", "{c: 1}").unwrap(), TEXT.replace("last: 1", "last:\n  c: 1"));
    }

    #[test]
    fn what_is_not_there_comes_last_and_twice_is_once() {
        let once = replaced(TEXT, "new", "[1]").unwrap();
        assert_eq!(once, format!("{TEXT}new:\n- 1\n"));
        assert_eq!(replaced(&once, "new", "[1]").unwrap(), once);
        assert_eq!(replaced("a: 1", "b", "2").unwrap(), "a: 1\nb: 2\n");
        // A key that begins like another, or stands deeper, is another.
        assert_eq!(replaced("ab: 1\nc:\n  a: 1\n", "a", "2").unwrap(), "ab: 1\nc:\n  a: 1\na: 2\n");
        // Lines that end as on Windows.
        assert_eq!(replaced("a: 1\r\nb:\r\n- 1\r\n", "a", "2").unwrap(), "a: 2\nb:\r\n- 1\r\n");
    }

    #[test]
    fn numbers_are_read_as_they_were_given() {
        let text = replace_section("a: 1\n", "threshold", &-0.014f32).unwrap();
        assert_eq!(text, "a: 1\nthreshold: -0.014\n");
        for v in [f32::MIN_POSITIVE, 1e-45, f32::MAX, 1.0 / 3.0, -0.0] {
            let text = replace_section("a: 1\n", "v", &[v]).unwrap();
            let got: BTreeMap<String, Value> = from_str(&text).unwrap();
            assert_eq!(from_value::<[f32; 1]>(got["v"].clone()).unwrap()[0].to_bits(), v.to_bits());
        }
    }

    #[test]
    fn what_cannot_be_replaced_safely_is_refused() {
        let says = |text: &str, key: &str, part: &str| {
            let error = replaced(text, key, "1").unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        };
        says("{a: 1, b: 2}\n", "a", "block style");
        says("\"a\": 1\n", "a", "block style"); // quoted: would stand twice
        says("a: &x [1]\nb: *x\n", "a", "block style"); // what it names is used elsewhere
        says("a: 1\n...\n", "b", "block style");
        says("a: [1,\n2]\n", "a", "block style");
        says("- 1\n", "a", "no mapping");
        says("", "a", "no mapping");
        says("a: b: c\n", "a", "mapping values");
    }
}
