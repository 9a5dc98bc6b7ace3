"""The judge: issue a challenge, check the response, give a verdict. Never imports the owner.

``judge`` is the entry, ``case`` what its checks share, ``checks`` their ids; ``check_opening`` and
``check_argument`` have those of each way of answering, ``verdict`` the result.
"""
