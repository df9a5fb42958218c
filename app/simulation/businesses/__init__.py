"""The businesses that the crowd deals with: small stories, one file a business."""
