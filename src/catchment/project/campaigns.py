"""The verbs that load other people's tables, and measure what campaigns brought."""

import pyarrow as pa

from catchment.plugin import build_plugin
from catchment.project.opened import Opened


class CampaignVerbs(Opened):
    """Ad spend and CRM stages come in; campaigns are measured against them."""

    def ingest(self) -> dict[str, int]:
        """Load every declared source; give the rows merged by table."""
        from catchment.ingest.load import load_source

        rows = {}
        for table, block in self.settings.ingest.sources.items():
            place = f"ingest.sources.{table}"
            source = build_plugin("ingest/sources", block, place=place, project_folder=self.folder)
            with self.timed("ingest", table) as run:
                rows[table] = run.counts["rows"] = load_source(table, source, self.lake, self.folder, self.clock())
        return rows

    def measure(self) -> pa.Table:
        """Put what campaigns cost beside what came of them."""
        from catchment.measure.campaigns import measure

        with self.timed("measure") as run, self.engine.attach(self.lake) as session:
            table = measure(session, self.lake, self.settings.measure, self.clock())
            run.counts["campaigns"] = table.num_rows
        return table
