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
    if len(text) > LONGEST_TOKEN or text.count(".") != 2 or not text.isascii():
        raise InvalidToken
    return BearerToken(text)
