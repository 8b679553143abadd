"""What a vendor's file offers, and how the files are found: one in `vendors` is one vendor."""

import importlib
import pkgutil
from functools import cache
from typing import Protocol, cast

from fastapi import APIRouter

from catchment.sandbox import vendors
from catchment.sandbox.faults import Failure
from catchment.sandbox.store import Store


class Vendor(Protocol):
    """A module with these two functions; what keys it takes are its constants."""

    def routes(self, store: Store) -> APIRouter:
        """Give the vendor's endpoints, which keep what they are told in the store under the vendor's name."""
        ...

    def fail(self, status: int, retry_after_s: int) -> Failure:
        """Word an error as the vendor does."""
        ...


@cache
def find_vendors() -> dict[str, Vendor]:
    """Give every vendor by its name."""
    names = sorted(entry.name for entry in pkgutil.iter_modules(vendors.__path__))
    return {name: cast(Vendor, importlib.import_module(f"{vendors.__name__}.{name}")) for name in names}
