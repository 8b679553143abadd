"""The champion over HTTP: MLflow's own scoring protocol, and our API with reasons."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pyarrow as pa
import pytest
from fastapi.testclient import TestClient

from catchment.project import Project
from catchment.serve.app import create_app
from catchment.serve.signin import one_time_link
from catchment.tables import PREDICTION_DRIFT
from tests.ports import free_port

from .acme import LOGISTIC, fill, site

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of MLflow and the test client's own libraries
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]
JSON = {"content-type": "application/json"}
SENT = {"first_mkt_medium": "email", "link_clicks": 3, "engaged_time_in_s": 200}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, lay_out_store: Callable[[Path], Path]) -> Project:
    project = Project.init(tmp_path_factory.mktemp("project") / "acme")
    lay_out_store(project.folder)
    file = project.folder / "predictions/form_submitted.yml"
    text = (
        file.read_text().replace("conversion: form_submitted", "conversion: signup").replace("trials: 8", "trials: 1")
    )
    text = text.replace("  type: lightgbm", f"  type: {LOGISTIC['type']}")
    file.write_text(text)
    fill(project.lake, site(500))
    project.train()
    project.score()
    return project


def test_the_champion_answers_mlflows_protocol_as_the_lake_has_it(project: Project) -> None:
    (prediction,) = project.predictions()
    champion = project._champion(prediction)
    frame = champion.example()
    client = TestClient(champion.application())
    assert client.get("/ping").status_code == 200
    split = frame.to_json(orient="split", index=False, double_precision=15)
    answer = client.post("/invocations", content=f'{{"dataframe_split": {split}}}', headers=JSON)
    assert answer.status_code == 200
    told = [row[1] for row in answer.json()["predictions"]]
    assert told == pytest.approx(list(champion.score(frame)))


def test_the_command_serves_the_champion_until_it_is_stopped(project: Project) -> None:
    (prediction,) = project.predictions()
    frame = project._champion(prediction).example()
    port = free_port()
    command = [str(Path(sys.executable).with_name("catchment")), "serve-model", prediction.name, "--port", str(port)]
    child = subprocess.Popen([*command, "--project", str(project.folder)], stderr=subprocess.PIPE, text=True)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_healthy(child, f"{url}/ping")
        split = frame.to_json(orient="split", index=False, double_precision=15)
        answer = httpx.post(f"{url}/invocations", content=f'{{"dataframe_split": {split}}}', headers=JSON)
        told = [row[1] for row in answer.json()["predictions"]]
        assert told == pytest.approx(list(project._champion(prediction).score(frame)))
        twice = subprocess.run([*command, "--project", str(project.folder)], capture_output=True, text=True, timeout=60)
        assert twice.returncode == 1
        assert f"Port {port} on 127.0.0.1 is in use" in twice.stderr
    finally:
        child.send_signal(signal.SIGTERM)
        _, stderr = child.communicate(timeout=30)
    assert "Traceback" not in stderr


def wait_until_healthy(child: subprocess.Popen[str], url: str) -> None:
    deadline = time.monotonic() + 60
    while child.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"serve-model did not answer; it has ended with {child.poll()}")


def test_the_api_gives_score_decile_label_and_reasons(project: Project) -> None:
    client = TestClient(create_app(project), base_url="http://127.0.0.1:8090")
    path = "/api/v1/predictions/form_submitted/score"
    assert client.post(path, json={"records": [SENT]}).status_code == 401
    client.get(one_time_link(project.settings.serve, project.folder), follow_redirects=False)
    scores = client.post(path, json={"records": [SENT, {}]}).json()["scores"]
    assert scores[0]["score"] > scores[1]["score"]
    assert (scores[0]["label"], scores[0]["model_version"], len(scores[0]["reasons"])) == ("High", "1", 3)
    wrong = client.post(path, json={"records": [SENT, {"link_click": 3}]})
    assert wrong.status_code == 422
    assert "records[1].link_click" in wrong.json()["detail"]
    assert "'link_clicks'" in wrong.json()["hint"]
    unread = client.post(path, json={"records": [{"link_clicks": "many"}]})
    assert "'many' is no number" in unread.json()["detail"]
    nobody = client.post("/api/v1/predictions/luck/score", json={"records": [SENT]})
    assert "There is no prediction 'luck'" in nobody.json()["detail"]


def test_a_run_trains_when_due_and_only_then(project: Project) -> None:
    (prediction,) = project.predictions()
    assert not project.is_training_due(prediction)
    sooner = prediction.model_copy(update={"horizon_days": 7})
    assert project.is_training_due(sooner)
    borrowed = sooner.model_copy(update={"model": object()})
    assert not project.is_training_due(borrowed)


def test_a_model_is_trained_again_when_it_is_old_or_people_have_changed_but_not_twice_a_day(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    (prediction,) = project.predictions()
    last = project.last_ok("train", prediction.name) or {}
    trained = datetime.fromisoformat(last["trained_at"])

    def due(days: float) -> bool:
        monkeypatch.setattr(project, "clock", lambda: trained + timedelta(days=days))
        return project.is_training_due(prediction)

    assert (due(29.9), due(30.1)) == (False, True)
    row = {"prediction": prediction.name, "model_version": "1", "checked_at": trained, "feature": "(score)"}
    told = [row | {"stability_index": 0.4, "people": 900, "verdict": "drifted"}]
    project.lake.append("prediction_drift", pa.Table.from_pylist(told, schema=PREDICTION_DRIFT.schema))
    assert (due(0.5), due(1.1)) == (False, True)


def test_the_status_says_how_each_prediction_stands(project: Project) -> None:
    (row,) = [row for row in project.status() if row["what"] == "prediction form_submitted"]
    assert row["state"] in {"healthy", "drifted", "unwatched"}
    assert row["note"]


def test_a_prediction_with_too_few_people_keeps_the_others_from_nothing_and_is_tried_again_later(
    tmp_path: Path, lay_out_store: Callable[[Path], Path], caplog: pytest.LogCaptureFixture
) -> None:
    project = Project.init(tmp_path / "acme")
    lay_out_store(project.folder)
    fill(project.lake, site(30))
    told: list[tuple[str, int]] = []
    project.predict(lambda verb, reports: told.append((verb, len(reports))))
    assert told == [("score", 0)]
    assert "50 are needed" in caplog.text
    (prediction,) = project.predictions()
    assert not project.is_training_due(prediction)
    now = project.clock()
    project.clock = lambda: now + timedelta(hours=2)
    assert project.is_training_due(prediction)
