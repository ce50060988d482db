"""The managed node as a lifecycle manager sees it, by the standard services."""

import pytest
from lifecycle_msgs.msg import State, Transition, TransitionEvent
from lifecycle_msgs.srv import ChangeState, GetAvailableStates, GetAvailableTransitions, GetState

from fake import start_fake
from images import assert_bands, bands, fresh_header, rgb8

UNCONFIGURED, INACTIVE = State.PRIMARY_STATE_UNCONFIGURED, State.PRIMARY_STATE_INACTIVE
ACTIVE, FINALIZED = State.PRIMARY_STATE_ACTIVE, State.PRIMARY_STATE_FINALIZED
MANUAL = {"autostart": False}


class Manager:
    """Asks and tells one node."""

    def __init__(self, peer):
        self.peer = peer
        self.clients = {}

    def call(self, kind, service, **request):
        if service not in self.clients:
            self.clients[service] = self.peer.ros.create_client(kind, f"{self.peer.program.name}/{service}")
        client = self.clients[service]
        self.peer.until(client.service_is_ready, f"offering {service}")
        future = client.call_async(kind.Request(**request))
        return self.peer.until(lambda: future.done() and future.result(), f"answering {service}")

    @property
    def state(self):
        current = self.call(GetState, "get_state").current_state
        return current.id

    def change(self, id=0, label=""):
        """Whether it succeeded."""
        return self.call(ChangeState, "change_state", transition=Transition(id=id, label=label)).success

    def offered(self):
        answer = self.call(GetAvailableTransitions, "get_available_transitions")
        return [(t.transition.id, t.transition.label) for t in answer.available_transitions]


def answered(peer):
    image = rgb8(bands(), header=fresh_header())
    (labels,) = peer.answer(image, "labels")
    assert_bands(labels)


def silent(peer):
    """Images that are sent now are not answered: diagnostics go on for a while, labels do not."""
    labels = peer.hear("labels")
    labels.clear()
    send = lambda: peer.camera.publish(rgb8(bands(), header=fresh_header()))
    for _ in range(2):
        peer.until_status("inference", lambda s: True, "told", send)
    return not labels


def test_it_starts_by_itself(start):
    peer = start_fake(start)
    answered(peer)
    manager = Manager(peer)
    assert manager.state == ACTIVE
    assert manager.offered() == [
        (Transition.TRANSITION_DEACTIVATE, "deactivate"),
        (Transition.TRANSITION_ACTIVE_SHUTDOWN, "shutdown"),
    ]
    states = manager.call(GetAvailableStates, "get_available_states").available_states
    assert {(UNCONFIGURED, "unconfigured"), (FINALIZED, "finalized")} <= {(s.id, s.label) for s in states}


def test_a_life(start):
    peer = start_fake(start, MANUAL)
    manager = Manager(peer)
    events = peer.hear("transition_event", TransitionEvent)
    assert manager.state == UNCONFIGURED
    told = peer.until_status("inference", lambda s: s.message == "unconfigured", "unconfigured")
    assert told.level == "OK" and "model" not in told.values
    assert peer.camera.get_subscription_count() == 0

    for _ in range(2):
        assert manager.change(Transition.TRANSITION_CONFIGURE) and manager.state == INACTIVE
        told = peer.until_status("inference", lambda s: s.message == "inactive", "inactive")
        assert told.values["model"] == "fake"
        status = peer.until_status("camera", lambda s: s.level == "OK", "not subscribed")
        assert status.message.startswith("not subscribed")
        for _ in range(2):
            assert manager.change(label="activate") and manager.state == ACTIVE
            answered(peer)
            assert manager.change(label="deactivate") and manager.state == INACTIVE
            assert silent(peer)
        assert manager.change(Transition.TRANSITION_CLEANUP) and manager.state == UNCONFIGURED

    assert manager.change(Transition.TRANSITION_CONFIGURE)
    assert manager.change(Transition.TRANSITION_ACTIVATE)
    answered(peer)
    assert manager.change(label="shutdown") and manager.state == FINALIZED
    assert silent(peer) and manager.offered() == []

    steps = [(e.start_state.label, e.goal_state.label) for e in events]
    assert steps[:4] == [
        ("unconfigured", "configuring"),
        ("configuring", "inactive"),
        ("inactive", "activating"),
        ("activating", "active"),
    ]
    assert steps[-2:] == [("active", "shuttingdown"), ("shuttingdown", "finalized")]
    assert all(here == there for (_, here), (there, _) in zip(steps, steps[1:]))


@pytest.mark.parametrize("wish", [{"id": 3}, {"id": 4}, {"id": 99}, {"label": "activate"}, {"label": "dance"}])
def test_what_does_not_begin_here(start, wish):
    peer = start_fake(start, MANUAL)
    manager = Manager(peer)
    assert not manager.change(**wish)
    assert manager.state == UNCONFIGURED
    assert "does not begin in state unconfigured; what does: configure, shutdown" in peer.program.stderr


def test_a_model_that_cannot_be_loaded_is_tried_again(start, tmp_path):
    """A manager may mend what is wrong and try again; the node stays."""
    broken = tmp_path / "broken"
    broken.touch()
    peer = start_fake(start, MANUAL, broken=broken)
    manager = Manager(peer)
    assert not manager.change(label="configure") and manager.state == UNCONFIGURED
    assert "configure failed: " in peer.program.stderr and "the device is gone" in peer.program.stderr
    broken.unlink()
    assert manager.change(label="configure") and manager.change(label="activate")
    answered(peer)


def test_started_by_itself_it_ends_where_it_cannot(start, tmp_path):
    broken = tmp_path / "broken"
    broken.touch()
    peer = start_fake(start, broken=broken)
    assert peer.program.ended() == 2
    assert "the device is gone" in peer.program.stderr


def test_questions_are_answered_while_the_model_is_loaded(start):
    """And no change begins meanwhile."""
    peer = start_fake(start, MANUAL | {"input_size": "auto", "latency_budget_ms": 60_000.0}, delay_ms=500)
    manager = Manager(peer)
    assert manager.state == UNCONFIGURED
    change = peer.ros.create_client(ChangeState, f"{peer.program.name}/change_state")
    peer.until(change.service_is_ready, "offering change_state")
    configured = change.call_async(ChangeState.Request(transition=Transition(label="configure")))
    state = peer.until(lambda: (s := manager.state) != UNCONFIGURED and s, "configuring")
    # The warm-up takes two seconds; a machine that stood still meanwhile has nothing to show here.
    if state == State.TRANSITION_STATE_CONFIGURING:
        assert manager.offered() == []
    assert peer.until(lambda: configured.done() and configured.result(), "configured").success
    assert manager.state == INACTIVE
