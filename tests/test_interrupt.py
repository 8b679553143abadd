"""Ctrl-C in a terminal: an end that says how to go on, and no traceback."""

import signal
import subprocess
import sys

WAITS = """
import signal
from catchment import cli

@cli.app.command()
def wait() -> None:
    print("ready", flush=True)
    signal.pause()

cli.main()
"""


def test_ctrl_c_says_how_to_go_on() -> None:
    words = [sys.executable, "-c", WAITS, "wait"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=60)
    assert child.returncode == 130
    assert said.strip().endswith("stopped; `catchment run` goes on from here")
    assert "Traceback" not in said
