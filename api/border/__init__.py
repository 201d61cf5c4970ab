"""Where HTTP ends: what is let in, how errors are told, who is calling."""
