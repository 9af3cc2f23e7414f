"""Arguments and options that several commands have."""

import os
from pathlib import Path

import click


class JobId(click.ParamType[str]):
    """The ID of a job."""

    name = "job"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The ID as it is, unless it is empty or leads elsewhere."""
        if not value.strip(".") or "/" in value:
            self.fail("give the ID that `salience submit` printed", param, ctx)
        return value


class OutputFile(click.ParamType[Path]):
    """A file to write, which may be there already."""

    name = "file"

    def convert(self, value: str | Path, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Its path, unless it cannot be written: it is told before anything is computed for it."""
        path = Path(value)
        if path.is_dir():
            self.fail(f"{path} is a folder; name a file in it", param, ctx)
        if not path.parent.is_dir():
            self.fail(f"there is no folder {path.parent}; make it first", param, ctx)
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            self.fail(f"{path} may not be written here; name another file", param, ctx)
        return path


url_option = click.option(
    "--url",
    envvar="SALIENCE_URL",
    default="http://127.0.0.1:8000",
    show_default=True,
    help="Where the service is; or set SALIENCE_URL.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
