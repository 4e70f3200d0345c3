"""Why a source cannot be deployed."""

from collections.abc import Sequence


class SourceFailed(Exception):
    """Fetching or building did not work; the message says why. `lines` are the last ones that the tool printed."""

    def __init__(self, reason: str, lines: Sequence[str] = ()) -> None:
        super().__init__(reason)
        self.lines = tuple(lines)
