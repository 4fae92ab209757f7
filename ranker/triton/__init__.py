"""Where models run: Triton over gRPC, or the same module in process."""
