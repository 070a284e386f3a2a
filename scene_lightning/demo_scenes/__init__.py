"""The demo, and the drawn scenes that it trains on."""
