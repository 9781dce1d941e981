"""Turns are given user by user, within bounds, and are never lost."""

from __future__ import annotations

import asyncio

import pytest

from deployments.fair_turns import FairTurns, TurnSettings
from domain.errors import OverLimit, Unavailable
from tests.actors.shard_bench import turns as steps

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def some(at_once: int = 1, per_user: int = 1, waiting: int = 100, wait_s: float = 5.0) -> FairTurns:
    return FairTurns("the past", TurnSettings(at_once, per_user, waiting, wait_s))


class Question:
    """Holds its turn until it is `answered`."""

    def __init__(self, turns: FairTurns, user: str) -> None:
        self.entered = False
        self._answered = asyncio.Event()
        self.task = asyncio.create_task(self._ask(turns, user))

    async def _ask(self, turns: FairTurns, user: str) -> None:
        async with turns.of(user):
            self.entered = True
            await self._answered.wait()

    async def answered(self) -> None:
        self._answered.set()
        await self.task
        await steps(3)


async def asked(turns: FairTurns, *users: str) -> list[Question]:
    questions = []
    for user in users:
        questions.append(Question(turns, user))
        await steps(3)
    return questions


async def test_another_user_waits_for_one_question_of_a_crowd():
    turns = some()
    crowd = await asked(turns, *["eve"] * 20)
    (ann,) = await asked(turns, "ann")
    await crowd[0].answered()
    assert not ann.entered, "eve's second question was there before ann came"
    await crowd[1].answered()
    assert ann.entered
    assert not crowd[2].entered
    for question in (ann, *crowd[2:]):
        await question.answered()
    assert (turns.inside, turns.waiting) == (0, 0)


async def test_a_user_has_only_so_many_turns_although_others_are_free():
    turns = some(at_once=3, per_user=2)
    first, second, third = await asked(turns, "eve", "eve", "eve")
    (ann,) = await asked(turns, "ann")
    assert (first.entered, second.entered, third.entered, ann.entered) == (True, True, False, True)
    await ann.answered()
    assert not third.entered
    for question in (first, second, third):
        await question.answered()


async def test_who_asks_too_often_is_refused_at_once():
    turns = some(waiting=2)
    questions = await asked(turns, "eve", "eve", "eve")
    with pytest.raises(OverLimit, match="2 questions of yours wait for the past"):
        async with turns.of("eve"):
            pass
    for question in questions:
        await question.answered()


async def test_a_wait_has_an_end():
    turns = some(wait_s=0.01)
    (eve,) = await asked(turns, "eve")
    with pytest.raises(Unavailable, match="too many ask for the past"):
        async with turns.of("ann"):
            pass
    assert turns.waiting == 0
    await eve.answered()
    async with turns.of("ann"):
        assert turns.inside == 1


async def test_who_leaves_while_waiting_or_inside_gives_the_turn_to_the_next():
    turns = some()
    first, second, third = await asked(turns, "eve", "ann", "bob")
    second.task.cancel()
    first.task.cancel()
    await asyncio.gather(first.task, second.task, return_exceptions=True)
    await steps(3)
    assert third.entered
    await third.answered()
    assert (turns.inside, turns.waiting) == (0, 0)


async def test_a_turn_that_comes_at_the_moment_of_leaving_is_passed_on():
    turns = some()
    first, second, third = await asked(turns, "eve", "ann", "bob")
    first._answered.set()
    second.task.cancel()  # both happen before either task runs again
    await asyncio.gather(first.task, second.task, return_exceptions=True)
    await steps(3)
    assert third.entered
    await third.answered()
    assert (turns.inside, turns.waiting) == (0, 0)
