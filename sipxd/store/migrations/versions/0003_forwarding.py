"""What users want done with their calls, schedules, hunt groups, and who answered a call."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def _to_users(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["user_id"], ["users.id"], name=f"fk_{table}_user_id", ondelete="CASCADE"
    )


def upgrade() -> None:
    """Add what has come; everything that is there stays as it is."""
    op.add_column(
        "users", sa.Column("voicemail", sa.Boolean, nullable=False, server_default=sa.true())
    )
    op.add_column("calls", sa.Column("reached", sa.Text, nullable=False, server_default=""))
    op.create_table(
        "forwardings",
        sa.Column("user_id", sa.Integer, autoincrement=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_forwardings"),
        _to_users("forwardings"),
    )
    op.create_table(
        "schedules",
        sa.Column("id", sa.Integer),
        sa.Column("user_id", sa.Integer),
        sa.Column("group_name", sa.Text),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("periods", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_schedules"),
        sa.UniqueConstraint("user_id", "name", name="uq_schedules_user_id_name"),
        sa.UniqueConstraint("group_name", "name", name="uq_schedules_group_name_name"),
        _to_users("schedules"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "call_groups",
        sa.Column("id", sa.Integer),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("extension", sa.Text, nullable=False),
        sa.Column("did", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_call_groups"),
        sa.UniqueConstraint("name", name="uq_call_groups_name"),
        sa.UniqueConstraint("extension", name="uq_call_groups_extension"),
        sqlite_autoincrement=True,
    )
