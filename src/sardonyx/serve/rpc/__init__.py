"""The protocol over gRPC."""

from sardonyx.serve.grpcio import grpc

__all__ = ["grpc"]
