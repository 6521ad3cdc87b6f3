"""Classifiers compared on scikit-learn's breast-cancer data, as a DAG said in two ways.

`decorator_form` and `class_form` are the same pipeline. The functions that both put to work
are in `data`, `models` and `scores`; `classifier` says how what they train is stored.
"""
