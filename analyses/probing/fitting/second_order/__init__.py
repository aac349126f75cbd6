"""Second derivatives of losses, and the Newton steps that use them."""
