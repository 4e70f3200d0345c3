"""Names of images that a tenant may use. Pure.

Facts: where the engine takes a name it also takes any beginning of an id (`3f`, `sha256:3f`), and every project's images are on the same
engine. So an id, what may be the beginning of one, and the names under which builds are kept, would be another organisation's files. A name
becomes part of a path of the engine's API, so what is none must not get there. The grammar is that of distribution's references.
"""

import re

BUILT = "localhost/plane-"
"""How the names of what was built here for a project begin."""

LONGEST = 255
_HOST = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\]"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(
    rf"(?:(?:{_HOST})(?::[0-9]{{1,5}})?/)?{_PART}(?:/{_PART})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?"
)
_ID_BEGINNING = re.compile(r"[0-9a-fA-F]{1,64}")


def is_permitted(reference: str) -> bool:
    """Whether it is a name, and of an image that is there for all."""
    return is_name(reference) and not is_somebodys(reference)


def is_name(reference: str) -> bool:
    return len(reference) <= LONGEST and _NAME.fullmatch(reference) is not None


def is_somebodys(reference: str) -> bool:
    """Whether it may mean the image of a project, instead of one that is there for all."""
    return may_be_an_id(reference) or reference.startswith(BUILT)


def may_be_an_id(reference: str) -> bool:
    """A name of such letters only is told apart by its tag."""
    return reference.lower().startswith("sha256:") or _ID_BEGINNING.fullmatch(reference) is not None
