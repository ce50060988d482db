//! ROS parameters to [`Parameters`] and back: declared, described, checked. What they mean is `config`'s.

use super::arguments::Arguments;
use crate::config::{ConfigError, DESCRIPTIONS, ParameterValue, Parameters};
use indexmap::IndexMap;
use r2r::{Parameter, RosParams};

/// Parameters that every ROS 2 node has and that are not this product's.
const FOREIGN: [&str; 2] = ["use_sim_time", "start_type_description_service"];

/// The node's overrides (command line, parameter file) over the defaults.
///
/// # Errors
/// A name this node does not have, a value of another type.
pub(super) fn read(
    overrides: &IndexMap<String, Parameter>,
    arguments: &Arguments,
) -> Result<Parameters, ConfigError> {
    if overrides.is_empty() && arguments.has_params_file {
        tracing::warn!(
            "a parameter file was given, but nothing in it is for this node: its key must be /**, the node's \
             name or its full name"
        );
    }
    let mut own = Vec::new();
    for (name, parameter) in overrides {
        let value = &parameter.value;
        match name.as_str() {
            "use_sim_time" if !matches!(value, r2r::ParameterValue::Bool(_)) => {
                return Err(ConfigError::Type {
                    parameter: name.clone(),
                    got: value.type_name().to_owned(),
                    expected: "boolean",
                });
            }
            name if FOREIGN.contains(&name) => (),
            name if name.starts_with("qos_overrides.") => {
                tracing::warn!("parameter {name} is not honoured: this node's QoS is fixed, see the README");
            }
            _ => match from_ros(value) {
                Some(value) => own.push((name.clone(), value)),
                None => {
                    let (got, expected) = (value.type_name().to_owned(), "one of this node's types");
                    return Err(ConfigError::Type { parameter: name.clone(), got, expected });
                }
            },
        }
    }
    Parameters::from_values(own)
}

fn from_ros(value: &r2r::ParameterValue) -> Option<ParameterValue> {
    Some(match value.clone() {
        r2r::ParameterValue::Bool(v) => ParameterValue::Bool(v),
        r2r::ParameterValue::Integer(v) => ParameterValue::Integer(v),
        r2r::ParameterValue::Double(v) => ParameterValue::Double(v),
        r2r::ParameterValue::String(v) => ParameterValue::String(v),
        r2r::ParameterValue::StringArray(v) => ParameterValue::Strings(v),
        _ => return None,
    })
}

fn to_ros(value: ParameterValue) -> r2r::ParameterValue {
    match value {
        ParameterValue::Bool(v) => r2r::ParameterValue::Bool(v),
        ParameterValue::Integer(v) => r2r::ParameterValue::Integer(v),
        ParameterValue::Double(v) => r2r::ParameterValue::Double(v),
        ParameterValue::String(v) => r2r::ParameterValue::String(v),
        ParameterValue::Strings(v) => r2r::ParameterValue::StringArray(v),
    }
}

/// The checked parameters as ROS's parameter services show them.
pub(super) struct Declared(Vec<(&'static str, r2r::ParameterValue)>);

impl Declared {
    pub(super) fn new(parameters: &Parameters) -> Result<Self, ConfigError> {
        Ok(Self(parameters.to_values()?.into_iter().map(|(name, v)| (name, to_ros(v))).collect()))
    }
}

impl RosParams for Declared {
    fn register_parameters(
        &mut self,
        _prefix: &str,
        _parameter: Option<Parameter>,
        all: &mut IndexMap<String, Parameter>,
    ) -> r2r::Result<()> {
        for ((name, value), (_, description)) in self.0.iter().zip(DESCRIPTIONS) {
            all.insert((*name).into(), Parameter { value: value.clone(), description });
        }
        all.entry("use_sim_time".into()).or_insert(Parameter {
            value: r2r::ParameterValue::Bool(false),
            description: "take the time from /clock",
        });
        Ok(())
    }

    fn get_parameter(&mut self, name: &str) -> r2r::Result<r2r::ParameterValue> {
        let found = self.0.iter().find(|(n, _)| *n == name).map(|(_, v)| v.clone());
        found.ok_or_else(|| r2r::Error::InvalidParameterName { name: name.into() })
    }

    fn set_parameter(&mut self, name: &str, value: &r2r::ParameterValue) -> r2r::Result<()> {
        self.check_parameter(name, value)
    }

    fn check_parameter(&self, name: &str, _value: &r2r::ParameterValue) -> r2r::Result<()> {
        if !DESCRIPTIONS.iter().any(|(n, _)| *n == name) && !FOREIGN.contains(&name) {
            return Err(r2r::Error::InvalidParameterName { name: name.into() });
        }
        let msg = "it is read once, at start: restart the node to change it".into();
        Err(r2r::Error::ParameterValueConv { name: name.into(), msg })
    }
}
