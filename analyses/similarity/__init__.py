"""How alike two models are that read the same text: their sites (CKA), and each unit and its partner.

- `similarity` has the analysis: two readings of both sources.
- `pair_products` adds up what CKA and correlations are made of, in the first reading.
- `pair_influences` adds up what each atom of the text contributes to their errors, in the second.
- `paired_blocks` reads two sources side by side; `results` has the results.
"""
