"""The circuit breaker of the counters, as the table says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.counters.circuit import MOST_MISSES, Circuit, CircuitEvent, CircuitState

CLOSED, OPEN, PROBING = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.PROBING
ANSWERED, MISSED, PROBED = CircuitEvent.ANSWERED, CircuitEvent.MISSED, CircuitEvent.PROBED
LOST, CONNECTED = CircuitEvent.LOST, CircuitEvent.CONNECTED


def after(*events: CircuitEvent) -> Circuit:
    circuit = Circuit()
    for event in events:
        circuit = circuit.after(event)
    return circuit


@pytest.mark.parametrize(
    ("events", "state", "openings"),
    [
        ([], OPEN, 0),
        ([CONNECTED], CLOSED, 0),
        ([CONNECTED, MISSED, MISSED], CLOSED, 0),
        ([CONNECTED, MISSED, MISSED, MISSED], OPEN, 1),
        ([CONNECTED, MISSED, MISSED, ANSWERED, MISSED, MISSED], CLOSED, 0),
        ([CONNECTED, *[MISSED] * 3, ANSWERED], OPEN, 1),
        ([CONNECTED, *[MISSED] * 3, PROBED], PROBING, 1),
        ([CONNECTED, *[MISSED] * 3, PROBED, PROBED], PROBING, 1),
        ([CONNECTED, *[MISSED] * 3, PROBED, MISSED], OPEN, 1),
        ([CONNECTED, *[MISSED] * 3, PROBED, ANSWERED], CLOSED, 1),
        ([CONNECTED, *[MISSED] * 3, PROBED, ANSWERED, MISSED, MISSED], CLOSED, 1),
        ([CONNECTED, *[MISSED] * 3, PROBED, LOST, CONNECTED], CLOSED, 1),
        ([CONNECTED, LOST], OPEN, 1),
        ([CONNECTED, LOST, LOST], OPEN, 1),
        ([PROBED, MISSED, ANSWERED], OPEN, 0),
    ],
)
def test_the_circuit_follows_its_table(
    events: list[CircuitEvent], state: CircuitState, openings: int
) -> None:
    circuit = after(*events)

    assert (circuit.state, circuit.openings) == (state, openings)


@given(st.lists(st.sampled_from([ANSWERED, MISSED, PROBED, LOST, CONNECTED])))
def test_nobody_is_let_through_after_three_misses_until_something_was_answered(
    events: list[CircuitEvent],
) -> None:
    circuit = after(CONNECTED, *[MISSED] * MOST_MISSES)
    for event in events:
        circuit = circuit.after(event)
        if circuit.is_closed:
            assert event in {ANSWERED, CONNECTED}
            return
