"""What a comparison of two losses supports: of these networks, and of the methods."""
