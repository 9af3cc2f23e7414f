"""The console script `salience`. Commands are entry points, so that those of the worker load when asked for.

Exit status: 0 for success, 1 where a gate does not pass, 2 for an error.
"""

import json
import sys
import traceback
from importlib.metadata import entry_points

import click

from salience import ClientError
from service import __version__
from service.errors import SalienceError

GROUP = "salience.commands"
# Which extra brings a module that a command may lack.
EXTRAS = {**dict.fromkeys(("torch", "torchvision", "numpy", "PIL"), "worker"), "matplotlib": "figures"}


class Commands(click.Group):
    """The commands that the installed packages offer."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return sorted(entry_points(group=GROUP).names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        for entry in entry_points(group=GROUP, name=cmd_name):
            command: click.Command = entry.load()
            return command
        return None


@click.group(cls=Commands)
@click.version_option(__version__, prog_name="salience")
def commands() -> None:
    """Audits where vision models look, and whether that can be relied on."""


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
    except Exception:  # noqa: BLE001  # uncaught it would exit with 1, as a gate that fails does
        traceback.print_exc()
    sys.exit(2)


def _show(error: SalienceError | ClientError) -> None:
    if "--json" in sys.argv:
        fields = [{"field": each.field, "detail": each.detail} for each in error.problems()]
        click.echo(json.dumps({"type": error.kind, "detail": str(error), "errors": fields}))
    click.echo(f"Error: {error}", err=True)


if __name__ == "__main__":
    main()
