"""The command line and the local stack: the only package that knows all the others."""
