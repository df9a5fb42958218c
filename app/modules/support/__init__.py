"""Questions of customers: asked, acknowledged, answered, and resolved in time."""
