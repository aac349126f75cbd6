"""Units taken away one after another, in the order of a ranking: which ranking is right?"""
