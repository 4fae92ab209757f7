"""The local stack: real parts and our workers, started in order, supervised, stopped without a trace."""
