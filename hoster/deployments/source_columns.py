"""The source of a deployment or release as its columns hold it."""

import json

from hoster.deployments.model import ImageSource, Source, TemplateSource
from shared.database import Row


def source_of(row: Row) -> Source:
    if row["source"] is None:
        return TemplateSource(row["template_id"], row["template_revision"])
    members = json.loads(row["source"])
    return ImageSource(members["image"], members["port"])


def source_columns(source: Source) -> dict[str, object]:
    match source:
        case TemplateSource():
            return {"template_id": source.template_id, "template_revision": source.revision, "source": None}
        case ImageSource():
            members = {"image": source.image, "port": source.port}
            return {"template_id": None, "template_revision": None, "source": json.dumps(members)}
