"""The database: tables, queries, migrations and the ordered writer."""
