"""Which content coding a client gets (RFC 9110, section 12.5.3). Pure."""

from collections.abc import Collection

_PREFERRED = ("br", "gzip")


def chosen_coding(accepted: str, available: Collection[str]) -> str | None:
    """The smallest form that the client takes; None for the body as it is."""
    weights = dict(_weight(part) for part in accepted.lower().split(",") if part.strip())
    others = weights.get("*", 0.0)
    for coding in _PREFERRED:
        if coding in available and weights.get(coding, others) > 0:
            return coding
    return None


def _weight(part: str) -> tuple[str, float]:
    """A weight that cannot be read counts as a refusal: the body as it is fits every client."""
    name, _, parameter = part.partition(";")
    quality = parameter.strip().removeprefix("q=")
    try:
        return name.strip(), float(quality) if quality else 1.0
    except ValueError:
        return name.strip(), 0.0
