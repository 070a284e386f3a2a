"""`serve`: a page and an HTTP endpoint that classify photographs."""
