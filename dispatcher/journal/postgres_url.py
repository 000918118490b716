"""The address of a PostgreSQL journal, as libpq's parameters, and as people may see it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import parse_qs, quote, unquote

from dispatcher.errors import JournalError

# A password ends with the first @, and a host with the first slash or colon, whatever follows.
_URL = re.compile(
    r"""postgres(?:ql)?://
    (?:(?P<user>[^:/]*)(?::(?P<password>[^@]*))?@)?
    (?:\[(?P<ipv6>[^/?]+)\]|(?P<host>[^/:?]+))?(?::(?P<port>[^/?]*))?
    (?:/(?P<database>[^?]*))?
    (?:\?(?P<query>.*))?""",
    re.VERBOSE | re.DOTALL,
)


class PostgresUrl(NamedTuple):
    """The parts of a URL. `query` has libpq's other parameters, each with all of its values."""

    user: str | None
    password: str | None
    host: str | None
    port: int | None
    database: str | None
    query: Mapping[str, list[str]]

    @classmethod
    def parse(cls, url: str) -> PostgresUrl:
        """Raises JournalError, which shows nothing of the URL."""
        found = _URL.fullmatch(url)
        try:
            if found is None:
                raise ValueError
            port = int(found["port"]) if found["port"] else None
        except ValueError:
            raise JournalError(
                "the journal's address cannot be read: postgresql://USER@HOST/DATABASE"
            ) from None
        host, database = found["host"] or found["ipv6"], _decoded(found["database"])
        if "@" in f"{host}{database}":  # then a part of the password would be shown
            raise JournalError("write an @ in the journal's user or password as %40")
        query = parse_qs(found["query"] or "")
        return cls(
            _decoded(found["user"]), _decoded(found["password"]), host, port, database, query
        )

    @property
    def shown(self) -> str:
        """The URL for people, without its password, nor the query, which may hold secrets, too."""
        secret = "" if self.password is None else ":***"
        user = "" if self.user is None else f"{quote(self.user, safe=' +')}{secret}@"
        host = f"[{self.host}]" if self.host and ":" in self.host else self.host or ""
        port = "" if self.port is None else f":{self.port}"
        database = "" if self.database is None else f"/{quote(self.database, safe=' +/')}"
        return f"postgresql://{user}{host}{port}{database}"

    def parameters(self) -> dict[str, str]:
        """Return libpq's parameters. Of several hosts, each may have its port: host=a:1&host=b:2.

        Several `options` count together; of another parameter, the last value does.
        """
        own = {
            "user": self.user,
            "password": self.password,
            "host": self.host,
            "port": None if self.port is None else str(self.port),
            "dbname": self.database,
        }
        given = {name: values[-1] for name, values in self.query.items()}
        hosts = self.query.get("host", [])
        if len(hosts) > 1 or any(re.fullmatch(r"[\w.-]+:\d*", each) for each in hosts):
            given["host"], given["port"] = _hosts_and_ports(hosts)
        if "options" in self.query:
            given["options"] = " ".join(self.query["options"])
        return {name: value for name, value in own.items() if value} | given


def _hosts_and_ports(hosts: Iterable[str]) -> tuple[str, str]:
    pairs = [each.partition(":") for each in hosts]
    return ",".join(host for host, _, _ in pairs), ",".join(port for _, _, port in pairs)


def _decoded(part: str | None) -> str | None:
    return None if part is None else unquote(part)
