//! A parameter's value.

use super::ConfigError;
use crate::yaml::Value;

/// A parameter's value with its type, as ROS and YAML know them.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)] // the variants are the types' names
pub enum ParameterValue {
    Bool(bool),
    Integer(i64),
    Double(f64),
    String(String),
    Strings(Vec<String>),
}

impl ParameterValue {
    /// As ROS calls it.
    fn type_name(&self) -> &'static str {
        match self {
            Self::Bool(_) => "boolean",
            Self::Integer(_) => "integer",
            Self::Double(_) => "double",
            Self::String(_) => "string",
            Self::Strings(_) => "string array",
        }
    }

    /// Of YAML's types; `None` for what is none of these.
    pub(super) fn of_yaml(value: Value) -> Option<Self> {
        match value {
            Value::Bool(v) => Some(Self::Bool(v)),
            Value::String(v) => Some(Self::String(v)),
            Value::Sequence(all) => {
                let all = all.iter().map(|v| v.as_str().map(Into::into));
                all.collect::<Option<_>>().map(Self::Strings)
            }
            Value::Number(n) if n.is_f64() => n.as_f64().map(Self::Double),
            Value::Number(n) => n.as_i64().map(Self::Integer),
            _ => None,
        }
    }

    /// Whether nothing changes when one takes the other's place: NaN is NaN here.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Double(one), Self::Double(other)) => one == other || (one.is_nan() && other.is_nan()),
            _ => self == other,
        }
    }

    /// It, where it is of the same type as another.
    pub(super) fn typed_as(self, other: &Self, parameter: &str) -> Result<Self, ConfigError> {
        match (self, other) {
            // ROS users write 1 where 1.0 is meant.
            (Self::Integer(v), Self::Double(_)) => Ok(Self::Double(v as f64)),
            (value, other) if value.type_name() == other.type_name() => Ok(value),
            (value, other) => {
                let (got, expected) = (value.to_string(), other.type_name());
                Err(ConfigError::Type { parameter: parameter.to_owned(), got, expected })
            }
        }
    }
}

impl std::fmt::Display for ParameterValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = self.type_name();
        match self {
            Self::Bool(v) => write!(f, "{kind} {v}"),
            Self::Integer(v) => write!(f, "{kind} {v}"),
            Self::Double(v) => write!(f, "{kind} {v}"),
            Self::String(v) => write!(f, "{kind} \"{v}\""),
            Self::Strings(v) => write!(f, "{kind} {v:?}"),
        }
    }
}

impl From<ParameterValue> for Value {
    fn from(value: ParameterValue) -> Self {
        match value {
            ParameterValue::Bool(v) => v.into(),
            ParameterValue::Integer(v) => v.into(),
            ParameterValue::Double(v) => v.into(),
            ParameterValue::String(v) => v.into(),
            ParameterValue::Strings(v) => v.into(),
        }
    }
}
