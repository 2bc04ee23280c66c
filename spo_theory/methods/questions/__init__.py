"""Methods that ask other questions, ask them in part, or teach their solutions."""
