"""What our own commands use to talk to a running stack, over the doors that everybody uses."""
