"""The templates that are shipped: one YAML file each, put into the database at start as published templates."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from hoster.bodies import BodyInvalid
from hoster.templates.document import read_document
from hoster.templates.model import TemplateDocument

FOLDER = Path(__file__).with_name("catalog")


class CatalogInvalid(Exception):
    """A shipped template breaks the rules that customers' templates must keep: a defect of the product."""


def read_catalog(folder: Path = FOLDER) -> Mapping[str, TemplateDocument]:
    """By slug, which is the file's name."""
    documents: dict[str, TemplateDocument] = {}
    for file in sorted(folder.glob("*.yaml")):
        try:
            documents[file.stem] = read_document(yaml.safe_load(file.read_text(encoding="utf-8")))
        except BodyInvalid as invalid:
            raise CatalogInvalid(f"{file.name}: {invalid}") from invalid
    return documents
