"""How fast, and how well that is predicted: devices held to a clock."""
