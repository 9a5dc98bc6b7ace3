"""The relation: what the cells of every trigger must satisfy, as lookups into tables.

::

    image --------> pixels, salt are bytes                         image
      |     \\
      |      `----> BLAKE2s of the message is the public leaf      leaf, blake2s_*
      v
    network ------> every activation and maximum is right          network
      |
      v
    argmax -------> where g is 1, the label's logit is largest     argmax

    each gadget  =  cells (residues modulo p, secret, committed)
                 +  lookups (affine expressions in cells, claimed to be rows of tables)

Read ``gadget`` (the interface), ``lookup_tables``, the four gadgets, then ``relation``, which puts
them one behind the other, and ``lookup_form``, what all lookups together say about the cells
(``network_form``: the network's share; ``lookup_weights``: how a lookup is weighted). ``witness``
fills in the cells and is the prover's alone.
SPEC.md 17.3 and 17.4.
"""
