//! The life of a managed node, as ROS 2 designed it: which states there are, which changes lead from one to
//! another, and what is going on now. Numbers and names are those of `lifecycle_msgs`.
//!
//! Deliberately does not know: what a change does, services, messages.

/// A state; the first four last, the others are passed through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing is loaded.
    Unconfigured,
    /// Warm, and silent.
    Inactive,
    /// At work.
    Active,
    /// Over.
    Finalized,
    /// The model is being loaded.
    Configuring,
    /// It is being freed.
    CleaningUp,
    /// The end is being prepared.
    ShuttingDown,
    /// The camera is being subscribed to.
    Activating,
    /// It is being left.
    Deactivating,
}

impl State {
    /// Every state with its number and name.
    pub const ALL: [(Self, u8, &'static str); 9] = [
        (Self::Unconfigured, 1, "unconfigured"),
        (Self::Inactive, 2, "inactive"),
        (Self::Active, 3, "active"),
        (Self::Finalized, 4, "finalized"),
        (Self::Configuring, 10, "configuring"),
        (Self::CleaningUp, 11, "cleaningup"),
        (Self::ShuttingDown, 12, "shuttingdown"),
        (Self::Activating, 13, "activating"),
        (Self::Deactivating, 14, "deactivating"),
    ];

    fn row(self) -> (Self, u8, &'static str) {
        // Every variant stands in ALL: the test below walks the table of changes.
        Self::ALL.into_iter().find(|(state, ..)| *state == self).unwrap_or((self, 0, "unknown"))
    }

    /// Its number.
    pub fn id(self) -> u8 {
        self.row().1
    }

    /// Its name.
    pub fn label(self) -> &'static str {
        self.row().2
    }
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Load the model and warm it up.
    Configure,
    /// Free it.
    CleanUp,
    /// Subscribe and publish.
    Activate,
    /// Leave the camera, publish nothing, stay warm.
    Deactivate,
    /// Whatever is on: stop it.
    Shutdown,
}

/// A change from one lasting state to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// What it does.
    pub action: Action,
    /// Its number.
    pub id: u8,
    /// Its name.
    pub label: &'static str,
    /// Where it begins, and ends if it fails.
    pub from: State,
    /// While it lasts.
    pub through: State,
    /// Where it ends.
    pub to: State,
}

/// Every transition there is.
pub const TRANSITIONS: [Transition; 7] = {
    use Action::{Activate, CleanUp, Configure, Deactivate, Shutdown};
    use State::{Activating, CleaningUp, Configuring, Deactivating, ShuttingDown};
    use State::{Active, Finalized, Inactive, Unconfigured};
    const fn row(
        action: Action,
        id: u8,
        label: &'static str,
        from: State,
        through: State,
        to: State,
    ) -> Transition {
        Transition { action, id, label, from, through, to }
    }
    [
        row(Configure, 1, "configure", Unconfigured, Configuring, Inactive),
        row(CleanUp, 2, "cleanup", Inactive, CleaningUp, Unconfigured),
        row(Activate, 3, "activate", Inactive, Activating, Active),
        row(Deactivate, 4, "deactivate", Active, Deactivating, Inactive),
        row(Shutdown, 5, "shutdown", Unconfigured, ShuttingDown, Finalized),
        row(Shutdown, 6, "shutdown", Inactive, ShuttingDown, Finalized),
        row(Shutdown, 7, "shutdown", Active, ShuttingDown, Finalized),
    ]
};

/// Why a transition does not begin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("transition {asked} does not begin in state {state}; what does: {offered}")]
pub struct NoTransition {
    /// As asked for.
    pub asked: String,
    /// As it is.
    pub state: &'static str,
    /// Names of those that do.
    pub offered: String,
}

/// The state that a node is in, and what is under way.
#[derive(Debug, Clone)]
pub struct Machine {
    /// A lasting one.
    state: State,
    under_way: Option<Transition>,
}

impl Default for Machine {
    fn default() -> Self {
        Self { state: State::Unconfigured, under_way: None }
    }
}

impl Machine {
    /// The state now: that of what is under way, where something is.
    pub fn state(&self) -> State {
        self.under_way.map_or(self.state, |transition| transition.through)
    }

    /// What may begin now.
    pub fn offered(&self) -> impl Iterator<Item = Transition> + use<> {
        let from = self.under_way.is_none().then_some(self.state);
        TRANSITIONS.into_iter().filter(move |transition| Some(transition.from) == from)
    }

    /// Begins a transition: that of the name, where one is given, else that of the number. Another state's
    /// shutdown is meant for this one.
    ///
    /// # Errors
    /// It does not begin here, or there is none of that name.
    pub fn begin(&mut self, id: u8, label: &str) -> Result<Transition, NoTransition> {
        let is_shutdown = |id: u8| (5..=7).contains(&id);
        let is_meant = |t: &Transition| match label {
            "" => t.id == id || (is_shutdown(id) && is_shutdown(t.id)),
            label => t.label == label,
        };
        let meant = self.offered().find(is_meant);
        match meant {
            Some(transition) => {
                self.under_way = Some(transition);
                Ok(transition)
            }
            None => Err(NoTransition {
                asked: if label.is_empty() { id.to_string() } else { label.chars().take(40).collect() },
                state: self.state().label(),
                offered: self.offered().map(|t| t.label).collect::<Vec<_>>().join(", "),
            }),
        }
    }

    /// What was under way is over. The state that it led to.
    pub fn end(&mut self, has_succeeded: bool) -> State {
        if let Some(transition) = self.under_way.take() {
            self.state = if has_succeeded { transition.to } else { transition.from };
        }
        self.state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes these transitions in turn, all of them successful.
    fn walk(labels: &[&str]) -> Machine {
        let mut m = Machine::default();
        for label in labels {
            m.begin(0, label).unwrap();
            m.end(true);
        }
        m
    }

    fn offered(m: &Machine) -> Vec<(u8, &'static str)> {
        m.offered().map(|t| (t.id, t.label)).collect()
    }

    #[test]
    fn every_state_has_a_number_of_its_own() {
        for t in TRANSITIONS {
            for state in [t.from, t.through, t.to] {
                assert_ne!((state.id(), state.label()), (0, "unknown"), "{state:?}");
            }
        }
        let ids: Vec<u8> = State::ALL.iter().map(|(_, id, _)| *id).collect();
        assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    }

    #[test]
    fn a_life() {
        assert_eq!(offered(&walk(&[])), [(1, "configure"), (5, "shutdown")]);
        assert_eq!(offered(&walk(&["configure"])), [(2, "cleanup"), (3, "activate"), (6, "shutdown")]);
        assert_eq!(offered(&walk(&["configure", "activate"])), [(4, "deactivate"), (7, "shutdown")]);
        let m = walk(&["configure", "activate", "deactivate", "cleanup", "configure", "shutdown"]);
        assert_eq!((m.state(), offered(&m)), (State::Finalized, vec![]));
    }

    #[test]
    fn while_one_is_under_way_no_other_begins() {
        let mut m = Machine::default();
        let transition = m.begin(1, "").unwrap();
        assert_eq!((transition.action, m.state()), (Action::Configure, State::Configuring));
        assert!(offered(&m).is_empty());
        let error = m.begin(5, "").unwrap_err().to_string();
        assert_eq!(error, "transition 5 does not begin in state configuring; what does: ");
        assert_eq!(m.end(true), State::Inactive);
        assert_eq!(m.end(true), State::Inactive, "there is nothing to end");
    }

    #[test]
    fn what_fails_leads_back() {
        let mut m = Machine::default();
        m.begin(1, "").unwrap();
        assert_eq!(m.end(false), State::Unconfigured);
        let mut m = walk(&["configure"]);
        m.begin(3, "").unwrap();
        assert_eq!(m.end(false), State::Inactive);
    }

    #[test]
    fn names_win_over_numbers_and_any_shutdown_is_one() {
        let mut m = walk(&["configure"]);
        let error = m.begin(3, "configure").unwrap_err().to_string();
        assert!(error.contains("transition configure does not begin in state inactive"), "{error}");
        assert!(error.contains("what does: cleanup, activate, shutdown"), "{error}");
        assert!(m.begin(99, "").is_err() && m.begin(1, "").is_err());
        assert_eq!(m.begin(5, "").map(|t| t.id), Ok(6));
        assert_eq!(m.end(true), State::Finalized);
    }
}
