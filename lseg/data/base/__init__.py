"""What every data set shares."""
