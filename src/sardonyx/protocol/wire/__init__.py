"""The protobuf messages of the protocol; `make stubs` generates them from the .proto files beside."""
