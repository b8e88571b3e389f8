"""From a resource to its agent: the desired state, the pass, and the status. The one story.

Knows Kubernetes and runtimes only through the two ports in `ports.py`.
"""
