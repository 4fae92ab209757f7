"""Whether what was served is what the log says: rows folded again, offline, must give the same bits."""
