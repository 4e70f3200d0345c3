"""Step 11: the target that is sent: the canonical path, or what the route's `path_rewrite` makes of it."""

from dataclasses import dataclass

import structlog

from gateway.errors import BadPath, RewriteFailed
from gateway.rules.canonical_target import CanonicalTarget, canonical_path, without_api_key
from gateway.rules.expressions import Expression, ExpressionFailed, as_text
from gateway.steps.step_09_match_route import Bound
from gateway.steps.step_10_transform_request import Transformed
from gateway.steps.variables import Variables
from shared.relay.director import Field


@dataclass(slots=True, init=False)
class Rewritten:
    bound: Bound
    fields: list[Field]
    target: str

    def __init__(self, bound: Bound, fields: list[Field], target: str) -> None:
        self.bound = bound
        self.fields = fields
        self.target = target


def rewrite_path(transformed: Transformed) -> Rewritten:
    """Raises RewriteFailed. The query goes on as it came, less `api_key`."""
    bound = transformed.bound
    target = bound.match.target
    rewrite = bound.match.route.rewrite
    path = target.path if rewrite is None else _rewritten(bound, rewrite)
    if target.query is None:
        return Rewritten(bound, transformed.fields, path)
    return Rewritten(bound, transformed.fields, CanonicalTarget(path, without_api_key(target.query)).text())


def _rewritten(bound: Bound, rewrite: Expression) -> str:
    try:
        # A question mark is data here: unescaped, it would add to the query behind the signature's back.
        return canonical_path(as_text(rewrite.run(Variables(bound))).replace("?", "%3F"))
    except (ExpressionFailed, BadPath) as error:
        structlog.get_logger("routes").warning(
            "path_rewrite_failed",
            route=bound.match.route.name,
            request_id=bound.match.head.request_id,
            reason=str(error),
        )
        raise RewriteFailed from error
