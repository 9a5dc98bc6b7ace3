"""A whole case in one file, and its replay from that file alone (SPEC.md 20).

An appeal court, a buyer or a party gets ``case.zip`` and needs nothing else: no network, no ledger,
no secret. The same files give the same bytes.

Read in this order:

- ``manifest``: the roles of files, and the list of them with digests
- ``json_document``: manifest and descriptions have one encoding
- ``container``: the ZIP file of one fixed form; whatever else a ZIP file could be is refused
- ``extracted_mark``: how a mark is extracted, as the archive says it
- ``documents``: the parsed files of one case, compared with each other
- ``recognize``: which file is what, by its content; secrets are refused
- ``pack``: from files to an archive
- ``asked_again``: the suspect, opened again as the challenge says
- ``other_rounding``: asked again, and seven times more with other rounding
- ``replay``: every check again, and whether the verdict follows
- ``replay_triggers``: leaves of triggers that were packed on request
- ``replay_answers``, ``rounded_answers``: the suspect's answers to them, and what rounding explains
- ``replay_accuracy``, ``replay_dates``: accuracy on test data, and dates
"""
