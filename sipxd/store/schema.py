"""The tables. The migrations beside it make them; a test compares the two.

Only what SQLite and PostgreSQL have in common is used.  Times are seconds since the epoch.  JSON is
kept as text: the daemon never searches in it, and msgspec reads it faster than either driver.
"""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

users = sa.Table(
    "users",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("first_name", sa.Text, nullable=False),
    sa.Column("last_name", sa.Text, nullable=False),
    sa.Column("email", sa.Text, nullable=False),
    sa.Column("permissions", sa.Text, nullable=False),  # JSON list of those that he was granted
    sa.Column("denied", sa.Text, nullable=False, server_default="[]"),  # JSON list
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("pin_hash", sa.Text, nullable=False),  # argon2id
    sa.Column("sip_password", sa.LargeBinary, nullable=False),  # sealed by the vault
    sa.Column("flow", sa.Text, nullable=False, server_default=""),  # empty: as configured
    sa.Column("branch_id", sa.Integer),  # SQLite adds no foreign key to a table that exists
    sa.Column("private_key", sa.Text),
    sa.Column("voicemail_pin", sa.Text, nullable=False, server_default=""),  # argon2id
    sa.Column("ha1", sa.LargeBinary),  # sealed; where [web] digest is on
    sa.Index(None, "private_key", unique=True),
    sa.Index(None, "branch_id"),
    sqlite_autoincrement=True,  # the id of a deleted user is never given to another
)

branches = sa.Table(
    "branches",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("data", sa.Text, nullable=False),  # JSON of the rest of the Branch
    sqlite_autoincrement=True,
)

# Users name their groups: whatever stands in memberships, stands here.
user_groups = sa.Table(
    "user_groups",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("weight", sa.Integer, nullable=False),
    sa.Column("branch_id", sa.ForeignKey("branches.id", ondelete="SET NULL")),
    sa.Column("data", sa.Text, nullable=False),  # JSON of the rest of the UserGroup
    sqlite_autoincrement=True,
)

# Those that administrators have made; the others are in sipxd.directory.permission.
permissions = sa.Table(
    "permissions",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),  # its name is perm_NUMBER
    sa.Column("label", sa.Text, nullable=False, unique=True),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("default", sa.Boolean, nullable=False),
    sqlite_autoincrement=True,
)

# User names and aliases in one table, because they share one name space: the key enforces it.
names = sa.Table(
    "names",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("user_id", sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    sa.Column("position", sa.Integer, nullable=False),  # 0: the user name, from 1: aliases
    sa.UniqueConstraint("user_id", "position"),
)

memberships = sa.Table(
    "memberships",
    metadata,
    sa.Column("user_id", sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("group_name", sa.Text, primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),
)

# Stored by an import that has not come to its end: nobody finds them, and their names are taken.
arriving_users = sa.Table(
    "arriving_users",
    metadata,
    sa.Column(
        "user_id",
        sa.ForeignKey("users.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
)

bindings = sa.Table(
    "bindings",
    metadata,
    sa.Column("user_id", sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("data", sa.Text, nullable=False),  # JSON of the registrar's Binding
)

# What a user has never set is not here.
forwardings = sa.Table(
    "forwardings",
    metadata,
    sa.Column(
        "user_id",
        sa.ForeignKey("users.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("data", sa.Text, nullable=False),  # JSON of the Forwarding without its version
)

# The contact information of a user (contract 3.11), as far as he is not in users.
profiles = sa.Table(
    "profiles",
    metadata,
    sa.Column(
        "user_id",
        sa.ForeignKey("users.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    sa.Column("data", sa.Text, nullable=False),  # JSON of the Profile
)

# What a user has set himself, by its path, as in im/on-the-phone-message.
settings = sa.Table(
    "settings",
    metadata,
    sa.Column("user_id", sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("path", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

# Tokens for programs; what is kept of one is enough to know it again, and nothing else.
tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),  # SHA-256, hexadecimal
    sa.Column("user_id", sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("made", sa.Double, nullable=False),
    sa.Index(None, "user_id"),
)

phonebooks = sa.Table(
    "phonebooks",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("owner_id", sa.ForeignKey("users.id", ondelete="CASCADE"), unique=True),  # or shared
    sa.Column("data", sa.Text, nullable=False),  # JSON of the rest of the Phonebook
    sqlite_autoincrement=True,
)

# A picture of a user, as PNG; apart from his profile, which is read with every phonebook.
avatars = sa.Table(
    "avatars",
    metadata,
    sa.Column(
        "user_id",
        sa.ForeignKey("users.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    sa.Column("png", sa.LargeBinary, nullable=False),
)

# Sorted by code points on every server, so that an index finds what begins with a text.
_Folded = sa.Text(collation="C").with_variant(sa.Text(), "sqlite")

# folded_...: without upper case, for searches.
phonebook_entries = sa.Table(
    "phonebook_entries",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("phonebook_id", sa.ForeignKey("phonebooks.id", ondelete="CASCADE"), nullable=False),
    sa.Column("internal_id", sa.Text, nullable=False),  # what a client calls it; empty: nothing
    sa.Column("first_name", sa.Text, nullable=False),
    sa.Column("last_name", sa.Text, nullable=False),
    sa.Column("number", sa.Text, nullable=False),
    sa.Column("folded_number", _Folded, nullable=False),
    sa.Column("folded_first_name", _Folded, nullable=False),
    sa.Column("folded_last_name", _Folded, nullable=False),
    sa.Column("folded_email", _Folded, nullable=False),
    sa.Column("data", sa.Text, nullable=False),  # JSON of its contact information
    sa.Index(None, "phonebook_id", "folded_number"),
    sa.Index(None, "phonebook_id", "folded_first_name"),
    sa.Index(None, "phonebook_id", "folded_last_name"),
    sqlite_autoincrement=True,
)

conferences = sa.Table(
    "conferences",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("extension", sa.Text, nullable=False, unique=True),
    sa.Column("owner_id", sa.ForeignKey("users.id", ondelete="CASCADE")),
    sa.Column("data", sa.Text, nullable=False),  # JSON of the rest of the Conference
    sqlite_autoincrement=True,
)

park_orbits = sa.Table(
    "park_orbits",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("extension", sa.Text, nullable=False, unique=True),
    sa.Column("data", sa.Text, nullable=False),  # JSON of the rest of the ParkOrbit
    sqlite_autoincrement=True,
)

# Telephones that are looked after elsewhere; what kinds of them refuse is in phones.
telephones = sa.Table(
    "telephones",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("serial", sa.Text, nullable=False, unique=True),
    sa.Column("data", sa.Text, nullable=False),  # JSON of the rest of the Telephone
    sqlite_autoincrement=True,
)

telephone_lines = sa.Table(
    "telephone_lines",
    metadata,
    sa.Column("telephone_id", sa.ForeignKey("telephones.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("user_id", sa.ForeignKey("users.id", ondelete="CASCADE")),  # null: external
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("uri", sa.Text, nullable=False),
    sa.Index(None, "user_id"),
)

# What an administrator has set for the whole house, by its name.
house = sa.Table(
    "house",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),  # JSON
)

# Of a user or of a user group: one of the two is null, and of a general one both.
schedules = sa.Table(
    "schedules",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("user_id", sa.ForeignKey("users.id", ondelete="CASCADE")),
    sa.Column("group_name", sa.Text),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("periods", sa.Text, nullable=False),  # JSON list
    sa.UniqueConstraint("user_id", "name"),
    sa.UniqueConstraint("group_name", "name"),
    sqlite_autoincrement=True,  # a ring may not come by another schedule than it was given
)

call_groups = sa.Table(
    "call_groups",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("extension", sa.Text, nullable=False, unique=True),
    sa.Column("did", sa.Text, nullable=False),  # empty: none
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("data", sa.Text, nullable=False),  # JSON of the rest of the CallGroup
    sqlite_autoincrement=True,
)

# No foreign key to users: the record of a call outlives its user.
calls = sa.Table(
    "calls",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
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
    sa.Column("flow", sa.Text),
    sa.Column("reached", sa.Text, nullable=False, server_default=""),
    sa.Index(None, "started", "id"),
    sa.Index(None, "user_name", "started", "id"),
    sa.Index(None, "number", "started", "id"),
    sa.Index(None, "reached", "started", "id"),
)
# Found at start: what a crash has left open.
sa.Index(
    "ix_calls_open",
    calls.c.id,
    sqlite_where=calls.c.ended.is_(None),
    postgresql_where=calls.c.ended.is_(None),
)

# What kinds of phones have refused, so that they are not asked again.
phones = sa.Table(
    "phones",
    metadata,
    sa.Column("user_agent", sa.Text, primary_key=True),
    sa.Column("refuses", sa.Text, primary_key=True),
    sa.Column("noted", sa.Double, nullable=False),
)

dialogs = sa.Table(
    "dialogs",
    metadata,
    sa.Column("call_id", sa.Text, primary_key=True),
    sa.Column("leg_id", sa.Text, primary_key=True),
    sa.Column("data", sa.Text, nullable=False),  # JSON of the dialog state
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("call_id", sa.Text, nullable=False),
    sa.Column("user_name", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("data", sa.Text, nullable=False),  # JSON object
    sqlite_autoincrement=True,
)
