"""The Open Inference Protocol v2 without a transport: its messages, its errors, how tensors are written."""
