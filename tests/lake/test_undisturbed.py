import signal
import threading

import pytest

from catchment.lake.undisturbed import undisturbed


def test_ctrl_c_waits_until_the_commit_is_through() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), undisturbed():
        signal.raise_signal(signal.SIGINT)
        done.append("commit")
    assert done == ["commit"]


def test_ctrl_c_is_heard_even_when_the_commit_fails() -> None:
    with pytest.raises(KeyboardInterrupt), undisturbed():
        signal.raise_signal(signal.SIGINT)
        raise OSError("disk full")


def test_handlers_are_as_before_afterwards() -> None:
    before = signal.getsignal(signal.SIGINT)
    with undisturbed():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_a_thread_that_no_signal_reaches_just_runs() -> None:
    ran = []

    def work() -> None:
        with undisturbed():
            ran.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ran == [True]
