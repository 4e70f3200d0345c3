"""Expressions, and what is charged when one cannot be believed."""

import pytest

from gateway.rules.expressions import ExpressionInvalid, compile_expression
from gateway.rules.pricing import Price, price

BILLABLE = "status < 400 && 'x-event-type' in response_headers ? 1.0 : 0.0"


def cost(text: str | None, status: int = 200, headers: dict[str, str] | None = None) -> Price:
    expression = compile_expression(text) if text is not None else None
    return price(expression, status, {"status": status, "response_headers": headers or {}}.__getitem__)


def test_the_shipped_expression_charges_only_what_changed_something() -> None:
    assert cost(BILLABLE, 202, {"x-event-type": "deployment.created"}).cost == 1.0
    assert cost(BILLABLE, 200).cost == 0.0
    assert cost(BILLABLE, 409, {"x-event-type": "deployment.created"}).cost == 0.0


@pytest.mark.parametrize(
    "text",
    [
        "-1.0",
        "0.0 / 0.0",
        "1.0 / 0.0",
        "'1'",
        "true",
        "null",
        "[1.0]",
        "1 / 0",
        "double(response_headers['x'])",
        "status + 1.0",
    ],
)
def test_what_is_no_cost_costs_one_and_says_so(text: str) -> None:
    priced = cost(text)

    assert priced.cost == 1.0
    assert priced.fault is not None


def test_a_whole_number_is_a_cost() -> None:
    assert cost("status == 200 ? 3 : 0") == Price(3.0)


def test_without_an_expression_success_costs_one() -> None:
    assert cost(None, 201).cost == 1.0
    assert cost(None, 500).cost == 0.0


@pytest.mark.parametrize("text", ["1 +", "unknown", "nothing(status)", "status.nothing()"])
def test_what_cannot_be_run_is_refused_at_load(text: str) -> None:
    with pytest.raises(ExpressionInvalid):
        compile_expression(text)


def test_names_bound_inside_an_expression_are_not_unknown() -> None:
    assert compile_expression("[1, 2].exists(n, n == status)").run({"status": 2}.__getitem__) is True
