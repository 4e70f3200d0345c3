"""From a database row to the principal it stands for."""

from gateway.accounts.principal import Principal, Role, UserStatus
from shared.database import Row


def principal_of(row: Row, key_id: str) -> Principal:
    """`row` has the user's `id`, `org_id`, `plan_id`, `role` and `status`."""
    return Principal(
        user_id=row["id"],
        org_id=row["org_id"],
        plan_id=row["plan_id"],
        key_id=key_id,
        role=Role(row["role"]),
        status=UserStatus(row["status"]),
    )
