"""From which spread of traffic on the name of a deployment means it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "registry_0003"
down_revision = "registry_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the column; of deployments that are there it is not known."""
    op.add_column("deployments", sa.Column("first_traffic", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    """Drop it again."""
    op.drop_column("deployments", "first_traffic")
