import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from catchment.errors import ProjectBusy
from catchment.project.lock import holding


def hold(folder: Path, verb: str, held) -> None:
    with holding(folder, verb):
        held.set()
        time.sleep(60)


@pytest.fixture
def holder(tmp_path: Path):
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    process = context.Process(target=hold, args=(tmp_path, "enrich", held))
    process.start()
    assert held.wait(30)
    yield process
    process.kill()
    process.join(30)


def test_a_verb_that_another_process_is_at_is_refused_naming_it(tmp_path: Path, holder) -> None:
    with (
        pytest.raises(ProjectBusy, match=rf"Process {holder.pid} .* is at 'enrich'"),
        holding(tmp_path, "enrich", wait_s=0.1),
    ):
        pass


def test_other_verbs_go_on_beside_it(tmp_path: Path, holder) -> None:
    with holding(tmp_path, "sync", wait_s=0.1):
        pass


def test_a_killed_process_is_in_nobodys_way(tmp_path: Path, holder) -> None:
    os.kill(holder.pid, signal.SIGKILL)
    with holding(tmp_path, "enrich"):
        pass


def test_two_threads_of_one_process_are_kept_apart_too(tmp_path: Path) -> None:
    with holding(tmp_path, "enrich"), pytest.raises(ProjectBusy), holding(tmp_path, "enrich", wait_s=0.1):
        pass
