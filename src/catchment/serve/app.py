"""The API and the console on one origin; everything but the health check asks for a session."""

from importlib.resources import files
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Cookie, Depends, FastAPI, HTTPException, Query, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response

from catchment import __version__
from catchment.errors import CatchmentError
from catchment.project import Project
from catchment.serve import answers, reads
from catchment.serve.audiences import audience_routes
from catchment.serve.flow import read_flow
from catchment.serve.signin import COOKIE, SignIn

STATIC = Path(str(files("catchment.serve"))) / "static"

_PAGE = "<!doctype html><meta charset=utf-8><title>Catchment</title><body style='font:16px system-ui;margin:4rem'>{}"
_NOT_BUILT = _PAGE.format("<h1>The console is not built</h1><p>Type <code>make console</code>, then reload.")
_USED = _PAGE.format(
    "<h1>This link no longer signs in</h1><p>It works once, within an hour. "
    "<code>catchment sign-in</code> prints a new one."
)

Limit = Annotated[int, Query(ge=1, le=500)]


def create_app(project: Project) -> FastAPI:
    """Give the application over one project."""
    sign_in = SignIn(project.settings.serve, project.folder)
    app = FastAPI(title="Catchment", version=__version__, openapi_url="/api/v1/openapi.json", docs_url=None)

    def require_session(session: Annotated[str | None, Cookie(alias=COOKIE)] = None) -> None:
        if not sign_in.is_signed_in(session):
            raise HTTPException(401, "Sign in with the link that `catchment sign-in` prints.")

    @app.get("/api/v1/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/sign-in/{token}", include_in_schema=False)
    def redeem(token: str) -> Response:
        session = sign_in.redeem(token)
        if session is None:
            return HTMLResponse(_USED, status_code=403)
        answer = RedirectResponse("/", status_code=303)
        seconds = project.settings.serve.session_hours * 3600
        answer.set_cookie(COOKIE, session, max_age=seconds, httponly=True, samesite="strict", path="/")
        return answer

    @app.exception_handler(CatchmentError)
    async def tell(request: Request, error: CatchmentError) -> JSONResponse:
        return JSONResponse({"detail": str(error), "hint": error.hint}, status_code=422)

    for routes in (_api(project), audience_routes(project)):
        app.include_router(routes, prefix="/api/v1", dependencies=[Depends(require_session)])
    _add_console(app)
    return app


def _api(project: Project) -> APIRouter:
    api = APIRouter()

    @api.get("/flow")
    def flow() -> answers.Flow:
        return read_flow(project)

    @api.get("/events")
    def events(limit: Limit = 50, event_name: str | None = None) -> answers.Events:
        return reads.read_events(project, limit, event_name)

    @api.get("/failed-events")
    def failed_events(limit: Limit = 50, code: str | None = None) -> answers.FailedEvents:
        return reads.read_failed_events(project, limit, code)

    @api.get("/models")
    def models() -> answers.Models:
        return reads.read_models(project)

    @api.post("/predictions/{name}/score")
    def score(name: str, people: answers.Records) -> answers.RecordScores:
        return answers.RecordScores(
            scores=[answers.RecordScore(**row) for row in project.score_records(name, people.records)]
        )

    @api.get("/audiences")
    def audiences() -> list[answers.Audience]:
        return reads.read_audiences(project)

    @api.get("/syncs")
    def syncs() -> list[answers.Sync]:
        return reads.read_syncs(project)

    @api.get("/syncs/{name}/receipts")
    def receipts(name: str, run_id: str | None = None, limit: Limit = 100) -> list[answers.Receipt]:
        return reads.read_receipts(project, name, run_id, limit)

    return api


def _add_console(app: FastAPI) -> None:
    @app.get("/{path:path}", include_in_schema=False)
    def console(path: str) -> Response:
        if path.startswith("api/"):
            raise HTTPException(404, f"There is no /{path}.")
        page = STATIC / "index.html"
        if not page.is_file():
            return HTMLResponse(_NOT_BUILT, status_code=503)
        wanted = (STATIC / path).resolve()
        is_asset = wanted.is_relative_to(STATIC.resolve()) and wanted.is_file()
        return FileResponse(wanted if is_asset else page)
