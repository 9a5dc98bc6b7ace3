"""A transparency log on disk, its witness, and those who ask it (SPEC.md 25).

The tree is the only truth: files of C2SP tlog-tiles, which any web server can hand out. Beside it
stands a database with one row, the signed head of the tree, which is compared and swapped before
anything is acknowledged, and an index of entries, which is rebuilt from the tree. Read in this
order:

- ``disk``, ``tile_folder``: operations on the disk that can fail; tiles as files.
- ``log_key``: the key that signs trees, in an encrypted file.
- ``database``: the row of the head, and the index.
- ``log``, ``recovery``: one batch of entries, step by step; what a start finds and repairs.
- ``sequencer``: many clients, one writer.
- ``check``, ``rebuild``, ``log_folder``: a whole copy verified; the database made again; where a
  log's parts are.
- ``witness``, ``witness_state``, ``witness_folder``, ``cosigning``: a witness; a log that asks it.
- ``http_server``, ``static_files``, ``proofs``, ``log_service``, ``witness_service``,
  ``statements``, ``serve``: the running process.
- ``http_client``, ``client``, ``seen_checkpoints``: those who register and verify.
"""
