"""The worlds of LoopBench: nine without a loop, twelve kinds with one."""
