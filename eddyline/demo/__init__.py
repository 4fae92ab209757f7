"""The demo: a stack of its own, users, a model learned from them, before the eyes of a newcomer."""
