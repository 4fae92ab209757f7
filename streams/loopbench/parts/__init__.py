"""What worlds are made of, one idea a file."""
