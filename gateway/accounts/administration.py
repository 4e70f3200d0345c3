"""Changes of users by somebody else, each with a line in the log: who changed what, from what to what."""

import structlog

from gateway.accounts.principal import UserId
from gateway.accounts.user import User
from gateway.accounts.users import UserChange, Users

_WATCHED = ("plan_id", "role", "status")


class Administration:
    def __init__(self, users: Users) -> None:
        self._users = users
        self._log = structlog.get_logger("audit")

    async def change(self, by: str, user_id: UserId, change: UserChange) -> User:
        """No administrator may lock all of them out; at the command line, where one can be made again, the operator may.

        `by` is the administrator's user id. Raises UserNotFound, LastAdministrator.
        """
        before, after = await self._users.change(user_id, change, keep_an_administrator=True)
        changed = {
            name: [str(getattr(before, name)), str(getattr(after, name))]
            for name in _WATCHED
            if getattr(before, name) != getattr(after, name)
        }
        self._log.info("user_changed", by=by, user_id=user_id, changed=changed)
        return after
