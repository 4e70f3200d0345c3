"""Which of a request's fields carries the mesh token, and what is left of the fields when it has been consumed.

Rules:
- `X-Mesh-Token` wins over `Authorization`, so that an app behind the mesh may use Bearer tokens of its own.
- Only the field that carried the consumed token is removed; `X-Mesh-Token` and every other `X-Mesh-` field always, in any spelling.
- Managed and `X-Forwarded-*` names are ours alone. A name counts as ours once `.` and `_` are read as `-`, because
  application servers fold them into one variable (CVE-2026-88011).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.identity import is_managed
from shared.relay.director import Field
from worker.mesh.errors import MissingToken, TokenInvalid

_FOLD = bytes.maketrans(b"._", b"--")
_MESH_TOKEN = b"x-mesh-token"
_AUTHORIZATION = b"authorization"
_SCHEME = b"bearer "


@dataclass(frozen=True, slots=True)
class MeshCredential:
    """`field` is the lower-case name of the field that carried the token."""

    token: str
    field: bytes


def find_credential(fields: Sequence[Field]) -> MeshCredential:
    """Raises MissingToken, and TokenInvalid when one field is given twice."""
    for wanted in (_MESH_TOKEN, _AUTHORIZATION):
        values = [value for name, value in fields if name.lower() == wanted]
        if wanted == _AUTHORIZATION:
            values = [value[len(_SCHEME) :] for value in values if value[: len(_SCHEME)].lower() == _SCHEME]
        if len(values) > 1:
            raise TokenInvalid
        if values:
            return MeshCredential(values[0].decode("latin-1").strip(), wanted)
    raise MissingToken


def without_ours(fields: Sequence[Field], consumed: MeshCredential | None) -> list[Field]:
    """The client's fields that the app may see, in order."""
    dropped = consumed.field if consumed is not None else b""
    return [
        (name, value)
        for name, value in fields
        if not _is_ours(lowered := name.lower()) and lowered != dropped
    ]


def for_peer(fields: Sequence[Field]) -> list[Field]:
    """The client's fields that another node needs, in order: the credential is checked and consumed there."""
    return [
        (name, value)
        for name, value in fields
        if (lowered := name.lower()) == _MESH_TOKEN or not _is_ours(lowered)
    ]


def _is_ours(lowered_name: bytes) -> bool:
    if not lowered_name.startswith(b"x"):
        return lowered_name == b"forwarded"
    folded = lowered_name.translate(_FOLD)
    return folded.startswith((b"x-forwarded-", b"x-mesh-")) or is_managed(lowered_name)
