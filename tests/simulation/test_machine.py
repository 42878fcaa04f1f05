"""Hypothesis chooses what people, fate and the weather do, and shrinks what breaks a promise to its last step."""

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.simulation.faults import CALM, Faults
from tests.simulation.runs import SCALE
from tests.simulation.script import Act, Kind, Script
from tests.simulation.world import Session

DEVICES = 2
WEATHERS = (
    CALM,
    Faults(drop_request=0.5),
    Faults(drop_answer=0.5),
    Faults(double_request=0.5, double_answer=0.5),
    Faults(busy=0.5),
    Faults(unauthorised=0.5),
    Faults(slow=0.5, trickle=0.3),
    Faults(store_fails=0.5),
    Faults(poison=0.5),
)


class Devices(RuleBasedStateMachine):
    """Two devices and the world around them; whatever happened, all agree in the end and no words are lost."""

    @initialize(
        seed=st.integers(0, 999),
        accounts=st.integers(1, 2),
        modern=st.booleans(),
        most_rows=st.sampled_from((2, 1000)),
        starts=st.tuples(*[st.sampled_from((0.0, 0.0, 30.0))] * DEVICES),
    )
    def begin(
        self, seed: int, accounts: int, modern: bool, most_rows: int, starts: tuple[float, ...]
    ) -> None:
        script = Script(seed, CALM, (), starts, 60.0, accounts=accounts, modern=modern, most_rows=most_rows)
        self.session = Session(script)
        self.session.begin()

    @rule(
        kind=st.sampled_from([kind for kind in Kind if kind is not Kind.CORRUPT]),
        device=st.integers(0, DEVICES - 1),
        salt=st.integers(0, 99),
    )
    def somebody_does(self, kind: Kind, device: int, salt: int) -> None:
        self.session.perform(Act(self.session.clockwork.now, device, kind, salt))

    @rule(seconds=st.sampled_from((0.005, 0.1, 0.5, 2.0, 10.0)))
    def time_passes(self, seconds: float) -> None:
        self.session.clockwork.run_until(self.session.clockwork.now + seconds)

    @rule(weather=st.sampled_from(WEATHERS))
    def the_weather_changes(self, weather: Faults) -> None:
        self.session.network.faults = weather

    def teardown(self) -> None:
        if hasattr(self, "session"):
            self.session.end()


def _run(examples: int, steps: int) -> None:
    # Hypothesis does not say what this takes.
    run: Any = run_state_machine_as_test
    run(
        Devices,
        settings=settings(
            max_examples=max(1, examples),
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_any_order_of_events_keeps_every_promise() -> None:
    _run(1_500, 60)


@pytest.mark.long
def test_any_long_order_of_events_keeps_every_promise() -> None:
    _run(int(50_000 * SCALE), 100)
