"""The judge's side: challenge, check an answer, give a verdict. Never imports the owner's side."""
