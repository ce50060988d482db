//! The parameters that a node is started with. What they mean is `config`'s; what is set later, `registry`'s.

use super::arguments::Arguments;
use crate::config::{ConfigError, ParameterValue, Parameters};
use indexmap::IndexMap;
use r2r::Parameter;

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
            // A list of nothing has no type; it is what there is by default.
            "cameras" if matches!(value, r2r::ParameterValue::NotSet) => (),
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

/// Whether the time comes from `/clock`.
pub(super) fn use_sim_time(overrides: &IndexMap<String, Parameter>) -> bool {
    overrides.get("use_sim_time").is_some_and(|p| p.value == r2r::ParameterValue::Bool(true))
}
