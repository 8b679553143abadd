"""A whole pipeline for tests of trackers, in one process: what is sent can be asked for at once, judged and enriched.

In: the collector's requests, every protocol of it.
Out: `/micro/*`, by the published API of Snowplow Micro, and a page that lists what came.
"""

from typing import NamedTuple


class MicroOptions(NamedTuple):
    """Where it listens, and how much of what came it keeps."""

    host: str = "127.0.0.1"
    port: int = 9090
    keep: bool = False
    max_events: int = 10_000
