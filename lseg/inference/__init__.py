"""What stands between a picture and an answer."""
