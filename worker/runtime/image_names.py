"""Names of images, which are not ids of images. Pure.

Facts: where the engine takes a name it also takes any beginning of an id (`3f`, `sha256:3f`), and every project's images are on the same
engine. So an id, or what may be the beginning of one, would be another organisation's files.
"""

import re

_ID_BEGINNING = re.compile(r"[0-9a-fA-F]{1,64}")


def may_be_an_id(reference: str) -> bool:
    """A name of such letters only is told apart by its tag."""
    return reference.lower().startswith("sha256:") or _ID_BEGINNING.fullmatch(reference) is not None
