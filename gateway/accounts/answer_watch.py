"""Cuts the answers whose credential has ended: logged out, revoked, its user suspended or gone, or expired.

A few times a second it looks up what is doubted, all of it at once. Somebody whose answers go on while nothing changes costs nothing.

Failure policy: while the accounts cannot be read nothing is cut but what is known to have expired; what was doubted stays so.
"""

from collections import Counter
from collections.abc import Iterable
from math import inf

import structlog
from pydantic_core import to_json

from gateway.accounts.ongoing_answers import Ongoing, OngoingAnswers
from gateway.tokens.key_ring import LEEWAY_S
from shared.database import Database

LOOK_EVERY_S = 0.25

# What is not found is not good any more. As for a new request, a token is good a little longer than it says.
_GOOD = """
WITH asked AS (SELECT value AS id FROM json_each(:ids))
SELECT s.id, s.expires_at + :leeway AS ends_at FROM asked JOIN sessions s USING (id) JOIN users u ON u.id = s.user_id
  WHERE s.ended_at IS NULL AND u.status = 'active'
UNION ALL
SELECT k.id, k.expires_at FROM asked JOIN api_keys k USING (id) JOIN users u ON u.id = k.user_id
  WHERE k.revoked_at IS NULL AND u.status = 'active'
"""


class AnswerWatch:
    def __init__(self, database: Database, answers: OngoingAnswers) -> None:
        self._database = database
        self._answers = answers
        self._log = structlog.get_logger("accounts")

    async def look(self) -> None:
        """Raises sqlite3.Error."""
        self._cut(self._answers.take_expired(), "expired")
        doubted = self._answers.take_doubted()
        if not doubted:
            return
        try:
            ends_at = await self._ends_of_the_good({ongoing.key_id for ongoing in doubted})
        except BaseException:
            for ongoing in doubted:
                self._answers.doubt(ongoing.user_id)
            raise
        for ongoing in doubted:
            if ongoing.key_id in ends_at:
                self._answers.vouch(ongoing, ends_at[ongoing.key_id])
        self._cut([each for each in doubted if each.key_id not in ends_at], "ended")
        self._cut(self._answers.take_expired(), "expired")

    async def _ends_of_the_good(self, key_ids: Iterable[str]) -> dict[str, float]:
        ids = to_json(sorted(key_ids)).decode()
        rows = await self._database.fetch_all(_GOOD, {"ids": ids, "leeway": LEEWAY_S})
        return {row["id"]: inf if row["ends_at"] is None else float(row["ends_at"]) for row in rows}

    def _cut(self, answers: list[Ongoing], credential: str) -> None:
        for ongoing in answers:
            self._answers.cut(ongoing)
        cut = Counter((ongoing.user_id, ongoing.key_id) for ongoing in answers)
        for (user_id, key_id), count in cut.items():
            self._log.info(
                "answers_cut", user_id=user_id, key_id=key_id, credential=credential, answers=count
            )
