"""The records that every part shares: definitions, stamps, plans, errors. Pure, and imports no other part."""
