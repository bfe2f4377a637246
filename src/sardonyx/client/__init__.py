"""The Python SDK: inference and administration over HTTP, synchronous and asynchronous."""
