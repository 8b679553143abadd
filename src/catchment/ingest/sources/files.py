"""CSV, JSON lines and Parquet files, by a pattern relative to the project."""

import glob
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import orjson
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from pydantic import Field

from catchment.ingest.source import Part, Source, SourceError, to_part

FORMATS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".parquet": "parquet"}


class Files(Source):
    """Files of this machine in the order of their names; of one row in two files, the later file's counts."""

    path: str = Field(description="A path or glob pattern relative to the project, such as data/ad_spend*.csv.")
    format: Literal["csv", "jsonl", "parquet"] | None = Field(
        default=None, description="Named only where the ending of the files does not tell."
    )

    def read(self, project_folder: Path) -> Iterator[Part]:
        """Give each file as a part; raises SourceError where no file matches or one cannot be read."""
        paths = sorted(glob.glob(self.path, root_dir=project_folder, recursive=True))  # noqa: PTH207 (absolute patterns)
        if not paths:
            raise SourceError(
                f"No file matches {self.path} in {project_folder}.", hint="Put the file there, or mend the path."
            )
        for path in paths:
            yield self._read_file(path, project_folder / path)

    def _read_file(self, place: str, path: Path) -> Part:
        try:
            match self.format or FORMATS.get(path.suffix.lower()):
                case "csv":
                    return Part(place, _read_csv(path))
                case "parquet":
                    return Part(place, pq.read_table(path))
                case "jsonl":
                    return to_part(place, _read_json_lines(place, path))
        except (pa.ArrowInvalid, OSError) as error:
            raise SourceError(f"{place} cannot be read: {error}", hint="Open the file and mend it.") from error
        raise SourceError(f"{place} has an unknown ending.", hint="Set format: csv, jsonl or parquet.")


def _read_csv(path: Path) -> pa.Table:
    # Read as text: our declared types decide, not a guess from the first rows; and a bad value can be shown as written.
    with pa_csv.open_csv(path) as reader:
        names = reader.schema.names
    return pa_csv.read_csv(
        path,
        parse_options=pa_csv.ParseOptions(newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=[""]
        ),
    )


def _read_json_lines(place: str, path: Path) -> list[dict[str, Any]]:
    rows = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise SourceError(f"{place}, line {number} is not JSON: {error}", hint="Mend the line.") from error
        if not isinstance(row, dict):
            raise SourceError(f"{place}, line {number} is no JSON object.", hint="Write one object a line.")
        rows.append(row)
    return rows
