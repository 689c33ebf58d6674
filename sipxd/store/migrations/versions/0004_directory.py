"""The directory: branches, groups, permissions by groups, profiles, phonebooks, conferences."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what has come; what a user was granted, or not, moves into one place."""
    op.add_column("users", sa.Column("denied", sa.Text, nullable=False, server_default="[]"))
    op.add_column("users", sa.Column("branch_id", sa.Integer))
    op.add_column("users", sa.Column("private_key", sa.Text))
    op.add_column("users", sa.Column("voicemail_pin", sa.Text, nullable=False, server_default=""))
    op.add_column("users", sa.Column("ha1", sa.LargeBinary))
    _move_permissions()
    op.drop_column("users", "admin")
    op.drop_column("users", "voicemail")
    op.create_index("ix_users_private_key", "users", ["private_key"], unique=True)
    op.create_index("ix_users_branch_id", "users", ["branch_id"])
    for column in ("number", "reached"):
        columns = [column, "started", "id"]
        op.create_index(f"ix_calls_{'_'.join(columns)}", "calls", columns)
    _make_administration()
    _make_groups()
    _make_data_of_users()
    _make_phonebooks()


def _move_permissions() -> None:
    users = sa.table(
        "users",
        *(sa.column(name) for name in ("id", "permissions", "denied")),
        sa.column("admin", sa.Boolean),
        sa.column("voicemail", sa.Boolean),
    )
    connection = op.get_bind()
    for row in connection.execute(sa.select(users)).all():
        granted = set(json.loads(row.permissions)) | ({"superadmin"} if row.admin else set())
        if "international" in granted:
            granted = granted - {"international"} | {"InternationalDialing"}
        denied = [] if row.voicemail else ["Voicemail"]
        changed = {"permissions": json.dumps(sorted(granted)), "denied": json.dumps(denied)}
        connection.execute(sa.update(users).where(users.c.id == row.id).values(changed))


def _make_administration() -> None:
    op.create_table(
        "branches",
        sa.Column("id", sa.Integer),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_branches"),
        sa.UniqueConstraint("name", name="uq_branches_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "user_groups",
        sa.Column("id", sa.Integer),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("weight", sa.Integer, nullable=False),
        sa.Column("branch_id", sa.Integer),
        sa.Column("data", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_user_groups"),
        sa.UniqueConstraint("name", name="uq_user_groups_name"),
        sa.ForeignKeyConstraint(
            ["branch_id"], ["branches.id"], name="fk_user_groups_branch_id", ondelete="SET NULL"
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "permissions",
        sa.Column("number", sa.Integer),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("default", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_permissions"),
        sa.UniqueConstraint("label", name="uq_permissions_label"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "park_orbits",
        sa.Column("id", sa.Integer),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("extension", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_park_orbits"),
        sa.UniqueConstraint("name", name="uq_park_orbits_name"),
        sa.UniqueConstraint("extension", name="uq_park_orbits_extension"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "telephones",
        sa.Column("id", sa.Integer),
        sa.Column("serial", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_telephones"),
        sa.UniqueConstraint("serial", name="uq_telephones_serial"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "telephone_lines",
        sa.Column("telephone_id", sa.Integer),
        sa.Column("position", sa.Integer, autoincrement=False),
        sa.Column("user_id", sa.Integer),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("uri", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("telephone_id", "position", name="pk_telephone_lines"),
        sa.ForeignKeyConstraint(
            ["telephone_id"],
            ["telephones.id"],
            name="fk_telephone_lines_telephone_id",
            ondelete="CASCADE",
        ),
        _to_users("telephone_lines"),
    )
    op.create_index("ix_telephone_lines_user_id", "telephone_lines", ["user_id"])
    op.create_table(
        "house",
        sa.Column("name", sa.Text),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_house"),
    )


def _make_groups() -> None:
    """Groups that were mere names of users and schedules."""
    connection = op.get_bind()
    names: set[str] = set()
    for table in ("memberships", "schedules"):
        found = sa.table(table, sa.column("group_name")).c.group_name
        names.update(connection.scalars(sa.select(found).where(found.is_not(None)).distinct()))
    groups = sa.table("user_groups", *(sa.column(each) for each in ("name", "weight", "data")))
    for weight, name in enumerate(sorted(names), 1):
        connection.execute(sa.insert(groups).values(name=name, weight=weight, data="{}"))


def _make_data_of_users() -> None:
    op.create_table(
        "arriving_users",
        sa.Column("user_id", sa.Integer, autoincrement=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_arriving_users"),
        _to_users("arriving_users"),
    )
    op.create_table(
        "profiles",
        sa.Column("user_id", sa.Integer, autoincrement=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_profiles"),
        _to_users("profiles"),
    )
    op.create_table(
        "avatars",
        sa.Column("user_id", sa.Integer, autoincrement=False),
        sa.Column("png", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_avatars"),
        _to_users("avatars"),
    )
    op.create_table(
        "settings",
        sa.Column("user_id", sa.Integer),
        sa.Column("path", sa.Text),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "path", name="pk_settings"),
        _to_users("settings"),
    )
    op.create_table(
        "tokens",
        sa.Column("digest", sa.Text),
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("made", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_tokens"),
        _to_users("tokens"),
    )
    op.create_index("ix_tokens_user_id", "tokens", ["user_id"])
    op.create_table(
        "conferences",
        sa.Column("id", sa.Integer),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("extension", sa.Text, nullable=False),
        sa.Column("owner_id", sa.Integer),
        sa.Column("data", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_conferences"),
        sa.UniqueConstraint("name", name="uq_conferences_name"),
        sa.UniqueConstraint("extension", name="uq_conferences_extension"),
        _to_users("conferences", "owner_id"),
        sqlite_autoincrement=True,
    )


def _make_phonebooks() -> None:
    op.create_table(
        "phonebooks",
        sa.Column("id", sa.Integer),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("owner_id", sa.Integer),
        sa.Column("data", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_phonebooks"),
        sa.UniqueConstraint("name", name="uq_phonebooks_name"),
        sa.UniqueConstraint("owner_id", name="uq_phonebooks_owner_id"),
        _to_users("phonebooks", "owner_id"),
        sqlite_autoincrement=True,
    )
    texts = (
        "internal_id",
        "first_name",
        "last_name",
        "number",
        "data",
    )
    folded = ("folded_number", "folded_first_name", "folded_last_name", "folded_email")
    by_code_points = sa.Text(collation="C").with_variant(sa.Text(), "sqlite")
    op.create_table(
        "phonebook_entries",
        sa.Column("id", sa.Integer),
        sa.Column("phonebook_id", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in texts),
        *(sa.Column(name, by_code_points, nullable=False) for name in folded),
        sa.PrimaryKeyConstraint("id", name="pk_phonebook_entries"),
        sa.ForeignKeyConstraint(
            ["phonebook_id"],
            ["phonebooks.id"],
            name="fk_phonebook_entries_phonebook_id",
            ondelete="CASCADE",
        ),
        sqlite_autoincrement=True,
    )
    for columns in (
        ["phonebook_id", "folded_number"],
        ["phonebook_id", "folded_first_name"],
        ["phonebook_id", "folded_last_name"],
    ):
        name = f"ix_phonebook_entries_{'_'.join(columns)}"
        op.create_index(name, "phonebook_entries", columns)


def _to_users(table: str, column: str = "user_id") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], ["users.id"], name=f"fk_{table}_{column}", ondelete="CASCADE"
    )
