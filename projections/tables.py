"""What the framework keeps about projections. Each generation's own tables are not listed here."""

from sqlalchemy import Boolean, Column, DateTime, Double, Integer, MetaData, Table, Text, false

from app.eventstore.tables import metadata as store_metadata

metadata = MetaData(naming_convention=store_metadata.naming_convention)

generations = Table(
    "projection_generations",
    metadata,
    Column("name", Text(collation="C"), primary_key=True),
    Column("generation", Integer, primary_key=True, autoincrement=False),
    Column("definition_version", Integer, nullable=False),
    Column(
        "state", Text(collation="C"), nullable=False, comment="building, ready, differing, scratch"
    ),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("phase", Text(collation="C"), comment="what a rebuild is at, or was when it died"),
    # What a rebuild was asked to do; whoever takes it up does the same.
    Column("accept_differences", Boolean, nullable=False, server_default=false()),
    Column("drop_old", Boolean, nullable=False, server_default=false()),
    Column("throttle", Double, comment="events a second"),
)

# One row says which generation queries read, for each version of the definition: moving it is how a
# rebuild takes effect, and code of two versions can run side by side.
pointers = Table(
    "projection_pointers",
    metadata,
    Column("name", Text(collation="C"), primary_key=True),
    Column("definition_version", Integer, primary_key=True, autoincrement=False),
    Column("generation", Integer, nullable=False),
)
