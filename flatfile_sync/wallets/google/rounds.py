"""Work on many objects at once: in each round the next call of each goes into one batch.

Parts of a batch are done in any order, so no two of them are ever of one object: an object's next call is known only
when the one before is answered.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from flatfile_sync.wallets.google.calls import Answer, Call
from flatfile_sync.wallets.google.steps import Claim, Reply, T, Work

Send = Callable[[Sequence[Call]], Awaitable[list[Answer]]]
Ledger = Callable[[int, str], Awaitable[bool]]


async def run(works: Sequence[Work[T]], *, send: Send, claim: Ledger, width: int) -> list[T]:
    """Do the work, at most `width` calls in one batch, and return what each ended with, in order."""
    ended: dict[int, T] = {}
    waiting: deque[tuple[int, Call]] = deque()

    async def advance(number: int, reply: Reply) -> None:
        try:
            step = works[number].send(reply)
            while isinstance(step, Claim):
                step = works[number].send(await claim(step.pass_no, step.key))
        except StopIteration as stop:
            ended[number] = stop.value
        else:
            waiting.append((number, step))

    for number in range(len(works)):
        await advance(number, None)
    while waiting:
        taken = [waiting.popleft() for _ in range(min(width, len(waiting)))]
        answers = await send([call for _, call in taken])
        for (number, _), answer in zip(taken, answers, strict=True):
            await advance(number, answer)
    return [ended[number] for number in range(len(works))]
