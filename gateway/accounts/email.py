"""E-mail addresses: what counts as one, and when two are the same.

Facts: the form is the one that browsers accept for `<input type=email>` (WHATWG HTML, "valid email address"), so that what a
sign-up form lets through is never refused here. RFC 5321 section 4.5.3.1 bounds the lengths. Local parts are case-sensitive on
paper and nowhere in practice, so one person cannot hold `Ann@` and `ann@`.
"""

import re
from typing import NewType

Email = NewType("Email", str)

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_FORM = re.compile(rf"[a-z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@{_LABEL}(?:\.{_LABEL})*")


class EmailInvalid(ValueError):
    """This is not an e-mail address."""


def normalise(text: str) -> Email:
    """Trimmed and lower-case; raises EmailInvalid."""
    email = text.strip().lower()
    if len(email) > 254 or _FORM.fullmatch(email) is None:
        raise EmailInvalid("must be an e-mail address such as ann@example.com")
    return Email(email)
