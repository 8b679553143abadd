"""Ask a database about each event."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pydantic import Field, SecretStr

from catchment.enrich.lookup import Answer, Ask, Lookup
from catchment.errors import SettingsError, TransientError


class SqlLookup(Lookup):
    """Ask a database about each event, and keep the rows it answers with as entities."""

    url: SecretStr = Field(description="SQLAlchemy URL: sqlite:///PATH, or another whose driver is installed.")
    query: str = Field(description="A select with the inputs as parameters: '... where id = :user_id'.")
    max_rows: int = Field(default=1, ge=1, description="Rows kept of an answer.")

    def connect(self, project_folder: Path) -> Ask:
        try:
            url = sa.make_url(self.url.get_secret_value())
            if url.get_backend_name() == "sqlite" and url.database:
                url = url.set(database=str(project_folder / url.database))
            engine = sa.create_engine(url)
        except (sa.exc.ArgumentError, ModuleNotFoundError) as error:
            raise SettingsError(
                "The sql_lookup enrichment cannot use its url.",
                hint="Write it as sqlite:///PATH or postgresql+psycopg://USER@HOST/NAME, and install the driver.",
            ) from error
        return lambda question: _ask(engine, sa.text(self.query), question, self.max_rows)


def _ask(engine: sa.Engine, query: sa.TextClause, question: Mapping[str, Any], max_rows: int) -> Answer:
    try:
        with engine.connect() as connection:
            return [dict(row) for row in connection.execute(query, dict(question)).mappings().fetchmany(max_rows)]
    except (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError) as error:
        raise TransientError(f"The database did not answer: {type(error).__name__}.") from error
    except sa.exc.SQLAlchemyError as error:
        raise ValueError(f"The database refused the query: {type(error).__name__}.") from error
