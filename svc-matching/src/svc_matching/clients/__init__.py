"""What is spoken to outside: only what the settings name, and only while it is asked."""
