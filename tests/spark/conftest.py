"""A real Spark of one core, in folders of its own."""

import gc
import os
import re
import shutil
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

SITE = Path(__file__).parents[2] / ".spark"
OPTIONS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
}
QUOTED = re.compile(r'"memory"[.]"main"[.]"(\w+)"')
"""A table as dbt-duckdb names it."""


class Spark:
    """Tables by name, shown from Arrow or made by SQL; what they are made of lies in `folder`."""

    def __init__(self, session: Any, folder: Path) -> None:
        self.session = session
        self.folder = folder

    def show(self, name: str, rows: pa.Table) -> None:
        """Show rows of the lake as a table."""
        file = self.folder / f"{name}.parquet"
        pq.write_table(rows, file)
        self.session.read.parquet(str(file)).createOrReplaceTempView(name)

    def make(self, name: str, sql: str) -> None:
        """Make a table of what a query gives."""
        place = str(self.folder / name)
        self.session.sql(QUOTED.sub(r"\1", sql)).write.mode("overwrite").parquet(place)
        self.session.read.parquet(place).createOrReplaceTempView(name)

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Give what a query gives; moments without their zone, which is UTC."""
        return [row.asDict(recursive=True) for row in self.session.sql(sql).collect()]


@pytest.fixture(scope="session")
def _session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    if shutil.which("java") is None or not (SITE / ".installed").exists():
        pytest.skip("no JVM, or no Spark in .spark: `make .spark/.installed` fetches it")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SITE))
        for name, value in {"PYTHONPATH": str(SITE), "PYSPARK_PYTHON": sys.executable, "TZ": "UTC"}.items():
            patch.setitem(os.environ, name, value)
        from pyspark import SparkContext
        from pyspark.sql import SparkSession

        builder = SparkSession.builder.master("local[1]").config(map=OPTIONS)
        warehouse = str(tmp_path_factory.mktemp("warehouse"))
        session = builder.config("spark.sql.warehouse.dir", warehouse).getOrCreate()
        session.sparkContext.setLogLevel("ERROR")
        yield session
        gateway = session.sparkContext._gateway
        session.stop()
        gateway.shutdown()
        gateway.proc.stdin.close()  # by which the JVM knows that it is to end
        gateway.proc.wait(timeout=30)
        SparkContext._gateway = SparkContext._jvm = None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # py4j leaves its sockets to the collector
            gc.collect()


@pytest.fixture
def spark(_session: Any, tmp_path: Path) -> Iterator[Spark]:
    """A Spark without tables."""
    yield Spark(_session, tmp_path)
    for table in _session.catalog.listTables():
        _session.catalog.dropTempView(table.name)
