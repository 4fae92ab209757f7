"""Messages between the agents and the loop that folds them."""

import asyncio

from faust.types import TP

from streams.apps.inbox import Inbox

ONE, TWO = TP("batches.user", 1), TP("batches.user", 2)


def test_all_that_is_pending_is_taken_together_in_order():
    async def scenario():
        inbox = Inbox(1000)
        for offset in range(3):
            await inbox.put(ONE, (offset, b"x"), 1)
            await inbox.put(TWO, (offset + 10, b"y"), 1)
        return await inbox.take()

    assert asyncio.run(scenario()) == {
        ONE: [(0, b"x"), (1, b"x"), (2, b"x")],
        TWO: [(10, b"y"), (11, b"y"), (12, b"y")],
    }


def test_an_agent_waits_while_too_much_is_pending():
    async def scenario():
        inbox = Inbox(10)
        await inbox.put(ONE, (0, b"x" * 11), 11)
        waiting = asyncio.create_task(inbox.put(ONE, (1, b"x"), 1))
        await asyncio.sleep(0)
        assert not waiting.done()
        first = await inbox.take()
        await waiting
        return first, await inbox.take()

    first, second = asyncio.run(scenario())
    assert [offset for offset, _ in first[ONE]] == [0]
    assert [offset for offset, _ in second[ONE]] == [1]


def test_a_message_that_waited_through_a_new_assignment_is_dropped():
    async def scenario():
        inbox = Inbox(10)
        await inbox.put(ONE, (0, b"x" * 11), 11)
        waiting = asyncio.create_task(inbox.put(ONE, (1, b"x"), 1))
        await asyncio.sleep(0)
        inbox.clear()
        await waiting
        await inbox.put(ONE, (7, b"x"), 1)
        return await inbox.take()

    assert asyncio.run(scenario()) == {ONE: [(7, b"x")]}
