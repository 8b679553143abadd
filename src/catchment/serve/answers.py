"""What the API answers; the console's types are generated from these."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

State = Literal["ok", "warning", "failed", "empty"]


class Fact(BaseModel):
    """One number with its unit."""

    label: str
    value: float


class Stage(BaseModel):
    """One stage of the pipeline as it stands."""

    name: str
    title: str
    state: State
    facts: list[Fact]
    last_run_at: datetime | None = None
    problem: str = ""


class Flow(BaseModel):
    """The pipeline from the click to the campaign."""

    project: str
    stages: list[Stage]


class Event(BaseModel):
    """One event, in the columns that a person looks for first."""

    event_id: str
    event_name: str | None
    derived_tstamp: datetime | None
    app_id: str | None
    domain_userid: str | None
    user_id: str | None
    page_title: str | None
    page_url: str | None
    geo_country: str | None
    useragent_family: str | None
    mkt_campaign: str | None
    refr_source: str | None


class Events(BaseModel):
    """The latest events, and how many there are of each kind."""

    total: int
    kinds: list[Fact]
    events: list[Event]


class FailureReason(BaseModel):
    """Why events failed, and how many."""

    type: str
    code: str
    failed_schema: str | None
    example: str
    events: int
    last_seen: datetime


class FailedEvent(BaseModel):
    """One failed event with its untouched original."""

    failed_id: str
    collector_tstamp: datetime
    type: str
    code: str
    message: str
    app_id: str | None
    errors: list[dict[str, Any]]
    original: dict[str, Any]


class FailedEvents(BaseModel):
    """Failed events by reason, and the latest of them."""

    total: int
    reasons: list[FailureReason]
    events: list[FailedEvent]


class ModelTable(BaseModel):
    """One table that dbt builds."""

    name: str
    rows: int
    version: int
    built_at: datetime


class Decile(BaseModel):
    """A tenth of the people by score; 10 is the likeliest."""

    decile: int
    people: int
    mean_score: float


class ModelVersion(BaseModel):
    """One registered version of a prediction's model."""

    version: str
    is_champion: bool
    trained_at: datetime
    metrics: dict[str, float]


class Prediction(BaseModel):
    """What is predicted, by which model, and how people are spread over its scores."""

    name: str
    description: str
    versions: list[ModelVersion]
    deciles: list[Decile]
    labels: list[Fact]


class Records(BaseModel):
    """People to score: per person the features that the model reads; one that is missing is empty."""

    records: list[dict[str, float | str | bool | None]] = Field(min_length=1, max_length=10_000)


class RecordScore(BaseModel):
    """The score of one record, with its place among everybody's, and the features that moved it most."""

    score: float
    decile: int
    label: str
    reasons: list[str]
    model_version: str


class RecordScores(BaseModel):
    """The scores in the order of the records."""

    scores: list[RecordScore]


class Models(BaseModel):
    """Derived tables and predictions."""

    tables: list[ModelTable]
    predictions: list[Prediction]


class Size(BaseModel):
    """How large an audience was after one refresh."""

    refreshed_at: datetime
    size: int
    entered: int
    left: int


class Audience(BaseModel):
    """An audience: its rule, its size, its history, and where it is sent."""

    name: str
    description: str
    definition: str
    size: int
    history: list[Size]
    syncs: list[str] = Field(description="Names of the syncs that send it.")


class SyncRun(BaseModel):
    """One run of a sync."""

    run_id: str
    started_at: datetime
    status: str
    added: int
    changed: int
    removed: int
    unchanged: int
    skipped: int
    sent: int
    rejected: int
    retry: int
    error: str | None


class Sync(BaseModel):
    """A sync with its latest runs, newest first."""

    name: str
    description: str
    audience: str | None
    destination: str
    fields: dict[str, str]
    runs: list[SyncRun]


class Receipt(BaseModel):
    """What became of one row that a run wanted to send."""

    row_key: str
    operation: str
    status: str
    code: str | None
    reason: str | None
    payload: str | None
    sent_at: datetime | None
