"""The demo, and the synthetic scenes that it trains on."""
