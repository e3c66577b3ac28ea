"""Steps carried out on this machine: real code, by SageMaker's container contract.

`executor` gives the engine's tasks to `runners`, one module per step type; `job` is what a runner is given, `machine`
what all of them share: `store` (S3), `environments` (what an image is here), `sandbox` (a container without Docker),
`registry` (models, model packages, endpoint configurations) and `endpoints`.
"""
