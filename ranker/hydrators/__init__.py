"""Find out what is known about a request's user and candidates."""
