"""What a model reads: texts, vocabularies, reading rules, and the lanes in which texts are read."""
