"""Alembic's environment: one transaction per revision, on the connection that holds the lock."""

from alembic import context

from nudgepay.schema_lifecycle.metadata import METADATA


def include_name(name: str | None, type_: str, _parents: object) -> bool:
    """Only our own schema is compared."""
    return type_ != "schema" or name in {None, "public"}


if context.is_offline_mode():
    context.configure(dialect_name="postgresql", target_metadata=METADATA, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=METADATA,
        transaction_per_migration=True,
        include_name=include_name,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()
