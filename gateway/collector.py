"""The garbage collector of Python, told what a gateway is like: what is there at the start stays, and what a request makes goes with its
last reference. What it would find are cycles, of which errors make a few.
"""

import gc
from typing import Final

_YOUNG: Final = 20_000
"""Objects that are more than before, at which it looks at the young ones. The 700 of the default come up every 100 requests."""


def spare_what_stays() -> None:
    """Call when everything is open."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, 20, 50)
