"""Loop nests: lowering, schedules, text."""
