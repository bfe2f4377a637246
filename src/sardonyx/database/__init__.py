"""The tables of registry and monitors, and how they move from one version to the next.

One file of tables per subject. The migrations of a subject are a branch of their own: its first revision has
no parent and a branch label, so that subjects grow without meeting.
"""

from sardonyx.database.base import now as now
from sardonyx.database.database import Database as Database
from sardonyx.database.database import home_folder as home_folder
