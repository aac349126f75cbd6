"""The bundled model and text; README.md beside this says where they come from."""
