"""What the scenarios stand on: one vocabulary for the embedded control plane and the real one.

A scenario says what kubectl, the operator (a real process) and the runtime do, and never on which control
plane; so that the same test code shows a promise on both.
"""
