"""One proof by many workers, each with some of the triggers; the bytes are those of one prover.

::

    prover (``prover``)                                workers (``worker``)
    transcript, pads and masks, verification           no randomness, nothing of the vault's but:
      |  pixels and salts of a part              ->    run, mark        cells, lookups   ``shard``
      |  all rows with their random tails        ->    leaves, columns  codewords        ``worker``
      |  alpha, beta; a level's point            ->    tree, level      rows of the tree ``shard``
      |  a challenge                             ->    bind             sums of a round
      |                                          <-    what was asked for: sums of all parts

``crew`` calls all workers at once, and replaces one that is lost: the calls that its state follows
from are repeated. ``witness``, ``tree`` and ``code`` stand in the prover's for what the workers
hold. The proof is verified before it leaves, since others took part in it.
``zkwm.owner.proof_on_ray`` runs the workers on Ray.
"""
