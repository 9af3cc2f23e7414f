"""Generates salience/client.py from salience/async_client.py: `python -m tests.support.sync_client [--check]`."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import unasync

SALIENCE = Path(__file__).parents[2] / "salience"
ASYNC_CLIENT, SYNC_CLIENT = SALIENCE / "async_client.py", SALIENCE / "client.py"
REPLACEMENTS = {
    "AsyncClient": "Client",
    "aclose": "close",
    "asyncio": "time",
    "async_chunks": "chunks",
    "async_sha256_of": "sha256_of",
}


def generate() -> str:
    """Return the source code of the synchronous client, made from that of the async client."""
    with TemporaryDirectory() as folder:
        source, target = Path(folder, "async", "client.py"), Path(folder, "sync", "client.py")
        source.parent.mkdir()
        source.write_text(ASYNC_CLIENT.read_text())
        unasync.unasync_files([str(source)], [unasync.Rule("/async/", "/sync/", REPLACEMENTS)])
        return target.read_text()


def main() -> None:
    """Write the synchronous client; with --check, exit with 1 if the file differs from the generated source."""
    source = generate()
    if "--check" not in sys.argv:
        SYNC_CLIENT.write_text(source)
    elif SYNC_CLIENT.read_text() != source:
        sys.exit(f"{SYNC_CLIENT.name} is not current. Run `make client`.")


if __name__ == "__main__":
    main()
