"""An embedded Kubernetes API and an embedded Foundry, for the demo and the tests.

Development tools, in memory and on loopback only. They may know nothing of the operator: what they
answer is what the real services answer, so that the operator needs no special case for them.
"""
