"""What every call to a server needs: its address, a credential, TLS, and what a failure means."""
