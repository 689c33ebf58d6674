"""The flow of a user and of a call, and what phones have refused."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what has come; everything that is there stays as it is."""
    op.add_column("users", sa.Column("flow", sa.Text, nullable=False, server_default=""))
    op.add_column("calls", sa.Column("flow", sa.Text))
    op.create_table(
        "phones",
        sa.Column("user_agent", sa.Text),
        sa.Column("refuses", sa.Text),
        sa.Column("noted", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("user_agent", "refuses", name="pk_phones"),
    )
