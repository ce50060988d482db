//! Parameters by their names: nested ones dotted (`publish.anomaly`), a camera's own after its name (`front.mask`).

use super::cameras::{self, OF_A_CAMERA};
use super::{CameraParameters, ConfigError, DESCRIPTIONS, ParameterValue, Parameters};
use crate::yaml::{self, Mapping};
use std::collections::BTreeMap;

impl Parameters {
    /// From names and values, nested ones dotted (`publish.anomaly`); what is not named keeps its default.
    ///
    /// # Errors
    /// A name that is not known, a value of another type.
    pub fn from_values(
        values: impl IntoIterator<Item = (String, ParameterValue)>,
    ) -> Result<Self, ConfigError> {
        let defaults = Self::default().to_values()?;
        let default = |name: &str| defaults.iter().find(|(known, _)| *known == name).map(|(_, v)| v);
        let values: Vec<(String, ParameterValue)> = values.into_iter().collect();
        let named = values.iter().find_map(|(name, value)| match value {
            ParameterValue::Strings(cameras) if name == "cameras" => Some(cameras.clone()),
            _ => None,
        });
        let named = named.unwrap_or_default();
        let mut root = Mapping::new();
        let mut own: BTreeMap<String, BTreeMap<String, ParameterValue>> = BTreeMap::new();
        for (name, value) in values {
            match (default(&name), cameras::split(&name)) {
                (Some(default), _) => {
                    let value = value.typed_as(default, &name)?;
                    match name.split_once('.') {
                        None => root.insert(name.into(), value.into()),
                        Some((group, key)) => root
                            .entry(group.into())
                            .or_insert_with(|| Mapping::new().into())
                            .as_mapping_mut()
                            .and_then(|group| group.insert(key.into(), value.into())),
                    };
                }
                (None, Some((camera, _))) if !named.iter().any(|n| n == camera) => {
                    let (camera, cameras) = (camera.to_owned(), named.join(", "));
                    return Err(ConfigError::NoCamera { parameter: name, camera, cameras });
                }
                (None, Some((camera, key))) => {
                    let Some(default) = default(key) else { return Err(ConfigError::Unknown(name)) };
                    let value = value.typed_as(default, &name)?;
                    own.entry(camera.to_owned()).or_default().insert(key.to_owned(), value);
                }
                (None, None) => return Err(ConfigError::Unknown(name)),
            }
        }
        let mut parameters: Self =
            yaml::from_value(root.into()).map_err(|e| ConfigError::Shape(e.to_string()))?;
        parameters.own = own;
        Ok(parameters)
    }

    /// Names and values, nested ones dotted, in the order of [`DESCRIPTIONS`].
    ///
    /// # Errors
    /// None that these types can give; YAML's are passed on rather than ignored.
    pub fn to_values(&self) -> Result<Vec<(&'static str, ParameterValue)>, ConfigError> {
        let shape = |e: String| ConfigError::Shape(e);
        let root = yaml::to_value(self).map_err(|e| shape(e.to_string()))?;
        let lookup = |name: &str| name.split('.').try_fold(&root, |v, key| v.get(key)).cloned();
        DESCRIPTIONS
            .iter()
            .map(|(name, _)| {
                lookup(name)
                    .and_then(ParameterValue::of_yaml)
                    .map(|v| (*name, v))
                    .ok_or_else(|| shape(format!("{name} is described but not a parameter")))
            })
            .collect()
    }

    /// These, but for some of them.
    ///
    /// # Errors
    /// As [`Parameters::from_values`].
    pub fn with(
        &self,
        changes: impl IntoIterator<Item = (String, ParameterValue)>,
    ) -> Result<Self, ConfigError> {
        let changes: Vec<(String, ParameterValue)> = changes.into_iter().collect();
        let named = changes.iter().rev().find_map(|(name, value)| match value {
            ParameterValue::Strings(cameras) if name == "cameras" => Some(cameras),
            _ => None,
        });
        let named = named.unwrap_or(&self.cameras);
        let mut values: Vec<(String, ParameterValue)> =
            self.to_values()?.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        // A camera that is named no longer takes along what it had for itself.
        for (camera, own) in self.own.iter().filter(|(camera, _)| named.contains(camera)) {
            values.extend(own.iter().map(|(key, value)| (format!("{camera}.{key}"), value.clone())));
        }
        for (name, value) in changes {
            match values.iter_mut().find(|(known, _)| *known == name) {
                Some((_, old)) => *old = value,
                None => values.push((name, value)),
            }
        }
        Self::from_values(values)
    }

    /// As [`Parameters::to_values`], and what each camera has for itself, set or not, as `CAMERA.NAME`.
    ///
    /// # Errors
    /// As [`Parameters::of_cameras`].
    pub fn to_all_values(&self) -> Result<Vec<(String, ParameterValue)>, ConfigError> {
        let own_names = |values: Vec<(&'static str, ParameterValue)>| {
            values.into_iter().map(|(name, value)| (name.to_owned(), value))
        };
        let mut all: Vec<_> = own_names(self.to_values()?).collect();
        for CameraParameters { name, parameters } in self.of_cameras()? {
            if name.is_empty() {
                continue; // the node's are its own
            }
            let of_it = own_names(parameters.to_values()?);
            let of_it = of_it.filter(|(key, _)| OF_A_CAMERA.contains(&key.as_str()));
            all.extend(of_it.map(|(key, value)| (format!("{name}.{key}"), value)));
        }
        Ok(all)
    }
}
