"""A Singer target as its specification has it: rows to a file of JSON lines, and states back once they are there."""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any


def take(config: dict[str, Any]) -> None:
    """Write what comes; `echo` says when a state is told, `die_after` and `hang_after` how many rows are taken."""
    schemas: dict[str, Any] = {}
    state, count = None, 0
    for line in sys.stdin:
        message = json.loads(line)
        if message["type"] == "SCHEMA":
            schemas[message["stream"]] = message
        elif message["type"] == "RECORD":
            require(message["record"], schemas[message["stream"]])
            with (Path(config["folder"]) / f"{message['stream']}.jsonl").open("a") as file:
                file.write(json.dumps(message["record"]) + "\n")
            count += 1
            if count == config.get("die_after"):
                sys.exit(f"KeyError: {message['record']}")
            if count == config.get("hang_after"):
                time.sleep(600)
        else:
            state = message["value"]
            if config.get("echo") == "each":
                print(json.dumps(state), flush=True)
    if state is not None and config.get("echo", "end") == "end":
        print("the end")
        print(json.dumps(state))
    elif state is not None and config["echo"] == "message":
        print(json.dumps({"type": "STATE", "value": state}))


def require(record: dict[str, Any], schema: dict[str, Any]) -> None:
    """Refuse a row that is not as its schema says."""
    kinds = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "object": dict, "array": list}
    for name in schema["key_properties"]:
        assert record[name] is not None
    for name, value in record.items():
        _, kind = schema["schema"]["properties"][name]["type"]
        assert value is None or isinstance(value, kinds[kind]), (name, value)


def main() -> None:
    """Read the settings, refuse others than ours, and take what comes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, required=True)
    place = parser.parse_args().config
    assert place.stat().st_mode & 0o077 == 0 and place.stat().st_uid == os.getuid()
    config = json.loads(place.read_text())
    if config.get("password") != "right":
        sys.exit("the password is wrong")
    faults = Path(config["folder"]) / "faults.json"
    take(config | (json.loads(faults.read_text()) if faults.exists() else {}))


if __name__ == "__main__":
    main()
