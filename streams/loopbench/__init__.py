"""LoopBench: worlds in which it is known whether there is a feedback loop, and how strong it is."""
