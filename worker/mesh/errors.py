"""Why the mesh does not let a request through, one class for each answer.

MeshRefusal: UnknownHost, MissingToken, TokenInvalid, TokenOutOfDate, KeysUnavailable, WrongOrganisation, ProjectUnavailable,
PeersUnknown
"""


class MeshRefusal(Exception):
    """The request is answered by the mesh itself; no connection to the app is made."""


class UnknownHost(MeshRefusal):
    """No project of this node has that host name."""


class MissingToken(MeshRefusal):
    """This host needs a token: Authorization: Bearer, or X-Mesh-Token."""


class TokenInvalid(MeshRefusal):
    """The token is not one that this mesh accepts."""


class TokenOutOfDate(MeshRefusal):
    """The token has expired; sign in again."""


class KeysUnavailable(MeshRefusal):
    """The keys that tokens are checked with have not been fetched yet."""


class WrongOrganisation(MeshRefusal):
    """The token is of an organisation that may not use this project."""


class ProjectUnavailable(MeshRefusal):
    """The project is not running, or not healthy yet."""


class PeersUnknown(MeshRefusal):
    """The registry of the nodes does not answer, and where this host is served was not known before."""
