"""What a request costs, from the route's metering expression.

Rules: a failing expression, or one whose value is no finite number of at least 0, costs 1.0 and says so. Without an
expression, what succeeded costs 1.0 and what failed is free.
"""

import math
from dataclasses import dataclass

from gateway.rules.expressions import Expression, ExpressionFailed, Source


@dataclass(slots=True, init=False)
class Price:
    """`fault` says why the expression was not believed, for the log."""

    cost: float
    fault: str | None = None

    def __init__(self, cost: float, fault: str | None = None) -> None:
        self.cost = cost
        self.fault = fault


def price(expression: Expression | None, status: int, source: Source) -> Price:
    if expression is None:
        return Price(1.0 if status < 400 else 0.0)
    try:
        value = expression.run(source)
    except ExpressionFailed as error:
        return Price(1.0, str(error))
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return Price(1.0, f"the value is a {type(value).__name__}, not a number")
    if not math.isfinite(value) or value < 0:
        return Price(1.0, f"the value {value} is not a cost")
    return Price(float(value))
