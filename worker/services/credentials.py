"""What an add-on lets its projects in with. Letters and digits only, so that no image, shell or url has to quote them."""

import secrets
import string
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from worker.services.model import AddOn

_ALPHABET = string.ascii_letters + string.digits
_PASSWORD_LENGTH = 32


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    user: str
    password: str
    database: str

    @classmethod
    def generate(cls) -> "Credentials":
        return cls("app", "".join(secrets.choice(_ALPHABET) for _ in range(_PASSWORD_LENGTH)), "app")

    def to_variables(self) -> dict[str, str]:
        """The form in which they are sealed."""
        return asdict(self)

    @classmethod
    def from_variables(cls, variables: Mapping[str, str]) -> "Credentials":
        return cls(**variables)


def environment_of(addon: AddOn, credentials: Credentials) -> dict[str, str]:
    """Of the add-on's own container."""
    filled = asdict(credentials)
    return {name: template.format_map(filled) for name, template in addon.definition.environment.items()}


def url_of(addon: AddOn, credentials: Credentials) -> str:
    """For a project of the same organisation."""
    return addon.definition.url.format_map(
        {**asdict(credentials), "host": addon.host, "port": addon.definition.port}
    )


def without_secrets(text: str, credentials: Credentials) -> str:
    return text.replace(credentials.password, "***")
