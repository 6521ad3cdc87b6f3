"""What the end-to-end tests share: real processes, started, killed and waited for."""
