"""`salience keys`: creates, lists and revokes API keys, in the database that SALIENCE_DATABASE_URL names."""

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import click
from rich.console import Console
from rich.table import Column, Table
from sqlalchemy.exc import OperationalError

from service.commands.arguments import json_option
from service.domain.api_key import ApiKey, Scope, check_tenant
from service.errors import InvalidApiKey
from service.settings import StoreSettings
from service.storage import ApiKeyStore, Store
from service.storage import migrate as schema

DURATION = re.compile(r"(\d{1,5})([hdw])")
UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


@click.group()
def keys() -> None:
    """Manage API keys: who may call the HTTP API, for which tenant and with which scope."""


@keys.command()
@click.option("--name", required=True, help="Name of the person or program that uses the key.")
@click.option(
    "--scope",
    type=click.Choice([str(scope) for scope in Scope]),
    default="submit",
    show_default=True,
    help="read: view; submit: also start audits and upload files; admin: also manage policies and webhooks.",
)
@click.option("--tenant", default="", help="Tenant that the key belongs to [default: the tenant without a name].")
@click.option("--expires", help="Expiry: a date (2027-01-31), or a duration such as 12h, 90d, 8w [default: never].")
@json_option
def create(name: str, scope: str, tenant: str, expires: str | None, as_json: bool) -> None:
    """Create a key and print it. It is shown once, since the database stores only its digest."""
    expires_at = _parse_expiry(expires, time.time()) if expires else None
    with _store() as store:
        created, secret = store.create(_check_name(name), check_tenant(tenant), Scope(scope), expires_at)
    if as_json:
        click.echo(json.dumps({**_describe(created), "key": secret}))
        return
    click.echo(secret)
    click.echo("It is not shown again. Send it as `Authorization: Bearer ...`, or set SALIENCE_API_KEY.", err=True)


@keys.command("list")
@json_option
def list_(as_json: bool) -> None:
    """Show all keys without their secrets: prefix, scope, tenant, last use."""
    with _store() as store:
        found = store.list()
    if as_json:
        click.echo(json.dumps([_describe(each) for each in found]))
        return
    table = Table(Column("prefix", no_wrap=True), "name", "tenant", "scope", "expires", "last used", "state")
    for each in found:
        state = "revoked" if each.revoked_at else "good" if each.is_valid(time.time()) else "expired"
        days = (_iso(each.expires_at), _iso(each.used_at))
        table.add_row(each.prefix, each.name, each.tenant, each.scope, *((day or "")[:10] for day in days), state)
    Console().print(table)


@keys.command()
@click.argument("prefix")
@json_option
def revoke(prefix: str, as_json: bool) -> None:
    """Revoke the key with this PREFIX, at once and for good."""
    with _store() as store:
        revoked = store.revoke(prefix)
    click.echo(json.dumps(_describe(revoked)) if as_json else f"Key {prefix} is revoked.")


@contextmanager
def _store() -> Iterator[ApiKeyStore]:
    """Open the store of API keys. The database of the embedded service is created if it does not exist."""
    settings = StoreSettings.read()
    store = Store.open(settings.database, timeouts=settings.database_timeouts)
    try:
        if settings.embedded:
            schema.upgrade(store.database.engine)
        if not schema.is_current(store.database.engine):
            raise click.ClickException("The database's schema is not current; run `salience migrate` first.")
        yield store.keys
    except OperationalError as error:
        url = store.database.url.render_as_string(hide_password=True)
        raise click.ClickException(f"{url} (SALIENCE_DATABASE_URL) does not answer: {error.orig}") from error
    finally:
        store.database.close()


def _check_name(name: str) -> str:
    if not name.isprintable() or not 0 < len(name.strip()) <= 200:
        raise InvalidApiKey(field="name", detail="give up to 200 printable characters")
    return name.strip()


def _parse_expiry(text: str, now: float) -> float:
    """Convert a date or a duration from `now` into seconds since the epoch. Raises InvalidApiKey."""
    duration = DURATION.fullmatch(text)
    try:
        end = now + int(duration[1]) * UNITS[duration[2]].total_seconds() if duration else _date(text)
    except ValueError:
        raise InvalidApiKey(
            field="expires", detail=f"{text!r} is neither a date such as 2027-01-31 nor a duration such as 12h, 90d, 8w"
        ) from None
    if end <= now:
        raise InvalidApiKey(field="expires", detail=f"{text} is in the past")
    return end


def _date(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def _describe(key: ApiKey) -> dict[str, object]:
    times = {
        name: _iso(moment)
        for name, moment in (
            ("created_at", key.created_at), ("expires_at", key.expires_at),
            ("used_at", key.used_at), ("revoked_at", key.revoked_at),
        )
    }  # fmt: skip
    return {"prefix": key.prefix, "name": key.name, "tenant": key.tenant, "scope": key.scope, **times}


def _iso(moment: float | None) -> str | None:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds") if moment is not None else None
