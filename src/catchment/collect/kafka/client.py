"""The client library, which is an extra, and how every client of ours is set up."""

from dataclasses import dataclass
from typing import Any

from catchment.collect.log import LogUnavailable
from catchment.errors import PluginError


@dataclass(frozen=True)
class Topic:
    """Which topic of which cluster, with librdkafka's own options for the way there, and how long it may take."""

    servers: str
    name: str
    options: dict[str, str]
    timeout_s: float
    log_name: str | None = None

    def settings(self, **own: Any) -> dict[str, Any]:
        """Give the settings of one client; what keeps payloads safe cannot be set otherwise."""
        return {
            "client.id": "catchment",
            "socket.timeout.ms": max(1000, round(self.timeout_s * 1000)),
            # A broker that is back is found within a second.
            "reconnect.backoff.max.ms": 1000,
            **self.options,
            "bootstrap.servers": self.servers,
            "log_level": 0,
            **own,
        }

    def unavailable(self, why: object) -> LogUnavailable:
        """Say that the topic cannot be used, and where to look."""
        return LogUnavailable(
            f"The topic {self.name} at {self.servers} cannot be used: {why}.",
            hint="See whether the brokers answer and the topic has its in-sync replicas, or mend collect.log.",
        )


def import_client() -> Any:
    """Give the module; raises PluginError naming the command that installs it."""
    try:
        import confluent_kafka.admin
    except ImportError as error:
        raise PluginError(
            "collect.log is of type kafka, whose client is not installed.", hint="pip install 'catchment[kafka]'"
        ) from error
    return confluent_kafka
