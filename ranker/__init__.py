"""A rank request in, an explained and ordered answer out."""
