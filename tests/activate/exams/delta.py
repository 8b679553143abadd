from deltalake import DeltaTable

from ..exam import Exam, Place


def held(place: Place) -> set[str]:
    return set(DeltaTable(f"{place.folder}/share/people").to_pyarrow_table()["id"].to_pylist())


EXAM = Exam(
    settings=lambda place: {"url": f"{place.folder}/share"},
    sync={
        "target": {"table": "people"},
        "identifiers": {"id": "person_id"},
        "fields": {"email": "email", "seconds": "engaged_time_in_s"},
    },
    held=held,
    known_as=lambda payload: payload["id"],
    is_web=False,
)
