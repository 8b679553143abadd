"""Failed events are written as the bad rows that Snowplow publishes the shape of."""

import json
from pathlib import Path
from typing import Any

import pytest

from catchment.enrich.bad_row import _VERSIONS
from catchment.lake.replays import Choice
from catchment.project import Project
from catchment.schema.validate import compile_schema
from tests.project.conftest import Make, page_view, payload, rows, self_describing, send, write_schema

SHAPES = Path(__file__).parents[1] / "enrich" / "bad_rows"
SIGNUP = "iglu:com.acme/signup/jsonschema/1-0-0"


def exported(project: Project, tmp_path: Path) -> dict[str, list[Any]]:
    place = tmp_path / "failed.jsonl"
    assert project.export_failed(str(place)) == project.count("failed_events")
    by_type: dict[str, list[Any]] = {}
    for line in place.read_text().splitlines():
        bad_row = json.loads(line)
        kind = bad_row["schema"].split("/")[1]
        assert bad_row["schema"] == f"iglu:com.snowplowanalytics.snowplow.badrows/{kind}/jsonschema/{_VERSIONS[kind]}"
        shape = json.loads((SHAPES / f"{kind}.json").read_text())
        assert compile_schema(shape, max_depth=40).judge(bad_row["data"]) == [], kind
        by_type.setdefault(kind, []).append(bad_row["data"])
    return by_type


def fail_in_every_way(project: Project, tmp_path: Path) -> None:
    write_schema(project, "com.acme/known/jsonschema/1-0-0", {"type": "object", "required": ["n"]})
    send(
        project,
        payload({"e": "pv"}),
        payload(page_view(), content_type="text/plain"),
        payload(self_describing(SIGNUP, {}), self_describing("iglu:com.acme/known/jsonschema/1-0-0", {})),
        payload(page_view(vid="many", aid="x" * 300), page_view(co="{")),
        payload(page_view(), path="/com.unknown/v9"),
        payload(page_view(), headers=["catchment-oversize: 9999999"]),
        payload(page_view(), headers=["catchment-packed: it ends midway"], network_userid="nobody"),
        payload(page_view(eid="5f0e1e0e-9d0a-4b1c-8f00-4f4f0f7a7a11"), page_view(uid="drop me")),
    )
    (project.folder / "functions.py").write_text(
        "import pyarrow.compute as pc\n"
        "def drop(events):\n"
        "    is_named = pc.equal(events['user_id'], 'drop me')\n"
        "    return {'_drop': pc.fill_null(is_named, False).combine_chunks()}\n"
        "def mend(event):\n    raise KeyError('plan')\n"
    )
    project.enrich()
    fields = [""] * 131
    fields[6], fields[3], fields[10], fields[11] = "id", "2026-03-01 12:00:00.000", "c", "e"
    unknown = {"schema": "iglu:com.snowplowanalytics.snowplow/contexts/jsonschema/1-0-1",
               "data": [{"schema": SIGNUP, "data": {}}]}  # fmt: skip
    iglu, decoding = [*fields], [*fields]
    iglu[52], decoding[7] = json.dumps(unknown), "many"
    (tmp_path / "in.tsv").write_text("\n".join(["x", "a\tb", "\t".join(iglu), "\t".join(decoding)]))
    project.import_files("enriched", [str(tmp_path / "in.tsv")])
    (tmp_path / "raw").write_text("%%%")
    project.import_files("raw", [str(tmp_path / "raw")])
    project.replay(Choice(types=["schema_violations", "tracker_protocol_violations"]), repair="functions:mend")


def test_every_type_that_applies_has_the_published_shape(make_project: Make, tmp_path: Path) -> None:
    enrichments = [{"type": "page_url"}, {"type": "python", "function": "functions:drop"}]
    project = make_project(enrich={"enrichments": enrichments, "strict": True})
    fail_in_every_way(project, tmp_path)
    by_type = exported(project, tmp_path)
    assert set(by_type) >= set(_VERSIONS) - {"enrichment_failures"}
    violations = [message for row in by_type["schema_violations"] for message in row["failure"]["messages"]]
    assert "ResolutionError" in str(violations)
    assert "dataReports" in str(violations)
    assert {row["failure"]["type"] for row in by_type["loader_parsing_error"]} == {
        "NotTSV", "FieldNumberMismatch", "RowDecodingError",
    }  # fmt: skip
    assert by_type["recovery_error"][0]["payload"]["schema"].startswith("iglu:com.snowplowanalytics.snowplow.badrows/")


def test_a_failing_enrichment_is_an_enrichment_failure(make_project: Make, tmp_path: Path) -> None:
    project = make_project(enrich={"enrichments": [{"type": "python", "function": "f:fail"}], "strict": True})
    (project.folder / "f.py").write_text("def fail(events):\n    raise RuntimeError('nobody home')\n")
    send(project, payload(page_view(aid="shop", ue_pr="x" * 2000)), payload(page_view(aid="shop")))
    project.enrich()
    by_type = exported(project, tmp_path)
    (row,) = by_type["enrichment_failures"]
    assert "nobody home" in row["failure"]["messages"][0]["message"]["error"]
    assert row["payload"]["enriched"]["app_id"] == "shop"
    assert {"name": "e", "value": "pv"} in row["payload"]["raw"]["parameters"]


def test_every_failed_event_can_be_told_by_its_type_in_sql(make_project: Make, tmp_path: Path) -> None:
    project = make_project(enrich={"enrichments": [{"type": "python", "function": "functions:drop"}]})
    fail_in_every_way(project, tmp_path)
    with project.engine.attach(project.lake) as session:
        counts = session.query("select type, count(*) as n from failed_events group by type").read_all().to_pylist()
    assert sum(row["n"] for row in counts) == len(rows(project, "failed_events"))
    assert {row["type"] for row in counts} >= {
        "size_violation",
        "dropped_event",
        "adapter_failures",
        "loader_iglu_error",
    }


def test_no_type_is_without_a_published_shape() -> None:
    assert {path.stem for path in SHAPES.glob("*.json")} == set(_VERSIONS)


pytestmark = pytest.mark.timeout(120)
