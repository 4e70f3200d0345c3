"""What a service behind the relay puts up with: every head that the relay admits, so that no request is refused a second time, by the
HTTP library, whose words repeat what was sent.
"""

from collections.abc import Mapping
from typing import Any, Final

ADMITTED: Final[Mapping[str, Any]] = {"max_line_size": 16 * 1024, "max_field_size": 64 * 1024}
"""Bytes, for `aiohttp.web.AppRunner`: of the request line, and of one field with what is added to it on the way."""
