"""Commands of `eddyline`, one module each; see `eddyline.cli.build` for the convention."""
