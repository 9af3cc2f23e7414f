"""Parameter types and options that several commands share."""

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import click


class JobId(click.ParamType[str]):
    """The ID of a job."""

    name = "job"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the ID. Refuses an empty ID and a path."""
        if not value.strip(".") or "/" in value:
            self.fail("give the ID that `salience submit` printed", param, ctx)
        return value


@dataclass(frozen=True)
class Output:
    """Destination of a document: a file, or standard output if `path` is None."""

    path: Path | None

    def __str__(self) -> str:
        return "standard output" if self.path is None else str(self.path)

    def write(self, content: bytes, append: bool = False) -> None:
        """Write a document to the file, or append it. Raises ClickException if that fails."""
        try:
            if self.path is None:
                if sys.stdout is None:  # Python's value for a closed stream
                    raise OSError("it is closed")
                sys.stdout.buffer.write(content)
                sys.stdout.buffer.flush()
            else:
                with self.path.open("ab" if append else "wb") as file:
                    file.write(content)
        except OSError as error:
            raise click.ClickException(f"{self} cannot be written: {error}. Name another file.") from error


class OutputFile(click.ParamType[Output]):
    """A file to write, new or existing, or `-` for standard output."""

    name = "file or -"

    def convert(self, value: str | Path | Output, param: click.Parameter | None, ctx: click.Context | None) -> Output:
        """Check that the file can be written, so that a command fails before it computes anything."""
        if isinstance(value, Output):
            return value
        if value == "-":
            return Output(None)
        path = Path(value)
        if path.is_dir():
            self.fail(f"{path} is a folder; name a file in it", param, ctx)
        if not path.parent.is_dir():
            self.fail(f"the folder {path.parent} does not exist; create it first", param, ctx)
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            self.fail(f"{path} is not writable; name another file", param, ctx)
        return Output(path)


def fills_standard_output(outputs: Iterable[Output | None], as_json: bool = False) -> bool:
    """Return whether a document goes to standard output. Raises UsageError if several documents would."""
    documents = as_json + sum(each == Output(None) for each in outputs)
    if documents > 1:
        raise click.UsageError("standard output holds one document; name a file for the others, or omit --json")
    return documents == 1


url_option = click.option(
    "--url",
    envvar="SALIENCE_URL",
    default="http://127.0.0.1:8000",
    show_default=True,
    help="URL of the service; or set SALIENCE_URL.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
