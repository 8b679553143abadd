"""Routes that ask about audiences, also about ones that are only being written."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, Field

from catchment.audience.definition import json_schema
from catchment.audience.preview import Overlap, Preview, Reason
from catchment.project import Project


class Question(BaseModel):
    """A definition that need not be saved, and what is asked of it."""

    definition: dict[str, Any] = Field(description="What an audience file holds.")
    columns: list[str] = Field(default=[], description="Columns to show of some members; others are redacted.")
    by: list[str] = Field(default=[], description="Columns over which members are spread.")
    sample: int = Field(default=10, ge=0, le=100)


class Stay(BaseModel):
    """One stay of one member."""

    person_id: str
    arm: str
    entered_at: datetime
    left_at: datetime | None


class Sql(BaseModel):
    """A query in one dialect."""

    dialect: str
    sql: str


def audience_routes(project: Project) -> APIRouter:
    """Give the routes under /audiences."""
    api = APIRouter(prefix="/audiences")

    @api.get("/schema")
    def schema() -> dict[str, Any]:
        return json_schema()

    @api.get("/overlap")
    def overlap(name: Annotated[list[str] | None, Query()] = None) -> list[Overlap]:
        return list(project.overlap(name or []))

    @api.post("/preview")
    def preview(question: Question) -> Preview:
        audience = project.parse_audience(question.definition)
        found: Preview = project.preview(audience, question.columns, question.by, question.sample)
        return found

    @api.get("/{name}/why/{person}")
    def why(name: str, person: str) -> list[Reason]:
        reasons = project.why(project.audience(name), person)
        if reasons is None:
            raise HTTPException(404, f"There is no person '{person}'.")
        return list(reasons)

    @api.get("/{name}/members")
    def members(name: str, at: datetime | None = None, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[Stay]:
        rows = project.members(name, at).slice(0, limit).to_pylist()
        return [Stay(**{field: row[field] for field in Stay.model_fields}) for row in rows]

    @api.get("/{name}/held-back/{destination}")
    def held_back(name: str, destination: str) -> dict[str, str]:
        return project.held_back(name, destination)

    @api.get("/{name}/sql")
    def sql(name: str, dialect: str = "duckdb") -> Sql:
        return Sql(dialect=dialect, sql=project.audience_sql(name, dialect))

    return api
