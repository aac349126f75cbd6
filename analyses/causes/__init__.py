"""Does the model use it? Effects of interventions on losses, where a hypothesis holds and where it does not."""
