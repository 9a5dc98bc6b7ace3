"""The owner's side: commit, see what an answer would disclose, prove. Secrets are in the vault."""
