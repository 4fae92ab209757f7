"""What feeds what, assembled from all declarations, and a watch over who reads what models decide (D0)."""
