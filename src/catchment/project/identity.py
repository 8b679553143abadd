"""The verbs that say why a person is this person, and who else may be."""

from typing import Any

from catchment.errors import LakeError
from catchment.model.identity.explain import Line, explain
from catchment.project.opened import Opened, digest
from catchment.tables import IDENTITY_CONFLICTS, IDENTITY_EDGES, IDENTITY_HISTORY, IDENTITY_IDENTIFIERS, IDENTITY_MERGES

IDENTITY_TABLES = tuple(
    table.name
    for table in (IDENTITY_IDENTIFIERS, IDENTITY_EDGES, IDENTITY_HISTORY, IDENTITY_MERGES, IDENTITY_CONFLICTS)
)


class IdentityVerbs(Opened):
    """Somebody asks who is who."""

    def identity(self, identifier: str) -> list[Line]:
        """Tell of the person that an identifier belongs to: their identifiers, edges, history, merges and conflicts."""
        if not self.lake.exists("identity_identifiers"):
            raise LakeError("Nobody is known yet.", hint="`catchment build` finds out who is who.")
        settings = self.settings.model.identity
        if settings.links is not None and not self.lake.exists(settings.links):
            settings = settings.model_copy(update={"links": None})
        with self.engine.attach(self.lake) as session:
            return explain(session, identifier, settings)

    def match(self) -> Any:
        """Compare the records that the settings name, and write which identifiers are probably one person's."""
        from catchment.model.identity.match import match

        with self.timed("match") as run, self.engine.attach(self.lake) as session:
            run.counts["told"] = self._told_to_match()
            found = match(self.lake, session, self.settings.model.identity)
            run.counts |= {"records": found.records, "links": found.links, "joining": found.joining}
        return found

    def resolve_identity(self, *, full_refresh: bool = False) -> dict[str, int]:
        """Form people of the pairs that another engine has left in the lake; give the rows of each table."""
        from catchment.model.identity.elsewhere import resolve_news
        from catchment.model.identity.orders import Orders

        with self.timed("build", "identity") as run:
            orders = Orders.of_project(self.lake, self.settings.model.identity, self.folder)
            resolve_news(self.lake, orders, self.folder / ".catchment", is_full=full_refresh)
            counts = {table: self.count(table) for table in IDENTITY_TABLES}
            run.counts |= counts
        return counts

    def is_match_due(self) -> bool:
        """Say whether records or settings changed since they were last compared; no table yet is no reason."""
        matching = self.settings.model.identity.matching
        if matching is None or not all(self.lake.exists(records.table) for records in matching.records):
            return False
        last = self.last_ok("match")
        return last is None or last["told"] != self._told_to_match()

    def _told_to_match(self) -> str:
        identity = self.settings.model.identity
        tables = [records.table for records in identity.matching.records] if identity.matching else []
        return digest((identity.matching, identity.links, [self.lake.data_version(table) for table in tables]))
