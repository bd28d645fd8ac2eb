"""How Alembic runs the room's migrations: on the connection that the store gives, in its transaction."""

from alembic import context

from isthmus.clinic.reading_room.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    # SQLite alters little in place; Alembic then copies the table.
    render_as_batch=True,
    # The store begins a real transaction on SQLite too, so a failed migration leaves nothing behind.
    transactional_ddl=True,
)
context.run_migrations()
