"""Metrics, traces, the payload log, drift and alerts: what happened, and what it means."""
