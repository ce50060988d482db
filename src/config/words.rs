//! A parameter's word, one of those that it may be; and the error of a value that cannot be.

use super::ConfigError;

/// What the word stands for.
pub(super) fn choice<T: Copy>(
    parameter: &'static str,
    got: &str,
    all: &[(T, &'static str)],
) -> Result<T, ConfigError> {
    all.iter().find(|(_, n)| *n == got).map(|(t, _)| *t).ok_or_else(|| ConfigError::Choice {
        parameter,
        got: got.into(),
        choices: all.iter().map(|(_, n)| *n).collect::<Vec<_>>().join(", "),
    })
}

pub(super) fn value(parameter: &'static str, got: impl ToString, expected: &'static str) -> ConfigError {
    ConfigError::Value { parameter, got: got.to_string(), expected }
}
