import asyncio
import threading
import time
from collections.abc import Callable

import pytest

from catchment.collect.group import GroupCommit
from catchment.collect.log import LogUnavailable


class Notes:
    """A writer that notes each group, and writes as long as it is told to."""

    def __init__(self) -> None:
        self.groups: list[list[bytes]] = []
        self.writing = threading.Event()
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def commit(self, records: list[bytes]) -> None:
        self.groups.append(records)
        self.writing.set()
        assert self.may_go_on.wait(30)

    def rest(self) -> None:
        pass

    def close(self) -> None:
        pass


def group_of(writer: Notes, timeout_s: float = 20, max_waiting_bytes: int = 10**6) -> GroupCommit:
    return GroupCommit(writer, "The notes", timeout_s=timeout_s, max_waiting_bytes=max_waiting_bytes)


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not is_so():
            await asyncio.sleep(0.005)


def test_what_arrives_while_one_write_lasts_is_written_by_the_next_in_order():
    writer = Notes()
    group = group_of(writer)

    async def three_then_many() -> None:
        writer.may_go_on.clear()
        waits = [group.enter(b"%d" % number) for number in range(3)]
        await until(writer.writing.is_set)
        for number in range(3, 40):
            waits.append(group.enter(b"%d" % number))
            await asyncio.sleep(0)
        assert not any(wait.done() for wait in waits)
        writer.may_go_on.set()
        await asyncio.gather(*waits)

    asyncio.run(three_then_many())
    group.close()

    assert writer.groups == [[b"%d" % number for number in numbers] for numbers in (range(3), range(3, 40))]


def test_a_write_that_stalls_refuses_those_who_wait_and_those_who_come_until_it_returns():
    writer = Notes()
    group = group_of(writer, timeout_s=0.4)

    async def refused_then_kept() -> float:
        writer.may_go_on.clear()
        began = time.monotonic()
        written = group.enter(b"written")
        await until(writer.writing.is_set)
        waits = [group.enter(b"waits") for _ in range(3)]
        results = await asyncio.gather(written, *waits, return_exceptions=True)
        took = time.monotonic() - began
        assert [type(result) for result in results] == [LogUnavailable] * 4
        with pytest.raises(LogUnavailable, match="did not commit within"):
            group.enter(b"comes")
        writer.may_go_on.set()
        await until(lambda: group._busy_since is None)
        await group.enter(b"after")
        return took

    took = asyncio.run(refused_then_kept())
    group.close()

    assert took < 10
    assert writer.groups == [[b"written"], [b"after"]]
    assert group._waiting_bytes == 0


def test_loops_of_several_threads_share_one_writer_and_each_is_answered():
    writer = Notes()
    group = group_of(writer)

    async def some(name: bytes) -> None:
        for number in range(50):
            await asyncio.gather(*(group.enter(b"%b %d %d" % (name, number, at)) for at in range(4)))

    threads = [
        threading.Thread(target=lambda name=name: asyncio.run(some(name))) for name in (b"one", b"two", b"three")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    group.close()

    records = [record for records in writer.groups for record in records]
    assert len(records) == len(set(records)) == 3 * 50 * 4
    for name in (b"one", b"two", b"three"):
        mine = [tuple(map(int, record.split()[1:])) for record in records if record.startswith(name + b" ")]
        assert mine == sorted(mine)


def test_who_leaves_before_the_answer_takes_nobody_along():
    writer = Notes()
    group = group_of(writer)

    async def one_leaves() -> None:
        writer.may_go_on.clear()
        group.enter(b"first")
        await until(writer.writing.is_set)
        leaves, stays = group.enter(b"leaves"), group.enter(b"stays")
        leaves.cancel()
        writer.may_go_on.set()
        await stays

    asyncio.run(one_leaves())
    group.close()

    assert writer.groups == [[b"first"], [b"leaves", b"stays"]]


def test_what_a_loop_left_behind_is_written_when_the_log_is_closed():
    writer = Notes()
    group = group_of(writer)

    async def leave() -> None:
        writer.may_go_on.clear()
        group.enter(b"first")
        await until(writer.writing.is_set)
        group.enter(b"left behind")

    asyncio.run(leave())
    writer.may_go_on.set()
    group.close()

    assert writer.groups == [[b"first"], [b"left behind"]]
    assert group._waiting_bytes == 0
