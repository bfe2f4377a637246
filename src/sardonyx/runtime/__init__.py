"""Programs and what they run on: memory, threads, segments, host steps. Imports no compiler."""
