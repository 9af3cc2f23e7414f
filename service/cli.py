"""The console script `salience`.

Exit status: 0 for success, 1 for a gate that does not pass, 2 for an error.
"""

import json
import sys
import traceback
from collections.abc import Mapping
from importlib import import_module

import click

from salience import ClientError
from service import __version__
from service.errors import SalienceError

COMMANDS: Mapping[str, str] = {
    "audit": "worker.commands:audit",
    "figure": "service.commands.figure:figure",
    "inspect": "worker.commands:inspect",
    "keys": "service.commands.keys:keys",
    "migrate": "service.commands.migrate:migrate",
    "report": "service.commands.report:report",
    "results": "service.commands.jobs:results",
    "serve": "service.commands.serve:serve",
    "submit": "service.commands.jobs:submit",
    "verdict": "service.commands.verdict:verdict",
    "wait": "service.commands.jobs:wait",
    "worker": "worker.commands:worker",
}
# For each module that may not be installed: the extra that installs it.
EXTRAS = {**dict.fromkeys(("torch", "torchvision"), "worker"), "matplotlib": "figures"}


class LazyGroup(click.Group):
    """A group that imports a command's module only when the command runs or shows its help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, sorted."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the command of that name, or None if there is none."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command


@click.group(cls=LazyGroup)
@click.version_option(__version__, prog_name="salience")
def commands() -> None:
    """Audit which image regions vision models rely on, and how stable that is."""


def main() -> None:
    """Run a command and exit with its status."""
    try:
        sys.exit(commands(standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
    except click.Abort:
        click.echo("Stopped.", err=True)
    except (SalienceError, ClientError) as error:
        _show(error)
    except ModuleNotFoundError as error:
        extra = EXTRAS.get(error.name or "")
        if extra:
            need = f"this command needs the extra `{extra}`: pip install 'salience-audit[{extra}]'"
            click.echo(f"Error: {need}", err=True)
        else:
            traceback.print_exc()
    except Exception:  # noqa: BLE001  # Python would exit with 1, which means a gate that does not pass
        traceback.print_exc()
    sys.exit(2)


def _show(error: SalienceError | ClientError) -> None:
    if "--json" in sys.argv:
        fields = [{"field": each.field, "detail": each.detail} for each in error.problems()]
        click.echo(json.dumps({"type": error.kind, "detail": str(error), "errors": fields}))
    click.echo(f"Error: {error}", err=True)


if __name__ == "__main__":
    main()
