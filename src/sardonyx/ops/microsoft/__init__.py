"""The operators of com.microsoft, one family a file."""
