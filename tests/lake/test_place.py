"""Where a lake may be."""

from pathlib import Path

import pytest

from catchment.errors import LakeError
from catchment.lake import LakeSettings
from catchment.lake.lake import Lake


@pytest.mark.parametrize("host", ["file://", "file://localhost", "file:"])
def test_a_url_of_this_machine_is_a_folder(host: str, tmp_path: Path) -> None:
    assert Lake.open(LakeSettings(uri=f"{host}{tmp_path}/my%20lake"), Path("project")).uri == f"{tmp_path}/my lake"


def test_a_url_of_another_machine_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="names no folder"):
        Lake.open(LakeSettings(uri="file://server/lake"), tmp_path)
