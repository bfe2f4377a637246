"""The data plane: models in memory, their queues, and the protocol over HTTP and gRPC."""
