"""Evidence that stays valid however often it is looked at."""
