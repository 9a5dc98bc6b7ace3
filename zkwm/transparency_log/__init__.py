"""A transparency log on disk, its witness, and those who ask it (SPEC.md 25).

The tree is the only truth: files of C2SP tlog-tiles, which any web server can hand out. Beside it
stands a database with one row, the signed head of the tree, which is compared and swapped before
anything is acknowledged, and an index of entries, which is rebuilt from the tree. Read in this
order:

- ``disk``, ``tile_folder``, ``tree_files``: operations on the disk that can fail; tiles as files.
- ``tree_key``: the key that signs trees, in an encrypted file.
- ``database``: the row of the head, and the index.
- ``log``, ``recovery``: one batch of entries, step by step; what a start finds and repairs.
- ``sequencer``: many clients, one writer.
- ``check``, ``rebuild``, ``log_folder``: a whole copy verified; the database made again; where a
  log's parts are.
- ``witness``, ``witness_state``, ``witness_folder``, ``cosigning``, ``asked_witnesses``: a witness;
  a log that asks it.
- ``admission``, ``refusals``, ``problem_details``: who may register how much (a service with API
  keys gives ``Admission`` its own ``Identify``); what strangers are told.
- ``http_server``, ``listening``, ``static_files``, ``proofs``, ``log_service``, ``log_bodies``,
  ``witness_service``, ``statements``, ``serve``: the running process. ``serve.opened_service``
  gives the log to an app of one's own, which mounts ``log_service.routes``.
- ``http_client``, ``client``, ``seen_checkpoints``: those who register and verify.
"""
