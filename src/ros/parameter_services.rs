//! The parameter services that every ROS 2 node has, as `rcl_interfaces` defines them, around the registry; and
//! `/parameter_events`.

use super::clock::Clock;
use super::registry::{Listed, Registry, Wanted, value_of};
use super::service::{Task, serve};
use crate::config::{DESCRIPTIONS, ParameterValue, When, range, when};
use r2r::rcl_interfaces::msg;
use r2r::rcl_interfaces::srv::{
    DescribeParameters, GetParameterTypes, GetParameters, ListParameters, SetParameters,
    SetParametersAtomically,
};
use r2r::{Node, Publisher, QosProfile};
use std::sync::{Arc, Mutex};

/// Offers the services. `name`: the node's, in full.
pub(super) fn offer(
    node: &mut Node,
    registry: &Arc<Registry>,
    clock: Clock,
    name: String,
) -> r2r::Result<Vec<Task>> {
    let publisher = node.create_publisher("/parameter_events", QosProfile::parameter_events())?;
    let setter = Setter { registry: Arc::clone(registry), clock, name, publisher };
    // Two services set; what one sets it tells before the other does.
    let setter = Arc::new(Mutex::new(setter));
    let of = || (Arc::clone(registry), Arc::clone(&setter));
    Ok(vec![
        serve::<GetParameters::Service>(node, "~/get_parameters", {
            let (registry, _) = of();
            move |request| GetParameters::Response { values: get(&registry, &request.names) }
        })?,
        serve::<GetParameterTypes::Service>(node, "~/get_parameter_types", {
            let (registry, _) = of();
            move |request| {
                let types = get(&registry, &request.names).iter().map(|value| value.type_).collect();
                GetParameterTypes::Response { types }
            }
        })?,
        serve::<ListParameters::Service>(node, "~/list_parameters", {
            let (registry, _) = of();
            move |request| {
                let names = registry.values().into_iter().map(|(name, _)| name);
                let names = names.filter(|name| is_listed(name, &request.prefixes, request.depth)).collect();
                ListParameters::Response { result: listed(names) }
            }
        })?,
        serve::<DescribeParameters::Service>(node, "~/describe_parameters", {
            let (registry, _) = of();
            move |request| {
                let values = get(&registry, &request.names);
                let described = request.names.iter().zip(values);
                let descriptors = described.map(|(name, value)| descriptor(name, value.type_)).collect();
                DescribeParameters::Response { descriptors }
            }
        })?,
        serve::<SetParameters::Service>(node, "~/set_parameters", {
            let (_, setter) = of();
            move |request| {
                let setter = super::lock(&setter);
                let each = request.parameters.chunks(1);
                SetParameters::Response { results: each.map(|one| setter.set(one)).collect() }
            }
        })?,
        serve::<SetParametersAtomically::Service>(node, "~/set_parameters_atomically", {
            let (_, setter) = of();
            move |request| SetParametersAtomically::Response {
                result: super::lock(&setter).set(&request.parameters),
            }
        })?,
    ])
}

/// Sets, and tells everyone.
struct Setter {
    registry: Arc<Registry>,
    clock: Clock,
    /// The node's, in full.
    name: String,
    publisher: Publisher<msg::ParameterEvent>,
}

impl Setter {
    /// All of them, or none.
    fn set(&self, parameters: &[msg::Parameter]) -> msg::SetParametersResult {
        let wanted: Vec<Wanted> =
            parameters.iter().map(|p| (p.name.clone(), from_message(&p.value))).collect();
        let before = self.registry.values();
        match self.registry.set(&wanted) {
            Ok(()) => {
                for parameter in &wanted {
                    if let (name, Some(value)) = parameter {
                        tracing::info!("parameter {name} was set: {value}");
                    }
                }
                self.tell(&wanted, &before);
                msg::SetParametersResult { successful: true, reason: String::new() }
            }
            Err(reason) => {
                tracing::warn!("not set: {reason}");
                msg::SetParametersResult { successful: false, reason }
            }
        }
    }

    /// Tells what is in force now and was not `before`, and what was set to what it was.
    fn tell(&self, wanted: &[Wanted], before: &Listed) {
        let after = self.registry.values();
        let mut event = event(wanted, before, &after);
        (event.stamp, event.node) = (self.clock.header().stamp, self.name.clone());
        if let Err(error) = self.publisher.publish(&event) {
            tracing::error!("/parameter_events was not published: {error}");
        }
    }
}

/// What became of parameters by a change: a camera that is named brings its own along, and one of the node's may
/// be several cameras'.
fn event(wanted: &[Wanted], before: &Listed, after: &Listed) -> msg::ParameterEvent {
    let mut event = msg::ParameterEvent::default();
    for (name, value) in after {
        let told = match value_of(before, name) {
            None => &mut event.new_parameters,
            Some(was) if !was.is_same(value) || wanted.iter().any(|(n, _)| n == name) => {
                &mut event.changed_parameters
            }
            Some(_) => continue,
        };
        told.push(msg::Parameter { name: name.clone(), value: to_message(value.clone()) });
    }
    let gone = before.iter().filter(|(name, _)| value_of(after, name).is_none());
    let gone = gone.map(|(name, _)| msg::Parameter { name: name.clone(), ..msg::Parameter::default() });
    event.deleted_parameters = gone.collect();
    event
}

/// The values of these, of type not set where there are none.
fn get(registry: &Registry, names: &[String]) -> Vec<msg::ParameterValue> {
    let all = registry.values();
    let of = |name: &String| all.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone());
    names.iter().map(|name| of(name).map_or_else(msg::ParameterValue::default, to_message)).collect()
}

fn descriptor(name: &str, type_: u8) -> msg::ParameterDescriptor {
    let known = |name: &str| DESCRIPTIONS.iter().find(|(n, _)| *n == name).map(|(_, text)| *text);
    let (description, constraints) = match (known(name), name.split_once('.')) {
        _ if type_ == 0 => (String::new(), ""),
        (Some(text), _) => (text.to_owned(), constraints(name)),
        (None, Some((camera, key))) => {
            (format!("camera {camera}: {}", known(key).unwrap_or("")), constraints(name))
        }
        (None, None) => ("take the time from /clock".to_owned(), constraints(name)),
    };
    let (mut floating_point_range, mut integer_range) = (Vec::new(), Vec::new());
    if let Some((from_value, to_value)) = range(name) {
        match type_ {
            kind::DOUBLE => {
                floating_point_range.push(msg::FloatingPointRange { from_value, to_value, step: 0.0 });
            }
            kind::INTEGER => integer_range.push(msg::IntegerRange {
                from_value: from_value as i64,
                to_value: to_value as i64,
                step: 1,
            }),
            _ => (),
        }
    }
    msg::ParameterDescriptor {
        name: name.to_owned(),
        type_,
        description,
        floating_point_range,
        integer_range,
        additional_constraints: constraints.to_owned(),
        read_only: when(name) == When::AtStart && type_ != 0,
        ..msg::ParameterDescriptor::default()
    }
}

fn constraints(name: &str) -> &'static str {
    match when(name) {
        When::AtOnce => "",
        When::Inactive => "changes while the node is inactive or unconfigured",
        When::AtStart => "read at the start",
    }
}

/// Whether it lies under one of the prefixes (under none: anywhere) and no deeper than so many levels (0: any).
fn is_listed(name: &str, prefixes: &[String], depth: u64) -> bool {
    let is_shallow = |rest: &str| depth == 0 || (rest.matches('.').count() as u64) < depth;
    let lies_under = |prefix: &String| {
        name == prefix
            || name
                .strip_prefix(prefix.as_str())
                .and_then(|rest| rest.strip_prefix('.'))
                .is_some_and(is_shallow)
    };
    if prefixes.is_empty() { is_shallow(name) } else { prefixes.iter().any(lies_under) }
}

/// With the groups that these names are in.
fn listed(names: Vec<String>) -> msg::ListParametersResult {
    let mut prefixes: Vec<String> = Vec::new();
    for (group, _) in names.iter().filter_map(|name| name.rsplit_once('.')) {
        if !prefixes.iter().any(|p| p == group) {
            prefixes.push(group.to_owned());
        }
    }
    msg::ListParametersResult { names, prefixes }
}

/// The numbers of `rcl_interfaces/msg/ParameterType`.
mod kind {
    pub(super) const BOOL: u8 = 1;
    pub(super) const INTEGER: u8 = 2;
    pub(super) const DOUBLE: u8 = 3;
    pub(super) const STRING: u8 = 4;
    pub(super) const BYTE_ARRAY: u8 = 5;
    pub(super) const BOOL_ARRAY: u8 = 6;
    pub(super) const INTEGER_ARRAY: u8 = 7;
    pub(super) const DOUBLE_ARRAY: u8 = 8;
    pub(super) const STRING_ARRAY: u8 = 9;
}

/// `None` for types that no parameter of this node has.
fn from_message(value: &msg::ParameterValue) -> Option<ParameterValue> {
    Some(match value.type_ {
        kind::BOOL => ParameterValue::Bool(value.bool_value),
        kind::INTEGER => ParameterValue::Integer(value.integer_value),
        kind::DOUBLE => ParameterValue::Double(value.double_value),
        kind::STRING => ParameterValue::String(value.string_value.clone()),
        kind::STRING_ARRAY => ParameterValue::Strings(value.string_array_value.clone()),
        // A list of nothing has no type: `ros2 param set` calls it one of bytes, of bools or whatever it finds first.
        kind::BYTE_ARRAY if value.byte_array_value.is_empty() => ParameterValue::Strings(Vec::new()),
        kind::BOOL_ARRAY if value.bool_array_value.is_empty() => ParameterValue::Strings(Vec::new()),
        kind::INTEGER_ARRAY if value.integer_array_value.is_empty() => ParameterValue::Strings(Vec::new()),
        kind::DOUBLE_ARRAY if value.double_array_value.is_empty() => ParameterValue::Strings(Vec::new()),
        _ => return None,
    })
}

fn to_message(value: ParameterValue) -> msg::ParameterValue {
    let mut message = msg::ParameterValue::default();
    match value {
        ParameterValue::Bool(v) => (message.type_, message.bool_value) = (kind::BOOL, v),
        ParameterValue::Integer(v) => (message.type_, message.integer_value) = (kind::INTEGER, v),
        ParameterValue::Double(v) => (message.type_, message.double_value) = (kind::DOUBLE, v),
        ParameterValue::String(v) => (message.type_, message.string_value) = (kind::STRING, v),
        ParameterValue::Strings(v) => (message.type_, message.string_array_value) = (kind::STRING_ARRAY, v),
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive_the_way_through_messages() {
        for value in [
            ParameterValue::Bool(true),
            ParameterValue::Integer(-3),
            ParameterValue::Double(0.5),
            ParameterValue::String("a".into()),
            ParameterValue::Strings(vec![]),
            ParameterValue::Strings(vec!["a".into(), "b".into()]),
        ] {
            assert_eq!(from_message(&to_message(value.clone())), Some(value));
        }
        assert_eq!(from_message(&msg::ParameterValue::default()), None);
        let integers = |v: &[i64]| msg::ParameterValue {
            type_: kind::INTEGER_ARRAY,
            integer_array_value: v.to_vec(),
            ..Default::default()
        };
        assert_eq!(from_message(&integers(&[1])), None);
        assert_eq!(from_message(&integers(&[])), Some(ParameterValue::Strings(vec![])));
        let bools = msg::ParameterValue { type_: kind::BOOL_ARRAY, ..Default::default() };
        assert_eq!(from_message(&bools), Some(ParameterValue::Strings(vec![])));
    }

    #[test]
    fn an_event_tells_what_came_what_changed_and_what_went() {
        let listed = |values: &[(&str, f64)]| -> Listed {
            values.iter().map(|(n, v)| ((*n).to_owned(), ParameterValue::Double(*v))).collect()
        };
        let before = listed(&[("a", 1.0), ("b", f64::NAN), ("c", 1.0), ("front.a", 1.0)]);
        let after = listed(&[("a", 2.0), ("b", f64::NAN), ("c", 1.0), ("left.a", 2.0)]);
        let wanted = [("c".to_owned(), Some(ParameterValue::Integer(1)))];
        let event = event(&wanted, &before, &after);
        let names = |all: &[msg::Parameter]| all.iter().map(|p| p.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&event.new_parameters), ["left.a"]);
        assert_eq!(names(&event.changed_parameters), ["a", "c"]);
        assert_eq!(names(&event.deleted_parameters), ["front.a"]);
        assert_eq!(event.changed_parameters[1].value.type_, kind::DOUBLE, "as it is in force");
    }

    #[test]
    fn what_is_listed_lies_under_a_prefix_and_not_too_deep() {
        let names = ["model", "image.black_share", "images", "a.b.c"];
        let listed = |prefixes: &[&str], depth| {
            let prefixes: Vec<String> = prefixes.iter().map(|p| (*p).to_owned()).collect();
            names.into_iter().filter(|name| is_listed(name, &prefixes, depth)).collect::<Vec<_>>()
        };
        assert_eq!(listed(&[], 0), names);
        assert_eq!(listed(&[], 1), ["model", "images"]);
        assert_eq!(listed(&["image"], 0), ["image.black_share"]);
        assert_eq!(listed(&["a", "model"], 1), ["model"]);
        assert_eq!(listed(&["a"], 2), ["a.b.c"]);
        let all = super::listed(names.iter().map(|n| (*n).to_owned()).collect());
        assert_eq!(all.prefixes, ["image", "a.b"]);
    }

    #[test]
    fn each_says_when_it_may_change() {
        let of = |name: &str| descriptor(name, kind::STRING);
        assert_eq!((of("score").additional_constraints.as_str(), of("score").read_only), ("", false));
        assert!(of("front.mask").additional_constraints.contains("inactive"));
        assert!(of("front.mask").description.starts_with("camera front: PNG"));
        assert!(of("autostart").read_only && of("use_sim_time").read_only);
        assert_eq!(descriptor("nonsense", 0).description, "");
        let budget = descriptor("front.latency_budget_ms", kind::DOUBLE).floating_point_range;
        assert_eq!(budget.iter().map(|r| (r.from_value, r.to_value)).collect::<Vec<_>>(), [(0.0, 60_000.0)]);
        let frames = descriptor("hysteresis.frames", kind::INTEGER).integer_range;
        assert_eq!(frames.iter().map(|r| (r.from_value, r.to_value)).collect::<Vec<_>>(), [(1, 100)]);
        assert!(of("score").floating_point_range.is_empty());
    }
}
