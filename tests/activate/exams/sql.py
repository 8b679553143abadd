from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ..exam import Exam, Place


def database(place: Place) -> dict[str, Any]:
    url = f"sqlite:///{place.folder}/crm.db"
    with sa.create_engine(url, poolclass=sa.NullPool).begin() as connection:
        connection.execute(
            sa.text("create table if not exists people (id text primary key, email text not null, seconds integer)")
        )
    return {"url": url}


def held(folder: Path) -> set[str]:
    with sa.create_engine(f"sqlite:///{folder}/crm.db", poolclass=sa.NullPool).begin() as connection:
        return set(connection.execute(sa.text("select id from people")).scalars())


EXAM = Exam(
    settings=database,
    sync={
        "target": {"table": "people"},
        "identifiers": {"id": "person_id"},
        "fields": {"email": "email", "seconds": "engaged_time_in_s"},
    },
    held=lambda place: held(place.folder),
    known_as=lambda payload: payload["id"],
    spoil=lambda payload: {**payload, "seconds": "a while"},
    is_web=False,
)
