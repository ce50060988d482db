//! The parameters in force, and whether they may change: at once, while the node is not active, or not at all.
//!
//! What is set is first held against everything that it concerns, the model included, then taken up by all or by
//! none. The client library's own parameter services are not used: they wrap every reason in words of their own,
//! panic where a caller leaves before its answer, and set one after the other what is asked to be set at once.

use super::lock;
use super::spin::Jobs;
use super::station::Roster;
use crate::assemble::Check;
use crate::config::{
    CameraParameters, ConfigError, ParameterValue, Parameters, PipelineSettings, Publish, When,
    is_of_the_score, when,
};
use crate::lifecycle::{Machine, State};
use r2r::Node;
use std::sync::{Arc, Mutex};

/// A parameter's new value; `None` where it is of a type that no parameter has.
pub(super) type Wanted = (String, Option<ParameterValue>);

/// Parameters by their names.
pub(super) type Listed = Vec<(String, ParameterValue)>;

/// See the module.
pub(super) struct Registry {
    pub(super) machine: Arc<Mutex<Machine>>,
    /// Whom to ask what parameters come to; `None` while no model is loaded.
    pub(super) model: Arc<Mutex<Option<Check>>>,
    pub(super) roster: Roster,
    pub(super) jobs: Jobs,
    pub(super) uses_sim_time: bool,
    pub(super) kept: Mutex<Kept>,
}

/// What is in force.
pub(super) struct Kept {
    pub(super) parameters: Parameters,
    /// What was loaded and made was so from others.
    pub(super) is_stale: bool,
}

/// Settings and, where the model was asked, what its sessions are to be tuned to; one a camera.
type Checked = Vec<(CameraParameters, Option<Vec<PipelineSettings>>)>;

impl Registry {
    /// To load and make everything from.
    pub(super) fn take_up(&self) -> Parameters {
        let mut kept = lock(&self.kept);
        kept.is_stale = false;
        kept.parameters.clone()
    }

    /// Whether something was set since that only takes effect when everything is made anew.
    pub(super) fn is_stale(&self) -> bool {
        lock(&self.kept).is_stale
    }

    pub(super) fn mark_stale(&self) {
        lock(&self.kept).is_stale = true;
    }

    /// Names and values, cameras' own and ROS's included.
    pub(super) fn values(&self) -> Listed {
        self.listed(&lock(&self.kept).parameters)
    }

    fn listed(&self, parameters: &Parameters) -> Listed {
        // What is in force was checked; what is not, is refused soon.
        let mut values = parameters.to_all_values().unwrap_or_default();
        values.push(("use_sim_time".into(), ParameterValue::Bool(self.uses_sim_time)));
        values
    }

    /// Sets all of them, or none.
    ///
    /// # Errors
    /// Why not, in words.
    pub(super) fn set(&self, wanted: &[Wanted]) -> Result<(), String> {
        // Held to the end, so that no transition begins meanwhile.
        let machine = lock(&self.machine);
        let mut kept = lock(&self.kept);
        let state = machine.state();
        let before = self.listed(&kept.parameters);
        let is_at_start = |(name, _): &&Wanted| when(name) == When::AtStart;
        if let Some((name, _)) = wanted.iter().filter(is_at_start).find(|wanted| !is_among(&before, wanted)) {
            return Err(format!(
                "parameter {name} is read once, at the start: restart the node to change it"
            ));
        }
        let typed = wanted.iter().filter(|wanted| !is_at_start(wanted)).map(|(name, value)| match value {
            Some(value) => Ok((name.clone(), value.clone())),
            None => Err(format!(
                "parameter {name}: no parameter of this node is of that type, nor can it be unset"
            )),
        });
        let typed = typed.collect::<Result<Vec<_>, _>>()?;
        let candidate = kept.parameters.with(typed).map_err(|e| e.to_string())?;
        // What is set to what it was waits for nothing.
        let after = self.listed(&candidate);
        let changes = |name: &str| {
            value_of(&before, name).is_none_or(|was| value_of(&after, name).is_none_or(|is| !is.is_same(was)))
        };
        let is_made_anew = |(name, _): &&Wanted| when(name) == When::Inactive && changes(name);
        let made_anew = wanted.iter().find(is_made_anew).map(|(name, _)| name);
        may_change(made_anew, state)?;
        keeps_its_unit(&kept.parameters, &candidate, wanted)?;

        let will_be_stale = kept.is_stale || (made_anew.is_some() && state != State::Unconfigured);
        let asks = !will_be_stale;
        let checked = self.check(&kept.parameters, &candidate, asks).map_err(|e| e.to_string())?;
        let concerns_scores = wanted.iter().any(|(name, _)| is_of_the_score(name));
        if candidate.publish != kept.parameters.publish && asks && state != State::Unconfigured {
            self.switch(candidate.publish.clone())?;
        }
        if asks && made_anew.is_none() {
            self.tune(checked, concerns_scores);
        }
        (kept.parameters, kept.is_stale) = (candidate, will_be_stale);
        Ok(())
    }

    /// Holds all cameras' parameters against what they concern.
    fn check(&self, before: &Parameters, after: &Parameters, asks: bool) -> Result<Checked, ConfigError> {
        after.runtime()?;
        let model = lock(&self.model).clone().filter(|_| asks);
        let cameras = after.of_cameras()?;
        // Of other cameras than before nothing is running that could be asked.
        let were = if before.cameras == after.cameras { before.of_cameras()? } else { Vec::new() };
        let walks = cameras.iter().enumerate().map(|(i, camera)| -> Result<_, ConfigError> {
            camera.parameters.node()?;
            camera.parameters.walk()?;
            let (Some(model), Some(was)) = (&model, were.get(i)) else { return Ok(None) };
            let walk = model(&camera.parameters)?;
            fits(&model(&was.parameters)?, &walk)?;
            Ok(Some(walk))
        });
        let walks = walks.collect::<Result<Vec<_>, _>>()?;
        Ok(cameras.into_iter().zip(walks).collect())
    }

    /// Tells the threads at work, and the books.
    fn tune(&self, checked: Checked, concerns_scores: bool) {
        for (station, (camera, walk)) in lock(&self.roster).iter().zip(checked) {
            // It was checked.
            let Ok(settings) = camera.parameters.node() else { continue };
            lock(&station.health).set(&settings);
            lock(&station.tuned).change(settings, walk.filter(|_| concerns_scores));
        }
    }

    /// Has outputs made and destroyed.
    fn switch(&self, on: Publish) -> Result<(), String> {
        let roster = Arc::clone(&self.roster);
        let is_taken = self.jobs.put(move |node: &mut Node| {
            // Not while the roster is held: a picture may be on its way out.
            let all = lock(&roster).clone();
            for station in &all {
                if let Err(error) = lock(&station.optional).switch(node, &station.prefix(), &on) {
                    tracing::error!("an output was not switched: ROS 2 says {error}");
                }
            }
        });
        if is_taken { Ok(()) } else { Err("the middleware's thread is busy: try again".into()) }
    }
}

pub(super) fn value_of<'a>(listed: &'a Listed, name: &str) -> Option<&'a ParameterValue> {
    listed.iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

/// Whether it has that value.
fn is_among(listed: &Listed, (name, wanted): &Wanted) -> bool {
    let is_same = |value: &ParameterValue| wanted.as_ref().is_some_and(|wanted| wanted.is_same(value));
    value_of(listed, name).is_some_and(is_same)
}

/// A threshold that was set is a number in its score's unit: with another score it has to be set again, or unset.
fn keeps_its_unit(before: &Parameters, after: &Parameters, wanted: &[Wanted]) -> Result<(), String> {
    let said = |e: ConfigError| e.to_string();
    let were = before.of_cameras().map_err(said)?;
    for CameraParameters { name, parameters: is } in after.of_cameras().map_err(said)? {
        let Some(CameraParameters { parameters: was, .. }) = were.iter().find(|camera| camera.name == name)
        else {
            continue;
        };
        let own = after.own.get(&name).is_some_and(|own| own.contains_key("threshold_override"));
        let parameter = if own { format!("{name}.threshold_override") } else { "threshold_override".into() };
        let is_set = wanted.iter().any(|(name, _)| *name == parameter);
        if (was.score != is.score || was.temperature != is.temperature)
            && !is_set
            && !is.threshold_override.is_nan()
        {
            return Err(format!(
                "{parameter} {} is in the unit of score {} (temperature {}): set both at once \
                 (set_parameters_atomically), or {parameter} to .nan before",
                is.threshold_override, was.score, was.temperature
            ));
        }
    }
    Ok(())
}

/// Whether the node is in a state in which that may be set; `made_anew`: a parameter that sessions,
/// subscriptions or outputs are made from.
fn may_change(made_anew: Option<&String>, state: State) -> Result<(), String> {
    let label = state.label();
    match (made_anew, state) {
        (_, State::Unconfigured | State::Inactive) | (None, State::Active) => Ok(()),
        (Some(name), State::Active) => Err(format!(
            "parameter {name} can only be changed while the node is inactive or unconfigured, and it is active: \
             deactivate it first (~/change_state)"
        )),
        (_, State::Finalized) => Err("the node is finalized: nothing is read any more".into()),
        _ => Err(format!("the node is {label}: try again when that is over")),
    }
}

/// Whether sessions that were made for one walk can do another.
fn fits(before: &[PipelineSettings], after: &[PipelineSettings]) -> Result<(), ConfigError> {
    let sizes = |walk: &[PipelineSettings]| {
        walk.iter().map(|s| s.input_size.to_string()).collect::<Vec<_>>().join(", ")
    };
    let clips = |walk: &[PipelineSettings]| walk.iter().any(|s| s.scoring.clip().is_some());
    let score = || after.first().map_or_else(String::new, |s| s.scoring.to_string());
    if sizes(before) != sizes(after) {
        let (expected, got) = (sizes(before), sizes(after));
        return Err(ConfigError::Shape(format!(
            "score {} is calibrated at {got}, the sessions are of {expected}: set it while the node is \
             unconfigured",
            score()
        )));
    }
    if clips(before) != clips(after) {
        return Err(ConfigError::Shape(format!(
            "score {} and the present one read other outputs of the network: set it while the node is \
             unconfigured",
            score()
        )));
    }
    Ok(())
}

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;
