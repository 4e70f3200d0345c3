"""The source of a deployment or release as its columns hold it."""

import json

from hoster.deployments.sources import Source, TemplateSource, source_members, stored_source
from shared.database import Row


def source_of(row: Row) -> Source:
    if row["source"] is None:
        return TemplateSource(row["template_id"], row["template_revision"])
    return stored_source(row["source"])


def source_columns(source: Source) -> dict[str, object]:
    template = source if isinstance(source, TemplateSource) else None
    return {
        "template_id": template.template_id if template else None,
        "template_revision": template.revision if template else None,
        "source": None if template else json.dumps(source_members(source)),
    }
