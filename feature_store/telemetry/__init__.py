"""What every process shows of itself: logs, metrics, liveness and readiness."""
