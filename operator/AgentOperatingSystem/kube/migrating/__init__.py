"""`aos migrate --dry-run`: what in a cluster is still on the classic generation, and what a move makes of it.

The moving itself is the operator's, once an edit in Git asks for it. This only looks.
"""
