"""Opening an instance's database: what it was created with is for life."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.database import open_database
from domain.errors import Rejected
from tests.services import drop_database, fresh_database

pytestmark = pytest.mark.services


def test_another_number_of_partitions_than_the_databases_is_refused(
    embedded_dsn: str, tmp_path: Path
) -> None:
    dsn = fresh_database(embedded_dsn)
    try:
        assert open_database(tmp_path, dsn, partitions=8).partition_count == 8
        assert open_database(tmp_path, dsn).partition_count == 8
        with pytest.raises(Rejected, match="has 8 market partitions for life, not 16"):
            open_database(tmp_path, dsn, partitions=16)
    finally:
        drop_database(dsn, embedded_dsn)
