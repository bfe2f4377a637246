"""How often keys were used, which several gateways count together."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "registry_0002"
down_revision = "registry_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "usage",
        sa.Column("prefix", sa.String(length=16), nullable=False),
        sa.Column("quota", sa.String(length=64), nullable=False),
        sa.Column("window", sa.BigInteger(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.Column("ends_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("prefix", "quota", "window", name=op.f("pk_usage")),
    )


def downgrade() -> None:
    """Drop it again."""
    op.drop_table("usage")
