"""SageMaker's API on loopback: moto's server, with the gaps that pipelines have mended.

`server` starts it, `responses` answers for pipelines in moto's place, `pipelines` keeps them, `requests` checks what
a request may hold and `validation` what a definition may.
"""
