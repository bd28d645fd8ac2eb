"""All tables of the room: a file of tables that is not named here has no migration checked against it."""

from isthmus.clinic.reading_room import account_tables, audit_table
from isthmus.clinic.reading_room.table_base import Base

TABLES = (account_tables, audit_table)
METADATA = Base.metadata
