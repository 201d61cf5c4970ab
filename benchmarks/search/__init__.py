"""The search engine against its peers, on landscapes whose optimum is known."""
