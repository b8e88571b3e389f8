"""The Kubernetes API of the project: the custom resources as pydantic models, their conditions, their CRDs.

Pure, and imports no other part: the models are the single source of `crds/*.yaml`.
"""
