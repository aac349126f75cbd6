"""What a model reads: texts, the characters that it knows, and the order in which it reads them."""
