"""Requests at rest: encrypted, because passwords and deploy keys are in them."""

from shared.database import Row
from worker.deploys.request import DeployRequest
from worker.projects.environment import EnvironmentCipher

_MEMBER = "request"


class RequestCipher:
    def __init__(self, cipher: EnvironmentCipher) -> None:
        self._cipher = cipher

    def seal(self, project_id: str, request: DeployRequest) -> bytes:
        return self._cipher.seal(_context(project_id), {_MEMBER: request.to_json()})

    def read(self, row: Row) -> DeployRequest:
        """Of a row with `project_id`, `request` and `sealed_request`; raises EnvironmentUnreadable. What was recorded before requests
        were sealed is in `request`, in clear.
        """
        if row["sealed_request"] is None:
            return DeployRequest.from_json(row["request"])
        opened = self._cipher.open(_context(row["project_id"]), row["sealed_request"])
        return DeployRequest.from_json(opened[_MEMBER])


def _context(project_id: str) -> str:
    return f"request/{project_id}"
