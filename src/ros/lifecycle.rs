//! The services of a managed node, as `lifecycle_msgs` defines them, around [`crate::lifecycle`]'s machine.
//! Questions are answered here; changes are passed on to who can make them.

use super::lock;
use super::service::{Task, respond, serve};
use crate::lifecycle::{Machine, State, TRANSITIONS, Transition};
use futures::StreamExt;
use r2r::lifecycle_msgs::msg;
use r2r::lifecycle_msgs::srv::{ChangeState, GetAvailableStates, GetAvailableTransitions, GetState};
use r2r::{Node, Publisher, QosProfile, ServiceRequest};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;

/// Someone wants the state to change.
pub(super) type Wish = ServiceRequest<ChangeState::Service>;

/// Wishes that may wait; a manager waits for the answer to one before it has another.
const WISHES: usize = 4;

fn state(state: State) -> msg::State {
    msg::State { id: state.id(), label: state.label().into() }
}

fn transition(id: u8, label: &str) -> msg::Transition {
    msg::Transition { id, label: label.into() }
}

fn description(of: &Transition) -> msg::TransitionDescription {
    msg::TransitionDescription {
        transition: transition(of.id, of.label),
        start_state: state(of.from),
        goal_state: state(of.to),
    }
}

/// Offers the services. Wishes come out at the other end.
pub(super) fn offer(
    node: &mut Node,
    machine: &Arc<Mutex<Machine>>,
) -> r2r::Result<(Vec<Task>, mpsc::Receiver<Wish>)> {
    let (wishes, receiver) = mpsc::channel(WISHES);
    let of = || Arc::clone(machine);
    let tasks = vec![
        serve::<GetState::Service>(node, "~/get_state", {
            let machine = of();
            move |_| GetState::Response { current_state: state(lock(&machine).state()) }
        })?,
        serve::<GetAvailableStates::Service>(node, "~/get_available_states", |_| {
            let available_states = State::ALL.map(|(s, ..)| state(s)).into();
            GetAvailableStates::Response { available_states }
        })?,
        serve::<GetAvailableTransitions::Service>(node, "~/get_available_transitions", {
            let machine = of();
            move |_| {
                let available_transitions = lock(&machine).offered().map(|t| description(&t)).collect();
                GetAvailableTransitions::Response { available_transitions }
            }
        })?,
        pass_on(node, wishes)?,
    ];
    Ok((tasks, receiver))
}

fn pass_on(node: &mut Node, wishes: mpsc::Sender<Wish>) -> r2r::Result<Task> {
    let name = "~/change_state";
    let mut requests = node.create_service::<ChangeState::Service>(name, QosProfile::services_default())?;
    Ok(Box::pin(async move {
        while let Some(request) = requests.next().await {
            if let Err(refused) = wishes.try_send(request) {
                let (mpsc::error::TrySendError::Full(wish) | mpsc::error::TrySendError::Closed(wish)) =
                    refused;
                tracing::warn!("a change of state was refused: others are waiting");
                respond(wish, ChangeState::Response { success: false }, name);
            }
        }
    }))
}

/// Tells everyone of changes, on `~/transition_event`.
pub(super) struct Events(Publisher<msg::TransitionEvent>);

impl Events {
    pub(super) fn new(node: &mut Node) -> r2r::Result<Self> {
        Ok(Self(node.create_publisher("~/transition_event", QosProfile::default())?))
    }

    /// A transition began.
    pub(super) fn began(&self, of: &Transition) {
        self.publish(transition(of.id, of.label), of.from, of.through);
    }

    /// It is over. Its end is a transition as well, numbered by tens.
    pub(super) fn ended(&self, of: &Transition, to: State) {
        let first = TRANSITIONS.iter().find(|t| t.action == of.action).map_or(of.id, |t| t.id);
        let (offset, label) = if to == of.to { (0, "transition_success") } else { (1, "transition_failure") };
        self.publish(transition(first * 10 + offset, label), of.through, to);
    }

    fn publish(&self, transition: msg::Transition, from: State, to: State) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let event = msg::TransitionEvent {
            timestamp: u64::try_from(now.as_nanos()).unwrap_or(u64::MAX),
            transition,
            start_state: state(from),
            goal_state: state(to),
        };
        if let Err(error) = self.0.publish(&event) {
            tracing::error!("~/transition_event was not published: {error}");
        }
    }
}
