"""Variables at rest: what may be shown as JSON, passwords sealed for this deployment and this name.

Because a sealed value is bound to its deployment and not to one table, a release holds copies of the very same bytes: equal bytes
are an unchanged password.
"""

import json
from collections.abc import Iterable, Mapping

import aiosqlite

from hoster.templates.variables import Values
from hoster.vault import Vault
from shared.database import Row


def opened(vault: Vault, deployment_id: str, rows: Iterable[Row]) -> Values:
    """Passwords in the clear. Raises VaultUnusable."""
    rows = list(rows)
    return Values(
        {row["name"]: json.loads(row["value"]) for row in rows if row["sealed"] is None},
        {
            row["name"]: vault.open(row["sealed"], variable_row(deployment_id, row["name"]))
            for row in rows
            if row["sealed"] is not None
        },
    )


async def read_values(connection: aiosqlite.Connection, vault: Vault, deployment_id: str) -> Values:
    """Within a transaction. Raises VaultUnusable."""
    rows = await connection.execute_fetchall(
        "SELECT name, value, sealed FROM deployment_variables WHERE deployment_id = ?", (deployment_id,)
    )
    return opened(vault, deployment_id, rows)


async def write_values(
    connection: aiosqlite.Connection, vault: Vault, deployment_id: str, values: Values, former: Values
) -> None:
    """Replaces `former`, which is what is there. A password that stays keeps its bytes."""
    gone = [*former.shown, *(name for name, text in former.secret.items() if values.secret.get(name) != text)]
    await connection.executemany(
        "DELETE FROM deployment_variables WHERE deployment_id = ? AND name = ?",
        [(deployment_id, name) for name in gone],
    )
    new_secrets = {name: text for name, text in values.secret.items() if former.secret.get(name) != text}
    await connection.executemany(
        "INSERT INTO deployment_variables (deployment_id, name, value, sealed) VALUES (?, ?, ?, ?)",
        [
            *((deployment_id, name, json.dumps(value), None) for name, value in values.shown.items()),
            *_sealed(vault, deployment_id, new_secrets),
        ],
    )


def _sealed(
    vault: Vault, deployment_id: str, secrets: Mapping[str, str]
) -> list[tuple[str, str, None, bytes]]:
    return [
        (deployment_id, name, None, vault.seal(text, variable_row(deployment_id, name)))
        for name, text in secrets.items()
    ]


def variable_row(deployment_id: str, name: str) -> str:
    return f"deployments/{deployment_id}/variables/{name}"
