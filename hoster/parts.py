"""What Hoster is wired from: everything that is opened or read before there is an application."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hoster.config import Config
from hoster.jobs.model import Patience
from hoster.templates.model import TemplateDocument
from hoster.vault import Vault
from hoster.web.pages import Pages
from shared.clock import Clock
from shared.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """`on_death` stops the service when a background job dies."""

    config: Config
    clock: Clock
    database: Database
    vault: Vault
    catalog: Mapping[str, TemplateDocument]
    pages: Pages
    patience: Patience
    on_death: Callable[[], None]
