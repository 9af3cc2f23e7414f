"""The previous release works on the database of this release, so that a rolling upgrade needs no downtime."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.releases.keep_release import HERE, stored_release
from tests.support.jobs import AuditInputs


def test_the_previous_release_works_on_the_database_of_this_one(
    database_url: str, redis_url: str, ingredients: AuditInputs, tmp_path: Path
) -> None:
    old = tmp_path / "old"
    shutil.unpack_archive(stored_release(), old)
    body = ingredients.body(name="old", labels={"team": "x"})
    del body["maps"]  # the previous release has no such field
    given = json.dumps({"database": database_url, "broker": redis_url.removesuffix("/0") + "/7", "body": body})
    found = subprocess.run(
        [sys.executable, "-W", "ignore", HERE / "previous_release.py", old, given],
        env={**os.environ, "PYTHONPATH": str(old)}, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr[-4000:]
