"""Classifiers compared on scikit-learn's breast-cancer data, as a DAG said in two ways.

`decorator_form` and `class_form` are the same pipeline; `data`, `models` and `scores` hold
the plain functions that both put to work, and that know nothing of tasks.
"""
