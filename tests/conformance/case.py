"""What a conformance case is: a name, and a dialogue that ends with what was wrong, or with nothing."""

from collections.abc import Awaitable, Callable, Container
from dataclasses import dataclass

from tests.conformance.dialogue import Answer, Dialogue, NoAnswer, Server, dialogue

Play = Callable[[Dialogue], Awaitable[str | None]]
"""Returns None when the server behaved, else a sentence."""


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    play: Play

    async def fault(self, server: Server) -> str | None:
        """What the server did wrong; None when it passes."""
        try:
            async with dialogue(server) as line:
                return await self.play(line)
        except NoAnswer:
            return "no whole answer, or no end, in time"
        except (OSError, TimeoutError) as unreachable:
            return f"not reachable: {unreachable}"


def answered(request: bytes, accepted: Container[int], body: bytes | None = None) -> Play:
    """One request, one answer with an accepted status; a 200 has this body."""

    async def play(line: Dialogue) -> str | None:
        await line.say(request, more=False)
        answer = await line.answer()
        return _judged(answer, accepted, body)

    return play


def _judged(answer: Answer, accepted: Container[int], body: bytes | None) -> str | None:
    if answer.status not in accepted:
        return f"status {answer.status}"
    if body is not None and answer.status == 200 and answer.body != body:
        return f"body {answer.body[:40]!r}"
    return None
