"""A route's own edits of fields (`request_headers`, `response_headers`), applied in both directions alike."""

from collections.abc import Sequence

import structlog

from gateway.routes.route import FieldEdits
from gateway.rules.expressions import ExpressionFailed, Source, as_text
from shared.relay.director import Field


def edited(fields: Sequence[Field], edits: FieldEdits, variables: Source, route: str) -> list[Field]:
    """Failure policy: a field whose expression fails is left out, and that is logged."""
    kept = [field for field in fields if field[0].lower() not in edits.removed]
    kept.extend(edits.literal)
    if edits.computed:
        for name, expression in edits.computed:
            try:
                kept.append((name, as_text(expression.run(variables)).encode("utf-8")))
            except ExpressionFailed as error:
                structlog.get_logger("routes").warning(
                    "header_expression_failed", route=route, header=name.decode(), reason=str(error)
                )
    return kept
