"""The web console: pages rendered on the server over data plane, registry and monitors."""
