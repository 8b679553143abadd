"""What another pipeline has comes in once, and what goes out is what it would have written."""

import base64
import csv
import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catchment.enrich.tsv import find_homes, format_events
from catchment.errors import DefinitionError, LakeError, SettingsError
from catchment.event import COLUMNS, JSON_COLUMNS, TIMESTAMP
from catchment.lake.replays import Choice
from catchment.project import Project
from tests.project.conftest import (
    Make,
    assert_conserved,
    entities,
    page_view,
    payload,
    rows,
    self_describing,
    send,
    write_schema,
)
from tests.project.thrift_payload import encode

USER = "iglu:com.acme/user/jsonschema/1-0-0"
SIGNUP = "iglu:com.acme/signup/jsonschema/1-0-0"
ANY = {
    "type": "object",
    "properties": {
        "planName": {"type": "string"}, "seats": {"type": "integer"}, "price": {"type": "number"},
        "when": {"type": "string", "format": "date-time"}, "day": {"type": "string", "format": "date"},
        "isTrial": {"type": "boolean"}, "anything": {}, "tags": {"type": "array", "items": {"type": "string"}},
        "owner": {"type": "object", "properties": {"firstName": {"type": "string"}}},
    },
}  # fmt: skip
NEAR = Path(__file__).parents[2] / "../shared/data/snowplow_web_0.15.2/source/snowplow_web_events.csv"

# One payload in Thrift's binary protocol, as Apache's own library writes it.
PAYLOAD = (
    "C3ppAAAAQWlnbHU6Y29tLnNub3dwbG93YW5hbHl0aWNzLnNub3dwbG93L0NvbGxlY3RvclBheWxvYWQvdGhyaWZ0LzEtMC0wCwA8"
    "AAAACjE5OC4xOC4wLjkKADIAAAGcqUUKewsAHgAAAAVVVEYtOAsAFAAAABJzc2MtMi4xMC4wLWtpbmVzaXMLAAoAAABDZT1wdiZw"
    "PXdlYiZ0dj1qcy00LjYuOCZ1cmw9aHR0cHMlM0ElMkYlMkZ3d3cuYWNtZS5leGFtcGxlJTJGcHJpY2luZwsARgAAAAtNb3ppbGxh"
    "LzUuMAsAKAAAABZjb2xsZWN0b3IuYWNtZS5leGFtcGxlCwBuAAAAAi9pCwBkAAAAJDBiMWI2YzFlLTdhODgtNGI2Zi05YTQ5LTY2"
    "YTRiYjBhOWQzZQ8AWgsAAAACAAAAHEhvc3Q6IGNvbGxlY3Rvci5hY21lLmV4YW1wbGUAAAALQWNjZXB0OiAqLyoA"
)


def fill(project: Project) -> None:
    for place in ("com.acme/user/jsonschema/1-0-0", "com.acme/signup/jsonschema/1-0-0"):
        write_schema(project, place, ANY)
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0"
    co = entities((USER, {"planName": "pro", "anything": {"a": [1]}}), (USER, {"seats": 2, "tags": ["x"]}))
    full = {"planName": "free", "price": 1.5, "when": "2026-01-01T00:00:00Z", "day": "2026-01-02", "isTrial": True,
            "anything": None, "owner": {"firstName": "Ada"}}  # fmt: skip
    send(
        project,
        payload(
            page_view(
                co=co, page="a\tb\nc", ua=agent, cookie="1", tr_tt="12.50", vid="3", duid="d" * 200, dtm="1772366400123"
            ),
            self_describing(SIGNUP, full, se_va="0.00001"),
            page_view(refr="https://www.google.com/search?q=x", ttm="1772366400123"),
        ),
    )
    project.enrich()


def comparable(project: Project) -> list[dict[str, Any]]:
    """Rows of events as a line can tell them: without the moment of loading, moments in milliseconds."""
    found = []
    for row in rows(project, "events"):
        told = {
            name: value.replace(microsecond=value.microsecond // 1000 * 1000) if isinstance(value, datetime) else value
            for name, value in row.items()
            if value is not None and name != "load_tstamp"
        }
        found.append({name: _in_milliseconds(value) for name, value in told.items()})
    return sorted(found, key=lambda row: row["event_id"])


def _in_milliseconds(value: Any) -> Any:
    if isinstance(value, list):
        return [_in_milliseconds(item) for item in value]
    if isinstance(value, dict):
        return {name: _in_milliseconds(item) for name, item in value.items()}
    return value


def other_project(tmp_path: Path, like: Project) -> Project:
    folder = tmp_path / "other"
    folder.mkdir(exist_ok=True)
    (folder / "catchment.yml").write_text(
        "name: other\nschemas: {registries: [{type: folder, path: schemas}, {type: embedded}]}\n"
    )
    if not (folder / "schemas").exists():
        (folder / "schemas").symlink_to(like.folder / "schemas")
    return Project.open(folder)


def test_what_is_exported_and_imported_is_equal(make_project: Make, tmp_path: Path) -> None:
    project = make_project()
    fill(project)
    place = tmp_path / "events.tsv.gz"
    assert project.export_enriched(str(place)) == 3
    assert gzip.decompress(place.read_bytes()).count(b"\n") == 3
    other = other_project(tmp_path, project)
    (report,) = other.import_files("enriched", [str(place)])
    assert (report.records, report.received, report.events, report.failed) == (3, 3, 3, 0)
    assert comparable(other) == comparable(project)
    assert_conserved(other)


def test_a_line_is_what_snowplow_would_have_written(make_project: Make, tmp_path: Path) -> None:
    project = make_project()
    fill(project)
    project.export_enriched(str(tmp_path / "events.tsv"))
    lines = [line.split("\t") for line in (tmp_path / "events.tsv").read_text().splitlines()]
    told = [dict(zip((column.name for column in COLUMNS), line, strict=True)) for line in lines]
    (view,) = [row for row in told if row["contexts"]]
    (signup,) = [row for row in told if row["unstruct_event"]]
    assert (view["page_title"], view["br_cookies"], view["tr_total"]) == ("a    bc", "1", "12.50")
    assert view["collector_tstamp"] == "2026-03-01 12:00:00.000"
    assert view["dvce_created_tstamp"] == "2026-03-01 12:00:00.123"
    assert signup["se_value"] == "0.00001"
    assert (view["app_id"], view["unstruct_event"], view["true_tstamp"]) == ("", "", "")
    assert json.loads(view["contexts"]) == {
        "schema": "iglu:com.snowplowanalytics.snowplow/contexts/jsonschema/1-0-1",
        "data": [
            {"schema": USER, "data": {"anything": {"a": [1]}, "planName": "pro"}},
            {"schema": USER, "data": {"seats": 2, "tags": ["x"]}},
        ],
    }
    derived = json.loads(view["derived_contexts"])["data"]
    assert {item["schema"].split("/")[1] for item in derived} == {"ua_parser_context", "failure"}
    event = json.loads(signup["unstruct_event"])
    assert event["schema"] == "iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0"
    assert event["data"]["schema"] == SIGNUP
    assert event["data"]["data"]["owner"] == {"firstName": "Ada"}
    assert event["data"]["data"]["when"] == "2026-01-01T00:00:00Z"


def test_an_export_is_of_a_window(make_project: Make, tmp_path: Path) -> None:
    project = make_project()
    fill(project)
    place = str(tmp_path / "none.tsv")
    assert project.export_enriched(place, since=datetime(2026, 3, 2, tzinfo=UTC)) == 0
    assert project.export_enriched(place, until=datetime(2026, 3, 2, tzinfo=UTC)) == 3


def test_a_column_whose_schema_nobody_names_is_refused_with_the_mend(make_project: Make, tmp_path: Path) -> None:
    project = make_project()
    fill(project)
    (project.folder / "schemas/com.acme/user/jsonschema/1-0-0").unlink()
    again = Project.open(project.folder)
    with pytest.raises(DefinitionError, match="contexts_com_acme_user_1") as caught:
        again.export_enriched(str(tmp_path / "x.tsv"))
    assert "--schema" in caught.value.hint
    assert not (tmp_path / "x.tsv").exists()
    assert again.export_enriched(str(tmp_path / "x.tsv"), schemas=(USER,)) == 3


def test_the_same_content_is_imported_once_whatever_its_name_and_packing(make_project: Make, tmp_path: Path) -> None:
    project = make_project()
    fill(project)
    project.export_enriched(str(tmp_path / "in/a.tsv"))
    (tmp_path / "in/b.tsv.gz").write_bytes(gzip.compress((tmp_path / "in/a.tsv").read_bytes()))
    other = other_project(tmp_path, project)
    first, second = other.import_files("enriched", [str(tmp_path / "in")])
    assert (first.events, second.events) == (3, 0)
    (third,) = Project.open(other.folder).import_files("enriched", [f"file://{tmp_path}/in/b.tsv.gz"])
    assert (third.records, third.received) == (3, 0)
    assert other.count("events") == 3
    assert_conserved(other)


def test_a_folder_of_an_object_store_is_read_by_url(make_project: Make, tmp_path: Path) -> None:
    project = make_project()
    fill(project)
    project.export_enriched(f"file://{tmp_path}/store/2026/11/events.tsv.gz")
    other = other_project(tmp_path, project)
    (report,) = other.import_files("enriched", [f"file://{tmp_path}/store"])
    assert report.events == 3


def test_a_line_that_is_none_is_a_failed_event_with_its_bytes_and_its_neighbours_come_in(
    make_project: Make, tmp_path: Path
) -> None:
    project = make_project()
    fill(project)
    project.export_enriched(str(tmp_path / "good.tsv"))
    good = (tmp_path / "good.tsv").read_bytes().splitlines()
    fields = good[0].split(b"\t")
    wrong_number = b"\t".join([*fields[:7], b"many", *fields[8:]])
    without_id = b"\t".join([*fields[:6], b"", *fields[7:]])
    no_json = b"\t".join([*fields[:52], b"{", *fields[53:]])
    loaded = good[1] + b"\t2026-03-01 12:01:00.000"
    lines = [b"no tabs", b"a\tb", wrong_number, without_id, b"\xff\xfe\t", no_json, loaded]
    (tmp_path / "bad.tsv").write_bytes(b"\n".join(lines))
    other = other_project(tmp_path, project)
    (report,) = other.import_files("enriched", [str(tmp_path / "bad.tsv")])
    assert (report.records, report.events, report.failed) == (7, 1, 6)
    failed = rows(other, "failed_events")
    assert sorted((row["type"], row["code"]) for row in failed) == [
        ("loader_iglu_error", "not_json"), ("loader_parsing_error", "field_number"),
        ("loader_parsing_error", "not_tsv"),
        ("loader_parsing_error", "not_utf8"), ("loader_parsing_error", "row_decoding"),
        ("loader_parsing_error", "row_decoding"),
    ]  # fmt: skip
    assert {row["payload"] for row in failed} == set(lines) - {loaded}
    assert_conserved(other)


def test_a_line_whose_schema_was_missing_is_replayed_when_it_is_there(make_project: Make, tmp_path: Path) -> None:
    project = make_project()
    fill(project)
    project.export_enriched(str(tmp_path / "events.tsv"))
    other = Project.open(tmp_path / "project")
    folder = tmp_path / "late"
    folder.mkdir()
    (folder / "catchment.yml").write_text("name: late\n")
    late = Project.open(folder)
    (report,) = late.import_files("enriched", [str(tmp_path / "events.tsv")])
    assert (report.events, report.failed) == (1, 2)
    (folder / "schemas").symlink_to(other.folder / "schemas")
    (replayed,) = late.replay(Choice())
    assert (replayed.events, replayed.failed) == (2, 0)
    assert [row["event_id"] for row in comparable(late)] == [row["event_id"] for row in comparable(project)]
    assert_conserved(late)


@pytest.mark.parametrize("form", ["base64 lines", "one after the other"])
def test_collector_payloads_of_snowplow_are_enriched(make_project: Make, tmp_path: Path, form: str) -> None:
    project = make_project()
    content = base64.b64decode(PAYLOAD)
    batch = encode(
        schema="iglu:com.snowplowanalytics.snowplow/CollectorPayload/thrift/1-0-0", timestamp=1772366400500,
        collector="ssc-3.0.0-kafka", ipAddress="198.18.0.1", path="/com.snowplowanalytics.snowplow/tp2",
        contentType="application/json", headers=["application/json"], body=payload(page_view(), page_view()).body,
    )  # fmt: skip
    lines = b"\n".join(base64.b64encode(each) for each in (content, batch))
    (tmp_path / "raw").write_bytes(lines if form == "base64 lines" else content + batch)
    (report,) = project.import_files("raw", [str(tmp_path / "raw")])
    assert (report.records, report.events, report.failed) == (2, 3, 0)
    (first,) = [row for row in rows(project, "events") if row["page_urlpath"] == "/pricing"]
    assert first["v_collector"] == "ssc-2.10.0-kinesis"
    assert first["user_ipaddress"] == "198.18.0.9"
    assert first["network_userid"] == "0b1b6c1e-7a88-4b6f-9a49-66a4bb0a9d3e"
    assert first["collector_tstamp"] == datetime(2026, 3, 1, 12, 0, 0, 123_000, tzinfo=UTC)
    (again,) = project.import_files("raw", [str(tmp_path / "raw")])
    assert (again.received, project.count("events")) == (0, 3)
    assert_conserved(project)


def test_raw_payloads_come_as_json_lines_too(make_project: Make, tmp_path: Path) -> None:
    project = make_project()
    get = {"path": "/i", "querystring": "e=pv&p=web&tv=x", "collector_tstamp": "2026-03-01T12:00:00Z"}
    body = {
        **get,
        "path": "/com.snowplowanalytics.snowplow/tp2",
        "querystring": None,
        "content_type": "application/json",
    }
    body |= {"body_base64": base64.b64encode(payload(page_view()).body or b"").decode()}
    (tmp_path / "raw.jsonl").write_text(f"{json.dumps(get)}\n{json.dumps(body)}\n")
    (report,) = project.import_files("raw", [str(tmp_path / "raw.jsonl")])
    assert (report.events, report.failed) == (2, 0)


def test_what_is_no_payload_is_a_failed_event_with_its_bytes(make_project: Make, tmp_path: Path) -> None:
    project = make_project()
    cut = base64.b64encode(base64.b64decode(PAYLOAD)[:-30])
    lines = [b"%%%", cut, b'{"path": "/i"}', b'{"path": 7', b'{"path": "/i", "collector_tstamp": "x"}',
             b'{"path": "/i", "collector_tstamp": "2026-03-01", "headers": 7}']  # fmt: skip
    (tmp_path / "raw").write_bytes(b"\n".join([*lines, PAYLOAD.encode()]))
    (report,) = project.import_files("raw", [str(tmp_path / "raw")])
    assert (report.records, report.events, report.failed) == (7, 1, 6)
    failed = rows(project, "failed_events")
    assert {row["type"] for row in failed} == {"collector_payload_format_violation"}
    assert {row["payload"] for row in failed} == set(lines)


@settings(max_examples=200)
@given(st.binary(max_size=300), st.integers(0, 200), st.integers(0, 255))
def test_no_bytes_break_the_reader_of_payloads(noise: bytes, at: int, byte: int) -> None:
    import io

    from catchment.enrich.raw import read_payloads

    good = bytearray(base64.b64decode(PAYLOAD))
    good[at] = byte
    for content in (noise, bytes(good), bytes(good) + noise, b"\x0b\x00\x0a" + noise):
        read = list(read_payloads(io.BytesIO(content), "file", datetime.now(UTC)))
        assert len(read) >= (1 if content.strip() else 0)


def test_a_broken_gzip_a_missing_file_and_an_unknown_kind_are_named(make_project: Make, tmp_path: Path) -> None:
    project = make_project()
    (tmp_path / "x.gz").write_bytes(gzip.compress(b"x" * 1000)[:-9])
    for kind, place, says in (
        ("enriched", "x.gz", "broken gzip"), ("enriched", "none.tsv", "no file"),
        ("cooked", "x.gz", "no 'cooked' files"),
    ):  # fmt: skip
        with pytest.raises(SettingsError, match=says) as caught:
            project.import_files(kind, [str(tmp_path / place)])
        assert caught.value.hint
    assert not project.lake.exists("events")


TEXTS = st.text(
    st.characters(min_codepoint=32, exclude_characters="\x7f", exclude_categories=["Cs"]), min_size=1, max_size=20
)
MILLISECONDS = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)).map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000, tzinfo=UTC)
)


def values_of(type_: pa.DataType) -> st.SearchStrategy[Any]:
    if type_ == TIMESTAMP:
        return MILLISECONDS
    if pa.types.is_boolean(type_):
        return st.booleans()
    if pa.types.is_integer(type_):
        return st.integers(-(2**31), 2**31 - 1)
    if pa.types.is_floating(type_):
        return st.floats(allow_nan=False, allow_infinity=False)
    if pa.types.is_decimal(type_):
        return st.decimals(-(10**12), 10**12, places=2)
    return TEXTS


EVENTS = st.fixed_dictionaries(
    {c.name: values_of(c.type) for c in COLUMNS if c.required},
    optional={c.name: values_of(c.type) for c in COLUMNS if not c.required and c.name not in JSON_COLUMNS},
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.data_too_large])
@given(st.lists(EVENTS, min_size=1, max_size=4))
def test_any_event_survives_being_written_and_read(
    tmp_path_factory: pytest.TempPathFactory, events: list[dict[str, Any]]
) -> None:
    from catchment.enrich.enriched import EnrichedReader
    from catchment.schema import SchemaSettings
    from catchment.schema.resolver import open_resolver
    from catchment.tables import OFFSET, PAYLOADS

    resolver = open_resolver(SchemaSettings(), tmp_path_factory.mktemp("any"))
    schema = pa.schema([(column.name, column.type) for column in COLUMNS if column.name not in JSON_COLUMNS])
    table = pa.Table.from_pylist(events, schema=schema)
    lines = format_events(table, find_homes(table.column_names, [], resolver), frozenset())
    payloads = pa.Table.from_pylist(
        [
            {OFFSET: n, "payload_id": str(n), "path": "/enriched.tsv", "body": line.encode()}
            for n, line in enumerate(lines)
        ],
        schema=PAYLOADS.schema,
    )
    read = EnrichedReader(resolver).enrich(payloads, datetime.now(UTC))
    assert read.failed.to_pylist() == []
    assert read.events.select(schema.names).to_pylist() == table.to_pylist()


@pytest.mark.skipif(not NEAR.exists(), reason=f"the reference data snowplow_web_0.15.2 is not at {NEAR}")
def test_the_events_of_snowplows_web_package_come_in_and_go_out_alike(make_project: Make, tmp_path: Path) -> None:
    project = make_project()
    with NEAR.open(newline="") as file:
        source = list(csv.DictReader(file))
    lines = []
    for row in source:
        told = {name: row.get(name, "") or "" for name in (column.name for column in COLUMNS)}
        told |= dict.fromkeys(JSON_COLUMNS, "")
        told |= {
            c.name: {"true": "1", "false": "0"}.get(told[c.name].lower(), "") for c in COLUMNS if c.type == pa.bool_()
        }
        lines.append("\t".join(told.values()))
    (tmp_path / "web.tsv").write_text("\n".join(lines) + "\n")
    (report,) = project.import_files("enriched", [str(tmp_path / "web.tsv")])
    assert (report.records, report.failed) == (len(source), 0)
    assert sorted(row["event_id"] for row in rows(project, "events")) == sorted(row["event_id"] for row in source)
    project.export_enriched(str(tmp_path / "out.tsv"))
    other = other_project(tmp_path, project)
    other.import_files("enriched", [str(tmp_path / "out.tsv")])
    assert comparable(other) == comparable(project)


def test_an_export_from_a_lake_without_events_says_what_fills_it(tmp_path: Path) -> None:
    project = Project.init(tmp_path / "acme")
    for export in (project.export_enriched, project.export_failed):
        with pytest.raises(LakeError, match=r"no table '(failed_)?events' yet") as raised:
            export(str(tmp_path / "out"))
        assert "catchment run" in raised.value.hint


def exported(project: Project) -> list[list[str]]:
    project.export_enriched(str(project.folder / "theirs.tsv"))
    return [line.split("\t") for line in (project.folder / "theirs.tsv").read_text().splitlines()]


def compared(project: Project, lines: list[list[str]]) -> dict[str, Any]:
    (project.folder / "theirs.tsv").write_text("".join("\t".join(line) + "\n" for line in lines))
    return {row.what: (row.events, row.example) for row in project.compare([str(project.folder / "theirs.tsv")])}


def test_a_pipeline_that_has_the_same_events_differs_in_nothing(make_project: Make) -> None:
    project = make_project()
    fill(project)
    told = compared(project, exported(project))
    assert told["events in both"] == (3, "")
    assert [what for what, (count, _) in told.items() if count] == ["events in both"]


def test_two_pipelines_are_compared_event_by_event_and_column_by_column(make_project: Make) -> None:
    project = make_project()
    fill(project)
    lines, names = exported(project), [column.name for column in COLUMNS]
    place = {name: names.index(name) for name in names}
    here = lines.pop()[place["event_id"]]
    lines[0][place["br_family"]], lines[0][place["etl_tstamp"]] = "Netscape", "2020-01-01 00:00:00.000"
    stranger = [*lines[0]]
    stranger[place["event_id"]] = "11111111-1111-4111-8111-111111111111"
    told = compared(project, [*lines, stranger, stranger, ["no event"]])
    assert told["events in both"] == (2, "")
    assert told["only there"] == (1, "11111111-1111-4111-8111-111111111111")
    assert told["only here, received meanwhile"] == (1, here)
    assert told["lines that are no event"] == (1, "")
    differences = {what: count for what, (count, _) in told.items() if what.startswith("differ")}
    assert differences == {"differ in br_family": 1}
    assert "there 'Netscape', here" in told["differ in br_family"][1]


def test_an_event_that_failed_here_is_told_apart_from_a_lost_one(make_project: Make) -> None:
    project = make_project()
    fill(project)
    lines = exported(project)
    bad = page_view(eid="22222222-2222-4222-8222-222222222222", co="{")
    send(project, payload(bad))
    assert project.enrich().failed == 1
    lines[0][[column.name for column in COLUMNS].index("event_id")] = bad["eid"]
    told = compared(project, lines)
    assert told["only there"][0] == told["of these failed here"][0] == 1
