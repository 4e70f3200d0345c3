"""What was used: recorded before it is answered, shipped to the ledger exactly once."""
