"""Functions of the user's, by the name `module:function` of a file in the project's folder."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from catchment.errors import SettingsError


def load_function(folder: Path, module_name: str, function_name: str, wanted_by: str, takes: str) -> Callable[..., Any]:
    """Import the function; raises SettingsError naming who wants it, `wanted_by`, and what it `takes`."""
    path = folder / (module_name.replace(".", "/") + ".py")
    name = f"catchment_project_functions.{module_name}"
    spec = importlib.util.spec_from_file_location(name, path) if path.is_file() else None
    if spec is None or spec.loader is None:
        raise SettingsError(f"The {wanted_by} finds no file {path}.", hint=f"Write it, with def {function_name}.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
        function: Callable[..., Any] = getattr(module, function_name)
    except Exception as error:
        raise SettingsError(
            f"The {wanted_by} cannot use {path}: {error}.", hint=f"Mend it; it needs def {function_name}({takes})."
        ) from error
    return function
