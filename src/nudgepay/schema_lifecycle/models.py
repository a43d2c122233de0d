"""What the schema says about itself."""

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from nudgepay.db import Base


class SchemaState(Base):
    """One row: the head revision of the oldest code that this schema serves."""

    __tablename__ = "schema_state"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    oldest_code: Mapped[str]
