"""The model file, its validation, its predictors, and the decision step."""
