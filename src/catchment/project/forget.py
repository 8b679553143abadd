"""The verb that forgets a person: in the lake, in the log, and in the files that stages keep beside it."""

import hmac
import secrets
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from catchment.errors import DefinitionError, TransientError
from catchment.lake.needle import Needles
from catchment.model.identity.spelling import spell
from catchment.project.lock import VERBS, holding
from catchment.project.opened import Opened
from catchment.tables import BATCHES, ERASURES, EVENTS

KEY_FILE = ".catchment/erasure.key"
STATE = ".catchment"
NOT_OURS = ("locks", "sandbox.db", "simulation", "erasure.key")
"""Of `.catchment`: what holds nobody, and what stands in for a vendor or for the world outside."""

IDS = ("domain_userid", "user_id", "network_userid")
KNOWN_AS = {"user_mapping": ("domain_userid", "user_id"), "identity_identifiers": ("value",)}
"""Who is who, by the models: tables, and their columns of identifiers."""
ROUNDS = 5
"""A cookie leads to a user, and a user to another cookie; so often this is followed."""


UNDONE = ("retry", "unknown")
"""What became of a row where the destination did not answer."""


@dataclass(frozen=True)
class Forgotten:
    """What was erased in one place; `note` says what a person must still do there."""

    place: str
    rows: int
    files: int
    note: str = ""


class ForgetVerbs(Opened):
    """Somebody wishes to be forgotten."""

    def forget(self, *, person: str | None = None, is_here_only: bool = False, **seeds: str | None) -> list[Forgotten]:
        """Erase a person, given by `person`, `user_id`, `email` or `domain_userid`; may be repeated after a stop.

        Destinations come first, because it is the lake that knows where she was sent; where one does not answer,
        TransientError is raised and the lake is as it was. When this returns, no file of the lake and of `.catchment`
        holds a value of hers. Other verbs wait meanwhile. With `is_here_only` no destination is asked.
        """
        from catchment.lake.erase import erase, remove_replaced_files
        from catchment.lake.key_index import forget_keys
        from catchment.model.workplace import WORK_FOLDER

        given = {name: value for name, value in {"person": person, **seeds}.items() if value}
        if not given:
            raise DefinitionError(
                "Nobody is named.", hint="Say `--user-id`, `--email`, `--domain-userid` or `--person`."
            )
        with holding(self.folder, *VERBS):
            self.drain()  # type: ignore[attr-defined]
            needles = self._known_as(given)
            vendors = self._forget_there(needles, is_here_only=is_here_only)
            erased = erase(self.lake, needles)
            removed = remove_replaced_files(self.lake)
            forget_keys(self.folder / WORK_FOLDER)
            files = [*self._empty_log(), *self._filter_files(needles)]
            self._certify(needles, erased, files)
        places = [Forgotten(f"lake: {table.table}", table.rows, table.files_rewritten) for table in erased]
        places.append(Forgotten("lake: files of replaced versions", 0, removed))
        return [*vendors, *places, *files]

    def _spelled(self, values: Iterable[str]) -> Iterator[str]:
        """Give the hashes by which identity knows the values, an e-mail address for example."""
        identity = self.settings.model.identity
        hashed = [identifier for identifier in identity.identifiers if identifier.hash]
        for value, identifier in product(values, hashed):
            yield spell(value, identifier, identity) or value

    def _known_as(self, given: dict[str, str]) -> Needles:
        """Follow cookies and users to each other; a cookie that several users had is nobody's alone.

        It may be the name of a person all the same, of who was first seen with it.
        """
        users = {cookie: users for cookie, users in self._users_by_cookie().items() if len(users) > 1}
        known = {*given.values(), *self._spelled(given.values())}
        person = given.get("person")
        if person in users:
            known = known - {person} | self._identifiers_of({person}, users)
        for _ in range(ROUNDS):
            found = known | self._beside(Needles.of(known), users)
            if found == known:
                break
            known = found
        people = self._people_of(known, users) | ({person} if person else set())
        return Needles.of(known)._replace(people=frozenset(people))

    def _beside(self, needles: Needles, shared: dict[str, set[str]]) -> set[str]:
        found = self._told(EVENTS.name, needles, IDS)
        found |= self._told("people", needles, ("email",))
        people = self._people_of(set(needles.whole), shared)
        found |= people | self._identifiers_of(people, shared)
        others = {user for users in shared.values() for user in users} - needles.whole
        return found - shared.keys() - others

    def _told(self, table: str, needles: Needles, names: tuple[str, ...]) -> set[str]:
        """Give what the rows that tell of the person hold in these columns."""
        found: set[str] = set()
        for part in self._parts(table):
            hers = part.filter(needles.rows(part))
            for name in (name for name in names if name in hers.column_names):
                found |= {value for value in hers[name].to_pylist() if value}
        return found

    def _people_of(self, identifiers: set[str], shared: Iterable[str]) -> set[str]:
        """Give the person_ids of these identifiers, but for those that are nobody's alone."""
        return self._paired(identifiers - set(shared), lambda own, person: (own, person))

    def _identifiers_of(self, people: set[str], shared: Iterable[str]) -> set[str]:
        """Give the identifiers of these people, but for those that are nobody's alone."""
        return self._paired(people, lambda own, person: (person, own)) - set(shared)

    def _paired(self, values: set[str], way: Callable[[str, str], tuple[str, str]]) -> set[str]:
        found: set[str] = set()
        for table, owned in KNOWN_AS.items():
            for part, name in product(self._parts(table), owned):
                if name not in part.column_names:
                    continue
                source, target = way(name, "person_id")
                hers = pa.compute.is_in(part[source], pa.array(sorted(values), pa.string()))
                found |= {value for value in part.filter(hers)[target].to_pylist() if value}
        return found

    def _users_by_cookie(self) -> dict[str, set[str]]:
        users: dict[str, set[str]] = defaultdict(set)
        for part in self._parts(EVENTS.name):
            for cookie in ("domain_userid", "network_userid"):
                pairs = part.select([cookie, "user_id"]).drop_null().group_by([cookie, "user_id"]).aggregate([])
                for value, user in zip(pairs[cookie].to_pylist(), pairs["user_id"].to_pylist(), strict=True):
                    users[value].add(user)
        return users

    def _parts(self, table: str) -> Any:
        if self.lake.exists(table):
            for batch in self.lake.delta(table).to_pyarrow_dataset().to_batches():
                yield pa.Table.from_batches([batch])

    def _forget_there(self, needles: Needles, *, is_here_only: bool) -> list[Forgotten]:
        """Delete the person wherever syncs have sent her; raises TransientError where one has not done it yet."""
        held: dict[str, set[str]] = defaultdict(set)
        for part in self._parts("sync_state"):
            hers = part.filter(needles.rows(part))
            for sync, key in zip(hers["sync"].to_pylist(), hers["row_key"].to_pylist(), strict=True):
                held[sync].add(key)
        if is_here_only:
            return [_vendor(sync, ["still there: no destination was asked"]) for sync in sorted(held)]
        ends = self.forget_rows_there(held) if held else []  # type: ignore[attr-defined]
        open_ends = sorted({sync for sync, end in ends if end in UNDONE})
        if open_ends:
            raise TransientError(
                f"She is not forgotten yet at the destinations of {', '.join(open_ends)}; nothing is erased here.",
                hint="Call it again later; or `catchment lake forget`, and delete her there by hand.",
            )
        told: dict[str, list[str]] = defaultdict(list)
        for sync, end in ends:
            told[sync].append(end)
        return [_vendor(sync, told.get(sync, [])) for sync in sorted(held)]

    def _empty_log(self) -> list[Forgotten]:
        """Remove what the log still holds of payloads that are in the lake."""
        left = 0
        with self.opened_log() as log:  # type: ignore[attr-defined]
            for part in log.parts():
                done = self.lake.committed(BATCHES.name, part.log_id)
                part.remove_through(done)
                lane = getattr(part, "lane", None)
                if lane is not None and not _is_free(lane):
                    lane.ask_for_roll()
                    left += 1
        note = "a file that the collector writes to goes with its next roll" if left else ""
        return [Forgotten("log", 0, 0, note)]

    def _filter_files(self, needles: Needles) -> list[Forgotten]:
        """Take the person out of tables that stages keep in `.catchment`, and name what else tells of her."""
        state = self.folder / STATE
        files = {str(path.relative_to(state)): path for path in sorted(state.rglob("*")) if path.is_file()}
        ours = {name: path for name, path in files.items() if not name.startswith((*NOT_OURS, "spool"))}
        done = [_filter_file(name, path, needles) for name, path in ours.items()]
        return [place for place in done if place is not None]

    def _certify(self, needles: Needles, erased: list[Any], files: list[Forgotten]) -> None:
        """Write down every place that was touched; of the person only a hash that needs this project's key."""
        key, now = self._erasure_key(), self.clock()
        subjects = ",".join(sorted(_keyed(key, value) for value in needles.whole))
        erasure_id = str(uuid.uuid4())
        same = {"erasure_id": erasure_id, "subject": subjects, "erased_at": now}
        rows = [
            {
                **same, "place": f"lake: {table.table}", "table": table.table, "rows": table.rows,
                "version_before": table.version_before, "version_after": table.version_after,
                "files_rewritten": table.files_rewritten, "event_ids": table.event_ids,
            }
            for table in erased
        ]  # fmt: skip
        rows += [{**same, "place": file.place, "rows": file.rows, "files_rewritten": file.files} for file in files]
        self.lake.append(ERASURES.name, pa.Table.from_pylist(rows, ERASURES.schema))

    def is_forgotten(self, value: str) -> datetime | None:
        """Say when the person with this identifier was last erased, None where never."""
        mark = _keyed(self._erasure_key(), value)
        rows = self.lake.read(ERASURES.name, ["subject", "erased_at"]).to_pylist()
        return max((row["erased_at"] for row in rows if mark in row["subject"].split(",")), default=None)

    def suppression(self) -> Any:
        """Give what keeps events out that happened before their person was forgotten."""
        from catchment.lake.suppress import Suppression

        erased: dict[str, datetime] = {}
        for row in self.lake.read(ERASURES.name, ["subject", "erased_at"]).to_pylist():
            for mark in row["subject"].split(","):
                erased[mark] = max(row["erased_at"], erased.get(mark, row["erased_at"]))
        key = self._erasure_key() if erased else b""
        return Suppression(partial(_keyed, key), erased)

    def _erasure_key(self) -> bytes:
        path = self.folder / KEY_FILE
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_bytes(secrets.token_bytes(32))
        return path.read_bytes()


def _keyed(key: bytes, value: str) -> str:
    return hmac.new(key, value.encode(), sha256).hexdigest()[:32]


def _filter_file(name: str, path: Path, needles: Needles) -> Forgotten | None:
    place = f"file: {name}"
    if path.suffix == ".parquet":
        rows = _filter_parquet(path, needles)
        return Forgotten(place, rows, 1) if rows else None
    if not needles.in_value(path.read_bytes()):
        return None
    if name.startswith("dbt/"):  # what dbt writes there is written anew by the next build
        path.unlink()
        return Forgotten(place, 0, 1)
    return Forgotten(place, 0, 0, "tells of the person; look at it and remove it")


def _filter_parquet(path: Path, needles: Needles) -> int:
    table = pq.read_table(path)
    kept = table.filter(pa.compute.invert(needles.rows(table)))
    if kept.num_rows < table.num_rows:
        fresh = path.with_suffix(".fresh")
        pq.write_table(kept, fresh)
        fresh.replace(path)
    return int(table.num_rows - kept.num_rows)


def _is_free(lane: Any) -> bool:
    with lane.locked() as is_ours:
        return bool(is_ours)


def _vendor(sync: str, ends: list[str]) -> Forgotten:
    said = ", ".join(f"{ends.count(end)} {end}" if len(ends) > 1 else end for end in dict.fromkeys(ends))
    gone = "no sync of that name is left, or it holds nothing of hers any more; look there by hand"
    return Forgotten(f"vendor: {sync}", len(ends), 0, said or gone)
