"""What runs for longer than a test run should: `make soak`."""
