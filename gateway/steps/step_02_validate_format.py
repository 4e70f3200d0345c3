"""Step 2: refuse what cannot be a credential before anything is looked up."""

from typing import Final

from gateway.accounts.key_format import PREFIX, is_well_formed
from gateway.accounts.principal import ApiKey, BearerToken, Credential
from gateway.errors import InvalidApiKey, InvalidToken
from gateway.steps.step_01_extract_credential import Presented

LONGEST_TOKEN: Final = 8 * 1024


def validate_format(presented: Presented) -> Credential:
    """Raises InvalidApiKey, InvalidToken."""
    text = presented.text
    if presented.must_be_key or text.startswith(PREFIX):
        if not is_well_formed(text):
            raise InvalidApiKey
        return ApiKey(text)
    if len(text) > LONGEST_TOKEN or not text.isascii() or not _has_three_parts(text):
        raise InvalidToken
    return BearerToken(text)


def _has_three_parts(text: str) -> bool:
    second = text.find(".", text.find(".") + 1)
    return second > 0 and text.find(".", second + 1) < 0
