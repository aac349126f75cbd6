"""What a picture of a text is drawn with: glyphs, a sheet that is measured in cells, and legends."""
