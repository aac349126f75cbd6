"""Tables of all units: what each responds to most, how long it remembers, and how many are explained by anything."""
