"""Two or more claims on one model, decided together (SPEC.md 28): the judge's side.

In the order of use:

* ``case_file``, ``case_yaml``: the case as its judge writes it, in strict YAML.
* ``marks``: parties, their commitments, when these existed, which of their keys count.
* ``logged``: statements and checkpoints of logs; logs that showed two trees.
* ``findings``: which mark stands in which model, repeated as far as it can be.
* ``objections``: what keeps a mark that was found from counting.
* ``rules``: from all of it to one outcome; pure, so that a reader of a verdict repeats it.
* ``settle``: a whole case; ``verdict``, ``verdict_fields``: its outcome as data and as a file.
* ``page``, ``wording``: one page for a court.
"""
