"""Names of images that a tenant may use. Pure.

Facts: where the engine takes a name it also takes any beginning of an id (`3f`, `sha256:3f`), and every project's images are on the same
engine. So an id, what may be the beginning of one, and the names under which builds are kept, would be another organisation's files.
"""

import re

BUILT = "localhost/plane-"
"""How the names of what was built here for a project begin."""

_ID_BEGINNING = re.compile(r"[0-9a-fA-F]{1,64}")


def is_somebodys(reference: str) -> bool:
    """Whether it may mean the image of a project, instead of one that is there for all."""
    return may_be_an_id(reference) or reference.startswith(BUILT)


def may_be_an_id(reference: str) -> bool:
    """A name of such letters only is told apart by its tag."""
    return reference.lower().startswith("sha256:") or _ID_BEGINNING.fullmatch(reference) is not None
