"""The tables of the first release.

The tables are spelled out here, not taken from ``store.schema``: this step must make the same
tables for ever.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _user_id(primary_key: bool) -> sa.Column[int]:
    return sa.Column("user_id", sa.Integer, primary_key=primary_key, nullable=False)


def _to_users(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["user_id"], ["users.id"], name=f"fk_{table}_user_id", ondelete="CASCADE"
    )


def upgrade() -> None:
    """Create every table."""
    op.create_table(
        "users",
        sa.Column("id", sa.Integer),
        sa.Column("first_name", sa.Text, nullable=False),
        sa.Column("last_name", sa.Text, nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("permissions", sa.Text, nullable=False),
        sa.Column("admin", sa.Boolean, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("pin_hash", sa.Text, nullable=False),
        sa.Column("sip_password", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "names",
        sa.Column("name", sa.Text),
        _user_id(False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_names"),
        sa.UniqueConstraint("user_id", "position", name="uq_names_user_id_position"),
        _to_users("names"),
    )
    op.create_table(
        "memberships",
        _user_id(False),
        sa.Column("group_name", sa.Text),
        sa.Column("position", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "group_name", name="pk_memberships"),
        _to_users("memberships"),
    )
    op.create_table(
        "bindings",
        _user_id(False),
        sa.Column("position", sa.Integer, autoincrement=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "position", name="pk_bindings"),
        _to_users("bindings"),
    )
    op.create_table(
        "calls",
        sa.Column("id", sa.Text),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("user_name", sa.Text, nullable=False),
        sa.Column("number", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("started", sa.Double, nullable=False),
        sa.Column("answered", sa.Double),
        sa.Column("bridged", sa.Double),
        sa.Column("ended", sa.Double),
        sa.Column("cause_who", sa.Text),
        sa.Column("cause_leg", sa.Text),
        sa.Column("cause_code", sa.Integer),
        sa.Column("cause_sentence", sa.Text),
        sa.Column("media_mismatch", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_calls"),
    )
    op.create_index("ix_calls_started_id", "calls", ["started", "id"])
    op.create_index("ix_calls_user_name_started_id", "calls", ["user_name", "started", "id"])
    op.create_index(
        "ix_calls_open",
        "calls",
        ["id"],
        sqlite_where=sa.text("ended IS NULL"),
        postgresql_where=sa.text("ended IS NULL"),
    )
    op.create_table(
        "dialogs",
        sa.Column("call_id", sa.Text),
        sa.Column("leg_id", sa.Text),
        sa.Column("data", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("call_id", "leg_id", name="pk_dialogs"),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite")),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("call_id", sa.Text, nullable=False),
        sa.Column("user_name", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sqlite_autoincrement=True,
    )
