"""`aos plan`: what applying resources would do to the runtime, for a person to review before it is done.

It reads files, checks them as the API server would, and asks the runtime; it writes nothing anywhere. A
resource's annotations are its file's: what the operator noted on the live object is not looked up.
"""
