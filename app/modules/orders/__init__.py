"""Orders: placed, confirmed, shipped, delivered; or cancelled."""
