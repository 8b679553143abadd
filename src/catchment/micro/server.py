"""Serve a whole pipeline for tests: with the schemas and enrichments of a project where there is one."""

from pathlib import Path

from catchment.collect import CollectSettings
from catchment.collect.server import serve_into
from catchment.enrich import EnrichSettings
from catchment.errors import ProjectNotFound
from catchment.listen import require_free_port
from catchment.micro import MicroOptions
from catchment.micro.log import MicroLog, Project
from catchment.micro.routes import Micro
from catchment.micro.store import Store
from catchment.schema import SchemaSettings
from catchment.settings import find_project, load_settings

FILE = ".catchment/micro.db"
COOKIE = "micro"


def serve_micro(start: Path, options: MicroOptions) -> None:
    """Serve until SIGTERM or SIGINT; in a folder that is no project, with its `schemas/` and what is on by default."""
    require_free_port(options.host, options.port, "--port")
    try:
        folder = find_project(start)
        settings = load_settings(folder)
        collect, enrich, schemas = settings.collect, settings.enrich, settings.schemas
    except ProjectNotFound:
        folder, collect, enrich, schemas = start, CollectSettings(), EnrichSettings(), SchemaSettings()
    project = Project(folder, schemas, enrich)
    store = Store(folder / FILE if options.keep else None, options.max_events)
    listening = {"host": options.host, "port": options.port, "workers": 1}
    ours = collect.model_copy(
        update={**listening, "drain_s": 0.0, "cookie": collect.cookie.model_copy(update={"name": COOKIE})}
    )
    serve_into(MicroLog(project, store), ours, [Micro(store, project.resolver).routes])
