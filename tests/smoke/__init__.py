"""`make smoke-azure`: one agent on a real project, and where the embedded Foundry answers otherwise.

Nothing else depends on it, and nothing here is a test: it runs only for somebody who has a project and asks.
"""
