"""What did the network do? Models, texts, blocks of activations, and recordings of them."""
