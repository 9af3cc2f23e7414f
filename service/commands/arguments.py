"""Arguments and options that several commands have."""

import click


class JobId(click.ParamType[str]):
    """The ID of a job."""

    name = "job"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The ID as it is, unless it is empty or leads elsewhere."""
        if not value.strip(".") or "/" in value:
            self.fail("give the ID that `salience submit` printed", param, ctx)
        return value


url_option = click.option(
    "--url",
    envvar="SALIENCE_URL",
    default="http://127.0.0.1:8000",
    show_default=True,
    help="Where the service is; or set SALIENCE_URL.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
