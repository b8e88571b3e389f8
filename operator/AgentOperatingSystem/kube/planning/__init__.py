"""`aos plan`: what applying resources would do to the runtimes, for a person to review before it is done.

It reads files, checks them as the API server would, looks at the resources and runtimes in the cluster, if
there is one, and asks the runtimes; it writes nothing anywhere.
"""
