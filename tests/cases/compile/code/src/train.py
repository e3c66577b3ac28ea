"""Stands for a training script: what compiling does with it does not depend on what it does."""

print("trained")
