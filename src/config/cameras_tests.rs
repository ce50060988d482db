use super::*;
use crate::config::ParameterValue;

fn text(v: &str) -> ParameterValue {
    ParameterValue::String(v.into())
}

fn of(values: &[(&str, ParameterValue)]) -> Result<Parameters, ConfigError> {
    Parameters::from_values(values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())))
}

fn names(cameras: &[&str]) -> ParameterValue {
    ParameterValue::Strings(cameras.iter().map(|c| (*c).to_owned()).collect())
}

#[test]
fn one_camera_has_no_name_and_all_parameters() {
    let p = of(&[("camera_topic", text("/x"))]).unwrap();
    let cameras = p.of_cameras().unwrap();
    let [CameraParameters { name, parameters }] = &cameras[..] else { panic!("{}", cameras.len()) };
    assert_eq!((name.as_str(), parameters.camera_topic.as_str()), ("", "/x"));
    let all: Vec<String> = p.to_all_values().unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(all, super::super::DESCRIPTIONS.map(|(name, _)| name));
}

#[test]
fn each_camera_has_its_own_over_the_node_s() {
    let p = of(&[
        ("cameras", names(&["front", "left"])),
        ("latency_budget_ms", ParameterValue::Double(100.0)),
        ("left.latency_budget_ms", ParameterValue::Integer(200)),
        ("left.mask", text("ego.png")),
        ("front.camera_topic", text("/cam0")),
        ("score", text("msp")),
    ])
    .unwrap();
    let [front, left]: [CameraParameters; 2] = p.of_cameras().unwrap().try_into().unwrap();
    assert_eq!((front.name.as_str(), left.name.as_str()), ("front", "left"));
    let (front, left) = (front.parameters, left.parameters);
    assert_eq!((front.latency_budget_ms, left.latency_budget_ms), (100.0, 200.0));
    assert_eq!((front.mask.as_str(), left.mask.as_str()), ("", "ego.png"));
    assert_eq!((front.camera_topic.as_str(), left.camera_topic.as_str()), ("/cam0", "/left/image_raw"));
    assert_eq!((front.score.as_str(), left.score.as_str()), ("msp", "msp"));
    assert!(front.cameras.is_empty() && left.of_cameras().unwrap()[0].name.is_empty());

    let all = p.to_all_values().unwrap();
    let get = |name: &str| all.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone());
    assert_eq!(get("left.latency_budget_ms"), Some(ParameterValue::Double(200.0)));
    assert_eq!(get("front.region"), Some(text("")), "also what is not set");
    assert_eq!(get("front.score"), None, "that is the node's alone");
}

#[test]
fn some_of_them_may_change() {
    let p = of(&[("cameras", names(&["front"])), ("front.region", text("0,0,8,8"))]).unwrap();
    let (region, temperature) = (("front.region".to_owned(), text("")), ParameterValue::Integer(2));
    let changed = p.with([region, ("temperature".to_owned(), temperature)]).unwrap();
    assert_eq!((changed.temperature, changed.of_cameras().unwrap()[0].parameters.region.as_str()), (2.0, ""));
    assert_eq!(
        changed.with([]).unwrap().to_all_values().map(|v| v.len()),
        p.to_all_values().map(|v| v.len())
    );
    let other = p.with([("cameras".to_owned(), names(&["left"]))]).unwrap();
    assert!(other.own.is_empty(), "front took its region along");
    let error = p.with([("threads".to_owned(), text("two"))]).unwrap_err().to_string();
    assert!(error.starts_with("parameter threads is string"), "{error}");
}

#[test]
fn what_is_no_camera_is_refused() {
    let says = |values: &[(&str, ParameterValue)], words: &[&str]| {
        let error = of(values).and_then(|p| p.of_cameras()).unwrap_err().to_string();
        assert!(words.iter().all(|w| error.contains(w)), "{error}");
    };
    says(&[("front.mask", text("a.png"))], &["parameter front.mask", "camera front", "cameras []"]);
    says(&[("cameras", names(&["left"])), ("front.mask", text(""))], &["front", "[left]"]);
    says(
        &[("cameras", names(&["left"])), ("left.score", text("msp"))],
        &["parameter left.score is not known"],
    );
    says(
        &[("cameras", names(&["left"])), ("left.mask", ParameterValue::Bool(true))],
        &["left.mask", "string"],
    );
    for bad in ["", "a b", "1a"] {
        says(&[("cameras", names(&[bad]))], &["parameter cameras is", bad, "words"]);
    }
    for taken in ["publish", "mask"] {
        says(&[("cameras", names(&[taken]))], &["parameter cameras is", taken, "otherwise"]);
    }
    says(&[("cameras", names(&["a", "b", "a"]))], &["\"a\"", "once"]);
    says(&[("sessions", text("some"))], &["sessions", "shared, each"]);
    for topic in ["camera_topic", "camera_info_topic"] {
        says(
            &[("cameras", names(&["left"])), (topic, text("/x"))],
            &["parameter", topic, "is /x", "NAME.camera_topic"],
        );
    }
}
