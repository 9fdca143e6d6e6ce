"""sklearn estimators per paradigm, calibration, evidence, adaptation, evaluation, model files."""
