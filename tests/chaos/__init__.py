"""Chaos: hundreds of resources at the mercy of a seed, and the promises that must hold when it is over.

`python -m tests.chaos --seed N` plays one seed. What happens is planned beforehand from the seed alone
(`plan`), made to happen (`play`), and judged by what the API server and the runtime hold (`promises`), never
by what the operator says of itself.
"""
