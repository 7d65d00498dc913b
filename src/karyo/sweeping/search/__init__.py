"""A search instead of a grid: Optuna chooses the settings of each run, and cuts hopeless runs short.

Hydra's own plugin for Optuna is not used. Its release for Hydra 1.3 (hydra-optuna-sweeper 1.3.0) requires Optuna below
3; its pre-release for current Optuna (1.4.0rc3) requires Hydra 1.4, which is not released.
"""
