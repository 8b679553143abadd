"""Bring the tables of identity up to date, in DuckDB: what news concern is resolved again, and what differs is merged.

News concern a cluster (all that hangs together by any edge) of which they tell an identifier. Its edges are read whole,
so what comes out depends on them alone and on no earlier outcome; a build that was cut off is made good by the next.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from deltalake.exceptions import CommitFailedError

from catchment.lake.delta_views import view_table
from catchment.lake.lake import Lake
from catchment.lake.merge import Merge, merge_found
from catchment.model.identity import statements
from catchment.model.identity.graph import PROBABLE, RULE, SEEN, Graph, Ints, Pairs
from catchment.model.identity.grow import OPEN
from catchment.model.identity.orders import Orders
from catchment.model.identity.resolve import REASONS, Resolution, Rules, resolve
from catchment.model.identity.rules import Pair
from catchment.model.identity.standing import HELD, READ, Standing
from catchment.model.identity.touched import show_nobody, show_touched, show_whole
from catchment.tables import (
    IDENTITY_CHANGES,
    IDENTITY_CONFLICTS,
    IDENTITY_EDGES,
    IDENTITY_HISTORY,
    IDENTITY_IDENTIFIERS,
    IDENTITY_MERGES,
    MODEL_BUILDS,
)
from catchment.tables.table import Table

ROWS_PER_BATCH = 100_000
MARKED_AS = "identity"
"""Its row of `model_builds` says by which rules people were formed."""
OUTCOMES = (IDENTITY_IDENTIFIERS, IDENTITY_HISTORY, IDENTITY_MERGES, IDENTITY_CONFLICTS)
ALL = (IDENTITY_EDGES, *OUTCOMES, IDENTITY_CHANGES)


def update_identity(
    cursor: duckdb.DuckDBPyConnection,
    lake: Lake,
    orders: Orders,
    *,
    is_full: bool,
    keeper: duckdb.DuckDBPyConnection | None = None,
) -> None:
    """Bring the tables up to `identity_news`: all anew, or what it concerns, or everybody where rules changed.

    Leaves beside it `identity_touched` and `identity_touched_edges`: all that may be another than before. Where their
    views outlive the cursor, `keeper` is the connection that stays open as long.
    """
    is_full = is_full or not all(lake.exists(table.name) for table in ALL)
    builds = {row["model"]: row for row in lake.read(MODEL_BUILDS.name).to_pylist()}
    is_other = MARKED_AS not in builds or builds[MARKED_AS]["fingerprint"] != orders.mark
    is_all, is_news = is_full or is_other, bool(_count(cursor, "identity_news"))
    if is_all or is_news:
        update = _Update(cursor, keeper or cursor, lake, orders, Standing(cursor, lake), is_full=is_full, is_all=is_all)
        update.lay_out()
        if update.take_news():
            update.publish()
    if is_all:
        show_whole(cursor)
    elif is_news:
        show_touched(cursor)
    else:
        show_nobody(cursor)
    if is_other:
        row = {"model": MARKED_AS, "fingerprint": orders.mark, "events_version": 0, "built_at": datetime.now(UTC)}
        lake.merge(MODEL_BUILDS.name, pa.Table.from_pylist([row], schema=MODEL_BUILDS.schema))


@dataclass(frozen=True)
class _Update:
    """One update, and what it works with; where all is made anew, nothing stands."""

    cursor: duckdb.DuckDBPyConnection
    keeper: duckdb.DuckDBPyConnection
    lake: Lake
    orders: Orders
    standing: Standing
    is_full: bool
    is_all: bool

    def lay_out(self) -> None:
        """Put what is declared beside the news."""
        ranks = [{"rank": rank, "kind": kind.name} for rank, kind in enumerate(self.orders.kinds)]
        self._show("kind_ranks", pa.Table.from_pylist(ranks))
        self._show("always_pairs", _as_table(self.orders.rules.always))
        self.cursor.execute(statements.UNSEEN.format(rule=RULE))
        links = self.orders.links
        if links is not None and self.lake.exists(links):
            view_table(self.keeper, self.lake, links)
            told = statements.PROBABLE.format(probable=PROBABLE, table=links)
            self.cursor.execute(told, {"min_score": self.orders.min_score})
        self._run(statements.KEY_OF, statements.NAME_OF)

    def take_news(self) -> int:
        """Merge edges, and lay out the identifiers that are to be resolved; give how many."""
        self._run(statements.TOLD, statements.EDGES_TOLD)
        if self.is_full:
            self._show(HELD.format(IDENTITY_IDENTIFIERS.name), IDENTITY_IDENTIFIERS.schema.empty_table())
            self._run(statements.EDGES.format(standing=""), statements.NODES)
        else:
            self._find(IDENTITY_EDGES)
            self._run(statements.EDGES.format(standing=statements.TOLD_BEFORE), statements.CONCERNED_KEYS)
            self._find_of_all(IDENTITY_IDENTIFIERS, ["key", "cluster"], statements.CONCERNED, "concerned_clusters")
            self._find(IDENTITY_IDENTIFIERS)
            self._run(statements.NODES)
            self._find_of_all(IDENTITY_EDGES, statements.SIGHTED, statements.BETWEEN_NODES, "edges_standing")
        self._run(statements.SIGHTINGS.format(standing="" if self.is_full else statements.SEEN_BEFORE))
        self._run(statements.LINKS.format(seen=SEEN))
        self._write(IDENTITY_EDGES, "edges_built")
        return _count(self.cursor, "nodes")

    def publish(self) -> None:
        """Resolve what is laid out, and bring every table to it."""
        graph = self._graph()
        found = resolve(graph, self._rules(graph))
        self._show_found(found, graph)
        for table in OUTCOMES:
            self.cursor.execute(f"create or replace temp table {table.name}__built as {statements.BUILT[table.name]}")
        self._log_changes()
        for table in reversed(OUTCOMES):
            self._write(table, f"{table.name}__built")

    def _find(self, table: Table) -> None:
        """Find the rows of a table that are made anew."""
        read = READ[table.name]
        if table is not IDENTITY_EDGES:
            self._find_of_all(table, read.columns, read.where, HELD.format(table.name))
            return
        among = self.standing.in_parts(table, self._values("select distinct week from edges_told"))
        self.standing.find(table, read.columns, read.where, found="edges_near", among=among)
        self._run(statements.EDGES_BEFORE)

    def _find_of_all(self, table: Table, columns: Sequence[str], where: str, found: str) -> None:
        """Find the rows that a condition says are concerned; where rules changed, all are."""
        self.standing.find(table, columns, "true" if self.is_all else where, found=found)

    def _graph(self) -> Graph:
        nodes = self._numbers("select kind_rank, epoch_us(first_seen_tstamp) as first from nodes order by number")
        links = self._numbers("select a, b, strength, epoch_us(first_seen_tstamp) as first from links order by edge")
        scores = self.cursor.execute("select score from links order by edge").fetchnumpy()
        seen = self._numbers(statements.SEEN.format(seen=SEEN))
        return Graph(
            kind=nodes["kind_rank"], first=nodes["first"], left=links["a"], right=links["b"], edge_first=links["first"],
            strength=links["strength"], score=scores["score"], sighting_edge=seen["edge"],
            sighting_at=seen["moment"],
        )  # fmt: skip

    def _rules(self, graph: Graph) -> Rules:
        cut = np.zeros(len(graph.left), dtype=np.bool_)
        pairs = self._named("cut_pairs", self.orders.rules.cut)
        for left, right in zip(pairs.left.tolist(), pairs.right.tolist(), strict=True):
            cut |= (graph.left == left) & (graph.right == right)
        never = self._named("never_pairs", self.orders.rules.never)
        return Rules(self.orders.kinds, self.orders.max_links, never, cut, burst=self.orders.burst)

    def _named(self, name: str, pairs: tuple[Pair, ...]) -> Pairs:
        self._show(name, _as_table(pairs))
        found = self._numbers(
            "select least(a.number, b.number) as one, greatest(a.number, b.number) as other"
            f" from {name} as pairs inner join nodes as a on a.kind = pairs.kind_a and a.value = pairs.value_a"
            " inner join nodes as b on b.kind = pairs.kind_b and b.value = pairs.value_b order by one, other"
        )
        return Pairs(found["one"], found["other"])

    def _show_found(self, found: Resolution, graph: Graph) -> None:
        holds = found.spans[:, 3] == OPEN
        past, now = found.spans[~holds], found.spans[holds]
        now = now[np.argsort(now[:, 0])]
        linked = np.zeros(graph.size, dtype=np.bool_)
        linked[graph.left] = linked[graph.right] = True
        columns = {"number": now[:, 0], "person": now[:, 1], "since": now[:, 2]}
        self._show("found", pa.table({**columns, "cluster": found.cluster, "is_linked": linked}))
        self._show("past", pa.table(dict(zip(("node", "person", "since", "until"), past.T, strict=True))))
        self._show("merges", pa.table(dict(zip(("person", "survivor", "at", "edge"), found.merges.T, strict=True))))
        reasons = pa.array(REASONS).take(pa.array(found.refusals[:, 1]))
        refusals = {"edge": found.refusals[:, 0], "reason": reasons, "kind": found.refusals[:, 2]}
        self._show("refusals", pa.table(refusals))
        self._run(statements.PEOPLE)

    def _log_changes(self) -> None:
        """Note who was somebody else until now, before that is overwritten."""
        stands = self.lake.exists(IDENTITY_IDENTIFIERS.name)
        if self.is_full and stands:
            view_table(self.keeper, self.lake, IDENTITY_IDENTIFIERS.name)
            self._run(statements.ALL_PUBLISHED)
        elif stands:
            self._run(statements.RENAMED)
            among = self._values("select distinct _file from renamed")
            where = "key in (select key from renamed)"
            self.standing.find(IDENTITY_IDENTIFIERS, statements.PUBLISHED, where, found="published", among=among)
        changes = IDENTITY_CHANGES.schema.empty_table()
        if stands:
            changes = self.cursor.execute(statements.CHANGES, {"changed_at": datetime.now(UTC)}).to_arrow_table()
        if changes.num_rows or not self.lake.exists(IDENTITY_CHANGES.name):
            self.lake.append(IDENTITY_CHANGES.name, changes.cast(IDENTITY_CHANGES.schema))
            view_table(self.keeper, self.lake, IDENTITY_CHANGES.name)

    def _write(self, table: Table, built: str) -> None:
        part = next(iter(table.partition), None)
        if self.is_full:
            columns, order = ", ".join(table.schema.names), READ[table.name].order
            rows = self.cursor.execute(f"select {columns} from {built} order by {order}")
            self.lake.overwrite(table.name, rows.to_arrow_reader(ROWS_PER_BATCH), partition_by=part)
        else:
            self.lake.committing(table.name, lambda: self._merge(table, built))
        view_table(self.keeper, self.lake, table.name)

    def _merge(self, table: Table, built: str) -> int:
        if not self.standing.knows(table):
            self._find(table)
        part = next(iter(table.partition), None)
        merge = Merge(table.name, built, READ[table.name].key, None, part, None)
        try:
            return merge_found(self.cursor, self.standing.files(table), merge, HELD.format(table.name))
        except CommitFailedError:
            self.standing.look_again(table)
            raise

    def _numbers(self, sql: str) -> dict[str, Ints]:
        found = self.cursor.execute(sql).fetchnumpy()
        return {name: np.asarray(values, dtype=np.int64) for name, values in found.items()}

    def _values(self, sql: str) -> set[Any]:
        return {row[0] for row in self.cursor.execute(sql).fetchall()}

    def _run(self, *told: str) -> None:
        for statement in told:
            self.cursor.execute(statement)

    def _show(self, name: str, rows: pa.Table) -> None:
        self.cursor.register(f"{name}__shown", rows)
        self.cursor.execute(f"create or replace temp table {name} as select * from {name}__shown")
        self.cursor.unregister(f"{name}__shown")


def _as_table(pairs: tuple[Pair, ...]) -> pa.Table:
    names = ("kind_a", "value_a", "kind_b", "value_b")
    rows = [dict(zip(names, (*one, *other), strict=True)) for one, other in pairs]
    return pa.Table.from_pylist(rows, schema=pa.schema([(name, pa.string()) for name in names]))


def _count(cursor: duckdb.DuckDBPyConnection, table: str) -> int:
    return int(cursor.execute(f"select count(*) from {table}").fetchall()[0][0])
