"""Options of the whole suite."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let golden files be written anew, to be reviewed like any change."""
    parser.addoption("--golden", action="store_true", help="write the golden files anew")
