"""Say which candidates a user may be shown; a surface's policy names the filters it wants."""
