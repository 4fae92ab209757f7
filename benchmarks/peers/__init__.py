"""The same job in other frameworks, written as their documentation advises for speed."""
