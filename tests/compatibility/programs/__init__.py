"""Programs written for the documented API: each rule of ids and paths, as tasks that show it.

They run unmodified on our Stardag and on every published release. A module is one rule: its
`CASES` are tasks by a sentence that says what is shown, made when they are called.
"""
