"""Images that the product builds by itself."""
