"""Signing up, in and out, and changing the password."""

import structlog

from gateway.accounts.attempts import Attempts
from gateway.accounts.email import Email
from gateway.accounts.errors import EmailTaken, InvalidCredentials, PasswordQueueFull
from gateway.accounts.passwords import Passwords
from gateway.accounts.principal import PlanId, UserId, UserStatus
from gateway.accounts.sessions import Sessions
from gateway.accounts.sign_up_rate import SignUpRate
from gateway.accounts.user import SessionId, SignedIn
from gateway.accounts.users import Users
from gateway.errors import UserSuspended


class SignIn:
    def __init__(
        self,
        users: Users,
        sessions: Sessions,
        passwords: Passwords,
        attempts: Attempts,
        sign_up_rate: SignUpRate,
    ) -> None:
        self._users = users
        self._sessions = sessions
        self._passwords = passwords
        self._attempts = attempts
        self._sign_up_rate = sign_up_rate
        self._log = structlog.get_logger("sign_in")

    async def register(
        self, email: Email, name: str, password: str, plan_id: PlanId, address: str
    ) -> SignedIn:
        """Raises EmailTaken, TooManySignUps, PasswordQueueFull."""
        self._sign_up_rate.take(address)
        if await self._users.by_email(email) is not None:
            raise EmailTaken
        password_hash = await self._passwords.hash(password)
        user = await self._users.add(email, name, plan_id, password_hash)
        self._log.info("user_registered", user_id=user.id)
        return SignedIn(user, await self._sessions.start(user.id, password_hash))

    async def login(self, email: Email, password: str, address: str) -> SignedIn:
        """Raises InvalidCredentials (in the same time whether the user exists or not), TooManyAttempts, UserSuspended, PasswordQueueFull."""
        with self._attempts.attempt(email, address):
            known = await self._users.by_email(email)
            if not await self._passwords.verify(known[1] if known else None, password) or known is None:
                self._log.info("login_failed", address=address)
                raise InvalidCredentials
        user, password_hash = known
        if user.status is UserStatus.SUSPENDED:
            raise UserSuspended
        if self._passwords.is_outdated(password_hash):
            password_hash = await self._upgraded(user.id, password_hash, password)
        return SignedIn(user, await self._sessions.start(user.id, password_hash))

    async def _upgraded(self, user_id: UserId, old_hash: str, password: str) -> str:
        """The hash that is in force. Failure policy: when too many wait, the old one goes on until the next sign-in."""
        try:
            new_hash = await self._passwords.hash(password)
            current = await self._users.upgrade_password_hash(user_id, old_hash, new_hash)
            if current == new_hash:
                self._log.info("password_hash_upgraded", user_id=user_id)
                return current
            return current if await self._passwords.verify(current, password) else old_hash
        except PasswordQueueFull:
            return old_hash

    async def refresh(self, user_id: UserId, session_id: SessionId) -> SignedIn:
        """A new session for the old one. Raises TokenRevoked when another refresh was first."""
        session = await self._sessions.replace(user_id, session_id)
        return SignedIn(await self._users.get(user_id), session)

    async def logout(self, user_id: UserId, session_id: SessionId) -> None:
        await self._sessions.end(user_id, session_id)

    async def change_password(
        self, user_id: UserId, session_id: SessionId, current: str, new: str, address: str
    ) -> None:
        """All other sessions end. Raises InvalidCredentials, TooManyAttempts, PasswordQueueFull."""
        user = await self._users.get(user_id)
        old_hash = await self._users.password_hash(user_id)
        with self._attempts.attempt(user.email, address):
            if not await self._passwords.verify(old_hash, current):
                raise InvalidCredentials
        new_hash = await self._passwords.hash(new)
        await self._sessions.set_password(user_id, old_hash, new_hash, session_id)
        self._log.info("password_changed", user_id=user_id)
